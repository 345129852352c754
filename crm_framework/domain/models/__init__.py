"""The tables of the core. ORM classes serve writes and migrations; reads go through the engine."""

from .customers import (
    AttributeDefinition,
    AttributeType,
    Consent,
    ContactPoint,
    ContactRule,
    Customer,
    CustomerKind,
    CustomerStage,
    CustomerTag,
    ErasureReceipt,
    Segment,
)
from .events import AuditEntry, AuditLink, Delivery, DeliveryStatus, IdempotencyRecord, OutboxEvent
from .identity import Role, Staff, StaffRole, Token
from .interactions import Direction, Interaction, PurchaseLine, Sentiment
from .jobs import JobStatus, Schedule, StoredJob
from .messages import Message, MessageState
from .webhooks import StreamReader, Webhook, WebhookDelivery, WebhookDeliveryStatus, WebhookStatus

__all__ = [
    "AttributeDefinition",
    "AttributeType",
    "AuditEntry",
    "AuditLink",
    "Consent",
    "ContactPoint",
    "ContactRule",
    "Customer",
    "CustomerKind",
    "CustomerStage",
    "CustomerTag",
    "Delivery",
    "DeliveryStatus",
    "Direction",
    "ErasureReceipt",
    "IdempotencyRecord",
    "Interaction",
    "JobStatus",
    "Message",
    "MessageState",
    "OutboxEvent",
    "PurchaseLine",
    "Role",
    "Schedule",
    "Segment",
    "Sentiment",
    "Staff",
    "StaffRole",
    "StoredJob",
    "StreamReader",
    "Token",
    "Webhook",
    "WebhookDelivery",
    "WebhookDeliveryStatus",
    "WebhookStatus",
]
