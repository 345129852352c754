"""Generated calendars, policies and histories: all on whole minutes, in a few weeks around a change of
clocks.
"""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import cache
from random import Random
from zoneinfo import ZoneInfo

from crm_ticketing.calendars.calendar import SECOND, Calendar
from crm_ticketing.calendars.rules import CalendarRules, Closure, Holiday, Shift
from crm_ticketing.clocks.history import Happened
from crm_ticketing.policies.rules import ClockKind, PolicyRules, PolicyVersion

from .oracle import EPOCH, Event, Plan, Promise, wall, works

MINUTE = 60 * SECOND
DAYS = 24
OFFICE = ((540, 750), (780, 1080))
WEEKS: dict[str, tuple[tuple[tuple[int, int], ...], ...]] = {
    "office": ((((540, 1080),),) * 5 + ((), ())),
    "lunch": ((OFFICE,) * 5 + ((), ())),
    "split": ((((360, 600), (960, 1320)),) * 6 + ((),)),
    "night": ((((1320, 1800),),) * 7),
    "night and day": ((((0, 120), (600, 720), (1380, 1590)),) * 3 + ((), ((1200, 1560),), (), ((60, 200),))),
    "always": ((((0, 1440),),) * 7),
    "weekend": ((),) * 5 + (((600, 960),), ((0, 1440),)),
}
ZONES = {
    "Europe/Berlin": (date(2026, 3, 29), date(2026, 10, 25)),
    "America/New_York": (date(2026, 3, 8), date(2026, 11, 1)),
    "Australia/Adelaide": (date(2026, 4, 5), date(2026, 10, 4)),
    "Australia/Lord_Howe": (date(2026, 4, 5), date(2026, 10, 4)),
    "Pacific/Auckland": (date(2026, 4, 5), date(2026, 9, 27)),
    "America/Santiago": (date(2026, 4, 4), date(2026, 9, 5)),
    "Asia/Kathmandu": (date(2026, 5, 1), date(2026, 12, 31)),
    "Asia/Kolkata": (date(2026, 1, 26), date(2026, 8, 15)),
}
STATUSES = ("OPEN", "WAITING_ON_CUSTOMER", "ON_HOLD", "RESOLVED", "CLOSED")
KINDS = tuple(str(kind) for kind in ClockKind)


@dataclass(frozen=True)
class World:
    """One zone around one change of its clocks: plans for the oracle, the same as calendars, and the minutes
    of work of each from `first` on.
    """

    first: int
    plans: tuple[Plan, ...]
    calendars: tuple[Calendar, ...]
    working: tuple[bytes, ...]


@dataclass(frozen=True)
class Case:
    world: World
    promises: tuple[Promise, ...]
    history: tuple[Event, ...]
    as_of: int

    @property
    def happened(self) -> list[Happened]:
        return [Happened(minute * MINUTE, kind, after) for minute, kind, after in self.history]

    @property
    def versions(self) -> dict[str, PolicyVersion]:
        return {
            str(number): version(promise, self.world.calendars[promise.plan], str(number))
            for number, promise in enumerate(self.promises)
        }


def version(promise: Promise, calendar: Calendar, key: str) -> PolicyVersion:
    targets = {ClockKind(kind): minutes * 60 for kind, minutes in promise.targets.items()}
    return PolicyVersion(key, PolicyRules(targets, pauses=promise.pauses), calendar)


@cache
def world(zone: str, change: date) -> World:
    begin = datetime(change.year, change.month, change.day, tzinfo=UTC) - timedelta(days=6)
    first = (begin - EPOCH) // timedelta(minutes=1)
    holidays = frozenset({change - timedelta(days=1), change + timedelta(days=2)})
    shut = (begin + timedelta(days=4, hours=10), begin + timedelta(days=4, hours=13, minutes=30))
    plans = []
    for number, week in enumerate(WEEKS.values()):
        closed = number % 2 == 1
        plans.append(
            Plan(zone, week, holidays if number % 3 == 1 else frozenset(), (shut,) if closed else ())
        )
    minutes = range(first, first + DAYS * 1440)
    walls = [wall(ZoneInfo(zone), minute) for minute in minutes]
    working = tuple(
        bytes(works(plan, minute, shown) for minute, shown in zip(minutes, walls, strict=True))
        for plan in plans
    )
    return World(first, tuple(plans), tuple(calendar(plan) for plan in plans), working)


def calendar(plan: Plan) -> Calendar:
    return Calendar(
        CalendarRules(
            plan.zone,
            week=tuple(tuple(Shift(*shift) for shift in shifts) for shifts in plan.week),
            holidays=tuple(Holiday(day, "Day") for day in sorted(plan.holidays)),
            closures=tuple(Closure(start, end) for start, end in plan.closures),
        )
    )


def worlds() -> list[tuple[str, date]]:
    return [(zone, change) for zone, changes in ZONES.items() for change in changes]


def case(rng: Random) -> Case:
    place = world(*rng.choice(worlds()))
    promises = tuple(_promise(rng, place) for _ in range(rng.choice((1, 1, 1, 2, 3))))
    start = place.first + 1440 * 3 + rng.randrange(1440 * 5)
    history: list[Event] = [(start, "CREATED", "NEW")]
    if rng.random() < 0.95:
        history.append((start, "POLICY", "0"))
    now, status = start, "NEW"
    for _ in range(rng.choice((0, 1, 2, 4, 6, 9, 14))):
        now += rng.choice((0, 0, 1, 1, 7, 30, 61, 240, 600, 1441))
        kind = rng.random()
        if kind < 0.45:
            author = rng.choice(("CUSTOMER", "CUSTOMER", "STAFF", "STAFF", "AUTOMATIC"))
            history.append((now, "MESSAGE", author))
        elif kind < 0.9:
            status = rng.choice([one for one in STATUSES if one != status])
            history.append((now, "STATUS", status))
        elif kind < 0.97:
            after = rng.choice([str(number) for number in range(len(promises))] + [None])
            history.append((now, "POLICY", after))
        else:
            history.append((now, "MERGED", "other"))
    as_of = start + rng.randrange(0, max(now - start, 1) + rng.choice((1, 60, 1440, 4320)))
    return Case(place, promises, tuple(history), min(as_of, place.first + DAYS * 1440 - 1))


def _promise(rng: Random, place: World) -> Promise:
    kinds = [kind for kind in KINDS if rng.random() < 0.9] or ["TOTAL_RESOLUTION"]
    targets = {kind: rng.choice((1, 5, 30, 60, 120, 240, 480, 960, 1500)) for kind in kinds}
    pauses = rng.choice((("WAITING_ON_CUSTOMER",), ("WAITING_ON_CUSTOMER", "ON_HOLD"), ("ON_HOLD",), ()))
    return Promise(rng.randrange(len(place.plans)), targets, pauses)
