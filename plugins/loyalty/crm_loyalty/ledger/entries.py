"""What the ledger is made of, as values: entries, and the lots and pending points that they make and use."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from crm_loyalty.moments import NEVER


class Kind(StrEnum):
    """What an entry stands for."""

    EARNED = "EARNED"
    PENDING = "PENDING"
    UNLOCKED = "UNLOCKED"
    CANCELLED = "CANCELLED"
    REDEEMED = "REDEEMED"
    REVERSED = "REVERSED"
    REFUNDED = "REFUNDED"
    EXPIRED = "EXPIRED"
    SENT = "SENT"
    RECEIVED = "RECEIVED"
    ADJUSTED = "ADJUSTED"
    MERGED = "MERGED"


@dataclass(frozen=True, kw_only=True)
class Lot:
    """Points that came together and expire together, as they were opened.

    `origin_id` is the entry by which they were earned, also where they were pending first.
    """

    id: str
    points: int
    expires_at: datetime = NEVER
    earned_at: datetime
    origin_id: str

    @property
    def turn(self) -> tuple[datetime, datetime, str]:
        """Its place in the order of spending: soonest to expire, then earliest earned."""
        return self.expires_at, self.earned_at, self.id


@dataclass(frozen=True, kw_only=True)
class Pending:
    """Points that cannot be spent before `unlock_at`. `id` is also that of the entry that made them.

    `qualifies` says that they count towards a tier once they are unlocked.
    """

    id: str
    points: int
    unlock_at: datetime
    expires_at: datetime = NEVER
    earned_at: datetime
    qualifies: bool = True


@dataclass(frozen=True)
class Use:
    """Points taken from a lot (negative), or put back into it."""

    lot_id: str
    points: int


@dataclass(frozen=True, kw_only=True)
class Effect:
    """What an entry does to an account."""

    points: int = 0
    """On the balance."""
    pending: int = 0
    """On the pending points."""
    deficit: int = 0
    """On the deficit; negative where a credit absorbed some of it."""
    opened: tuple[Lot, ...] = ()
    uses: tuple[Use, ...] = ()
    held: Pending | None = None


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One line of a book. `at` is when its cause happened, `posted_at` when it was entered."""

    id: str
    book_id: str
    seq: int
    kind: Kind
    effect: Effect
    source_key: str
    at: datetime
    posted_at: datetime
    qualifying_points: int = 0
    qualifying_minor: int = 0
    qualifies_at: datetime
    amount_minor: int | None = None
    corrects_id: str | None = None
    other_id: str | None = None
    """The other account of a transfer or a merger."""
    reason_digest: str | None = None
    shares_digest: str | None = None
    """Of what each rule gave of it."""
    digest: str = ""
