"""Replays of changed rules: what they found, and how far they came."""

from enum import StrEnum
from typing import Any

from tortoise import fields
from tortoise.models import Model

from .columns import key, to


class ReplayStatus(StrEnum):
    COMPARING = "COMPARING"
    COMPARED = "COMPARED"
    CORRECTING = "CORRECTING"
    CORRECTED = "CORRECTED"


class Replay(Model):
    """What earlier causes would earn by the rules of `rules_at`."""

    id = key()
    version = fields.IntField(default=1, db_default=1)
    program: Any = to("loyalty.Program", "replays", index=True)
    from_at = fields.DatetimeField()
    until_at = fields.DatetimeField()
    rules_at = fields.DatetimeField()
    status = fields.CharEnumField(ReplayStatus, max_length=24)
    present: Any = fields.JSONField(default=list, description="what of customers is taken as it is now")
    causes = fields.BigIntField(default=0, db_default=0, description="looked at")
    by_segments = fields.BigIntField(default=0, db_default=0, description="of them: may depend on segments")
    created_at = fields.DatetimeField()
    updated_at = fields.DatetimeField()

    class Meta:
        app = "loyalty"
        table = "loyalty_replay"


class ReplayDifference(Model):
    """Of one account: what it has for these causes, and what it would have."""

    id = key()
    replay: Any = to("loyalty.Replay", "differences")
    account: Any = to("loyalty.Account", "replay_differences", index=True)
    before = fields.BigIntField()
    after = fields.BigIntField()
    by_segments = fields.BigIntField(
        default=0, db_default=0, description="causes that may depend on segments"
    )
    corrected = fields.BooleanField(default=False, db_default=False)

    class Meta:
        app = "loyalty"
        table = "loyalty_replay_difference"
        indexes = (("replay_id", "after", "id"),)
