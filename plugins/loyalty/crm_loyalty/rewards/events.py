"""What happens with rewards."""

from dataclasses import dataclass

from crm_framework import Event


@dataclass(frozen=True, kw_only=True)
class RewardChanged(Event):
    """A reward was made or changed, or codes were added to its pool; `changes` tells which columns."""

    type = "loyalty.reward_changed"
    subject_type = "LoyaltyReward"
    reward_id: str = ""

    @property
    def subject_id(self) -> str:
        return self.reward_id


@dataclass(frozen=True, kw_only=True)
class RedemptionEvent(Event):
    """Base of what happens to a redemption. Voucher codes are no part of it."""

    subject_type = "LoyaltyRedemption"
    redemption_id: str = ""
    reward_id: str = ""
    points: int = 0

    @property
    def subject_id(self) -> str:
        return self.redemption_id


@dataclass(frozen=True, kw_only=True)
class RewardReserved(RedemptionEvent):
    type = "loyalty.reward_reserved"


@dataclass(frozen=True, kw_only=True)
class RewardRedeemed(RedemptionEvent):
    type = "loyalty.reward_redeemed"


@dataclass(frozen=True, kw_only=True)
class RewardFulfilled(RedemptionEvent):
    type = "loyalty.reward_fulfilled"


@dataclass(frozen=True, kw_only=True)
class RewardReturned(RedemptionEvent):
    """A reservation was cancelled or ran out, or a redemption was reversed; `changes` holds the status."""

    type = "loyalty.reward_returned"


REWARD_EVENTS = (RewardChanged, RewardFulfilled, RewardRedeemed, RewardReserved, RewardReturned)
