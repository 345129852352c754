"""What each customer bought and gave back, by day, by month and by product."""

from tortoise import fields
from tortoise.models import Model

from .columns import channel, currency, customer, key


class Daily(Model):
    """What a customer bought and gave back on one day of the company's zone, per channel and currency."""

    id = key()
    customer = customer("daily_figures")
    day = fields.DateField()
    channel = channel()
    currency = currency()
    purchases = fields.IntField()
    refunds = fields.IntField()
    revenue_minor = fields.BigIntField(description="purchases less refunds, minor units")
    refunded_minor = fields.BigIntField(description="refunds, minor units, not below zero")
    first_purchase_at = fields.DatetimeField(null=True)
    last_purchase_at = fields.DatetimeField(null=True)

    class Meta:
        app = "analytics"
        table = "analytics_daily"
        unique_together = (("customer_id", "day", "channel", "currency"),)
        indexes = (("day", "customer_id"),)


class Month(Model):
    """The same by month: as many rows as customers have months with sales, however much they buy in them."""

    id = key()
    customer = customer("analytics_months")
    month = fields.DateField(description="its first day")
    channel = channel()
    currency = currency()
    purchases = fields.IntField()
    refunds = fields.IntField()
    purchased_minor = fields.BigIntField(description="minor units")
    refunded_minor = fields.BigIntField(description="minor units, not below zero")

    class Meta:
        app = "analytics"
        table = "analytics_month"
        unique_together = (("customer_id", "month", "channel", "currency"),)
        indexes = (("customer_id", "month", "purchases"),)


class Product(Model):
    """What a customer bought of one product in a month, before refunds: a refund names no product."""

    id = key()
    customer = customer("analytics_products")
    month = fields.DateField(description="its first day")
    sku = fields.CharField(max_length=100)
    currency = currency()
    quantity = fields.BigIntField()
    amount_minor = fields.BigIntField(description="what the lines add to the totals, minor units")
    purchases = fields.IntField(description="purchases with such a line")

    class Meta:
        app = "analytics"
        table = "analytics_product"
        unique_together = (("customer_id", "month", "sku", "currency"),)
        indexes = (("sku", "customer_id"), ("month", "sku"))
