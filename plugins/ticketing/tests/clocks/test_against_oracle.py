"""The clocks against an oracle that looks at every minute: `CLOCK_CASES` histories, of seed `CLOCK_SEED`."""

import itertools
import os
from datetime import date
from random import Random

import pytest
from crm_ticketing.calendars.calendar import Calendar
from crm_ticketing.clocks.measures import KINDS, as_text, measures_from, measures_of
from crm_ticketing.clocks.rules import Clock, alarms, clocks

from .cases import DAYS, MINUTE, Case, World, case, world, worlds
from .oracle import Told, told

CASES = int(os.environ.get("CLOCK_CASES", "3000"))
SEED = os.environ.get("CLOCK_SEED", "clocks")
PARTS = 10
LOOKED_AHEAD = 2 * 1440
"""Minutes after the moment asked for in which the oracle looks for due times."""


def expected(one: Case, end: int) -> dict[tuple[str, int], Told]:
    return told(one.history, one.promises, one.world.working, one.world.first, one.as_of, end)


def compared(clock: Clock, oracle: Told, end: int) -> str | None:
    """What differs; nothing, if all is equal."""
    shown: tuple[object, ...] = (
        clock.state,
        None if clock.breached is None else clock.breached / MINUTE,
        None if clock.ended is None else clock.ended / MINUTE,
        clock.elapsed / MINUTE,
    )
    wanted: tuple[object, ...] = (oracle.state, oracle.breached, oracle.ended, oracle.elapsed)
    if shown != wanted:
        return f"{clock.kind} {clock.cycle}: {shown}, not {wanted}"
    if clock.settled and oracle.due is None:
        return None
    due = None if clock.due is None or clock.due >= end * MINUTE else clock.due / MINUTE
    if due != (None if oracle.due is not None and oracle.due >= end else oracle.due):
        return f"{clock.kind} {clock.cycle}: due {due}, not {oracle.due}"
    return None


def differences(one: Case) -> list[str]:
    end = min(one.world.first + DAYS * 1440, one.as_of + LOOKED_AHEAD)
    shown = {
        (clock.kind, clock.cycle): clock for clock in clocks(one.happened, one.versions, one.as_of * MINUTE)
    }
    wanted = expected(one, end)
    if shown.keys() != wanted.keys():
        return [f"{sorted(shown)}, not {sorted(wanted)}"]
    found = (compared(shown[key], wanted[key], end) for key in shown)
    return [text for text in found if text is not None]


@pytest.mark.parametrize("part", range(PARTS))
def test_clocks_are_those_of_the_oracle(part: int) -> None:
    rng = Random(f"{SEED} {part}")
    for number in range(CASES // PARTS):
        one = case(rng)
        wrong = differences(one)
        assert not wrong, f"{SEED} {part}, case {number}: {wrong}\n{one.promises}\n{one.history}\n{one.as_of}"


@pytest.mark.parametrize("part", range(PARTS))
def test_properties_of_generated_histories(part: int) -> None:
    """Segments add up and leave no gap; nothing is un-breached, however history goes on; the present is what
    it would be were the future unknown; every breach has its alarm, at its moment, once."""
    rng = Random(f"{SEED} properties {part}")
    for _ in range(CASES // PARTS // 3):
        one = case(rng)
        history, versions = one.happened, one.versions
        breached: dict[tuple[str, int], int] = {}
        for as_of in sorted(rng.randrange(one.history[0][0], one.as_of + 1) for _ in range(8)):
            at = as_of * MINUTE
            present = clocks([event for event in history if event.at <= at], versions, at)
            assert present == clocks(history, versions, at)
            for clock in present:
                segments = clock.segments()
                assert sum(segment.elapsed for segment in segments) == clock.elapsed
                if segments:
                    assert segments[0].start == clock.started
                    assert segments[-1].end == clock.until
                for before, after in itertools.pairwise(segments):
                    assert before.end == after.start
                key = (clock.kind, clock.cycle)
                if key in breached:
                    assert (clock.state, clock.breached) == ("BREACHED", breached[key])
                elif clock.breached is not None:
                    breached[key] = clock.breached
            assert breached.keys() <= {(clock.kind, clock.cycle) for clock in present}
        later = (one.world.first + 3 * DAYS * 1440) * MINUTE
        last = clocks(history, versions, later)
        rung = [alarm for alarm in alarms(history, versions) if alarm.step is None and alarm.at < later]
        assert sorted((alarm.kind, alarm.cycle, alarm.at) for alarm in rung) == sorted(
            (clock.kind, clock.cycle, clock.breached) for clock in last if clock.breached is not None
        )
        check_measures(one, later)


def check_measures(one: Case, later: int) -> None:
    """What is kept for figures once the last thing has happened says at any later moment what clocks say."""
    history, versions, settled_at = one.happened, one.versions, one.happened[-1].at
    present = clocks(history, versions, settled_at)
    kept = measures_from(as_text(measures_of(history, present, alarms(history, versions))))
    for moment in (settled_at, settled_at + 90 * MINUTE, later):
        assert [
            (kind, seconds, settled, breach is not None and breach < moment)
            for kind, seconds, settled, breach in kept.clocks
        ] == [
            (
                *(KINDS.index(clock.kind), None if clock.ended is None else clock.elapsed // 1_000_000),
                *(clock.settled, clock.breached is not None),
            )
            for clock in clocks(history, versions, moment)
            if clock.state != "CANCELLED"
        ]


@pytest.mark.parametrize("place", worlds(), ids=lambda place: f"{place[0]} {place[1]}")
def test_arithmetic_of_calendars(place: tuple[str, date]) -> None:
    """`between` and `add` on every calendar of every zone, against the minutes one by one."""
    found: World = world(*place)
    rng = Random(f"{SEED} {place}")
    for calendar, working in zip(found.calendars, found.working, strict=True):
        for _ in range(max(20, CASES // 100)):
            start = rng.randrange(len(working) - 1)
            end = rng.randrange(start, len(working))
            counted = sum(working[start:end])
            first, last = (found.first + start) * MINUTE, (found.first + end) * MINUTE
            assert calendar.between(first, last) == counted * MINUTE
            amount = rng.randrange(1, 2000)
            reached = _nth(working, start, amount)
            if reached is not None:
                assert calendar.add(first, amount * MINUTE) == (found.first + reached) * MINUTE
        _check_openings(calendar, working, found.first)


def _nth(working: bytes, start: int, amount: int) -> int | None:
    """After which minute so many minutes of work have passed."""
    for place in range(start, len(working)):
        amount -= working[place]
        if amount == 0:
            return place + 1
    return None


def _check_openings(calendar: Calendar, working: bytes, first: int) -> None:
    """The next ten openings are where minutes of work begin and end."""
    wanted: list[tuple[int, int]] = []
    begin = None
    for place, work in enumerate(working):
        if work and begin is None:
            begin = place
        elif not work and begin is not None:
            wanted.append((begin, place))
            begin = None
    shown = calendar.openings(first * MINUTE, 10)
    in_sight = list(wanted[:10])
    assert [(start // MINUTE - first, end // MINUTE - first) for start, end in shown if end is not None][
        : len(in_sight)
    ] == in_sight
