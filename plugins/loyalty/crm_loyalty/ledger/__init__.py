"""The points ledger. Nothing else writes to its tables."""

from .accounts import Account, Owner, hold_accounts, hold_owners
from .earning import cancel_pending, claw_back, post, settle
from .entries import Kind
from .requests import Adjustment, ClawBack, Posted, Posting, Reversal, Spending, Transfer
from .spending import adjust, redeem, reverse, transfer

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
