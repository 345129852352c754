"""Customers at risk, with what puts them there."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta

from .measured import Definition

DEFINITION = Definition(
    "atRisk",
    "customers",
    "Customers with a reason: the next purchase is overdue by the customer's own gaps, an interaction of the"
    " last 90 days went badly, or another plugin has a signal about the customer (a complaint that is open, a"
    " ticket that was late). The more reasons, the further up; of as many, who brought the most in each main"
    " currency come first, then the second of each, and who never bought last. Of each reason a thousand"
    " customers are compared, in this order.",
    version=3,
)
OVERDUE = 2.0
"""How many of the own median gaps without a purchase are too many."""
LOST = 10.0
"""After so many it is no risk any more: the customer has left."""
UNHAPPY_FOR = timedelta(days=90)


@dataclass(frozen=True)
class Reason:
    """`kind` in a word, such as `gap`; `day` is that since when it is so."""

    kind: str
    text: str
    day: date


def lengthening_gap(last: date, median_days: float, today: date) -> Reason | None:
    """Why the time since the last purchase is too long, if it is."""
    waited = (today - last).days
    if median_days <= 0 or not OVERDUE * median_days < waited <= LOST * median_days:
        return None
    return Reason("gap", f"no purchase for {waited} days; the median between two is {median_days:g}", last)


@dataclass(frozen=True)
class Brought:
    """What a customer brought, in minor units of the main currency; that is None of who never bought."""

    currency: str | None
    minor: int


def ranked(reasons: Mapping[str, int], brought: Mapping[str, Brought]) -> list[str]:
    """Customers by how many reasons they have, and of as many by their place among those of their currency:
    amounts of different currencies are no more and no less than each other."""
    together: dict[tuple[int, str | None], list[str]] = defaultdict(list)
    for key, number in reasons.items():
        together[number, brought[key].currency].append(key)
    placed = [
        (-number, currency is None, place, currency or "", key)
        for (number, currency), keys in together.items()
        for place, key in enumerate(sorted(keys, key=lambda key: (-brought[key].minor, key)))
    ]
    return [key for *_, key in sorted(placed)]
