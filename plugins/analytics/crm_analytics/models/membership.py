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
    """A member of a segment on the day on which that was kept.

    The two months, which are numbers (see `place_of`), tell who was active when the next month began (with
    that day, if one did) and who bought since, without a look at anything else.
    """

    id = key()
    segment_id = fields.UUIDField()
    day = fields.DateField()
    customer = customer("analytics_memberships")
    last_before = fields.SmallIntField(
        null=True, description="the last month with a purchase that began before the day"
    )
    first_from = fields.SmallIntField(
        null=True, description="the first month with one that began on the day or after it"
    )

    class Meta:
        app = "analytics"
        table = "analytics_membership"
        unique_together = (("segment_id", "day", "customer_id"),)
        indexes = (("customer_id",), ("segment_id", "day", "last_before", "first_from"))
