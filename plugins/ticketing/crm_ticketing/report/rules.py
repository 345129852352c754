"""Figures of many tickets: pure functions of what is known of each. What is undefined is None, never 0."""

import math
from array import array
from collections import Counter
from collections.abc import Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import timedelta

from crm_ticketing.clocks.measures import KINDS, Measures

PERCENTILES = (50, 75, 90, 95)

AGES: Sequence[tuple[str, timedelta | None]] = (
    ("UNDER_1_DAY", timedelta(days=1)),
    ("UNDER_3_DAYS", timedelta(days=3)),
    ("UNDER_7_DAYS", timedelta(days=7)),
    ("UNDER_30_DAYS", timedelta(days=30)),
    ("OLDER", None),
)
"""Names of ages, each with what it is below."""

BREACH_RATE = (
    "Breached clocks / settled clocks: those that were met, in time or late, and those that were breached and"
    " then cancelled"
)
OVERDUE = "Clocks that are breached and still go on / all that are not settled"
"""These are told apart: of a clock that is not settled nobody knows how it will end."""


@dataclass(frozen=True)
class Share:
    """A part of a whole; None where the whole is empty."""

    part: int
    whole: int

    @property
    def value(self) -> float | None:
        return self.part / self.whole if self.whole else None


NOBODY = Share(0, 0)


@dataclass
class Group:
    """What belongs together, such as the tickets of one team, added up: of each ticket stay a few bytes."""

    opened: int = 0
    resolved: int = 0
    at_once: int = 0
    """Resolved with one answer at most, and not opened again."""
    taken: "list[array[int]]" = field(default_factory=lambda: [array("I") for _ in KINDS])
    """By the place of the kind in KINDS, as all that follows: working times in seconds of the clocks that
    were met, late or not."""
    percentiles: list[Sequence[int | None]] = field(default_factory=list)
    """PERCENTILES of these, once all is added."""
    settled: list[int] = field(default_factory=lambda: [0] * len(KINDS))
    """Clocks that are settled: met, or breached and cancelled afterwards."""
    breached: list[int] = field(default_factory=lambda: [0] * len(KINDS))
    """Those of them that were breached."""
    running: list[int] = field(default_factory=lambda: [0] * len(KINDS))
    """Clocks that are not settled, paused ones too."""
    overdue: list[int] = field(default_factory=lambda: [0] * len(KINDS))
    """Those of them that are breached already."""
    continuity: Share = NOBODY
    """Tickets with the member of staff who has most of that customer's, of customers who have several."""
    ratings: Counter[int] = field(default_factory=Counter)
    ages: Counter[str] = field(default_factory=Counter)
    """How old the tickets are that are open now, by the names of AGES."""

    def add(self, measures: Measures, now: int, *, resolved: bool) -> None:
        """Adds a ticket as of a moment, in microseconds since 1970."""
        self.opened += 1
        if resolved:
            self.resolved += 1
            self.at_once += measures.answers <= 1 and not measures.reopened
        for kind, seconds, settled, breach in measures.clocks:
            if seconds is not None:
                self.taken[kind].append(seconds)
            if settled:
                self.settled[kind] += 1
                if breach is not None:
                    self.breached[kind] += 1
            else:
                self.running[kind] += 1
                if breach is not None and breach < now:
                    self.overdue[kind] += 1


def together(groups: Iterable[Group], continuity: Share) -> Group:
    """All of them as one. Their continuity does not add up: a customer may have tickets in several."""
    whole = Group(continuity=continuity)
    for one in groups:
        whole.opened += one.opened
        whole.resolved += one.resolved
        whole.at_once += one.at_once
        for kind in range(len(KINDS)):
            whole.taken[kind].extend(one.taken[kind])
            whole.settled[kind] += one.settled[kind]
            whole.breached[kind] += one.breached[kind]
            whole.running[kind] += one.running[kind]
            whole.overdue[kind] += one.overdue[kind]
        whole.ratings.update(one.ratings)
        whole.ages.update(one.ages)
    return whole


def percentiles(values: "array[int]", wanted: Sequence[int]) -> Generator[None, None, list[int | None]]:
    """For each of `wanted`, the smallest value that at least so many of 100 are not above (nearest rank);
    None of none.

    Values are counted, not sorted, which would hold up everybody else: first in stretches, then one by one
    in those stretches that hold what is wanted. It yields after each portion.
    """
    ranks = {max(1, math.ceil(len(values) * percent / 100)) for percent in wanted} if values else set()
    stretches: Counter[int] = Counter()
    for portion in _portions(values):
        stretches.update([value >> STRETCH for value in portion])
        yield
    inside, before = _holding(stretches, ranks)
    single: Counter[int] = Counter()
    for portion in _portions(values):
        single.update([value for value in portion if value >> STRETCH in inside])
        yield
    found: dict[int, int] = {}
    seen, stretch = 0, -1
    for value in sorted(single):
        if value >> STRETCH != stretch:
            stretch = value >> STRETCH
            seen = before[stretch]
        for rank in ranks:
            if seen < rank <= seen + single[value]:
                found[rank] = value
        seen += single[value]
    return [found[max(1, math.ceil(len(values) * percent / 100))] if values else None for percent in wanted]


STRETCH = 12
"""Bits: an hour and some minutes, so that neither stretches nor the values in one are many."""
PORTION = 10_000


def _portions(values: "array[int]") -> Iterator["array[int]"]:
    return (values[place : place + PORTION] for place in range(0, len(values), PORTION))


def _holding(stretches: Counter[int], ranks: Iterable[int]) -> tuple[set[int], dict[int, int]]:
    """The stretches that hold these ranks, and how many values lie before each stretch."""
    before: dict[int, int] = {}
    seen = 0
    inside = set()
    for stretch in sorted(stretches):
        before[stretch] = seen
        if any(seen < rank <= seen + stretches[stretch] for rank in ranks):
            inside.add(stretch)
        seen += stretches[stretch]
    return inside, before


def breaches(group: Group, kind: int | None = None) -> Share:
    """The breach rate: breached clocks, of those that are settled."""
    return _share(group.breached, group.settled, kind)


def overdue(group: Group, kind: int | None = None) -> Share:
    """Clocks that are breached and go on, of those that are not settled."""
    return _share(group.overdue, group.running, kind)


def _share(part: Sequence[int], whole: Sequence[int], kind: int | None) -> Share:
    return Share(sum(part), sum(whole)) if kind is None else Share(part[kind], whole[kind])


def first_contact(group: Group) -> Share:
    """Resolved with one answer at most, and not opened again, of all that are resolved."""
    return Share(group.at_once, group.resolved)
