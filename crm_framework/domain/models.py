"""The tables of the core. ORM classes serve writes and migrations; reads go through the engine."""

from enum import StrEnum
from typing import Any

from tortoise import fields
from tortoise.models import Model

from crm_framework.storage.ids import new_id


class CustomerKind(StrEnum):
    PERSON = "PERSON"
    ORGANISATION = "ORGANISATION"


class CustomerStage(StrEnum):
    PROSPECT = "PROSPECT"
    CUSTOMER = "CUSTOMER"
    FORMER = "FORMER"


class Consent(StrEnum):
    OPTED_IN = "OPTED_IN"
    OPTED_OUT = "OPTED_OUT"
    UNKNOWN = "UNKNOWN"


class Direction(StrEnum):
    INBOUND = "INBOUND"
    OUTBOUND = "OUTBOUND"


class Sentiment(StrEnum):
    POSITIVE = "POSITIVE"
    NEUTRAL = "NEUTRAL"
    NEGATIVE = "NEGATIVE"


class AttributeType(StrEnum):
    TEXT = "TEXT"
    NUMBER = "NUMBER"
    BOOLEAN = "BOOLEAN"
    DATE = "DATE"
    CHOICE = "CHOICE"
    CHOICES = "CHOICES"


class DeliveryStatus(StrEnum):
    PENDING = "PENDING"
    PARKED = "PARKED"


def key() -> Any:
    return fields.UUIDField(primary_key=True, default=new_id)


def created() -> Any:
    return fields.DatetimeField(description="set by the unit of work, UTC")


class Staff(Model):
    id = key()
    version = fields.IntField(default=1, db_default=1)
    name = fields.CharField(max_length=200)
    email = fields.CharField(max_length=320, null=True, unique=True)
    active = fields.BooleanField(default=True, db_default=True)
    away_from = fields.DatetimeField(null=True)
    away_until = fields.DatetimeField(null=True)
    source = fields.CharField(max_length=100, null=True)
    reference = fields.CharField(max_length=200, null=True)
    created_at = created()
    updated_at = created()

    class Meta:
        table = "crm_staff"
        unique_together = (("source", "reference"),)


class Customer(Model):
    id = key()
    version = fields.IntField(default=1, db_default=1)
    kind = fields.CharEnumField(CustomerKind, max_length=24)
    stage = fields.CharEnumField(CustomerStage, max_length=24)
    name = fields.CharField(max_length=300)
    sort_name = fields.CharField(max_length=300, description="name, folded; what lists are ordered by")
    company = fields.CharField(max_length=300, null=True)
    email = fields.CharField(max_length=320, null=True, description="the primary contact point's value")
    phone = fields.CharField(max_length=40, null=True)
    city = fields.CharField(max_length=200, null=True)
    country = fields.CharField(max_length=2, null=True, description="ISO 3166-1 alpha-2")
    owner: Any = fields.ForeignKeyField(
        "crm.Staff", related_name="owned", null=True, on_delete=fields.RESTRICT, db_index=True
    )
    backup: Any = fields.ForeignKeyField(
        "crm.Staff", related_name="backed_up", null=True, on_delete=fields.RESTRICT, db_index=True
    )
    attributes: Any = fields.JSONField(default=dict)
    locale = fields.CharField(max_length=35, null=True, description="BCP 47")
    time_zone = fields.CharField(max_length=64, null=True, description="IANA")
    source = fields.CharField(max_length=100, null=True)
    reference = fields.CharField(max_length=200, null=True)
    confidential = fields.BooleanField(default=False, db_default=False)
    search_text = fields.TextField(default="", description="folded words of name, company, contact points")
    created_at = created()
    updated_at = created()
    converted_at = fields.DatetimeField(null=True, description="its index is in the first migration, too")
    returned_at = fields.DatetimeField(null=True)
    former_at = fields.DatetimeField(null=True, description="when the stage became FORMER")
    archived_at = fields.DatetimeField(null=True)
    erased_at = fields.DatetimeField(null=True)
    merged_into: Any = fields.ForeignKeyField(
        "crm.Customer", related_name="merged", null=True, on_delete=fields.RESTRICT
    )
    """Its index is partial, over losers alone: see the first migration."""

    class Meta:
        table = "crm_customer"
        unique_together = (("source", "reference"),)
        indexes = (
            ("created_at", "id"),
            ("updated_at", "id"),
            ("sort_name", "id"),
            ("stage", "sort_name", "id"),
            ("stage", "id"),
            ("city", "sort_name", "id"),
            ("city", "id"),
            ("email",),
            ("phone",),
        )


class ContactPoint(Model):
    id = key()
    customer: Any = fields.ForeignKeyField(
        "crm.Customer", related_name="contact_points", on_delete=fields.RESTRICT, db_index=True
    )
    channel = fields.CharField(max_length=40)
    value = fields.CharField(max_length=500, description="as it was given")
    normalized = fields.CharField(max_length=500, description="lower-case e-mail, E.164, folded address")
    label = fields.CharField(max_length=100, null=True)
    address: Any = fields.JSONField(null=True, description="street, postalCode, city, region, country")
    position = fields.IntField(default=0, db_default=0)
    is_primary = fields.BooleanField(default=False, db_default=False)
    consent = fields.CharEnumField(Consent, max_length=24, default=Consent.UNKNOWN)
    consent_at = fields.DatetimeField(null=True)
    consent_source = fields.CharField(max_length=200, null=True)
    created_at = created()

    class Meta:
        table = "crm_contact_point"
        unique_together = (("customer_id", "channel", "normalized"),)
        indexes = (("channel", "normalized"),)


class CustomerTag(Model):
    id = key()
    customer: Any = fields.ForeignKeyField("crm.Customer", related_name="tag_rows", on_delete=fields.RESTRICT)
    tag = fields.CharField(max_length=100)

    class Meta:
        table = "crm_customer_tag"
        unique_together = (("customer_id", "tag"),)
        indexes = (("tag", "customer_id"),)


class AttributeDefinition(Model):
    id = key()
    version = fields.IntField(default=1, db_default=1)
    name = fields.CharField(max_length=100, unique=True)
    type = fields.CharEnumField(AttributeType, max_length=24)
    choices: Any = fields.JSONField(null=True)
    required = fields.BooleanField(default=False, db_default=False)
    description = fields.CharField(max_length=500, null=True)
    created_at = created()

    class Meta:
        table = "crm_attribute_definition"


class Segment(Model):
    id = key()
    version = fields.IntField(default=1, db_default=1)
    name = fields.CharField(max_length=200, unique=True)
    description = fields.CharField(max_length=1000, null=True)
    condition: Any = fields.JSONField(description="a CustomerFilter, as plain JSON")
    created_at = created()
    updated_at = created()

    class Meta:
        table = "crm_segment"


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


class ContactRule(Model):
    """How often we may reach out. `channel` null is the rule over all channels together."""

    id = key()
    version = fields.IntField(default=1, db_default=1)
    channel = fields.CharField(max_length=40, null=True, unique=True)
    max_touches = fields.IntField(null=True, description="null is no limit; 0 is none at all")
    window_hours = fields.IntField(null=True, description="length of the rolling window")
    quiet_from = fields.CharField(max_length=5, null=True, description="HH:MM in the customer's zone")
    quiet_until = fields.CharField(max_length=5, null=True)
    rest_hours = fields.IntField(null=True, description="rest after a support case was last touched")
    created_at = created()
    updated_at = created()

    class Meta:
        table = "crm_contact_rule"


class Token(Model):
    id = key()
    name = fields.CharField(max_length=200)
    digest = fields.CharField(max_length=64, unique=True, description="SHA-256 of the token, hexadecimal")
    hint = fields.CharField(max_length=12, description="first characters, to recognise it by")
    kind = fields.CharField(max_length=24)
    permissions: Any = fields.JSONField()
    staff: Any = fields.ForeignKeyField(
        "crm.Staff", related_name="tokens", null=True, on_delete=fields.RESTRICT
    )
    customer: Any = fields.ForeignKeyField(
        "crm.Customer", related_name="tokens", null=True, on_delete=fields.RESTRICT
    )
    created_at = created()
    expires_at = fields.DatetimeField(null=True)
    revoked_at = fields.DatetimeField(null=True)
    last_used_at = fields.DatetimeField(null=True)

    class Meta:
        table = "crm_token"


class OutboxEvent(Model):
    id = key()
    type = fields.CharField(max_length=100)
    customer_id = fields.UUIDField(null=True)
    payload: Any = fields.JSONField()
    created_at = created()

    class Meta:
        table = "crm_event"
        indexes = (("customer_id", "id"), ("type", "id"))


class Delivery(Model):
    """What a handler still owes an event. No row means that it is done."""

    id = key()
    event: Any = fields.ForeignKeyField(
        "crm.OutboxEvent", related_name="deliveries", on_delete=fields.RESTRICT
    )
    handler = fields.CharField(max_length=100)
    status = fields.CharEnumField(DeliveryStatus, max_length=24)
    attempts = fields.IntField()
    next_at = fields.DatetimeField()
    error = fields.TextField(null=True)

    class Meta:
        table = "crm_delivery"
        unique_together = (("event_id", "handler"),)
        indexes = (("status", "next_at"),)


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
    changes: Any = fields.JSONField(description="field -> [before, after]")

    class Meta:
        table = "crm_audit"
        indexes = (("subject_type", "subject_id", "id"), ("customer_id", "id"))


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


class ErasureReceipt(Model):
    id = key()
    customer_id = fields.UUIDField()
    erased_at = fields.DatetimeField()
    actor_name = fields.CharField(max_length=200)
    reason = fields.CharField(max_length=500, null=True)
    counts: Any = fields.JSONField(description="rows removed or anonymised, by owner and table")

    class Meta:
        table = "crm_erasure"
        indexes = (("customer_id",),)
