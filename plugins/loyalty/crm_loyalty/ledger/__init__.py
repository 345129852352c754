"""The points ledger. Nothing else writes to its tables."""

from .accounts import Account, Owner, hold_accounts, hold_owners
from .entries import Kind
from .operations import (
    adjust,
    cancel_pending,
    claw_back,
    post,
    redeem,
    reverse,
    settle,
    transfer,
)
from .requests import Adjustment, ClawBack, Posted, Posting, Reversal, Spending, Transfer

__all__ = [
    "Account",
    "Adjustment",
    "ClawBack",
    "Kind",
    "Owner",
    "Posted",
    "Posting",
    "Reversal",
    "Spending",
    "Transfer",
    "adjust",
    "cancel_pending",
    "claw_back",
    "hold_accounts",
    "hold_owners",
    "post",
    "redeem",
    "reverse",
    "settle",
    "transfer",
]
