"""The clocks of a ticket: a pure function of its history, the versions of its policies, and a moment.

Nothing is counted up. A clock's working time is that of the version which applies at the moment asked for,
over the whole history; a version that comes later changes what is due, but never what has happened: what was
met stays met, and what was breached under one version stays breached, at the moment when it was.
"""

from collections.abc import Iterator, Mapping, Sequence
from enum import StrEnum
from typing import NamedTuple

from crm_ticketing.calendars.calendar import Calendar
from crm_ticketing.policies.rules import PolicyVersion

from .history import INFINITE, SETTLED, Happened, Past, past_of


class ClockState(StrEnum):
    PENDING = "PENDING"
    PAUSED = "PAUSED"
    MET = "MET"
    BREACHED = "BREACHED"
    CANCELLED = "CANCELLED"


class Run(NamedTuple):
    """A stretch of a clock's life, with the status of the ticket; `counts` unless it pauses or is settled."""

    start: int
    end: int
    status: str
    counts: bool


class Life(NamedTuple):
    """What a clock went through, the working time of each stretch, and how it ended. `end` is INFINITE
    before.
    """

    runs: list[Run]
    works: list[int]
    end: int
    outcome: str


class Segment(NamedTuple):
    """A stretch with its working time; those that count add up to what has elapsed."""

    start: int
    end: int
    state: str
    reason: str
    elapsed: int


class Clock(NamedTuple):
    """A clock at a moment. Moments and amounts are in microseconds; a moment that there is not is None."""

    kind: str
    cycle: int
    state: str
    target: int
    started: int
    due: int | None
    breached: int | None
    ended: int | None
    """When it was met, late or not."""
    elapsed: int
    version: PolicyVersion
    runs: list[Run]
    until: int
    """The moment that was asked for, or when it was settled, if that was before."""
    settled: bool

    @property
    def remaining(self) -> int:
        """Working time until it is due; 0 once that has passed."""
        return max(0, self.target - self.elapsed)

    @property
    def running(self) -> bool:
        """Whether time passes in it, so that somebody must do something by its due time."""
        return not self.settled and self.runs[-1].counts

    def segments(self) -> list[Segment]:
        """What the clock went through; late stretches are BREACHED."""
        return list(_segments(self))


class Alarm(NamedTuple):
    """The moment at which a clock is breached, or a step of its policy is due (`step` is its place)."""

    at: int
    kind: str
    cycle: int
    version: PolicyVersion
    step: int | None

    @property
    def once(self) -> str:
        """A name that no other alarm of the ticket has."""
        if self.step is None:
            return f"{self.kind}/{self.cycle}/breach"
        return f"{self.kind}/{self.cycle}/{self.version.id}/{self.step}"


def clocks(history: Sequence[Happened], versions: Mapping[str, PolicyVersion], as_of: int) -> list[Clock]:
    """The clocks of a ticket at a moment; `versions` are those that its history names.

    Those of the first reply and of resolution come once, NEXT_RESPONSE once for each time that the customer
    waited. A clock without a target is left out, unless it was breached when it had one.
    """
    past = past_of(history, as_of)
    if past is None:
        return []
    lived = _Lived(past, as_of)
    found = []
    for kind, cycle in _kinds(past):
        clock = _clock(kind, cycle, lived, versions, as_of)
        if clock is not None:
            found.append(clock)
    return found


def alarms(history: Sequence[Happened], versions: Mapping[str, PolicyVersion]) -> list[Alarm]:
    """What is, was or will be due of a ticket to which nothing else happens, in the order of the moments."""
    past = past_of(history, INFINITE - 1)
    if past is None:
        return []
    lived = _Lived(past, INFINITE)
    found: list[Alarm] = []
    last = len(past.policies) - 1
    for kind, cycle in _kinds(past):
        breached = False
        for place, (since, key) in enumerate(past.policies):
            version = versions[key] if key is not None else None
            target = version.targets.get(kind) if version is not None else None
            if version is None or target is None:
                continue
            until = past.policies[place + 1][0] if place < last else INFINITE
            life = lived.of(kind, cycle, version)
            for amount, step in version.thresholds[kind]:
                at = _felt(kind, life, _reached(life, version.calendar, amount), since, until)
                if at is not None:
                    found.append(Alarm(at, kind, cycle, version, step))
            if not breached:
                at = _felt(kind, life, _reached(life, version.calendar, target), since, until)
                if at is not None:
                    breached = True
                    found.append(Alarm(at, kind, cycle, version, None))
    found.sort(key=lambda alarm: (alarm.at, alarm.step is not None))
    return found


def _kinds(past: Past) -> list[tuple[str, int]]:
    found = [("FIRST_RESPONSE", 0)]
    for number in range(1, len(past.cycles) + 1):
        found.append(("NEXT_RESPONSE", number))
    found.append(("FIRST_RESOLUTION", 0))
    found.append(("TOTAL_RESOLUTION", 0))
    return found


class _Lived:
    """A ticket's past, and the working time in it, which both clocks of resolution ask for."""

    __slots__ = ("as_of", "known", "past")

    def __init__(self, past: Past, as_of: int) -> None:
        self.past = past
        self.as_of = as_of
        self.known: dict[str, tuple[list[Run], list[int]]] = {}

    def of(self, kind: str, cycle: int, version: PolicyVersion) -> Life:
        """What a clock went through, as a version sees it."""
        past = self.past
        if kind == "FIRST_RESPONSE":
            if past.first_answer <= past.merged:
                return self._reply(past.created, past.first_answer, "MET", version)
            return self._reply(past.created, past.merged, "CANCELLED", version)
        if kind == "NEXT_RESPONSE":
            start, end, met = past.cycles[cycle - 1]
            return self._reply(start, end, "MET" if met else "CANCELLED", version)
        known = self.known.get(version.id)
        runs, works = self._spent(version) if known is None else known
        if kind == "FIRST_RESOLUTION":
            if past.first_resolved > past.merged:
                return Life(runs, works, past.merged, "CANCELLED")
            end = past.first_resolved
            if end == INFINITE:
                return Life(runs, works, end, "")
            place = len(runs)
            while place and runs[place - 1].start >= end:
                place -= 1
            return Life(runs[:place], works[:place], end, "MET")
        if not runs or runs[-1].status not in SETTLED:
            return Life(runs, works, past.merged, "CANCELLED")
        place = len(runs)
        while place and runs[place - 1].status in SETTLED:
            place -= 1
        end = runs[place].start
        return Life(runs[:place], works[:place], end, "MET")

    def settled(self, kind: str, cycle: int) -> int:
        """When a clock was settled, whatever the version says; INFINITE if it is not."""
        past = self.past
        if kind == "FIRST_RESPONSE":
            return min(past.first_answer, past.merged)
        if kind == "NEXT_RESPONSE":
            return past.cycles[cycle - 1].end
        if kind == "FIRST_RESOLUTION":
            return min(past.first_resolved, past.merged)
        end = past.merged
        for span in reversed(past.spans):
            if span.status not in SETTLED:
                break
            end = span.start
        return end

    def _reply(self, start: int, end: int, outcome: str, version: PolicyVersion) -> Life:
        if end <= start:
            return Life([], [], end, outcome)
        until = end if end < self.as_of else self.as_of
        work = 0 if until == INFINITE else version.calendar.between(start, until)
        return Life([Run(start, end, "", True)], [work], end, outcome)

    def _spent(self, version: PolicyVersion) -> tuple[list[Run], list[int]]:
        """The spans of the ticket and the working time of each, 0 where it does not count."""
        between, pauses, as_of = version.calendar.between, version.pauses, self.as_of
        runs, works = [], []
        for start, end, status in self.past.spans:
            counts = status not in pauses and status not in SETTLED
            runs.append(Run(start, end, status, counts))
            until = end if end < as_of else as_of
            works.append(between(start, until) if counts and until < INFINITE else 0)
        self.known[version.id] = runs, works
        return runs, works


def _clock(
    kind: str, cycle: int, lived: _Lived, versions: Mapping[str, PolicyVersion], as_of: int
) -> Clock | None:
    shown: tuple[Life, PolicyVersion, int, int | None] | None = None
    breached: int | None = None
    policies = lived.past.policies
    last = len(policies) - 1
    for place, (since, key) in enumerate(policies):
        if since > lived.past.created and lived.settled(kind, cycle) <= since:
            break  # what was settled before stays as it was
        version = versions[key] if key is not None else None
        target = version.targets.get(kind) if version is not None else None
        if version is None or target is None:
            if breached is None:
                shown = None
            continue
        life = lived.of(kind, cycle, version)
        reached = _reached(life, version.calendar, target)
        shown = (life, version, target, reached)
        if breached is None and reached is not None and reached < as_of:
            until = policies[place + 1][0] if place < last else INFINITE
            felt = _felt(kind, life, reached, since, until)
            if felt is not None and felt < as_of:
                breached = felt
    if shown is None:
        return None
    life, version, target, reached = shown
    runs, works, end, outcome = life
    settled = end < INFINITE
    if breached is not None:
        state = "BREACHED"
    elif settled:
        state = outcome
    else:
        state = "PENDING" if runs[-1].counts else "PAUSED"
    if reached is None and settled:
        reached = _would_be_due(life, version.calendar, target)
    return Clock(
        kind,
        cycle,
        state,
        target,
        runs[0].start if runs else end,
        reached,
        breached,
        end if settled and outcome == "MET" else None,
        sum(works),
        version,
        runs,
        end if end < as_of else as_of,
        settled,
    )


def _reached(life: Life, calendar: Calendar, amount: int) -> int | None:
    """When so much working time has passed, if nothing else happens; None if it does not come to that."""
    works = life.works
    total = sum(works)
    if total < amount:  # only the last one can still go on
        last = life.runs[-1] if life.runs else None
        if last is None or last.end < INFINITE or not last.counts:
            return None
        return calendar.add(last.start, amount - total + works[-1])
    for run, work in zip(life.runs, works, strict=True):
        if work >= amount:
            return calendar.add(run.start, amount)
        amount -= work
    return None


def _felt(kind: str, life: Life, reached: int | None, since: int, until: int) -> int | None:
    """When what was reached made itself felt: under a version that applied from `since` on, before `until`,
    while the clock was not settled. What is settled at the very moment is in time.
    """
    if reached is None:
        return None
    at = reached if reached > since else since
    if kind == "TOTAL_RESOLUTION":
        for run in life.runs:
            if run.end > at and run.status not in SETTLED:
                at = run.start if run.start > at else at
                break
        else:
            return None
    elif at >= life.end:
        return None
    return at if at < until else None


def _would_be_due(life: Life, calendar: Calendar, target: int) -> int | None:
    """When a clock that was settled before it was due would have been, had its last stretch gone on."""
    for place in range(len(life.runs) - 1, -1, -1):
        if life.runs[place].counts:
            return calendar.add(life.runs[place].start, target - sum(life.works[:place]))
    return None


_REASONS = {
    "FIRST_RESPONSE": "waits for the first answer",
    "NEXT_RESPONSE": "waits for an answer",
}


def _segments(clock: Clock) -> Iterator[Segment]:
    between = clock.version.calendar.between
    for run in clock.runs:
        start, end = run.start, min(run.end, clock.until)
        if start >= end:
            continue
        reason = _REASONS.get(clock.kind) or run.status.replace("_", " ").lower()
        if not run.counts:
            yield Segment(start, end, "MET" if run.status in SETTLED else "PAUSED", reason, 0)
            continue
        late = clock.breached
        if late is not None and start < late < end:
            yield Segment(start, late, "PENDING", reason, between(start, late))
            start = late
        state = "PENDING" if late is None or start < late else "BREACHED"
        yield Segment(start, end, state, reason, between(start, end))
