"""Business calendars in the API."""

from datetime import date, datetime
from enum import StrEnum
from typing import Annotated

import strawberry
from strawberry import ID, Info

from crm_framework import (
    Batch,
    Connection,
    Fragment,
    Node,
    OrderField,
    Orders,
    SchemaParts,
    UnitOfWork,
    batch,
    chosen,
    column,
    computed,
    connection,
    describe,
    expected,
    fields_of,
    key_of,
    load_groups,
    mutation,
    node,
    now,
    optional,
    payload,
    reference,
    required,
    retry_key,
)
from crm_ticketing.permissions import CONFIGURE, POLICIES

from .calendar import micros, moment_of, of_rules
from .rules import (
    WEEKDAYS,
    CalendarRules,
    Closure,
    Holiday,
    clock_text,
    in_utc,
    shift_of,
    week_of,
)
from .store import create_calendar, update_calendar

MOST_OPENINGS = 100


class Weekday(StrEnum):
    MONDAY = "MONDAY"
    TUESDAY = "TUESDAY"
    WEDNESDAY = "WEDNESDAY"
    THURSDAY = "THURSDAY"
    FRIDAY = "FRIDAY"
    SATURDAY = "SATURDAY"
    SUNDAY = "SUNDAY"


describe(Weekday, "A day of the week.", **{name: f"{name.capitalize()}." for name in WEEKDAYS})


@strawberry.type(description="Working time of a weekday.")
class CalendarInterval:
    day: Weekday = strawberry.field(description="The day on which it begins.")
    start: str = strawberry.field(name="from", description="When it begins, such as 09:00.")
    end: str = strawberry.field(
        name="to", description="When it ends; on the next day if that is not later. 24:00 is midnight."
    )


@strawberry.type(description="A day without work.")
class CalendarHoliday:
    day: date = strawberry.field(name="date", description="The day, in the zone of the calendar.")
    name: str = strawberry.field(description="What is celebrated.")
    every_year: bool = strawberry.field(description="Whether it comes on that day of every year.")


@strawberry.type(description="A time without work.")
class CalendarClosure:
    start: datetime = strawberry.field(name="from", description="When it begins.")
    end: datetime = strawberry.field(name="to", description="When it ends.")
    reason: str = strawberry.field(description="Why; may be blank.")


@strawberry.type(description="A time of work.")
class CalendarOpening:
    start: datetime = strawberry.field(name="from", description="When it begins.")
    end: datetime | None = strawberry.field(
        name="to", description="When it ends; null for work around the clock."
    )


OpeningsFirst = Annotated[int, strawberry.argument(description="How many, 100 at most.")]
OpeningsFrom = Annotated[
    datetime | None, strawberry.argument(name="from", description="From which moment on; now if left out.")
]


@node(
    table="ticketing_calendar_version",
    permission=POLICIES,
    shared=True,
    hidden={"rules": str, "calendar_id": str},
)
class BusinessCalendarVersion(Node):
    """What a calendar says; it never changes, so that what was computed by it can be computed again."""

    number: int = column("1, then 2 …")
    time_zone: str = column("The IANA name of the zone whose clock on the wall counts.")
    created_at: datetime = column("When it was made.")

    @computed()
    @staticmethod
    def always_open(rules: str) -> bool:
        """Whether there is work around the clock, but for holidays and closures."""
        return of_rules(rules).rules.always

    @computed()
    @staticmethod
    def intervals(rules: str) -> list[CalendarInterval]:
        """Working time, weekday by weekday."""
        return [
            CalendarInterval(day=Weekday(name), start=clock_text(one.start), end=clock_text(one.end))
            for name, shifts in zip(WEEKDAYS, of_rules(rules).rules.week, strict=True)
            for one in shifts
        ]

    @computed()
    @staticmethod
    def country(rules: str) -> str | None:
        """Whose public holidays are kept, by its ISO 3166 code."""
        return of_rules(rules).rules.country

    @computed()
    @staticmethod
    def subdivision(rules: str) -> str | None:
        """Which part of the country's."""
        return of_rules(rules).rules.subdivision

    @computed()
    @staticmethod
    def holidays(rules: str) -> list[CalendarHoliday]:
        """Holidays of its own, besides public ones."""
        return [
            CalendarHoliday(day=one.day, name=one.name, every_year=one.every_year)
            for one in of_rules(rules).rules.holidays
        ]

    @computed()
    @staticmethod
    def public_holidays(rules: str) -> list[CalendarHoliday]:
        """Public holidays as they were known when the version was made, of the years around that."""
        known = of_rules(rules).rules.public
        return [CalendarHoliday(day=day, name=known[day], every_year=False) for day in sorted(known)]

    @computed()
    @staticmethod
    def closures(rules: str) -> list[CalendarClosure]:
        """Closures, in order."""
        return [
            CalendarClosure(start=one.start, end=one.end, reason=one.reason)
            for one in of_rules(rules).rules.closures
        ]

    @batch(needs=("rules",), restricted=True)
    @staticmethod
    def openings(
        each: Batch["BusinessCalendarVersion"],
        first: OpeningsFirst = 10,
        from_: OpeningsFrom = None,
    ) -> list[list[CalendarOpening]]:
        """The next times of work, the present one from now on."""
        start = micros(in_utc(from_ or now()))
        number = max(1, min(first, MOST_OPENINGS))
        return [
            [
                CalendarOpening(start=moment_of(begins), end=None if ends is None else moment_of(ends))
                for begins, ends in of_rules(rules).openings(start, number)
            ]
            for rules in each.column("rules")
        ]


CALENDAR_ORDERS = Orders("BusinessCalendarOrder", [OrderField("NAME", "string", "By name.", column="name")])
_LATEST = Fragment("t.number = (SELECT c.number FROM ticketing_calendar c WHERE c.id = t.calendar_id)")


@node(table="ticketing_calendar", permission=POLICIES, shared=True)
class BusinessCalendar(Node):
    """When there is somebody to do the work."""

    version: int = column("Grows by one with each change.")
    name: str = column("Its name.")
    created_at: datetime = column("When it was made.")
    updated_at: datetime = column("When it last changed.")

    @batch(needs=("id",), restricted=True)
    @staticmethod
    async def latest(each: Batch["BusinessCalendar"], info: Info) -> list[BusinessCalendarVersion]:
        """What it says now."""
        groups = await load_groups(
            info, BusinessCalendarVersion, "calendar_id", each.ids, where=_LATEST, columns=()
        )
        return [group[0] for group in groups]

    versions: Connection[BusinessCalendarVersion] = connection(
        key="calendar_id",
        orders=Orders(
            "BusinessCalendarVersionOrder", [OrderField("NUMBER", "int", "By number.", column="number")]
        ),
        default_order=("-NUMBER",),
        description="What it says and said, the latest first.",
    )


class _Queries:
    business_calendars: Connection[BusinessCalendar] = connection(
        orders=CALENDAR_ORDERS,
        default_order=("NAME",),
        permission=POLICIES,
        description="Business calendars, by name.",
    )


@strawberry.input(description="Working time of some weekdays.")
class CalendarIntervalInput:
    days: list[Weekday] = required("The days on which it begins.")
    start: str = required("When it begins, such as 09:00.", name="from")
    end: str = required("When it ends; on the next day if that is not later. 24:00 is midnight.", name="to")


@strawberry.input(description="A day without work.")
class CalendarHolidayInput:
    day: date = required("The day, in the zone of the calendar.", name="date")
    name: str = required("What is celebrated.")
    every_year: bool = optional("Whether it comes on that day of every year.", default=False)


@strawberry.input(description="A time without work.")
class CalendarClosureInput:
    start: datetime = required("When it begins.", name="from")
    end: datetime = required("When it ends.", name="to")
    reason: str = optional("Why.", default="")


@strawberry.input(description="What a calendar says.")
class CalendarRulesInput:
    time_zone: str = required("The IANA name of the zone whose clock on the wall counts: Europe/Berlin.")
    intervals: list[CalendarIntervalInput] = optional("Working time.", default_factory=list)
    always_open: bool = optional("Work around the clock, instead of intervals.", default=False)
    country: str | None = optional(
        "ISO 3166 code of the country whose public holidays are kept.", default=None
    )
    subdivision: str | None = optional("Which part of the country's, such as BY.", default=None)
    holidays: list[CalendarHolidayInput] = optional("Holidays of its own.", default_factory=list)
    closures: list[CalendarClosureInput] = optional("Closures.", default_factory=list)


@strawberry.input(description="A new business calendar.")
class CreateBusinessCalendarInput:
    name: str = required("Its name; no two share one.")
    rules: CalendarRulesInput = required("What it says.")
    idempotency_key: str | None = retry_key()


@strawberry.input(description="A change of a business calendar.")
class UpdateBusinessCalendarInput:
    id: ID = required("Which calendar.")
    name: str | None = optional("Another name.", default=None)
    rules: CalendarRulesInput | None = optional(
        "What it says from now on, as a whole: the next version.", default=None
    )
    expected_version: int | None = expected()


@payload
class BusinessCalendarPayload:
    """The calendar after the change."""

    calendar_id: strawberry.Private[str | None] = None
    version_id: strawberry.Private[str | None] = None
    calendar: BusinessCalendar | None = reference(
        "calendar_id", "The calendar as it is now, which others may have changed since; null on failure."
    )
    version: BusinessCalendarVersion | None = reference(
        "version_id", "What it says by this very change; null on failure."
    )


def rules_of_input(given: CalendarRulesInput) -> CalendarRules:
    """The rules as they were given, not yet checked as a whole."""
    return CalendarRules(
        time_zone=given.time_zone,
        week=week_of(
            (day.value, shift_of(one.start, one.end)) for one in given.intervals for day in one.days
        ),
        always=given.always_open,
        country=given.country,
        subdivision=given.subdivision,
        holidays=tuple(Holiday(one.day, one.name[:100], one.every_year) for one in given.holidays),
        closures=tuple(
            Closure(in_utc(one.start), in_utc(one.end), one.reason[:200]) for one in given.closures
        ),
    )


@mutation(permission=CONFIGURE, everyone=True)
async def create_business_calendar(
    tx: UnitOfWork, input: CreateBusinessCalendarInput
) -> BusinessCalendarPayload:
    """Makes a business calendar. One without any working time is refused."""
    made = await create_calendar(tx, input.name, rules_of_input(input.rules))
    return BusinessCalendarPayload(**made._asdict())


@mutation(permission=CONFIGURE, everyone=True)
async def update_business_calendar(
    tx: UnitOfWork, input: UpdateBusinessCalendarInput
) -> BusinessCalendarPayload:
    """Changes a calendar. Other rules are its next version, and give each policy that goes by it a next
    version too: for tickets that come in from now on, and for others when they are recalculated.
    """
    changed = await update_calendar(
        tx,
        key_of(input.id, BusinessCalendar),
        name=input.name,
        rules=rules_of_input(input.rules) if input.rules is not None else None,
        expected_version=chosen(input.expected_version),
    )
    return BusinessCalendarPayload(**changed._asdict())


def parts() -> SchemaParts:
    """What calendars add to the API."""
    return SchemaParts(
        query=fields_of(_Queries), mutation=[create_business_calendar, update_business_calendar]
    )
