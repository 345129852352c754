"""What a calendar says, as data that is checked and kept as JSON.

A minute belongs to working time if the clock on the wall of the calendar's zone shows a time inside one of
the day's intervals. So an hour that clocks skip is no work, and one that they show twice is worked twice.
A night shift is written with the day on which it begins. A holiday closes its day from midnight to
midnight, and with it what reaches into that day of a shift that began the evening before.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from crm_framework import CrmError, ErrorCode, time_zone

from . import public

DAY_MINUTES = 1440
WEEKDAYS = ("MONDAY", "TUESDAY", "WEDNESDAY", "THURSDAY", "FRIDAY", "SATURDAY", "SUNDAY")
INTERVALS_LIMIT = 12
DATES_LIMIT = 1_000


@dataclass(frozen=True, order=True)
class Shift:
    """From minute `start` of its day to minute `end`, which is after midnight if over 1440."""

    start: int
    end: int


@dataclass(frozen=True)
class Holiday:
    """A day without work; `every_year` repeats it on the same day of every year."""

    day: date
    name: str
    every_year: bool = False


@dataclass(frozen=True, order=True)
class Closure:
    """No work from one moment to another."""

    start: datetime
    end: datetime
    reason: str = ""


@dataclass(frozen=True)
class CalendarRules:
    """`week` holds the shifts of Monday to Sunday; `always` is around the clock. `public` are the holidays of
    `country` and `subdivision` as they were known when the rules were made, for the years `public_years`.
    """

    time_zone: str
    week: tuple[tuple[Shift, ...], ...] = ((),) * 7
    always: bool = False
    country: str | None = None
    subdivision: str | None = None
    holidays: tuple[Holiday, ...] = ()
    closures: tuple[Closure, ...] = ()
    public: Mapping[date, str] = field(default_factory=dict)
    public_years: tuple[int, int] | None = None


def checked(rules: CalendarRules, at: datetime) -> CalendarRules:
    """The rules with their public holidays around the moment `at`. BAD_INPUT for what is no calendar."""
    zone = time_zone(rules.time_zone, path=("timeZone",))
    if rules.always and any(rules.week):
        raise _bad(
            "A calendar is around the clock or has intervals, not both.", "intervals", "Leave one out."
        )
    if not rules.always and not any(rules.week):
        raise _bad(
            "The calendar has no working time: no deadline in it would ever come.",
            "intervals",
            "Give it an interval, or set alwaysOpen.",
        )
    for shifts in rules.week:
        _check_shifts(shifts)
    for closure in rules.closures:
        if closure.start >= closure.end:
            raise _bad("A closure ends before it begins.", "closures", "Exchange its ends.")
    if max(len(rules.holidays), len(rules.closures)) > DATES_LIMIT:
        raise _bad(f"A calendar has at most {DATES_LIMIT} holidays and as many closures.", "holidays", None)
    known, years = public.holidays_of(rules.country, rules.subdivision, at.year)
    return CalendarRules(
        time_zone=zone,
        week=tuple(tuple(sorted(shifts)) for shifts in rules.week),
        always=rules.always,
        country=rules.country,
        subdivision=rules.subdivision,
        holidays=rules.holidays,
        closures=tuple(sorted(rules.closures)),
        public=known,
        public_years=years,
    )


def _check_shifts(shifts: Sequence[Shift]) -> None:
    if len(shifts) > INTERVALS_LIMIT:
        raise _bad(f"A day has at most {INTERVALS_LIMIT} intervals.", "intervals", None)
    last = None
    for shift in sorted(shifts):
        if not (0 <= shift.start < DAY_MINUTES and shift.start < shift.end <= shift.start + DAY_MINUTES):
            raise _bad(
                f"From {clock_text(shift.start)} to {clock_text(shift.end)} is no interval.",
                "intervals",
                "Give a beginning from 00:00 to 23:59, and another time as its end, 24:00 at most.",
            )
        if last is not None and shift.start < last.end:
            raise _bad(
                f"Two intervals of a day overlap at {clock_text(shift.start)}.",
                "intervals",
                "Make one of them.",
            )
        last = shift


def shift_of(start: str, end: str) -> Shift:
    """Of two times such as "22:00" and "06:00", the second of which is on the next day if it is not later."""
    first, last = minute_of(start), minute_of(end)
    if first in (last, DAY_MINUTES):
        raise _bad(
            f"From {start} to {end} is no interval.",
            "intervals",
            "A whole day is from 00:00 to 24:00.",
        )
    return Shift(first, last if last > first else last + DAY_MINUTES)


def minute_of(text: str) -> int:
    """Of "09:30": 570. BAD_INPUT for anything else."""
    hour, colon, minute = text.partition(":")
    if colon and len(text) == 5 and (hour + minute).isascii() and (hour + minute).isdigit():
        found = int(hour) * 60 + int(minute)
        if int(minute) < 60 and found <= DAY_MINUTES:
            return found
    raise _bad(f"{text!r:.20} is no time of day.", "intervals", "Write it as 09:30, from 00:00 to 24:00.")


def clock_text(minute: int) -> str:
    """Of 570: "09:30"; of what is after midnight the time of the next day."""
    shown = minute if minute <= DAY_MINUTES else minute - DAY_MINUTES
    return f"{shown // 60:02}:{shown % 60:02}"


def as_json(rules: CalendarRules) -> dict[str, Any]:
    """The rules as plain JSON."""
    return {
        "timeZone": rules.time_zone,
        "always": rules.always,
        "week": [[[shift.start, shift.end] for shift in shifts] for shifts in rules.week],
        "country": rules.country,
        "subdivision": rules.subdivision,
        "holidays": [[one.day.isoformat(), one.name, one.every_year] for one in rules.holidays],
        "closures": [[one.start.isoformat(), one.end.isoformat(), one.reason] for one in rules.closures],
        "public": {day.isoformat(): name for day, name in rules.public.items()},
        "publicYears": rules.public_years,
    }


def of_json(kept: Mapping[str, Any]) -> CalendarRules:
    """The rules that `as_json` gave."""
    return CalendarRules(
        time_zone=kept["timeZone"],
        always=kept["always"],
        week=tuple(tuple(Shift(*pair) for pair in shifts) for shifts in kept["week"]),
        country=kept["country"],
        subdivision=kept["subdivision"],
        holidays=tuple(Holiday(date.fromisoformat(day), *rest) for day, *rest in kept["holidays"]),
        closures=tuple(
            Closure(datetime.fromisoformat(start), datetime.fromisoformat(end), reason)
            for start, end, reason in kept["closures"]
        ),
        public={date.fromisoformat(day): name for day, name in kept["public"].items()},
        public_years=tuple(kept["publicYears"]) if kept["publicYears"] else None,
    )


def week_of(shifts: Iterable[tuple[str, Shift]]) -> tuple[tuple[Shift, ...], ...]:
    """Of shifts with the names of their weekdays."""
    found: dict[str, list[Shift]] = {name: [] for name in WEEKDAYS}
    for name, shift in shifts:
        found[name].append(shift)
    return tuple(tuple(found[name]) for name in WEEKDAYS)


def zone_of(rules: CalendarRules) -> ZoneInfo:
    return ZoneInfo(rules.time_zone)


def in_utc(moment: datetime) -> datetime:
    return moment.astimezone(UTC)


def _bad(message: str, member: str, hint: str | None) -> CrmError:
    return CrmError(ErrorCode.BAD_INPUT, message, path=(member,), hint=hint)
