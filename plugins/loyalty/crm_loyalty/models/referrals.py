"""Codes that customers pass on, and who came by them."""

from enum import StrEnum
from typing import Any

from tortoise import fields
from tortoise.models import Model

from .columns import key, to


class ReferralStatus(StrEnum):
    PENDING = "PENDING"
    CREDITED = "CREDITED"
    VOID = "VOID"


class ReferralCode(Model):
    id = key()
    customer: Any = to(
        "crm.Customer",
        "loyalty_referral_codes",
        null=True,
        index=True,
        description="null once the person was erased",
    )
    code = fields.CharField(max_length=24, unique=True)
    created_at = fields.DatetimeField()

    class Meta:
        app = "loyalty"
        table = "loyalty_referral_code"


class Referral(Model):
    """One customer came through another one."""

    id = key()
    version = fields.IntField(default=1, db_default=1)
    program: Any = to("loyalty.Program", "referrals")
    customer: Any = to(
        "crm.Customer", "loyalty_referred", null=True, description="who came; null once the person was erased"
    )
    referrer: Any = to("crm.Customer", "loyalty_referrals", null=True, index=True)
    status = fields.CharEnumField(ReferralStatus, max_length=24)
    reason = fields.CharField(max_length=200, null=True, description="why it is void")
    credited_at = fields.DatetimeField(null=True)
    purchase_id = fields.UUIDField(null=True, db_index=True, description="with which it was credited")
    created_at = fields.DatetimeField()

    class Meta:
        app = "loyalty"
        table = "loyalty_referral"
        indexes = (("customer_id", "program_id"),)
