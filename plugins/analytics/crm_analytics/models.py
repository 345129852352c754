"""The tables of the plugin."""

from typing import Any

from tortoise import fields
from tortoise.models import Model

from crm_framework import new_id


def key() -> Any:
    return fields.UUIDField(primary_key=True, default=new_id)


class Daily(Model):
    """What a customer bought and gave back on one day (UTC), per currency."""

    id = key()
    customer: Any = fields.ForeignKeyField(
        "crm.Customer",
        related_name="daily_figures",
        null=True,
        on_delete=fields.RESTRICT,
        description="null once the person was erased",
    )
    day = fields.DateField()
    currency = fields.CharField(max_length=3)
    purchases = fields.IntField()
    refunds = fields.IntField()
    revenue_minor = fields.BigIntField(description="purchases less refunds, minor units")
    refunded_minor = fields.BigIntField(description="refunds, minor units, not below zero")
    first_purchase_at = fields.DatetimeField(null=True)
    last_purchase_at = fields.DatetimeField(null=True)

    class Meta:
        app = "analytics"
        table = "analytics_daily"
        unique_together = (("customer_id", "day", "currency"),)
        indexes = (("day", "currency"),)


class Figures(Model):
    """All of a customer's days together, and what other plugins told since this one is enabled.

    Whoever counts a customer's days anew holds this row meanwhile.
    """

    id = key()
    customer: Any = fields.OneToOneField(
        "crm.Customer", related_name="analytics_figures", on_delete=fields.RESTRICT
    )
    purchases = fields.IntField(default=0, db_default=0)
    refunds = fields.IntField(default=0, db_default=0)
    purchase_days = fields.IntField(default=0, db_default=0, description="days (UTC) with a purchase")
    first_purchase_at = fields.DatetimeField(null=True)
    last_purchase_at = fields.DatetimeField(null=True)
    tickets = fields.IntField(null=True, description="null where nothing was told")
    points = fields.BigIntField(null=True, description="null likewise")

    class Meta:
        app = "analytics"
        table = "analytics_customer"


class Revenue(Model):
    """All of a customer's days together, per currency."""

    id = key()
    customer: Any = fields.ForeignKeyField(
        "crm.Customer", related_name="analytics_revenue", on_delete=fields.RESTRICT
    )
    currency = fields.CharField(max_length=3)
    purchases = fields.IntField()
    purchase_days = fields.IntField(description="days (UTC) with a purchase")
    purchased_minor = fields.BigIntField(description="minor units")
    refunded_minor = fields.BigIntField(description="minor units, not below zero")

    class Meta:
        app = "analytics"
        table = "analytics_revenue"
        unique_together = (("customer_id", "currency"),)
