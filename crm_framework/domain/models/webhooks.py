"""Addresses that events are sent to, and each event that was, or is to be, sent to one."""

from enum import StrEnum
from typing import Any

from tortoise import fields
from tortoise.models import Model

from crm_framework.storage.ids import new_id

from .columns import created, key


class WebhookStatus(StrEnum):
    ACTIVE = "ACTIVE"
    PAUSED = "PAUSED"


class WebhookDeliveryStatus(StrEnum):
    PENDING = "PENDING"
    DELIVERED = "DELIVERED"
    FAILED = "FAILED"


class Webhook(Model):
    id = key()
    version = fields.IntField(db_default=1)
    url = fields.CharField(max_length=2000)
    description = fields.TextField(null=True)
    types: Any = fields.JSONField(description="[] is all")
    condition: Any = fields.JSONField(null=True, description="a filter of customers, as segments have it")
    status = fields.CharEnumField(WebhookStatus, max_length=24)
    pause_reason = fields.CharField(max_length=500, null=True)
    paused_at = fields.DatetimeField(null=True)
    secret = fields.CharField(max_length=300, description="read by who signs, and by nobody else")
    old_secret = fields.CharField(max_length=300, null=True)
    old_secret_until = fields.DatetimeField(null=True)
    begins = fields.CharField(max_length=60, description="the stream's position when it was made")
    failures = fields.IntField(db_default=0, description="attempts since the last that succeeded")
    failing_since = fields.DatetimeField(null=True, description="the first of these")
    created_at = created()
    updated_at = fields.DatetimeField()

    class Meta:
        table = "crm_webhook"


class WebhookDelivery(Model):
    """One event for one webhook; its key is what the receiver is told as `webhook-id`.

    `next_at` is when it is due. An attempt is counted, and the next one planned, before it is made.
    """

    position = fields.BigIntField(primary_key=True, generated=True)
    id = fields.UUIDField(unique=True, default=new_id)
    webhook: Any = fields.ForeignKeyField(
        "crm.Webhook", related_name="deliveries", on_delete=fields.RESTRICT, db_index=True
    )
    event: Any = fields.ForeignKeyField(
        "crm.OutboxEvent",
        to_field="id",
        related_name="webhook_deliveries",
        on_delete=fields.RESTRICT,
        null=True,
        description="null for a test",
    )
    type = fields.CharField(max_length=100)
    customer_id = fields.UUIDField(null=True)
    status = fields.CharEnumField(WebhookDeliveryStatus, max_length=24)
    attempts = fields.IntField()
    next_at = fields.DatetimeField()
    tried_at = fields.DatetimeField(null=True, description="when the last attempt began")
    finished_at = fields.DatetimeField(null=True)
    response_status = fields.IntField(null=True)
    response_text = fields.TextField(null=True, description="how the last answer began")
    duration_ms = fields.IntField(null=True)
    error = fields.CharField(max_length=500, null=True)
    created_at = created()

    class Meta:
        table = "crm_webhook_delivery"
        unique_together = (("webhook_id", "event_id"),)
        indexes = (("webhook_id", "status", "next_at"), ("status", "finished_at"), ("customer_id",))


class StreamReader(Model):
    """How far somebody has read the stream of events. Who goes on with it holds the row."""

    name = fields.CharField(max_length=100, primary_key=True)
    position = fields.CharField(max_length=60)
    updated_at = fields.DatetimeField()

    class Meta:
        table = "crm_stream_reader"
