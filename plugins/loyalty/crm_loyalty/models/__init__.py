"""The tables of the plugin."""

from .earning import Campaign, Rule, RuleVersion, Share
from .ledger import Account, Allocation, Entry, Lot, Pending
from .programs import (
    Program,
    ProgramVersion,
    RefundPolicy,
    Tier,
    TierBasis,
    TierChange,
    TierDescent,
    TierPeriod,
    TierVersion,
)
from .referrals import Referral, ReferralCode, ReferralStatus
from .replays import Replay, ReplayDifference, ReplayStatus
from .rewards import CodeSource, Redemption, RedemptionStatus, Reward, RewardKind, RewardVersion, VoucherCode

__all__ = [
    "Account",
    "Allocation",
    "Campaign",
    "CodeSource",
    "Entry",
    "Lot",
    "Pending",
    "Program",
    "ProgramVersion",
    "Redemption",
    "RedemptionStatus",
    "Referral",
    "ReferralCode",
    "ReferralStatus",
    "RefundPolicy",
    "Replay",
    "ReplayDifference",
    "ReplayStatus",
    "Reward",
    "RewardKind",
    "RewardVersion",
    "Rule",
    "RuleVersion",
    "Share",
    "Tier",
    "TierBasis",
    "TierChange",
    "TierDescent",
    "TierPeriod",
    "TierVersion",
    "VoucherCode",
]
