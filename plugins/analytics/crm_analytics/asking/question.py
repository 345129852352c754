"""What is asked of all metrics of one `analytics { … }`, and how far the figures reach."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from enum import Enum
from functools import cached_property
from typing import Any, cast

import strawberry
from strawberry import Info

from crm_analytics.rollups.kept import as_day
from crm_analytics.rollups.state import State, state
from crm_analytics.settings import AnalyticsSettings
from crm_analytics.windows import Period, Window, day_in
from crm_framework import (
    CUSTOMER_FILTER,
    CrmError,
    ErrorCode,
    Fragment,
    Reader,
    currency_code,
    describe,
    filter_member,
    matching_customers,
    now,
    optional,
    parse_time,
    required,
    time_zone,
)

from .members import beside_figures, customers
from .zoned import zoned

LONGEST = 3660
"""Days of one window."""
YEARS = range(1900, 3000)
"""In which windows lie: what is compared with them, such as the window before, lies on the calendar too."""
MOST_NAMED = 50
"""Attributes that a refusal tells of."""
MOST_GROUPS = 50
"""Segments and filters that one metric is grouped by."""


@strawberry.input(description="Days of the company's time zone.")
class WindowInput:
    first: date = required("The first day that belongs to it.")
    last: date = required("The last day that belongs to it; 3,660 days at most.")

    def window(self) -> Window:
        if not 0 <= (self.last - self.first).days < LONGEST:
            raise CrmError(
                ErrorCode.BAD_INPUT,
                f"From {self.first} to {self.last} are not 1 to {LONGEST} days.",
                path=("window", "last"),
                hint="Ask for a shorter time, that ends after it begins.",
            )
        if self.first.year not in YEARS or self.last.year not in YEARS:
            raise CrmError(
                ErrorCode.BAD_INPUT,
                f"{self.first} to {self.last} are not days of the years {YEARS[0]} to {YEARS[-1]}.",
                path=("window", "first"),
                hint="Nothing was recorded outside these.",
            )
        return Window(self.first, self.last)


class Dimension(Enum):
    """What a metric is broken down by."""

    PERIOD = "PERIOD"
    CHANNEL = "CHANNEL"
    SEGMENT = "SEGMENT"
    TAG = "TAG"
    ATTRIBUTE = "ATTRIBUTE"
    FILTER = "FILTER"


describe(
    Dimension,
    "What a metric is broken down by.",
    PERIOD="Calendar periods of the window; `period` says of which length.",
    CHANNEL="The channels of the interactions.",
    SEGMENT="The segments in `segments`, as they are now; customers may be in several.",
    TAG="The tags of the customers; customers may have several.",
    ATTRIBUTE="The values of the attribute `attribute`; customers may have several choices.",
    FILTER="The filters in `filters`: by whatever plugins let customers be filtered by.",
)
describe(
    Period,
    "A calendar period.",
    DAY="A day.",
    WEEK="A week, from Monday on.",
    MONTH="A month.",
    QUARTER="A quarter of a year.",
    YEAR="A year.",
)


@strawberry.input(description="A filter with a name, as a group.")
class NamedFilterInput:
    name: str = required("What the group is called in the answer.")
    filter: strawberry.scalars.JSON = filter_member(CUSTOMER_FILTER, "Who belongs to it.", required=True)


@strawberry.input(description="What a metric is broken down by.")
class GroupByInput:
    by: Dimension = required("By what.")
    period: Period = optional("With PERIOD: of which length.", default=Period.MONTH)
    attribute: str | None = optional("With ATTRIBUTE: its name.", default=None)
    segments: list[strawberry.ID] | None = optional("With SEGMENT: which; 50 at most.", default=None)
    filters: list[NamedFilterInput] | None = optional("With FILTER: which; 50 at most.", default=None)


@dataclass(frozen=True)
class Grouping:
    """`conditions` are those on `customers`, by the label of their group."""

    by: Dimension
    period: Period = Period.MONTH
    attribute: str = ""
    conditions: Sequence[tuple[str, Fragment]] = ()


@dataclass(frozen=True)
class Question:
    """`where` is the condition on `customers` that everything is about; None for all of them. Days are those
    of `zone`; where that is not the company's, `reader` has them in place of the kept ones."""

    info: Info = field(repr=False)
    reader: Reader = field(repr=False)
    zone: str
    settings: AnalyticsSettings
    window: Window
    where: Fragment | None
    convert_to: str | None
    state: State
    data_through: datetime
    covers_from: date | None

    @property
    def in_own_zone(self) -> bool:
        """Whether the days are the company's, by which figures are kept."""
        return self.zone == self.state.zone

    @cached_property
    def today(self) -> date:
        return day_in(self.data_through, self.zone)

    @property
    def earlier(self) -> "Question":
        """The same of the window before."""
        return replace(self, window=self.window.previous)

    @property
    def uncounted(self) -> str | None:
        """Why there is no figure at all, whatever the window."""
        return None if self.state.complete else "the figures are still being counted"

    @property
    def undefined(self) -> str | None:
        """Why there is no figure for the window at all."""
        return self.uncounted or ("the window has not begun" if self.window.first > self.today else None)

    def not_converted(self, field: str) -> None:
        """BAD_INPUT where amounts are to be converted, which those of this field are not."""
        if self.convert_to is not None:
            raise CrmError(
                ErrorCode.BAD_INPUT,
                f"`{field}` has amounts in each currency, and is not converted to {self.convert_to}.",
                path=("convertTo",),
                hint=f"Ask for `{field}` in another `analytics`, without `convertTo`: it converts `revenue`.",
            )

    def about(self, column: str) -> Fragment:
        """The condition that a column with customers' keys is of those asked about."""
        if self.where is None:
            return Fragment("1 = 1")
        return customers_in(column, self.where)


def customers_in(column: str, where: Fragment) -> Fragment:
    """The condition that a column with customers' keys is of those whom a condition selects."""
    return Fragment(f"{column} IN (SELECT t.id FROM {customers([where])} WHERE {where.sql})", where.args)


async def _conditions(
    info: Info, filters: Sequence[Mapping[str, Any]], settings: AnalyticsSettings
) -> list[Fragment]:
    return [beside_figures(one, settings) for one in await matching_customers(info, filters)]


async def question(
    info: Info,
    settings: AnalyticsSettings,
    window: Window,
    filter: Mapping[str, Any] | None,
    convert_to: str | None,
    given_zone: str | None = None,
) -> Question:
    reader: Reader = info.context.reader
    counted = await state(reader)
    zone = counted.zone if given_zone is None else time_zone(given_zone, path=("timeZone",))
    where = (await _conditions(info, [filter], settings))[0] if filter else None
    converted = None if convert_to is None else currency_code(convert_to, path=("convertTo",))
    [(first, owed)] = await reader.rows(
        "SELECT (SELECT MIN(day) FROM analytics_sales),"
        " (SELECT e.created_at FROM crm_delivery AS d JOIN crm_event AS e ON e.id = d.event_id"
        " WHERE d.handler = 'analytics' ORDER BY d.position LIMIT 1)",
        (),
    )
    covers_from = None if first is None else as_day(first)
    if zone != counted.zone:
        other = await zoned(zone, reader)
        reader, covers_from = other, None if other.first is None else day_in(other.first, zone)
    return Question(
        info,
        reader,
        zone,
        settings,
        window,
        where,
        converted,
        counted,
        now() if owed is None else parse_time(owed),
        covers_from,
    )


async def grouping(asked: Question, given: GroupByInput | None) -> Grouping | None:
    """Raises `CrmError` BAD_INPUT for one that is incomplete."""
    if given is None:
        return None
    if given.by is Dimension.ATTRIBUTE:
        name = given.attribute or ""
        await _defined(name, asked.reader)
        return Grouping(given.by, attribute=name)
    if given.by is Dimension.SEGMENT:
        wanted = given.segments or []
        if not 1 <= len(wanted) <= MOST_GROUPS:
            raise _bad("segments", f"{len(wanted)} segments are not 1 to {MOST_GROUPS}.", "Name segments.")
        _once("segments", wanted)
        conditions = await _conditions(asked.info, [{"segment": one} for one in wanted], asked.settings)
        return Grouping(given.by, conditions=list(zip(map(str, wanted), conditions, strict=True)))
    if given.by is Dimension.FILTER:
        filters = given.filters or []
        if not 1 <= len(filters) <= MOST_GROUPS:
            raise _bad("filters", f"{len(filters)} filters are not 1 to {MOST_GROUPS}.", "Give filters.")
        _once("filters", [one.name for one in filters])
        conditions = await _conditions(
            asked.info, [cast(Mapping[str, Any], one.filter) for one in filters], asked.settings
        )
        return Grouping(
            given.by, conditions=[(one.name, where) for one, where in zip(filters, conditions, strict=True)]
        )
    return Grouping(given.by, period=given.period)


async def _defined(name: str, reader: Reader) -> None:
    """Of an attribute that nobody defined, everybody would be in one group without a value."""
    rows = await reader.rows("SELECT name FROM crm_attribute_definition ORDER BY name", ())
    names = [row[0] for row in rows]
    # only defined names, which are plain words, become part of a statement
    if name not in names:
        known = ", ".join(names[:MOST_NAMED]) + (" and others" if len(names) > MOST_NAMED else "")
        raise _bad(
            "attribute",
            f"There is no attribute {name[:80]!r}." if name else "An attribute must be named.",
            f"There are {known}." if names else "None is defined: define one with defineAttribute.",
        )


def _once(member: str, labels: Sequence[str]) -> None:
    """Groups of one label would be one, in which who belongs to both counts twice."""
    twice = next((label for label, times in Counter(labels).items() if times > 1), None)
    if twice is not None:
        raise _bad(member, f"{twice[:80]!r} is there twice.", "Give each group a label of its own.")


def _bad(member: str, message: str, hint: str) -> CrmError:
    return CrmError(ErrorCode.BAD_INPUT, message, path=("groupBy", member), hint=hint)
