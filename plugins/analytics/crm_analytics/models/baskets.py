"""What is bought together."""

from tortoise import fields
from tortoise.models import Model

from .columns import key


class BasketRule(Model):
    """Who has `antecedent` in the basket often has `consequent` too; both are SKUs."""

    id = key()
    antecedent = fields.CharField(max_length=100)
    antecedent_name = fields.CharField(max_length=300, null=True)
    consequent = fields.CharField(max_length=100)
    consequent_name = fields.CharField(max_length=300, null=True)
    baskets = fields.IntField(description="that were looked at")
    with_antecedent = fields.IntField(description="baskets")
    with_consequent = fields.IntField(description="baskets")
    with_both = fields.IntField(description="baskets")
    support = fields.FloatField()
    confidence = fields.FloatField()
    lift = fields.FloatField()
    since = fields.DateField(description="the first day (UTC) that was looked at")
    found_at = fields.DatetimeField()

    class Meta:
        app = "analytics"
        table = "analytics_rule"
        unique_together = (("antecedent", "consequent"),)
        indexes = (("lift", "id"),)
