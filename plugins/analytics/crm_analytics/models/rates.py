"""Exchange rates that the company enters."""

from tortoise import fields
from tortoise.models import Model

from .columns import currency, key


class Rate(Model):
    """From `valid_from` on, one unit of `currency` is `rate` units of `base`."""

    id = key()
    currency = currency()
    base = fields.CharField(max_length=3, description="ISO 4217")
    valid_from = fields.DateField()
    rate = fields.CharField(max_length=40, description="a decimal number")

    class Meta:
        app = "analytics"
        table = "analytics_rate"
        unique_together = (("currency", "base", "valid_from"),)
