"""Sums over all customers. Each change adds rows of what differs, so that nobody waits for anybody; a job
folds them into one row per key. What holds is the sum of a key's rows."""

from tortoise import fields
from tortoise.models import Model

from .columns import channel, currency, key


class Sales(Model):
    """What was bought and given back on a day of the company's zone, those who were erased included."""

    id = key()
    day = fields.DateField()
    channel = channel()
    currency = currency()
    purchases = fields.IntField()
    refunds = fields.IntField()
    revenue_minor = fields.BigIntField(description="purchases less refunds, minor units")
    refunded_minor = fields.BigIntField(description="refunds, minor units, not below zero")

    class Meta:
        app = "analytics"
        table = "analytics_sales"
        indexes = (("day",),)


class Goods(Model):
    """What was bought of a product in a month, by those whose data is not erased, before refunds."""

    id = key()
    month = fields.DateField(description="its first day")
    sku = fields.CharField(max_length=100)
    currency = currency()
    quantity = fields.BigIntField()
    amount_minor = fields.BigIntField(description="minor units")
    purchases = fields.IntField()
    buyers = fields.IntField(description="customers who bought it in the month")

    class Meta:
        app = "analytics"
        table = "analytics_goods"
        indexes = (("month", "sku"),)


class Cohorts(Model):
    """How many customers of a cohort bought in a month, or bought last in it.

    `basis` tells which: `purchase` and `signup` with `_last` for the latter.
    """

    id = key()
    basis = fields.CharField(max_length=20)
    cohort = fields.DateField(description="first day of the month in which they came")
    month = fields.DateField(description="first day of a month")
    customers = fields.IntField()

    class Meta:
        app = "analytics"
        table = "analytics_cohort"
        indexes = (("basis", "cohort"),)
