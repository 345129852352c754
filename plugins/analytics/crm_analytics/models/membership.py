"""Who belonged to a segment on a day."""

from tortoise import fields
from tortoise.models import Model

from .columns import customer, key


class Freeze(Model):
    """A day on which the members of a segment were kept, also where it had none."""

    id = key()
    segment_id = fields.UUIDField()
    day = fields.DateField()

    class Meta:
        app = "analytics"
        table = "analytics_freeze"
        unique_together = (("segment_id", "day"),)


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
