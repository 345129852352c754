"""In which months each customer bought, in a row that is short enough to pass over everybody."""

from tortoise import fields
from tortoise.models import Model

from .columns import customer, key


class Activity(Model):
    """The months of five years in which a customer bought something, and those of the five before.

    There is a row where there is one in the five years. `tags` are those of the customer, as a list in JSON
    that is sorted, so that customers with the same ones are counted together. SQLite has an index of all
    of it.
    """

    id = key()
    customer = customer("analytics_activity")
    block = fields.IntField(description="the five years: the first one, divided by five")
    tags = fields.TextField()
    earlier = fields.BigIntField(description="months of the five years before, as bits; the first one is 1")
    months = fields.BigIntField(description="months of these five years")
    followed = fields.BooleanField(description="whether there is a row of the five years after")

    class Meta:
        app = "analytics"
        table = "analytics_activity"
        unique_together = (("customer_id", "block"),)
