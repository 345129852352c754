"""Figures of many tickets: pure functions of what is known of each. What is undefined is None, never 0."""

import math
from array import array
from collections import Counter
from collections.abc import Iterable, Sequence
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
"""Names of ages, each with what it is below."""


@dataclass(frozen=True, slots=True)
class Measured:
    """A clock that has run: `elapsed` in microseconds of working time; `ended` if what it waited for came."""

    kind: str
    elapsed: int
    ended: bool
    settled: bool
    breached: bool


@dataclass(frozen=True, slots=True)
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
    """What belongs together, such as the tickets of one team, added up: of each ticket stay a few numbers."""

    opened: int = 0
    resolved: int = 0
    at_once: int = 0
    """Resolved with one answer at most, and not opened again."""
    taken: dict[str, "array[int]"] = field(default_factory=lambda: {kind: array("q") for kind in KINDS})
    """Working times of the clocks of each kind that ended, late or not."""
    known: Counter[str] = field(default_factory=Counter)
    """Clocks of each kind that are settled, or breached: of one that is in time nothing is known yet."""
    late: Counter[str] = field(default_factory=Counter)
    """Those of them that are breached."""
    with_staff: Counter[tuple[str, str]] = field(default_factory=Counter)
    """Tickets by customer and the member of staff who has them."""
    ratings: Counter[int] = field(default_factory=Counter)
    ages: Counter[str] = field(default_factory=Counter)
    """How old the tickets are that are open now, by the names of AGES."""

    def add(self, case: Case) -> None:
        """Adds a ticket; one that was merged into another counts there."""
        if case.merged:
            return
        self.opened += 1
        self.resolved += case.resolved
        self.at_once += case.resolved and case.answers <= 1 and not case.reopened
        if case.staff_id is not None:
            self.with_staff[case.customer_id, case.staff_id] += 1
        for clock in case.clocks:
            if clock.ended:
                self.taken[clock.kind].append(clock.elapsed)
            if clock.settled or clock.breached:
                self.known[clock.kind] += 1
            if clock.breached:
                self.late[clock.kind] += 1


def group_of(cases: Iterable[Case]) -> Group:
    """These tickets added up."""
    group = Group()
    for case in cases:
        group.add(case)
    return group


def together(groups: Iterable[Group]) -> Group:
    """All of them as one."""
    whole = Group()
    for one in groups:
        whole.opened += one.opened
        whole.resolved += one.resolved
        whole.at_once += one.at_once
        for kind in KINDS:
            whole.taken[kind].extend(one.taken[kind])
        for into, more in (
            (whole.known, one.known),
            (whole.late, one.late),
            (whole.with_staff, one.with_staff),
            (whole.ratings, one.ratings),
            (whole.ages, one.ages),
        ):
            into.update(more)  # type: ignore[arg-type]  # each of its own kind
    return whole


@dataclass(frozen=True)
class Share:
    """A part of a whole; None where the whole is empty."""

    part: int
    whole: int

    @property
    def value(self) -> float | None:
        return self.part / self.whole if self.whole else None


def percentiles(values: Iterable[int], wanted: Sequence[int]) -> list[int | None]:
    """For each of `wanted`, the smallest value that at least so many of 100 are not above (nearest rank);
    None of none.
    """
    ordered = sorted(values)
    if not ordered:
        return [None] * len(wanted)
    return [ordered[max(0, math.ceil(len(ordered) * percent / 100) - 1)] for percent in wanted]


def breaches(group: Group, kind: str | None = None) -> Share:
    """Breached clocks of those that are settled, or breached."""
    if kind is not None:
        return Share(group.late[kind], group.known[kind])
    return Share(group.late.total(), group.known.total())


def first_contact(group: Group) -> Share:
    """Resolved with one answer at most, and not opened again, of all that are resolved."""
    return Share(group.at_once, group.resolved)


def continuity(group: Group) -> Share:
    """The tickets that were with the person who had most of that customer's, of those who had several."""
    most: Counter[str] = Counter()
    total: Counter[str] = Counter()
    for (customer, _), count in group.with_staff.items():
        most[customer] = max(most[customer], count)
        total[customer] += count
    several = [customer for customer, count in total.items() if count > 1]
    return Share(sum(most[one] for one in several), sum(total[one] for one in several))
