"""Interactions, and the lines of purchases."""

from enum import StrEnum
from typing import Any

from tortoise import fields
from tortoise.models import Model

from .columns import created, key


class Direction(StrEnum):
    INBOUND = "INBOUND"
    OUTBOUND = "OUTBOUND"


class Sentiment(StrEnum):
    POSITIVE = "POSITIVE"
    NEUTRAL = "NEUTRAL"
    NEGATIVE = "NEGATIVE"


class Interaction(Model):
    id = key()
    version = fields.IntField(default=1, db_default=1)
    customer: Any = fields.ForeignKeyField(
        "crm.Customer", related_name="interactions", on_delete=fields.RESTRICT
    )
    kind = fields.CharField(max_length=40)
    channel = fields.CharField(max_length=40, null=True)
    direction = fields.CharEnumField(Direction, max_length=24, null=True)
    subject = fields.CharField(max_length=500, null=True)
    body = fields.TextField(null=True)
    outcome = fields.CharField(max_length=200, null=True)
    sentiment = fields.CharEnumField(Sentiment, max_length=24, null=True)
    occurred_at = fields.DatetimeField()
    duration_seconds = fields.IntField(null=True)
    staff: Any = fields.ForeignKeyField(
        "crm.Staff", related_name="interactions", null=True, on_delete=fields.RESTRICT, db_index=True
    )
    follow_up_at = fields.DatetimeField(null=True)
    reply_to: Any = fields.ForeignKeyField(
        "crm.Interaction", related_name="replies", null=True, on_delete=fields.RESTRICT, db_index=True
    )
    source = fields.CharField(max_length=100, null=True)
    reference = fields.CharField(max_length=200, null=True)
    total_minor = fields.BigIntField(null=True, description="minor units of currency; negative for a refund")
    currency = fields.CharField(max_length=3, null=True, description="ISO 4217")
    refund_of: Any = fields.ForeignKeyField(
        "crm.Interaction", related_name="refunds", null=True, on_delete=fields.RESTRICT, db_index=True
    )
    created_at = created()

    class Meta:
        table = "crm_interaction"
        unique_together = (("source", "reference"),)
        indexes = (
            ("customer_id", "occurred_at", "id"),
            ("occurred_at", "id"),
            ("created_at", "id"),
            ("kind", "occurred_at", "id"),
            ("kind", "id"),
            ("follow_up_at", "id"),
        )


class PurchaseLine(Model):
    id = key()
    interaction: Any = fields.ForeignKeyField(
        "crm.Interaction", related_name="lines", on_delete=fields.RESTRICT
    )
    position = fields.IntField()
    sku = fields.CharField(max_length=100)
    name = fields.CharField(max_length=300, null=True)
    category = fields.CharField(max_length=100, null=True)
    quantity = fields.IntField()
    unit_price_minor = fields.BigIntField(null=True, description="null where only the line's amount is known")
    amount_minor = fields.BigIntField(description="what the line adds to the total")

    class Meta:
        table = "crm_purchase_line"
        unique_together = (("interaction_id", "position"),)
        indexes = (("sku",),)
