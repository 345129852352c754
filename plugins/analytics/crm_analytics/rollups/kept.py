"""The rows that are kept of customers: read as values, and written where they differ."""

import json
from collections import defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from crm_analytics.windows import day_in, month_of
from crm_framework import Fragment, Reader, UnitOfWork, among, new_id, parse_time

from .activity import Active, tags_text
from .counted import CurrencySums, DayKey, DaySums, MonthSums, ProductKey, Together

Source = UnitOfWork | Reader
"""What rows are read from: inside of a change or beside all of them."""
Days = dict[DayKey, DaySums]
Products = dict[ProductKey, tuple[int, int, int]]


@dataclass(frozen=True)
class Table:
    """A table with a row per customer and key."""

    name: str
    keys: tuple[str, ...]
    values: tuple[str, ...]


DAILY = Table(
    "analytics_daily",
    ("day", "channel", "currency"),
    ("purchases", "refunds", "revenue_minor", "refunded_minor", "first_purchase_at", "last_purchase_at"),
)
MONTH = Table(
    "analytics_month",
    ("month", "channel", "currency"),
    ("purchases", "refunds", "purchased_minor", "refunded_minor"),
)
REVENUE = Table(
    "analytics_revenue",
    ("currency",),
    ("purchases", "purchase_days", "purchased_minor", "refunded_minor"),
)
ACTIVITY = Table("analytics_activity", ("block",), ("tags", "earlier", "months", "followed"))
PRODUCT = Table("analytics_product", ("month", "sku", "currency"), ("quantity", "amount_minor", "purchases"))
MEMBERSHIP = Table("analytics_membership", ("day", "segment_id"), ("last_before", "first_from"))

TOGETHER = (
    *("purchases", "refunds", "purchase_days", "first_purchase_at", "last_purchase_at", "last_day"),
    *("first_month", "last_month", "currency", "net_minor", "gap_median", "gap_mean", "expected_on"),
)

_HOLD = {
    "sqlite": (
        "INSERT INTO analytics_customer (id, customer_id, zone)"
        " SELECT json_extract(value, '$[0]'), json_extract(value, '$[1]'), ({zone}) FROM json_each(?)"
        " WHERE true ON CONFLICT (customer_id) DO UPDATE SET counted = analytics_customer.counted + 1"
    ),
    "postgres": (
        "INSERT INTO analytics_customer (id, customer_id, zone)"
        " SELECT n.id, n.customer_id, ({zone}) FROM unnest(CAST(? AS uuid[]), CAST(? AS uuid[]))"
        " AS n (id, customer_id)"
        " ON CONFLICT (customer_id) DO UPDATE SET counted = analytics_customer.counted + 1"
    ),
}
_ZONE = "SELECT COALESCE(next_zone, zone) FROM analytics_state WHERE name = 'rollups'"
_HOLD_MEMBERS = (
    # who was merged or erased meanwhile gets no row any more
    "INSERT INTO analytics_customer (id, customer_id, zone) SELECT gen_random_uuid(), n.id, ({zone})"
    " FROM (SELECT c.id FROM crm_customer AS c WHERE c.merged_into_id IS NULL AND c.erased_at IS NULL"
    " AND c.id IN (SELECT b.customer_id FROM analytics_membership AS b WHERE {where})"
    " ORDER BY c.id FOR KEY SHARE) AS n"
    " ON CONFLICT (customer_id) DO UPDATE SET counted = analytics_customer.counted + 1"
)
_RETURNING = (
    " RETURNING customer_id, zone, signup_month, counted,"
    " (SELECT c.created_at FROM crm_customer AS c WHERE c.id = analytics_customer.customer_id) AS created_at"
)


@dataclass(frozen=True)
class Held:
    """A customer whose figures nobody else counts until the end of the transaction."""

    id: str
    zone: str
    created_at: datetime
    signup_month: date | None
    """As it is kept."""
    counted: int
    """How often somebody held them since their row was made."""

    def signed_up(self, zone: str) -> date:
        """The month in which the record was made, as it is now."""
        return month_of(day_in(self.created_at, zone))


async def hold(customers: Collection[str], tx: UnitOfWork) -> dict[str, Held]:
    """Their rows, made where there are none. Always in the order of the keys."""
    pairs = [(new_id(), customer) for customer in sorted(customers)]
    if not pairs:
        return {}
    sql = _HOLD[tx.dialect].format(zone=_ZONE) + _RETURNING
    if tx.dialect == "sqlite":
        args: list[Any] = [json.dumps(pairs)]
    else:
        args = [[one for one, _ in pairs], [customer for _, customer in pairs]]
    return {
        str(row["customer_id"]): Held(
            str(row["customer_id"]),
            row["zone"],
            parse_time(row["created_at"]),
            None if row["signup_month"] is None else as_day(row["signup_month"]),
            int(row["counted"]),
        )
        for row in await tx.fetch(sql, args)
    }


async def hold_members(where: Fragment, tx: UnitOfWork) -> None:
    """The same for those whose memberships `b` a condition selects, however many. On SQLite, where a change
    is the only one, it does nothing."""
    if tx.dialect == "postgres":
        await tx.execute(_HOLD_MEMBERS.format(zone=_ZONE, where=where.sql), where.args)


async def days_of(customers: Collection[str], source: Source) -> dict[str, Days]:
    """All days that are kept, by customer."""
    return await _kept(DAILY, customers, source, _day_sums)


async def months_of(customers: Collection[str], source: Source) -> dict[str, dict[DayKey, MonthSums]]:
    return await _kept(
        MONTH, customers, source, lambda row: MonthSums(*(int(row[name]) for name in MONTH.values))
    )


async def currencies_of(customers: Collection[str], source: Source) -> dict[str, dict[str, CurrencySums]]:
    found = await _kept(
        REVENUE, customers, source, lambda row: CurrencySums(*(int(row[name]) for name in REVENUE.values))
    )
    return {
        customer: {key[0]: sums for key, sums in currencies.items()} for customer, currencies in found.items()
    }


async def activity_of(customers: Collection[str], source: Source) -> dict[str, dict[int, Active]]:
    """By customer and block."""
    found = await _kept(
        ACTIVITY,
        customers,
        source,
        lambda row: Active(row["tags"], int(row["earlier"]), int(row["months"]), bool(row["followed"])),
    )
    return {customer: {key[0]: one for key, one in blocks.items()} for customer, blocks in found.items()}


async def tags_of(customers: Collection[str], source: Source) -> dict[str, str]:
    """Of each of these customers, who are held, the tags as they are now, as text.

    Not in the statement that holds them: while it waits for somebody, it does not see what they changed.
    """
    where = among("customer_id", sorted(customers), source.dialect)
    found: dict[str, list[str]] = {customer: [] for customer in customers}
    rows = await source.fetch(f"SELECT customer_id, tag FROM crm_customer_tag WHERE {where.sql}", where.args)
    for row in rows:
        found[str(row["customer_id"])].append(row["tag"])
    return {customer: tags_text(tags) for customer, tags in found.items()}


async def memberships_of(
    customers: Collection[str], source: Source
) -> dict[str, dict[tuple[date, Any], tuple[int | None, int | None]]]:
    """By customer, day and segment."""
    return await _kept(MEMBERSHIP, customers, source, lambda row: (row["last_before"], row["first_from"]))


async def products_of(
    customers: Collection[str], source: Source, months: tuple[date, date] | None = None
) -> dict[str, Products]:
    """Those of months from one to another, both included, or all."""
    within = "" if months is None else " AND month BETWEEN ? AND ?"
    return await _kept(
        PRODUCT,
        customers,
        source,
        lambda row: (int(row["quantity"]), int(row["amount_minor"]), int(row["purchases"])),
        within,
        months or (),
    )


async def _kept(
    table: Table,
    customers: Collection[str],
    source: Source,
    values: Callable[[dict[str, Any]], Any],
    within: str = "",
    args: Sequence[object] = (),
) -> dict[str, dict[Any, Any]]:
    where = among("customer_id", sorted(customers), source.dialect)
    columns = ", ".join(("customer_id", *table.keys, *table.values))
    rows = await source.fetch(
        f"SELECT {columns} FROM {table.name} WHERE {where.sql}{within}", [*where.args, *args]
    )
    days = table.keys[0] in ("day", "month")
    found: dict[str, dict[Any, Any]] = defaultdict(dict)
    for row in rows:
        key = tuple([row[name] for name in table.keys])
        if days:
            key = (as_day(key[0]), *key[1:])
        found[str(row["customer_id"])][key] = values(row)
    return found


def as_day(value: Any) -> date:
    """A day of a row, which is text on SQLite."""
    return value if isinstance(value, date) else date.fromisoformat(value)


def as_moment(value: Any) -> datetime | None:
    return None if value is None else parse_time(value)


def _day_sums(row: dict[str, Any]) -> DaySums:
    return DaySums(
        int(row["purchases"]),
        int(row["refunds"]),
        int(row["revenue_minor"]),
        int(row["refunded_minor"]),
        as_moment(row["first_purchase_at"]),
        as_moment(row["last_purchase_at"]),
    )


Rows = Mapping[str, Mapping[Any, tuple[Any, ...]]]
"""Customer → key → what its row says. A key of one column may be that one's value."""


async def write(changes: Sequence[tuple[Table, Rows, Rows]], tx: UnitOfWork) -> None:
    """Makes the rows of these customers, who are held, in each table from the first ones the second ones.

    New rows come last, after all statements: they cost no round trip of their own.
    """
    new = [(table, await _rewrite(table, before, after, tx)) for table, before, after in changes]
    for table, rows in new:
        tx.insert_values(table.name, ("id", "customer_id", *table.keys, *table.values), rows)


async def _rewrite(table: Table, before: Rows, after: Rows, tx: UnitOfWork) -> list[list[Any]]:
    """Changes and removes rows; those that are to be added."""
    new, changed, gone = [], [], []
    single = len(table.keys) == 1
    for customer in {**before, **after}:
        old, now = before.get(customer, {}), after.get(customer, {})
        for key, one in now.items():
            keys = (key,) if single else key
            if key not in old:
                new.append([new_id(), customer, *keys, *one])
            elif old[key] != one:
                changed.append([*one, customer, *keys])
        gone += [[customer, *((key,) if single else key)] for key in old if key not in now]
    here = " AND ".join(f"{name} = ?" for name in ("customer_id", *table.keys))
    if changed:
        settings = ", ".join(f"{name} = ?" for name in table.values)
        await tx.execute_many(f"UPDATE {table.name} SET {settings} WHERE {here}", changed)
    if gone:
        await tx.execute_many(f"DELETE FROM {table.name} WHERE {here}", gone)
    return new


async def write_together(sums: Mapping[str, tuple[Together, date, str]], tx: UnitOfWork) -> None:
    """What is known of each customer altogether, the month of the sign-up, and the zone that these go by."""
    settings = ", ".join(f"{name} = ?" for name in (*TOGETHER, "signup_month", "zone"))
    await tx.execute_many(
        f"UPDATE analytics_customer SET {settings} WHERE customer_id = ?",
        [(*one, signup, zone, customer) for customer, (one, signup, zone) in sums.items()],
    )
