# mypy: ignore-errors
# It runs in an environment of its own, whose packages are not installed where types are checked.
"""Tortoise's models of the tables."""

from uuid import uuid4

from tortoise import fields
from tortoise.models import Model


class CustomerRow(Model):
    id = fields.UUIDField(primary_key=True, default=uuid4)
    version = fields.IntField(default=1)
    kind = fields.CharField(max_length=24, default="PERSON")
    stage = fields.CharField(max_length=24, default="PROSPECT")
    name = fields.CharField(max_length=300)
    sort_name = fields.CharField(max_length=300)
    company = fields.CharField(max_length=300, null=True)
    email = fields.CharField(max_length=320, null=True)
    phone = fields.CharField(max_length=40, null=True)
    city = fields.CharField(max_length=200, null=True)
    country = fields.CharField(max_length=2, null=True)
    attributes = fields.JSONField(default=dict)
    confidential = fields.BooleanField(default=False)
    search_text = fields.TextField(default="")
    created_at = fields.DatetimeField()
    updated_at = fields.DatetimeField()
    merged_into = fields.ForeignKeyField("models.CustomerRow", related_name="merged", null=True)

    class Meta:
        table = "crm_customer"


class InteractionRow(Model):
    id = fields.UUIDField(primary_key=True, default=uuid4)
    version = fields.IntField(default=1)
    customer = fields.ForeignKeyField("models.CustomerRow", related_name="interactions")
    kind = fields.CharField(max_length=40)
    channel = fields.CharField(max_length=40, null=True)
    direction = fields.CharField(max_length=24, null=True)
    subject = fields.CharField(max_length=500, null=True)
    occurred_at = fields.DatetimeField()
    created_at = fields.DatetimeField()

    class Meta:
        table = "crm_interaction"
