"""What the ledger can be asked for, and what it answers."""

from dataclasses import dataclass
from datetime import date, datetime


@dataclass(frozen=True, kw_only=True)
class Given:
    """What one rule gave of the points of an entry. The programme's own rate has no key. `day` is that of the
    cause, where the programme is: caps are measured by it.
    """

    rule_id: str
    version_id: str
    day: date
    points: int
    because: str


@dataclass(frozen=True, kw_only=True)
class Posting:
    """Points that are earned. They expire, and are pending, by the programme's rules or as is said here:
    `expires_at` (`NEVER` for those that do not), `unlock_at` (a moment that is past: at once).

    `amount_minor` is what was bought; `qualifies` says that it counts towards a tier; `shares` is what each
    rule gave of it.
    """

    program_id: str
    customer_id: str
    points: int
    source_key: str
    at: datetime
    reason: str | None = None
    amount_minor: int | None = None
    expires_at: datetime | None = None
    unlock_at: datetime | None = None
    qualifies: bool = True
    shares: tuple[Given, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Spending:
    """Points that are redeemed."""

    program_id: str
    customer_id: str
    points: int
    source_key: str
    reason: str | None = None


@dataclass(frozen=True, kw_only=True)
class Reversal:
    """A redemption that is undone: `redemption_key` is the source key that it was entered with."""

    program_id: str
    redemption_key: str
    source_key: str
    reason: str | None = None


@dataclass(frozen=True, kw_only=True)
class ClawBack:
    """A refund of what had earned points: `earning_key` is the source key of these. `of_minor` is what was
    bought, where their entry does not say so.
    """

    program_id: str
    earning_key: str
    amount_minor: int
    source_key: str
    at: datetime
    reason: str | None = None
    of_minor: int | None = None


@dataclass(frozen=True, kw_only=True)
class Transfer:
    """Points that one customer gives another. They keep the moments at which they expire."""

    program_id: str
    from_customer_id: str
    to_customer_id: str
    points: int
    source_key: str
    reason: str | None = None


@dataclass(frozen=True, kw_only=True)
class Adjustment:
    """Points that are given, or (negative) taken, by hand."""

    program_id: str
    customer_id: str
    points: int
    source_key: str
    reason: str
    expires_at: datetime | None = None


@dataclass(frozen=True)
class Posted:
    """What is in the ledger for a cause; `new` unless it was there before."""

    entry_id: str
    account_id: str
    points: int
    pending: int
    new: bool
