"""Customers and what hangs on them: contact points, tags, attributes, segments."""

from enum import StrEnum
from typing import Any

from tortoise import fields
from tortoise.models import Model

from .columns import created, key


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


class AttributeType(StrEnum):
    TEXT = "TEXT"
    NUMBER = "NUMBER"
    BOOLEAN = "BOOLEAN"
    DATE = "DATE"
    CHOICE = "CHOICE"
    CHOICES = "CHOICES"


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
