"""The tier of an account at a moment: a function of what it earned or spent, and of the programme's rules.

Up goes at once. Down goes at the end of the period, after the grace period, unless the level was reached
again by then:

* CALENDAR_YEAR: what counts in a year gives the level for the rest of it and for the next. The year is judged
  when the grace period after it is over, together with what the next one has brought until then.
* ROLLING_12_MONTHS: the period ends when what counts of the last twelve months falls below the level.
* LIFETIME: there is no end; only refunds make it less.

With ONE_STEP a level is lost per period, with TO_EARNED all that are not earned any more.

Rules that change hold from then on: what was reached and lost before stays as it was.
"""

from collections import defaultdict
from collections.abc import Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
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
    """A level was reached or lost. Levels are told by the keys of their span; `NONE` is below them all."""

    at: datetime
    level: Any
    previous: Any


@dataclass(frozen=True)
class Standing:
    """The level at a moment. `amount` is what counts in the period then; `review_at` is when the level is
    judged next, and may be lost if nothing more comes (None: never).
    """

    level: Any
    amount: int
    since: datetime | None
    review_at: datetime | None
    changes: tuple[Change, ...]


@dataclass(frozen=True)
class Span:
    """Rules that hold from a moment on; from the first if `from_at` is None. `keys` say which level is which:
    in another span it may have another number. `history` is what counts by these rules, of whatever moment.
    """

    rules: TierRules
    keys: Sequence[Hashable]
    history: Sequence[Counted]
    from_at: datetime | None = None

    def key(self, level: int) -> Hashable:
        return NONE if level == NONE else self.keys[level]

    def level(self, key: Hashable) -> int:
        return self.keys.index(key) if key in self.keys else NONE


def standing(history: Iterable[Counted], rules: TierRules, as_of: datetime) -> Standing:
    """The tier at a moment, with how it came to it."""
    return standing_over([Span(rules, range(len(rules.thresholds)), list(history))], as_of)


def standing_over(spans: Sequence[Span], as_of: datetime) -> Standing:
    """The same where the rules were others before: each span goes on from where the one before it led.

    Who has earned more by new rules rises when they begin; who has earned less keeps the level until a
    review, the next one of a calendar year, and otherwise after the grace period. Levels are told by keys.
    """
    begun = [span for span in spans if span.from_at is None or span.from_at <= as_of] or spans[:1]
    walk = _Walk(begun[0])
    amount = 0
    for span, following in zip(begun, [*begun[1:], None], strict=True):
        walk.go_by(span)
        end = None if following is None else following.from_at
        by_year = span.rules.period is TierPeriod.CALENDAR_YEAR
        amount = (_by_year if by_year else _by_window)(walk, span, end, as_of)
    return walk.result(amount)


def leaves_at(each: Counted, rules: TierRules) -> datetime:
    """When it counts no more, in a rolling or a lifetime period."""
    if rules.period is TierPeriod.LIFETIME:
        return NEVER
    return add_months(each.qualifies_at, 12, rules.zone)


class _Walk:
    """A level that goes up and down as time goes by. `review` is when it is judged next; `judged` the last
    year that was, by years.
    """

    def __init__(self, span: Span) -> None:
        self.span = span
        self.level = span.rules.earned(0)
        self.changes: list[Change] = []
        self.review: datetime | None = None
        self.judged: int | None = None

    def go_by(self, span: Span) -> None:
        if span is not self.span:
            self.level = span.level(self.span.key(self.level))
            self.span = span

    def to(self, level: int, at: datetime) -> None:
        if level != self.level:
            self.changes.append(Change(at, self.span.key(level), self.span.key(self.level)))
            self.level = level

    def down(self, earned: int, at: datetime) -> None:
        one_step = self.span.rules.descent is TierDescent.ONE_STEP
        self.to(self.level - 1 if one_step else earned, at)

    def result(self, amount: int) -> Standing:
        since = self.changes[-1].at if self.changes else None
        return Standing(self.span.key(self.level), amount, since, self.review, tuple(self.changes))


def _by_window(walk: _Walk, span: Span, end: datetime | None, as_of: datetime) -> int:
    """Goes on to the end of the span, or to `as_of`; what counts then."""
    rules, start = span.rules, span.from_at
    steps: dict[datetime, int] = defaultdict(int)
    for each in span.history:
        leaves = leaves_at(each, rules)
        if each.at <= as_of and each.at < leaves:
            steps[each.at] += each.amount
            if leaves < NEVER:
                steps[leaves] -= each.amount
    amount = sum(step for moment, step in steps.items() if start is not None and moment <= start)
    if start is not None:
        _begin(walk, rules.earned(amount), start, rules.grace)
    now_amount: int | None = None
    last = NEVER if end is None else end
    moments = sorted(moment for moment in steps if (start is None or moment > start) and moment < last)
    for moment in [*moments, last]:
        # what is due before this moment, and what is due at the last one, now that it is known
        while walk.review is not None and walk.review < moment:
            if walk.review > as_of:
                return amount if now_amount is None else now_amount
            at = walk.review
            walk.down(rules.earned(amount), at)
            # a further step down is a period later
            walk.review = add_months(at, 12, rules.zone) if rules.earned(amount) < walk.level else None
        if moment == last:
            break
        if moment > as_of and now_amount is None:
            now_amount = amount
        amount += steps[moment]
        earned = rules.earned(amount)
        if earned >= walk.level:
            if moment <= as_of:
                walk.to(earned, moment)
            walk.review = None
        elif walk.review is None:
            walk.review = moment + rules.grace
    if end is None:
        walk.review = None
    return amount if now_amount is None else now_amount


def _begin(walk: _Walk, earned: int, start: datetime, grace: timedelta) -> None:
    """Other rules begin: up at once, down at a review."""
    if earned >= walk.level:
        walk.to(earned, start)
        walk.review = None
    elif walk.review is None or walk.review < start:
        walk.review = start + grace


def _by_year(walk: _Walk, span: Span, end: datetime | None, as_of: datetime) -> int:
    """Goes on to the end of the span, or to `as_of`; what counts in the year of that."""
    rules, start = span.rules, span.from_at
    known = sorted((each for each in span.history if each.at <= as_of), key=lambda each: each.at)
    amounts: dict[int, int] = defaultdict(int)
    this_year = as_of.astimezone(rules.zone).year
    reviews: Iterator[tuple[int, datetime]] = iter(())
    if known:
        reviews = _reviews(known[0].at, rules, start, walk.judged)
    year, review = next(reviews, (0, NEVER))

    def earned(of: int) -> int:
        return max(rules.earned(amounts[of]), rules.earned(amounts[of - 1]))

    def judge(until: datetime) -> None:
        nonlocal year, review
        while review < until:
            if earned(year) < walk.level:
                walk.down(earned(year), review)
            walk.judged = year
            year, review = next(reviews)

    if start is not None:
        for each in known:
            if each.at <= start:
                amounts[each.qualifies_at.astimezone(rules.zone).year] += each.amount
        if (reached := earned(start.astimezone(rules.zone).year)) > walk.level:
            walk.to(reached, start)
    for each in known:
        if (start is not None and each.at <= start) or (end is not None and each.at >= end):
            continue
        judge(each.at)
        amounts[each.qualifies_at.astimezone(rules.zone).year] += each.amount
        reached = earned(each.at.astimezone(rules.zone).year)
        if reached > walk.level:
            walk.to(reached, each.at)
    judge(as_of + timedelta(microseconds=1) if end is None else end)
    lost = walk.level > rules.earned(0)
    walk.review = review if lost and known else None
    return amounts[this_year]


def _reviews(
    first: datetime, rules: TierRules, start: datetime | None, judged: int | None
) -> Iterator[tuple[int, datetime]]:
    """Each year from then on, and when the one before it is judged: those that were judged before these rules
    began are not once more, and those that would have been by these are when they begin.
    """
    for year in range(first.astimezone(rules.zone).year, NEVER.year - 1):
        at = year_start(year, rules.zone) + rules.grace
        if start is None or at >= start:
            yield year, at
        elif judged is not None and year > judged:
            yield year, start
