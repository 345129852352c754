"""Figures of many tickets: pure functions of what is known of each. What is undefined is None, never 0."""

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta

FIRST, NEXT, RESOLUTION, TOTAL = "FIRST_RESPONSE", "NEXT_RESPONSE", "FIRST_RESOLUTION", "TOTAL_RESOLUTION"
KINDS = (FIRST, NEXT, RESOLUTION, TOTAL)
PERCENTILES = (50, 75, 90, 95)

AGES: Sequence[tuple[str, timedelta | None]] = (
    ("UNDER_1_DAY", timedelta(days=1)),
    ("UNDER_3_DAYS", timedelta(days=3)),
    ("UNDER_7_DAYS", timedelta(days=7)),
    ("UNDER_30_DAYS", timedelta(days=30)),
    ("OLDER", None),
)


@dataclass(frozen=True)
class Measured:
    """A clock that has run: `elapsed` in microseconds of working time; `ended` if what it waited for came."""

    kind: str
    elapsed: int
    ended: bool
    settled: bool
    breached: bool


@dataclass(frozen=True)
class Case:
    """A ticket as the figures see it. `answers` are public messages of staff, `reopened` how often it was."""

    customer_id: str
    staff_id: str | None
    resolved: bool
    answers: int
    reopened: int
    merged: bool = False
    clocks: Sequence[Measured] = ()


@dataclass
class Group:
    """What belongs together, such as the tickets of one team."""

    cases: list[Case] = field(default_factory=list)
    ratings: list[int] = field(default_factory=list)
    ages: list[timedelta] = field(default_factory=list)
    """How old the tickets are that are open now."""


@dataclass(frozen=True)
class Share:
    """A part of a whole; None where the whole is empty."""

    part: int
    whole: int

    @property
    def value(self) -> float | None:
        return self.part / self.whole if self.whole else None


def percentile(values: Iterable[int], percent: int) -> int | None:
    """The smallest value that at least `percent` of 100 are not above (nearest rank); None of none."""
    ordered = sorted(values)
    if not ordered:
        return None
    return ordered[max(0, math.ceil(len(ordered) * percent / 100) - 1)]


def times(cases: Iterable[Case], kind: str) -> list[int]:
    """Working times of the clocks of a kind that ended, late or not."""
    return [
        clock.elapsed
        for case in _counted(cases)
        for clock in case.clocks
        if clock.kind == kind and clock.ended
    ]


def breaches(cases: Iterable[Case], kind: str | None = None) -> Share:
    """Breached clocks of those that are settled, or breached: of one that is in time nothing is known yet."""
    known = [
        clock
        for case in _counted(cases)
        for clock in case.clocks
        if kind in (None, clock.kind) and (clock.settled or clock.breached)
    ]
    return Share(sum(1 for clock in known if clock.breached), len(known))


def first_contact(cases: Iterable[Case]) -> Share:
    """Resolved with one answer at most, and not opened again, of all that are resolved."""
    resolved = [case for case in _counted(cases) if case.resolved]
    return Share(sum(1 for case in resolved if case.answers <= 1 and not case.reopened), len(resolved))


def continuity(cases: Iterable[Case]) -> Share:
    """The cases that were with the person who had most of that customer's, of those who had several."""
    by_customer: dict[str, Counter[str]] = {}
    for case in _counted(cases):
        if case.staff_id is not None:
            by_customer.setdefault(case.customer_id, Counter())[case.staff_id] += 1
    several = [found for found in by_customer.values() if found.total() > 1]
    return Share(sum(max(found.values()) for found in several), sum(found.total() for found in several))


def backlog(ages: Iterable[timedelta]) -> Mapping[str, int]:
    """How many are how old, by the names of AGES."""
    found = {name: 0 for name, _ in AGES}
    for age in ages:
        found[next(name for name, limit in AGES if limit is None or age < limit)] += 1
    return found


def _counted(cases: Iterable[Case]) -> list[Case]:
    """Without those that were merged into others: these count there."""
    return [case for case in cases if not case.merged]
