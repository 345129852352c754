"""Models of how customers buy, and what follows from them for each customer."""

from typing import Any

from tortoise import fields
from tortoise.models import Model

from .columns import key


class PredictionModel(Model):
    """A BG/NBD and a Gamma-Gamma model of the purchases in one currency. Time is in weeks."""

    id = key()
    currency = fields.CharField(max_length=3)
    fitted_at = fields.DatetimeField()
    data_through = fields.DateField(description="the last day (UTC) that was looked at")
    complete = fields.BooleanField(description="all predictions are of this model")
    customers = fields.IntField()
    repeaters = fields.IntField(description="customers who bought on a second day")
    r = fields.FloatField(null=True, description="of BG/NBD, as the three that follow; null where none fits")
    alpha = fields.FloatField(null=True)
    a = fields.FloatField(null=True)
    b = fields.FloatField(null=True)
    log_likelihood = fields.FloatField(null=True)
    p = fields.FloatField(null=True, description="of Gamma-Gamma, as the two that follow; null likewise")
    q = fields.FloatField(null=True)
    v = fields.FloatField(null=True, description="in minor units")
    value_log_likelihood = fields.FloatField(null=True)
    reason = fields.TextField(null=True, description="why there are no parameters")
    detail = fields.TextField(description="JSON: how well it fits, and the back-test")

    class Meta:
        app = "analytics"
        table = "analytics_model"
        indexes = (("currency", "fitted_at", "id"), ("fitted_at", "id"))


class Prediction(Model):
    """What a model says of a customer, as of its day."""

    id = key()
    customer: Any = fields.ForeignKeyField(
        "crm.Customer", related_name="predictions", on_delete=fields.RESTRICT
    )
    currency = fields.CharField(max_length=3)
    model: Any = fields.ForeignKeyField(
        "analytics.PredictionModel", related_name="predictions", on_delete=fields.RESTRICT, db_index=True
    )
    main = fields.BooleanField(description="the currency in which the customer buys on most days")
    repeats = fields.IntField(description="days with a purchase, without the first")
    recency_days = fields.IntField(description="from the first purchase to the last")
    age_days = fields.IntField(description="from the first purchase to the model's day")
    mean_minor = fields.BigIntField(null=True, description="mean value of a repeat day")
    probability_alive = fields.FloatField()
    expected_purchases = fields.FloatField(description="within the model's horizon")
    expected_value_minor = fields.BigIntField(null=True, description="of a day with a purchase")
    clv_minor = fields.BigIntField(null=True, description="of the horizon, discounted")

    class Meta:
        app = "analytics"
        table = "analytics_prediction"
        unique_together = (("customer_id", "currency"),)
