"""The clocks once more, found by looking at every minute: no arithmetic on intervals, nothing of the product.

Everything happens on whole minutes. What a minute is like holds from its beginning to the next one.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from itertools import accumulate
from zoneinfo import ZoneInfo

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Plan:
    """When there is work: `week` has pairs of minutes of the day, Monday first; after 1440 is the next
    day.
    """

    zone: str
    week: tuple[tuple[tuple[int, int], ...], ...]
    holidays: frozenset[date] = frozenset()
    closures: tuple[tuple[datetime, datetime], ...] = ()


Wall = tuple[date, int, int]
"""What calendar and clock on the wall show: the day, its weekday, the minute of it."""


def wall(zone: ZoneInfo, minute: int) -> Wall:
    """In a minute, counted since 1970."""
    shown = (EPOCH + timedelta(minutes=minute)).astimezone(zone)
    return shown.date(), shown.weekday(), shown.hour * 60 + shown.minute


def works(plan: Plan, minute: int, shown: Wall) -> bool:
    """Whether there is work in a minute, counted since 1970, in which the wall shows that."""
    day, weekday, time = shown
    if day in plan.holidays:
        return False
    for shut, open_again in plan.closures:
        if shut <= EPOCH + timedelta(minutes=minute) < open_again:
            return False
    for start, end in plan.week[weekday]:
        if start <= time < end:
            return True
    return any(start <= time + 1440 < end for start, end in plan.week[weekday - 1])


@dataclass(frozen=True)
class Promise:
    """A version of a policy: targets in minutes by clock."""

    plan: int
    targets: dict[str, int]
    pauses: tuple[str, ...]


@dataclass(frozen=True)
class Told:
    """What is known of a clock: minutes since 1970."""

    state: str
    breached: int | None
    ended: int | None
    elapsed: int
    due: int | None
    """Unknown for a clock that was settled before it was due."""


Event = tuple[int, str, str | None]
"""minute, kind, after"""


def minutes_of_life(history: Sequence[Event], until: int, horizon: int) -> dict[tuple[str, int], list[str]]:
    """For each clock and cycle what each minute from the start on is to it, under no policy: the status
    while it waits, "settled" or "over" where it does not; "unborn" before it starts.
    """
    start = history[0][0]
    known = [event for event in history if event[0] <= until]
    lives: dict[tuple[str, int], list[str]] = {
        ("FIRST_RESPONSE", 0): [],
        ("FIRST_RESOLUTION", 0): [],
        ("TOTAL_RESOLUTION", 0): [],
    }
    status, answered, resolved, merged, place = "", False, False, False, 0
    open_cycle: int | None = None
    cycles = 0
    asked = False
    for minute in range(start, horizon):
        while place < len(known) and known[place][0] == minute:
            _, kind, after = known[place]
            place += 1
            if merged:
                continue
            if kind == "CREATED":
                status = after or ""
            elif kind == "MERGED":
                merged = True
                if open_cycle is not None:
                    lives["NEXT_RESPONSE", open_cycle] += ["over"]
                    open_cycle = None
            elif kind == "MESSAGE" and after == "STAFF":
                answered, asked = True, False
                if open_cycle is not None:
                    lives["NEXT_RESPONSE", open_cycle] += ["settled"]
                    open_cycle = None
            elif kind == "MESSAGE" and after == "CUSTOMER" and answered:
                if status in ("RESOLVED", "CLOSED"):
                    asked = True
                elif open_cycle is None:
                    cycles += 1
                    open_cycle = cycles
                    lives["NEXT_RESPONSE", open_cycle] = ["unborn"] * (minute - start)
            elif kind == "STATUS" and after != status:
                before, status = status, after or ""
                if status in ("RESOLVED", "CLOSED"):
                    answered = resolved = True
                    if before not in ("RESOLVED", "CLOSED"):
                        asked = False
                    if open_cycle is not None:
                        lives["NEXT_RESPONSE", open_cycle] += ["over"]
                        open_cycle = None
                    asked = False
                elif asked and before in ("RESOLVED", "CLOSED"):
                    asked = False
                    cycles += 1
                    open_cycle = cycles
                    lives["NEXT_RESPONSE", open_cycle] = ["unborn"] * (minute - start)
        end = "over" if merged else None
        _go_on(lives["FIRST_RESPONSE", 0], "settled" if answered else end or "WAITS")
        _go_on(lives["FIRST_RESOLUTION", 0], "settled" if resolved else end or status)
        lives["TOTAL_RESOLUTION", 0].append("settled" if status in ("RESOLVED", "CLOSED") else end or status)
        if open_cycle is not None:
            lives["NEXT_RESPONSE", open_cycle].append("WAITS")
    return lives


def _go_on(life: list[str], what: str) -> None:
    """What was settled or over once stays so."""
    life.append(life[-1] if life and life[-1] in ("settled", "over") else what)


def told(
    history: Sequence[Event],
    promises: Sequence[Promise],
    working: Sequence[bytes],
    first: int,
    as_of: int,
    horizon: int,
) -> dict[tuple[str, int], Told]:
    """The clocks as of a minute. `working` has a byte for each minute from `first` on, for each plan; the
    `after` of a POLICY is the place of a promise.
    """
    start = history[0][0]
    # what comes after a merge changes nothing, in its own minute too
    merges = [
        place for place, (minute, kind, _) in enumerate(history) if kind == "MERGED" and minute <= as_of
    ]
    policies = [
        (minute, None if after is None else int(after))
        for minute, kind, after in history[: min(merges, default=len(history))]
        if kind == "POLICY" and minute <= as_of
    ]
    at = dict(policies)  # the last of several in one minute counts
    found = {}
    for (kind, cycle), life in minutes_of_life(history, as_of, horizon).items():
        life = [*life, *[life[-1]] * (horizon - start - len(life))]
        one = _of_life(kind, life, at, promises, working, start, first, as_of)
        if one is not None:
            found[kind, cycle] = one
    return found


def _of_life(
    kind: str,
    life: list[str],
    at: dict[int, int | None],
    promises: Sequence[Promise],
    working: Sequence[bytes],
    start: int,
    first: int,
    as_of: int,
) -> Told | None:
    waits = [what not in ("settled", "over", "unborn") for what in life]
    passed: dict[int, list[int]] = {}
    for number in {one for one in at.values() if one is not None}:
        promise = promises[number]
        work = working[promise.plan]
        counted = [
            waiting
            and what not in (promise.pauses if what != "WAITS" else ())
            and work[start - first + place] == 1
            for place, (waiting, what) in enumerate(zip(waits, life, strict=True))
        ]
        passed[number] = [0, *accumulate(counted)]
    present = as_of - start
    last_wait = max((place for place in range(len(waits)) if waits[place]), default=-1)
    born = next((place for place, what in enumerate(life) if what != "unborn"), None)
    if born is None:
        return None
    settled = None
    if life[present] in ("settled", "over") if present < len(life) else False:
        settled = present
        while settled > 0 and life[settled - 1] == life[settled]:
            settled -= 1
    del last_wait
    breached = None
    applies: int | None = None
    shown: int | None = None
    for place in range(present + 1):
        if start + place in at:
            applies = at[start + place]
            target = None if applies is None else promises[applies].targets.get(kind)
            if settled is not None and place >= settled and place > 0:
                pass  # it was settled before this version applied
            elif target is None:
                if breached is None:
                    shown = None
            else:
                shown = applies
        target = None if applies is None else promises[applies].targets.get(kind)
        if (
            breached is None
            and target is not None
            and applies is not None
            and place < present
            and waits[place]
            and passed[applies][place] >= target
        ):
            breached = start + place
    if shown is None:
        return None
    target = promises[shown].targets[kind]
    until = present if settled is None else settled
    elapsed = passed[shown][until]
    if breached is not None:
        state = "BREACHED"
    elif settled is not None:
        state = "MET" if life[settled] == "settled" else "CANCELLED"
    else:
        state = (
            "PAUSED" if life[present] in promises[shown].pauses and kind.endswith("RESOLUTION") else "PENDING"
        )
    ended = start + settled if settled is not None and life[settled] == "settled" else None
    due = next((place for place, amount in enumerate(passed[shown]) if amount >= target), None)
    return Told(state, breached, ended, elapsed, None if due is None else start + due)
