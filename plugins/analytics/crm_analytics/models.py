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

    class Meta:
        app = "analytics"
        table = "analytics_daily"
        unique_together = (("customer_id", "day", "currency"),)
        indexes = (("day", "currency"),)


class Activity(Model):
    """What other plugins told about a customer since this one is enabled."""

    id = key()
    customer: Any = fields.OneToOneField(
        "crm.Customer", related_name="activity_figures", on_delete=fields.RESTRICT
    )
    tickets = fields.IntField(default=0, db_default=0)
    points = fields.BigIntField(default=0, db_default=0)

    class Meta:
        app = "analytics"
        table = "analytics_activity"
