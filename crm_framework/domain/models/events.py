"""What happened and what is still owed to it, the audit log, and what was answered to repeated requests."""

from enum import StrEnum
from typing import Any

from tortoise import fields
from tortoise.migrations.constraints import CheckConstraint
from tortoise.models import Model

from crm_framework.storage.ids import new_id

from .columns import created, key


class DeliveryStatus(StrEnum):
    PENDING = "PENDING"
    PARKED = "PARKED"


class OutboxEvent(Model):
    """`position` and `horizon` are the database's to fill in; `storage/stream.py` tells what they mean."""

    position = fields.BigIntField(primary_key=True, generated=True)
    id = fields.UUIDField(unique=True, default=new_id)
    horizon = fields.BigIntField(db_default=0)
    type = fields.CharField(max_length=100)
    customer_id = fields.UUIDField(null=True)
    payload: Any = fields.JSONField()
    created_at = created()
    trace = fields.CharField(max_length=55, null=True, description="traceparent of the span that emitted it")

    class Meta:
        table = "crm_event"
        indexes = (("customer_id", "position"),)


class Delivery(Model):
    """What a handler still owes an event. No row means that it is done.

    `position` grows with every row: keys are of the clocks of several machines and do not tell what comes
    behind what.
    """

    position = fields.BigIntField(primary_key=True, generated=True)
    id = fields.UUIDField(unique=True, default=new_id)
    event: Any = fields.ForeignKeyField(
        "crm.OutboxEvent", to_field="id", related_name="deliveries", on_delete=fields.RESTRICT
    )
    handler = fields.CharField(max_length=100)
    customer_id = fields.UUIDField(null=True, description="the event's, to find what comes behind what")
    status = fields.CharEnumField(DeliveryStatus, max_length=24)
    attempts = fields.IntField()
    tried_at = fields.DatetimeField(null=True, description="when the last attempt began")
    next_at = fields.DatetimeField()
    error = fields.TextField(null=True)

    class Meta:
        table = "crm_delivery"
        unique_together = (("event_id", "handler"),)
        indexes = (("handler", "status", "next_at"), ("customer_id", "handler"))


class AuditEntry(Model):
    id = key()
    at = fields.DatetimeField()
    actor_kind = fields.CharField(max_length=24)
    actor_id = fields.CharField(max_length=100, null=True)
    actor_name = fields.CharField(max_length=200)
    token_id = fields.UUIDField(null=True)
    request_id = fields.CharField(max_length=64, null=True)
    action = fields.CharField(max_length=100)
    subject_type = fields.CharField(max_length=60)
    subject_id = fields.CharField(max_length=100)
    customer_id = fields.UUIDField(null=True)
    reason = fields.CharField(max_length=500, null=True, description="why an attempt was refused")
    changes = fields.TextField(description="JSON, field -> [before, after]; text, as the digest is over it")
    salt = fields.BinaryField(null=True, description="null once the entry was erased")
    digest = fields.BinaryField(description="see storage/audit.py")
    erased_by = fields.UUIDField(null=True, description="receipt of the erasure that emptied the entry")
    erased_digest = fields.BinaryField(null=True, description="salted digest of what was erased")

    class Meta:
        table = "crm_audit"
        indexes = (("subject_type", "subject_id", "id"), ("customer_id", "id"))


class AuditLink(Model):
    """A link of the chain over the audit log. Neither changed nor removed, nor are entries."""

    position = fields.BigIntField(primary_key=True, generated=False)
    entry_id = fields.UUIDField(unique=True)
    digest = fields.BinaryField(description="the entry's")
    hash = fields.BinaryField(description="over the link before and this one")
    key_id = fields.CharField(max_length=16, null=True, description="which audit key it was made with")

    class Meta:
        table = "crm_audit_chain"
        constraints = (
            # SQLite takes a text or a fraction for an integer
            CheckConstraint(
                name="crm_audit_chain_position",
                check="position > 0 AND position = CAST(position AS BIGINT)",
            ),
        )


class IdempotencyRecord(Model):
    id = key()
    actor = fields.CharField(max_length=140)
    operation = fields.CharField(max_length=100)
    key_text = fields.CharField(max_length=200)
    fingerprint = fields.CharField(max_length=64, description="SHA-256 of the input")
    result: Any = fields.JSONField()
    created_at = created()

    class Meta:
        table = "crm_idempotency"
        unique_together = (("actor", "operation", "key_text"),)
