"""The tables of the plugin."""

from typing import Any

from tortoise import fields
from tortoise.models import Model

from crm_framework import new_id


def key() -> Any:
    return fields.UUIDField(primary_key=True, default=new_id)


class Program(Model):
    id = key()
    version = fields.IntField(default=1, db_default=1)
    name = fields.CharField(max_length=200, unique=True)
    currency = fields.CharField(max_length=3, description="ISO 4217; only purchases in it earn")
    points_per_unit = fields.IntField()
    active = fields.BooleanField(default=True, db_default=True)
    created_at = fields.DatetimeField()

    class Meta:
        app = "loyalty"
        table = "loyalty_program"


class Account(Model):
    id = key()
    program: Any = fields.ForeignKeyField(
        "loyalty.Program", related_name="accounts", on_delete=fields.RESTRICT
    )
    customer: Any = fields.ForeignKeyField(
        "crm.Customer",
        related_name="loyalty_accounts",
        null=True,
        on_delete=fields.RESTRICT,
        db_index=True,
        description="null once the person was erased",
    )
    balance = fields.BigIntField(default=0, db_default=0, description="sum of the entries' points")
    lifetime = fields.BigIntField(default=0, db_default=0, description="sum of what was ever earned")
    created_at = fields.DatetimeField()
    updated_at = fields.DatetimeField()

    class Meta:
        app = "loyalty"
        table = "loyalty_account"
        unique_together = (("program_id", "customer_id"),)


class Entry(Model):
    """Append-only."""

    id = key()
    program: Any = fields.ForeignKeyField(
        "loyalty.Program", related_name="entries", on_delete=fields.RESTRICT
    )
    account: Any = fields.ForeignKeyField(
        "loyalty.Account", related_name="entries", on_delete=fields.RESTRICT
    )
    kind = fields.CharField(max_length=24)
    points = fields.BigIntField()
    amount_minor = fields.BigIntField(null=True, description="what was bought or refunded, minor units")
    source_key = fields.CharField(max_length=200, description="purchase:<id>, refund:<id>")
    corrects: Any = fields.ForeignKeyField(
        "loyalty.Entry", related_name="corrections", null=True, on_delete=fields.RESTRICT, db_index=True
    )
    reason = fields.CharField(max_length=500, null=True)
    at = fields.DatetimeField()
    created_at = fields.DatetimeField()

    class Meta:
        app = "loyalty"
        table = "loyalty_entry"
        unique_together = (("program_id", "source_key"),)
        indexes = (("account_id", "at", "id"),)
