"""What happens in loyalty programmes."""

from dataclasses import dataclass

from crm_framework import Event


@dataclass(frozen=True, kw_only=True)
class ProgramCreated(Event):
    type = "loyalty.program_created"
    subject_type = "LoyaltyProgram"
    program_id: str = ""

    @property
    def subject_id(self) -> str:
        return self.program_id


@dataclass(frozen=True, kw_only=True)
class ProgramUpdated(ProgramCreated):
    """`changes` tells what of it."""

    type = "loyalty.program_updated"


@dataclass(frozen=True, kw_only=True)
class TierCreated(Event):
    type = "loyalty.tier_created"
    subject_type = "LoyaltyTier"
    tier_id: str = ""
    program_id: str = ""

    @property
    def subject_id(self) -> str:
        return self.tier_id


@dataclass(frozen=True, kw_only=True)
class TierUpdated(Event):
    type = "loyalty.tier_updated"
    subject_type = "LoyaltyTier"
    tier_id: str = ""
    program_id: str = ""

    @property
    def subject_id(self) -> str:
        return self.tier_id


@dataclass(frozen=True, kw_only=True)
class AccountEvent(Event):
    """Base of what happens to an account."""

    subject_type = "LoyaltyAccount"
    account_id: str = ""
    program_id: str = ""

    @property
    def subject_id(self) -> str:
        return self.account_id


@dataclass(frozen=True, kw_only=True)
class PointsChanged(AccountEvent):
    """Entries were added to an account; `points` is their sum."""

    type = "loyalty.points_changed"
    points: int = 0


@dataclass(frozen=True, kw_only=True)
class PointsEvent(AccountEvent):
    """An entry was made: `points` is what it did to the balance, `pending` to the pending points."""

    entry_id: str = ""
    points: int = 0
    pending: int = 0
    source_key: str = ""


@dataclass(frozen=True, kw_only=True)
class PointsEarned(PointsEvent):
    type = "loyalty.points_earned"


@dataclass(frozen=True, kw_only=True)
class PointsPending(PointsEvent):
    type = "loyalty.points_pending"


@dataclass(frozen=True, kw_only=True)
class PointsUnlocked(PointsEvent):
    type = "loyalty.points_unlocked"


@dataclass(frozen=True, kw_only=True)
class PointsCancelled(PointsEvent):
    """Points that were pending will not be unlocked."""

    type = "loyalty.points_cancelled"


@dataclass(frozen=True, kw_only=True)
class PointsRedeemed(PointsEvent):
    type = "loyalty.points_redeemed"


@dataclass(frozen=True, kw_only=True)
class RedemptionReversed(PointsEvent):
    """The points of a redemption went back into their lots."""

    type = "loyalty.redemption_reversed"


@dataclass(frozen=True, kw_only=True)
class PointsTakenBack(PointsEvent):
    """A refund took back what its purchase had earned."""

    type = "loyalty.points_taken_back"


@dataclass(frozen=True, kw_only=True)
class PointsExpired(PointsEvent):
    type = "loyalty.points_expired"


@dataclass(frozen=True, kw_only=True)
class PointsTransferred(PointsEvent):
    """Told of both accounts: fewer in one, more in the other."""

    type = "loyalty.points_transferred"


@dataclass(frozen=True, kw_only=True)
class PointsAdjusted(PointsEvent):
    type = "loyalty.points_adjusted"


@dataclass(frozen=True, kw_only=True)
class PointsExpiring(AccountEvent):
    """So many points are about to expire, the first of them at `expires_at` (ISO 8601). Each is told once."""

    type = "loyalty.points_expiring"
    points: int = 0
    expires_at: str = ""


@dataclass(frozen=True, kw_only=True)
class TierChanged(AccountEvent):
    """An account came to a tier, or to none; the names stand in `changes`."""

    type = "loyalty.tier_changed"
    tier_id: str | None = None
    previous_tier_id: str | None = None
    up: bool = True


EVENTS = (
    PointsAdjusted,
    PointsCancelled,
    PointsChanged,
    PointsEarned,
    PointsExpired,
    PointsExpiring,
    PointsPending,
    PointsRedeemed,
    PointsTakenBack,
    PointsTransferred,
    PointsUnlocked,
    ProgramCreated,
    ProgramUpdated,
    RedemptionReversed,
    TierChanged,
    TierCreated,
    TierUpdated,
)
