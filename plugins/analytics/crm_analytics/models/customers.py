"""What is known of each customer altogether, and where everybody stands."""

from typing import Any

from tortoise import fields
from tortoise.models import Model

from .columns import currency, customer, key


class Figures(Model):
    """All of a customer's days together, and what other plugins told since this one is enabled.

    Whoever counts a customer's days anew holds this row meanwhile.
    """

    id = key()
    customer: Any = fields.OneToOneField(
        "crm.Customer", related_name="analytics_figures", on_delete=fields.RESTRICT
    )
    zone = fields.CharField(
        max_length=64, default="UTC", db_default="UTC", description="whose days these are"
    )
    counted = fields.IntField(
        default=0, db_default=0, description="how often somebody held the row to count anew"
    )
    purchases = fields.IntField(default=0, db_default=0)
    refunds = fields.IntField(default=0, db_default=0)
    purchase_days = fields.IntField(default=0, db_default=0, description="days with a purchase")
    first_purchase_at = fields.DatetimeField(null=True)
    last_purchase_at = fields.DatetimeField(null=True)
    last_day = fields.DateField(null=True, description="the day of the latest purchase")
    first_month = fields.DateField(null=True, description="the first day of the first purchase's month")
    last_month = fields.DateField(null=True, description="that of the latest purchase's")
    signup_month = fields.DateField(null=True, description="that of the month in which the record was made")
    currency = fields.CharField(
        max_length=3, null=True, description="the main one: of most purchases, of equals the first by name"
    )
    net_minor = fields.BigIntField(default=0, db_default=0, description="purchases less refunds in it")
    gap_median = fields.FloatField(null=True, description="days between two days with a purchase")
    gap_mean = fields.FloatField(null=True)
    expected_on = fields.DateField(null=True, description="when the next purchase is to be expected")
    unhappy_at = fields.DatetimeField(null=True, description="the latest interaction in a bad mood")
    tickets = fields.IntField(null=True, description="opened; null where nothing was told")
    solved = fields.IntField(null=True, description="of these, solved; null likewise")
    points = fields.BigIntField(null=True, description="null likewise")

    class Meta:
        app = "analytics"
        table = "analytics_customer"
        indexes = (
            ("currency", "last_day", "purchases", "net_minor"),
            ("currency", "purchases"),
            ("currency", "net_minor"),
            ("expected_on",),
            ("unhappy_at",),
        )


class Revenue(Model):
    """All of a customer's days together, per currency."""

    id = key()
    customer = customer("analytics_revenue")
    currency = currency()
    purchases = fields.IntField()
    purchase_days = fields.IntField(description="days with a purchase")
    purchased_minor = fields.BigIntField(description="minor units")
    refunded_minor = fields.BigIntField(description="minor units, not below zero")

    class Meta:
        app = "analytics"
        table = "analytics_revenue"
        unique_together = (("customer_id", "currency"),)


class Quintiles(Model):
    """Where the fifths of the customers with one main currency end, when they were last looked at."""

    id = key()
    currency = fields.CharField(max_length=20, unique=True, description="ISO 4217")
    customers = fields.IntField()
    counted_at = fields.DatetimeField()
    recency_1 = fields.DateField(null=True)
    recency_2 = fields.DateField(null=True)
    recency_3 = fields.DateField(null=True)
    recency_4 = fields.DateField(null=True)
    frequency_1 = fields.IntField(null=True)
    frequency_2 = fields.IntField(null=True)
    frequency_3 = fields.IntField(null=True)
    frequency_4 = fields.IntField(null=True)
    monetary_1 = fields.BigIntField(null=True)
    monetary_2 = fields.BigIntField(null=True)
    monetary_3 = fields.BigIntField(null=True)
    monetary_4 = fields.BigIntField(null=True)

    class Meta:
        app = "analytics"
        table = "analytics_quintile"
