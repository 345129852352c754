"""Whether a reward can be had: a function of values that says why not."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from crm_framework import CrmError, ErrorCode


@dataclass(frozen=True, kw_only=True)
class Reward:
    """What of a reward decides."""

    id: str
    name: str
    active: bool
    cost_points: int
    stock: int | None
    per_customer: int | None
    valid_from: datetime | None
    valid_until: datetime | None
    tiers: tuple[str, ...] = ()


def refusal(
    reward: Reward, *, at: datetime, had: int, tier: str | None, tier_names: Collection[str] = ()
) -> CrmError | None:
    """Why the reward cannot be had; None if it can. `had` is how many the customer has had of it."""
    name = f"The reward “{reward.name}”"
    if not reward.active:
        return _refused(f"{name} is not offered any more.", "Choose another reward.")
    if reward.valid_from is not None and at < reward.valid_from:
        return _refused(
            f"{name} is offered from {reward.valid_from:%Y-%m-%d %H:%M} UTC on.", "Wait until then."
        )
    if reward.valid_until is not None and at >= reward.valid_until:
        return _refused(
            f"{name} was offered until {reward.valid_until:%Y-%m-%d %H:%M} UTC.", "Choose another reward."
        )
    if reward.tiers and tier not in reward.tiers:
        needed = " or ".join(tier_names) or "another tier"
        return _refused(f"{name} needs {needed}.", "Choose another reward, or earn more points.")
    if reward.per_customer is not None and had >= reward.per_customer:
        return _refused(
            f"{name} can be had {reward.per_customer} times a customer.", "Choose another reward."
        )
    if reward.stock is not None and reward.stock < 1:
        return _refused(f"{name} is out of stock.", "Choose another reward, or come back later.")
    return None


def _refused(message: str, hint: str) -> CrmError:
    return CrmError(ErrorCode.REFUSED, message, path=("reward",), hint=hint)
