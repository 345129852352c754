"""The tables of the plugin."""

from .ledger import Account, Allocation, Entry, Lot, Pending
from .programs import Program, RefundPolicy, Tier, TierBasis, TierChange, TierDescent, TierPeriod

__all__ = [
    "Account",
    "Allocation",
    "Entry",
    "Lot",
    "Pending",
    "Program",
    "RefundPolicy",
    "Tier",
    "TierBasis",
    "TierChange",
    "TierDescent",
    "TierPeriod",
]
