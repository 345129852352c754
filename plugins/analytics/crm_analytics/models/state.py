"""How far the figures are counted."""

from tortoise import fields
from tortoise.models import Model

from .columns import key


class State(Model):
    """One row, named `rollups`."""

    id = key()
    name = fields.CharField(max_length=20, unique=True)
    zone = fields.CharField(max_length=64, description="IANA; whose days and months the figures go by")
    next_zone = fields.CharField(max_length=64, null=True, description="while all is counted anew: for which")
    counted_at = fields.DatetimeField(
        null=True, description="when all was last counted; null while what was there before is not"
    )
    step = fields.IntField(
        default=0, db_default=0, description="one more with each change by which all is counted anew"
    )

    class Meta:
        app = "analytics"
        table = "analytics_state"
