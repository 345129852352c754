"""Who belonged to a segment on a day."""

from tortoise import fields
from tortoise.models import Model

from .columns import customer, key


class Membership(Model):
    """A member of a segment on the day on which that was kept."""

    id = key()
    segment_id = fields.UUIDField()
    day = fields.DateField()
    customer = customer("analytics_memberships")

    class Meta:
        app = "analytics"
        table = "analytics_membership"
        unique_together = (("segment_id", "day", "customer_id"),)
        indexes = (("customer_id",),)
