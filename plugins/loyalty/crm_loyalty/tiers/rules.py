"""The tier of an account at a moment: a function of what it earned or spent, and of the programme's rules.

Up goes at once. Down goes at the end of the period, after the grace period, unless the level was reached
again by then:

* CALENDAR_YEAR: what counts in a year gives the level for the rest of it and for the next. The year is judged
  when the grace period after it is over, together with what the next one has brought until then.
* ROLLING_12_MONTHS: the period ends when what counts of the last twelve months falls below the level.
* LIFETIME: there is no end; only refunds make it less.

With ONE_STEP a level is lost per period, with TO_EARNED all that are not earned any more.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from crm_loyalty.models import TierDescent, TierPeriod
from crm_loyalty.moments import NEVER, add_months, year_start

NONE = -1
"""The level below the first tier."""


@dataclass(frozen=True)
class TierRules:
    """`thresholds` ascend; a level is the number of a threshold."""

    thresholds: Sequence[int]
    period: TierPeriod
    descent: TierDescent
    grace: timedelta
    zone: ZoneInfo

    def earned(self, amount: int) -> int:
        """The level that an amount gives."""
        return sum(1 for threshold in self.thresholds if threshold <= amount) - 1


@dataclass(frozen=True)
class Counted:
    """Points or spend that count. Known from `at` on, in the period of `qualifies_at`."""

    at: datetime
    qualifies_at: datetime
    amount: int


@dataclass(frozen=True)
class Change:
    """A level was reached or lost."""

    at: datetime
    level: int
    previous: int


@dataclass(frozen=True)
class Standing:
    """The level at a moment. `amount` is what counts in the period then; `review_at` is when the level is
    judged next, and may be lost if nothing more comes (None: never).
    """

    level: int
    amount: int
    since: datetime | None
    review_at: datetime | None
    changes: tuple[Change, ...]


def standing(history: Iterable[Counted], rules: TierRules, as_of: datetime) -> Standing:
    """The tier at a moment, with how it came to it."""
    known = sorted((each for each in history if each.at <= as_of), key=lambda each: each.at)
    if rules.period is TierPeriod.CALENDAR_YEAR:
        return _by_year(known, rules, as_of)
    return _by_window(known, rules, as_of)


def leaves_at(each: Counted, rules: TierRules) -> datetime:
    """When it counts no more, in a rolling or a lifetime period."""
    if rules.period is TierPeriod.LIFETIME:
        return NEVER
    return add_months(each.qualifies_at, 12, rules.zone)


class _Walk:
    """A level that goes up and down as time goes by."""

    def __init__(self, rules: TierRules) -> None:
        self.rules = rules
        self.level = rules.earned(0)
        self.changes: list[Change] = []

    def to(self, level: int, at: datetime) -> None:
        if level != self.level:
            self.changes.append(Change(at, level, self.level))
            self.level = level

    def down(self, earned: int, at: datetime) -> None:
        self.to(earned if self.rules.descent is TierDescent.TO_EARNED else self.level - 1, at)

    def result(self, amount: int, review_at: datetime | None) -> Standing:
        since = self.changes[-1].at if self.changes else None
        return Standing(self.level, amount, since, review_at, tuple(self.changes))


def _by_window(known: Sequence[Counted], rules: TierRules, as_of: datetime) -> Standing:
    steps: dict[datetime, int] = defaultdict(int)
    for each in known:
        leaves = leaves_at(each, rules)
        if each.at < leaves:
            steps[each.at] += each.amount
            if leaves < NEVER:
                steps[leaves] -= each.amount
    walk, amount = _Walk(rules), 0
    review: datetime | None = None
    now_amount: int | None = None
    moments = sorted(steps)
    for moment in [*moments, NEVER]:
        # what is due before this moment, and what is due at the last one, now that it is known
        while review is not None and review < moment:
            if review > as_of:
                return walk.result(amount if now_amount is None else now_amount, review)
            walk.down(rules.earned(amount), review)
            # a further step down is a period later
            review = add_months(review, 12, rules.zone) if rules.earned(amount) < walk.level else None
        if moment > as_of and now_amount is None:
            now_amount = amount
        amount += steps.get(moment, 0)
        earned = rules.earned(amount)
        if earned >= walk.level:
            if moment <= as_of:
                walk.to(earned, moment)
            review = None
        elif review is None and moment < NEVER:
            review = moment + rules.grace
    return walk.result(amount if now_amount is None else now_amount, None)


def _by_year(known: Sequence[Counted], rules: TierRules, as_of: datetime) -> Standing:
    walk = _Walk(rules)
    amounts: dict[int, int] = defaultdict(int)
    this_year = as_of.astimezone(rules.zone).year
    reviews: Iterator[tuple[int, datetime]] = _reviews(known[0].at, rules) if known else iter(())
    year, review = next(reviews, (0, NEVER))

    def earned(of: int) -> int:
        return max(rules.earned(amounts[of]), rules.earned(amounts[of - 1]))

    def judge(until: datetime) -> None:
        nonlocal year, review
        while review < until:
            if earned(year) < walk.level:
                walk.down(earned(year), review)
            year, review = next(reviews)

    for each in known:
        judge(each.at)
        amounts[each.qualifies_at.astimezone(rules.zone).year] += each.amount
        reached = earned(each.at.astimezone(rules.zone).year)
        if reached > walk.level:
            walk.to(reached, each.at)
    judge(as_of + timedelta(microseconds=1))
    lost = walk.level > rules.earned(0)
    return walk.result(amounts[this_year], review if lost and known else None)


def _reviews(first: datetime, rules: TierRules) -> Iterator[tuple[int, datetime]]:
    """Each year from then on, and when the one before it is judged."""
    for year in range(first.astimezone(rules.zone).year, NEVER.year - 1):
        yield year, year_start(year, rules.zone) + rules.grace
