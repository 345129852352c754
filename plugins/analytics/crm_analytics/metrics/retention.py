"""Who stays and who leaves.

Without contracts nobody says that he leaves: the inactivity rule says it. A customer is active at a moment
who bought something in the time before it; that time is so many calendar months, or days, or so many times
the customer's own median gap between purchases.
"""

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from statistics import median

from crm_analytics.windows import months_later

from .measured import Definition, Measured, share

RETENTION = Definition(
    "retention",
    "%",
    "Customers who were active when the window began and bought in it / customers who were active when it"
    " began. Active is who bought within the inactivity rule's time before. Who had lapsed and came back is"
    " in neither, and is not new.",
)
CHURN = Definition(
    "churn",
    "%",
    "100 − retention over the same window: active customers who did not buy in it / active customers.",
)
NOTHING = "no customer was active when the window began"


@dataclass(frozen=True)
class Inactivity:
    """The rule; exactly one of them is given."""

    months: int | None = None
    days: int | None = None
    gaps: float | None = None

    def since(self, start: date) -> date:
        """From when on a purchase keeps active at `start`, where that is the same for all."""
        if self.months is not None:
            return months_later(start, -self.months)
        return start - timedelta(days=self.days or 0)

    def text(self) -> str:
        """In words."""
        if self.gaps is not None:
            return f"no purchase for {self.gaps:g} times the customer's own median gap"
        return f"no purchase for {self.months or self.days} {'months' if self.months else 'days'}"


@dataclass(frozen=True)
class Kept:
    """Of one group: how many were active at the start, and how many of these bought in the window."""

    starting: int
    kept: int


def retention(groups: Iterable[Kept]) -> Measured:
    counted = list(groups)
    return share(
        sum(group.kept for group in counted), sum(group.starting for group in counted), nothing=NOTHING
    )


def churn(groups: Iterable[Kept]) -> Measured:
    counted = list(groups)
    lost = sum(group.starting - group.kept for group in counted)
    return share(lost, sum(group.starting for group in counted), nothing=NOTHING)


def kept_of(customers: Iterable[Sequence[date]], first: date, last: date, rule: Inactivity) -> Kept:
    """From each customer's sorted days with a purchase; `first` and `last` are the window's."""
    starting = kept = 0
    for days in customers:
        before = [day for day in days if day < first]
        if not before or not _active(before, first, rule):
            continue
        starting += 1
        kept += any(first <= day <= last for day in days)
    return Kept(starting, kept)


def _active(before: Sequence[date], start: date, rule: Inactivity) -> bool:
    if rule.gaps is None:
        return before[-1] >= rule.since(start)
    gaps = [(later - earlier).days for earlier, later in itertools.pairwise(before)]
    # one day has no gap to go by: such a customer is in no set, neither active nor lost
    return bool(gaps) and (start - before[-1]).days <= rule.gaps * median(gaps)
