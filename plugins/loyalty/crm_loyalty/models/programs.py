"""Programmes, and the levels in them."""

from enum import StrEnum
from typing import Any

from tortoise import fields
from tortoise.models import Model

from crm_loyalty.earning.rules import Rounding, Selection

from .columns import key, to


class RefundPolicy(StrEnum):
    """What becomes of points that a refund takes back when they are spent already."""

    ALLOW_NEGATIVE = "ALLOW_NEGATIVE"
    CLAMP_TO_ZERO = "CLAMP_TO_ZERO"


class TierPeriod(StrEnum):
    """Over which time it counts what a customer earned or spent."""

    CALENDAR_YEAR = "CALENDAR_YEAR"
    ROLLING_12_MONTHS = "ROLLING_12_MONTHS"
    LIFETIME = "LIFETIME"


class TierBasis(StrEnum):
    """What counts towards a tier."""

    POINTS = "POINTS"
    SPEND = "SPEND"


class TierDescent(StrEnum):
    """How far a customer goes down."""

    ONE_STEP = "ONE_STEP"
    TO_EARNED = "TO_EARNED"


class Program(Model):
    id = key()
    version = fields.IntField(default=1, db_default=1)
    name = fields.CharField(max_length=200, unique=True)
    currency = fields.CharField(max_length=3, description="ISO 4217; only purchases in it earn")
    time_zone = fields.CharField(max_length=64, default="UTC", db_default="UTC")
    points_per_unit = fields.IntField()
    expiry_months = fields.IntField(null=True, description="after earning; null: points never expire")
    pending_days = fields.IntField(default=0, db_default=0, description="until points can be spent")
    selection = fields.CharEnumField(
        Selection, max_length=24, default=Selection.HIGHEST_PRIORITY, db_default="HIGHEST_PRIORITY"
    )
    rounding = fields.CharEnumField(Rounding, max_length=16, default=Rounding.FLOOR, db_default="FLOOR")
    refund_policy = fields.CharEnumField(
        RefundPolicy, max_length=16, default=RefundPolicy.ALLOW_NEGATIVE, db_default="ALLOW_NEGATIVE"
    )
    tier_period = fields.CharEnumField(
        TierPeriod, max_length=24, default=TierPeriod.CALENDAR_YEAR, db_default="CALENDAR_YEAR"
    )
    tier_basis = fields.CharEnumField(TierBasis, max_length=8, default=TierBasis.POINTS, db_default="POINTS")
    tier_descent = fields.CharEnumField(
        TierDescent, max_length=12, default=TierDescent.TO_EARNED, db_default="TO_EARNED"
    )
    tier_grace_days = fields.IntField(default=0, db_default=0)
    cap_per_purchase = fields.BigIntField(null=True)
    cap_per_day = fields.BigIntField(null=True)
    cap_per_customer = fields.BigIntField(null=True)
    active = fields.BooleanField(default=True, db_default=True)
    created_at = fields.DatetimeField()

    class Meta:
        app = "loyalty"
        table = "loyalty_program"


class ProgramVersion(Model):
    """What a programme and its tiers say about earning, from one moment to another. Only its end changes."""

    id = key()
    program: Any = to("loyalty.Program", "versions")
    number = fields.IntField()
    from_at = fields.DatetimeField(null=True, description="null: also for what happened before it was made")
    until_at = fields.DatetimeField(null=True, description="null: it holds")
    points_per_unit = fields.IntField()
    expiry_months = fields.IntField(null=True)
    pending_days = fields.IntField()
    selection = fields.CharEnumField(Selection, max_length=24)
    rounding = fields.CharEnumField(Rounding, max_length=16)
    cap_per_purchase = fields.BigIntField(null=True)
    cap_per_day = fields.BigIntField(null=True)
    cap_per_customer = fields.BigIntField(null=True)
    multipliers: Any = fields.JSONField(default=list, description="of tiers: key, name and percent")
    tier_period = fields.CharEnumField(TierPeriod, max_length=24)
    tier_basis = fields.CharEnumField(TierBasis, max_length=8)
    tier_descent = fields.CharEnumField(TierDescent, max_length=12)
    tier_grace_days = fields.IntField()
    active = fields.BooleanField()
    created_at = fields.DatetimeField()

    class Meta:
        app = "loyalty"
        table = "loyalty_program_version"
        unique_together = (("program_id", "number"),)


class Tier(Model):
    """A tier as it is. What it was stands in its versions."""

    id = key()
    version = fields.IntField(default=1, db_default=1)
    program: Any = to("loyalty.Program", "tiers")
    name = fields.CharField(max_length=200)
    threshold = fields.BigIntField(description="points, or spend in minor units")
    benefits: Any = fields.JSONField(description="list of texts")
    percent = fields.IntField(
        default=100, db_default=100, description="of the points that are earned: 150 is half as much again"
    )
    created_at = fields.DatetimeField()

    class Meta:
        app = "loyalty"
        table = "loyalty_tier"
        unique_together = (("program_id", "name"), ("program_id", "threshold"))


class TierVersion(Model):
    """What a tier says from one moment to another. Never changed but for its end."""

    id = key()
    tier: Any = to("loyalty.Tier", "versions")
    number = fields.IntField()
    from_at = fields.DatetimeField(null=True, description="null: also for what happened before it was made")
    until_at = fields.DatetimeField(null=True, description="null: it holds")
    name = fields.CharField(max_length=200)
    threshold = fields.BigIntField()
    benefits: Any = fields.JSONField(description="list of texts")
    percent = fields.IntField()
    created_at = fields.DatetimeField()

    class Meta:
        app = "loyalty"
        table = "loyalty_tier_version"
        unique_together = (("tier_id", "number"),)


class TierChange(Model):
    """When an account came to which tier: what the rule says, kept for whoever reads it."""

    id = key()
    account: Any = to("loyalty.Account", "tier_changes")
    tier: Any = to("loyalty.Tier", "reached", null=True)
    previous: Any = to("loyalty.Tier", "left", null=True)
    at = fields.DatetimeField(description="since when, by the rule")
    created_at = fields.DatetimeField()

    class Meta:
        app = "loyalty"
        table = "loyalty_tier_change"
        indexes = (("account_id", "at", "id"),)
