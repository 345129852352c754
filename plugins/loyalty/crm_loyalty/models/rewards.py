"""Rewards, voucher codes and redemptions."""

from enum import StrEnum
from typing import Any

from tortoise import fields
from tortoise.models import Model

from .columns import key, to


class RewardKind(StrEnum):
    DISCOUNT = "DISCOUNT"
    PRODUCT = "PRODUCT"
    VOUCHER = "VOUCHER"


class CodeSource(StrEnum):
    GENERATED = "GENERATED"
    POOL = "POOL"


class RedemptionStatus(StrEnum):
    RESERVED = "RESERVED"
    REDEEMED = "REDEEMED"
    FULFILLED = "FULFILLED"
    CANCELLED = "CANCELLED"
    EXPIRED = "EXPIRED"
    REVERSED = "REVERSED"


class Reward(Model):
    id = key()
    version = fields.IntField(default=1, db_default=1)
    program: Any = to("loyalty.Program", "rewards")
    name = fields.CharField(max_length=200)
    description = fields.CharField(max_length=1000, null=True)
    kind = fields.CharEnumField(RewardKind, max_length=24)
    cost_points = fields.BigIntField()
    value_minor = fields.BigIntField(null=True, description="what a discount takes off, minor units")
    percent = fields.IntField(null=True, description="what a discount takes off, in percent")
    sku = fields.CharField(max_length=100, null=True, description="of a product")
    cost_minor = fields.BigIntField(default=0, db_default=0, description="what one costs us, minor units")
    codes = fields.CharEnumField(CodeSource, max_length=24, null=True, description="of a voucher")
    stock = fields.BigIntField(null=True, description="left; null: no limit. Of a pool: free codes")
    per_customer = fields.IntField(null=True)
    valid_from = fields.DatetimeField(null=True)
    valid_until = fields.DatetimeField(null=True)
    tiers: Any = fields.JSONField(default=list, description="keys of tiers, one of which is needed")
    hold_minutes = fields.IntField(default=30, db_default=30)
    active = fields.BooleanField(default=True, db_default=True)
    created_at = fields.DatetimeField()
    updated_at = fields.DatetimeField()

    class Meta:
        app = "loyalty"
        table = "loyalty_reward"
        unique_together = (("program_id", "name"),)


class RewardVersion(Model):
    """What a reward was from one moment to another. Never changed but for its end."""

    id = key()
    reward: Any = to("loyalty.Reward", "versions")
    number = fields.IntField()
    from_at = fields.DatetimeField()
    until_at = fields.DatetimeField(null=True, description="null: it holds")
    name = fields.CharField(max_length=200)
    description = fields.CharField(max_length=1000, null=True)
    cost_points = fields.BigIntField()
    currency = fields.CharField(max_length=3, description="ISO 4217, of both amounts")
    value_minor = fields.BigIntField(null=True)
    percent = fields.IntField(null=True)
    sku = fields.CharField(max_length=100, null=True)
    cost_minor = fields.BigIntField()
    per_customer = fields.IntField(null=True)
    valid_from = fields.DatetimeField(null=True)
    valid_until = fields.DatetimeField(null=True)
    tiers: Any = fields.JSONField(description="keys of tiers, one of which is needed")
    hold_minutes = fields.IntField()
    active = fields.BooleanField()

    class Meta:
        app = "loyalty"
        table = "loyalty_reward_version"
        unique_together = (("reward_id", "number"),)


class Redemption(Model):
    id = key()
    version = fields.IntField(default=1, db_default=1)
    reward: Any = to("loyalty.Reward", "redemptions", index=True)
    reward_version: Any = to("loyalty.RewardVersion", "redemptions", description="as it was then")
    account: Any = to("loyalty.Account", "redemptions")
    status = fields.CharEnumField(RedemptionStatus, max_length=24)
    points = fields.BigIntField()
    cost_minor = fields.BigIntField(description="what the reward cost us then, minor units")
    reserved_until = fields.DatetimeField(null=True)
    note = fields.CharField(max_length=500, null=True)
    created_at = fields.DatetimeField()
    updated_at = fields.DatetimeField()

    class Meta:
        app = "loyalty"
        table = "loyalty_redemption"
        indexes = (("account_id", "reward_id"), ("created_at", "id"))


class VoucherCode(Model):
    id = key()
    reward: Any = to("loyalty.Reward", "vouchers")
    code = fields.CharField(max_length=64, unique=True)
    redemption: Any = fields.OneToOneField(
        "loyalty.Redemption", related_name="voucher", null=True, on_delete=fields.RESTRICT
    )
    spent = fields.BooleanField(default=False, db_default=False, description="given out, or taken back")
    created_at = fields.DatetimeField()

    class Meta:
        app = "loyalty"
        table = "loyalty_voucher_code"
        indexes = (("reward_id", "spent", "id"),)
