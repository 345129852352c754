"""All that is kept of customers beside what a scan of their purchases and refunds says."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Generic, TypeVar

from crm_analytics.windows import day_in, month_of
from crm_framework import among, parse_time

from . import counted, kept, raw
from .activity import Active, active
from .counted import CurrencySums, DayKey, MonthSums, Together
from .kept import Days, Products, Source

Kept = TypeVar("Kept")


@dataclass(frozen=True)
class Change(Generic[Kept]):
    """What is kept of each customer, and what is to be."""

    before: Mapping[str, Mapping[Any, Kept]]
    after: Mapping[str, Mapping[Any, Kept]]

    def of(self, customers: Collection[str]) -> "Change[Kept]":
        """That of these customers alone."""
        return Change(
            {one: self.before[one] for one in customers if one in self.before},
            {one: self.after[one] for one in customers if one in self.after},
        )

    def differs(self, customer: str) -> bool:
        return self.before.get(customer, {}) != self.after.get(customer, {})


@dataclass(frozen=True)
class Figures:
    """The rows of each table but the one with a row a customer, of which `together` is what is to be."""

    days: Change[counted.DaySums]
    months: Change[MonthSums]
    activity: Change[Active]
    revenue: Change[CurrencySums]
    products: Change[tuple[int, int, int]]
    together: Mapping[str, Together]

    def differ(self, customer: str) -> bool:
        """Whether some row of the customer is to be another, `together` apart."""
        changes = (self.days, self.months, self.activity, self.revenue, self.products)
        return any(one.differs(customer) for one in changes)

    @property
    def moved(self) -> list[str]:
        """Customers who are to have bought in other months than before."""
        before, after = self.months.before, self.months.after
        return [
            customer
            for customer in {**before, **after}
            if counted.bought_in(before.get(customer, {})) != counted.bought_in(after.get(customer, {}))
        ]

    def of(self, customers: Collection[str]) -> "Figures":
        """Those of these customers alone."""
        return Figures(
            self.days.of(customers),
            self.months.of(customers),
            self.activity.of(customers),
            self.revenue.of(customers),
            self.products.of(customers),
            {one: self.together[one] for one in customers},
        )


async def scanned(zones: Mapping[str, str], source: Source) -> Figures:
    """Of these customers, by the zone that each goes by: all that was recorded, and all that is kept.

    One statement after the other: while nobody holds the customers, they may change in between.
    """
    keys = sorted(zones)
    days = await kept.days_of(keys, source)
    months, revenue = await kept.months_of(keys, source), await kept.currencies_of(keys, source)
    products, activity = await kept.products_of(keys, source), await kept.activity_of(keys, source)
    sales, lines = await raw.sales(keys, None, source), await raw.lines(keys, None, source)
    tags = await kept.tags_of(keys, source)
    days_after: dict[str, Days] = {}
    goods: dict[str, Products] = {}
    for customer, zone in zones.items():
        days_after[customer] = counted.days_of(sales.get(customer, ()), zone)
        goods[customer] = counted.products_of(lines.get(customer, ()), zone)
    return derived(Change(days, days_after), Change(products, goods), tags, activity, (months, revenue))


def derived(
    days: Change[counted.DaySums],
    products: Change[tuple[int, int, int]],
    tags: Mapping[str, str],
    activity: Mapping[str, Mapping[int, Active]],
    found: tuple[Mapping[str, Mapping[DayKey, MonthSums]], Mapping[str, Mapping[str, CurrencySums]]] | None,
) -> Figures:
    """All that follows from days. `found` are the months and currencies as they are kept; without them, those
    that follow from the days that are."""
    months = {customer: counted.months_of(own) for customer, own in days.after.items()}
    revenue = {customer: counted.currencies_of(own) for customer, own in days.after.items()}
    if found is None:
        found = (
            {customer: counted.months_of(own) for customer, own in days.before.items()},
            {customer: counted.currencies_of(own) for customer, own in days.before.items()},
        )
    return Figures(
        days,
        Change(found[0], months),
        Change(activity, {customer: active(own, tags[customer]) for customer, own in months.items()}),
        Change(found[1], revenue),
        products,
        {customer: counted.together(own, revenue[customer]) for customer, own in days.after.items()},
    )


@dataclass(frozen=True)
class Standing:
    """A customer's row in `analytics_customer`, where there is one."""

    id: str
    created_at: datetime
    counted: int | None
    """How often somebody held the row, None where there is none."""
    zone: str | None
    signup_month: date | None
    unhappy_at: datetime | None
    together: Together

    def signed_up(self, zone: str) -> date:
        """The month in which the record was made, as it is now."""
        return month_of(day_in(self.created_at, zone))


NOTHING = Together()
_STANDING = (
    "SELECT c.id, c.created_at, f.counted, f.zone, f.signup_month, f.unhappy_at, "
    + ", ".join(f"f.{name}" for name in kept.TOGETHER)
    + " FROM crm_customer AS c LEFT JOIN analytics_customer AS f ON f.customer_id = c.id"
    " WHERE c.merged_into_id IS NULL AND c.erased_at IS NULL AND "
)


async def next_ones(after: str | None, number: int, source: Source) -> dict[str, Standing]:
    """The customers whose keys follow, by key, who are neither merged nor erased."""
    more, args = ("c.id > ?", [after]) if after else ("1 = 1", [])
    return await _standing(f"{more} ORDER BY c.id LIMIT {number}", args, source)


async def these(customers: Collection[str], source: Source) -> dict[str, Standing]:
    where = among("c.id", sorted(customers), source.dialect)
    return await _standing(where.sql, where.args, source)


async def _standing(where: str, args: Any, source: Source) -> dict[str, Standing]:
    return {
        str(row["id"]): Standing(
            str(row["id"]),
            parse_time(row["created_at"]),
            None if row["counted"] is None else int(row["counted"]),
            row["zone"],
            None if row["signup_month"] is None else kept.as_day(row["signup_month"]),
            kept.as_moment(row["unhappy_at"]),
            NOTHING if row["counted"] is None else Together(*[_value(row, name) for name in kept.TOGETHER]),
        )
        for row in await source.fetch(f"{_STANDING}{where}", args)
    }


def _value(row: Mapping[str, Any], name: str) -> Any:
    value = row[name]
    if value is None:
        return None
    if name.endswith("_at"):
        return kept.as_moment(value)
    return kept.as_day(value) if name.endswith(("_day", "_month", "_on")) else value
