"""What the sums over all customers lack, by the rows of the customers.

Whoever changes a customer's rows adds the difference to the sums, in the same transaction. So what is lacking
at one moment is lacking until somebody adds it, whatever else is changed meanwhile, and nobody has to wait
while it is looked for. Each statement here sees one moment.
"""

from collections import defaultdict
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from crm_analytics.windows import months_later

from . import counted, kept, raw, totals
from .kept import Source
from .totals import COHORTS, GOODS, SALES, Key, Total

AT_ONCE = 100
"""Erased customers whose purchases are read at once."""

Lacking = Mapping[Total, Mapping[Key, tuple[int, ...]]]
"""What is to be added, by total and key."""

_SALES = (
    "SELECT day, channel, currency, SUM(purchases) AS purchases, SUM(refunds) AS refunds,"
    " SUM(revenue_minor) AS revenue_minor, SUM(refunded_minor) AS refunded_minor"
    " FROM analytics_daily WHERE day BETWEEN ? AND ? GROUP BY day, channel, currency"
)
_GOODS = (
    "SELECT month, sku, currency, SUM(quantity) AS quantity, SUM(amount_minor) AS amount_minor,"
    " SUM(purchases) AS purchases, COUNT(*) AS buyers"
    " FROM analytics_product WHERE month BETWEEN ? AND ? GROUP BY month, sku, currency"
)
_COHORTS = {
    **{
        basis: (
            f"SELECT '{basis}' AS basis, f.{first} AS cohort, m.month, COUNT(*) AS customers FROM"
            " (SELECT DISTINCT customer_id, month FROM analytics_month WHERE purchases > 0) AS m"
            " JOIN analytics_customer AS f ON f.customer_id = m.customer_id"
            f" WHERE f.{first} IS NOT NULL GROUP BY f.{first}, m.month"
        )
        for basis, first in (("purchase", "first_month"), ("signup", "signup_month"))
    },
    **{
        f"{basis}_last": (
            f"SELECT '{basis}_last' AS basis, {first} AS cohort, last_month AS month, COUNT(*) AS customers"
            f" FROM analytics_customer WHERE last_month IS NOT NULL AND {first} IS NOT NULL"
            f" GROUP BY {first}, last_month"
        )
        for basis, first in (("purchase", "first_month"), ("signup", "signup_month"))
    },
}
"""Basis → what its sums are, of the rows of customers."""


@dataclass(frozen=True)
class _Part:
    """Some of a total's keys: the condition that they meet in its table, and their sums by the customers."""

    total: Total
    where: str
    rows: str
    args: tuple[object, ...]


async def lacking(zone: str, source: Source) -> Lacking:
    """What is to be added to the sums, of customers whose days are of this zone."""
    erased = await _erased_customers(source)
    while True:
        found: dict[Total, dict[Key, tuple[int, ...]]] = defaultdict(dict)
        async for part in _parts(source):
            found[part.total] |= await _less_than_rows(part, source)
        before, erased = erased, await _erased_customers(source)
        if erased == before:  # else some of what was bought was the rows' at first, and then the erased ones'
            break
    days, goods = await _erased_sums(erased, zone, source)
    kept_of_erased: tuple[tuple[Total, Mapping[Any, Sequence[int]]], ...] = ((SALES, days), (GOODS, goods))
    for total, sums in kept_of_erased:
        for key, numbers in sums.items():
            old = found[total].get(key, (0,) * len(numbers))
            found[total][key] = tuple(map(sum, zip(old, numbers, strict=True)))
    return {
        total: {key: numbers for key, numbers in sums.items() if any(numbers)}
        for total, sums in found.items()
    }


async def _parts(source: Source) -> AsyncIterator[_Part]:
    """By year, and by basis: none of them takes long."""
    for total, column, table, rows in (
        (SALES, "day", "analytics_daily", _SALES),
        (GOODS, "month", "analytics_product", _GOODS),
    ):
        after = date.min
        while first := await _first_after(after, column, (total.table, table), source):
            after = months_later(first, 12) - timedelta(days=1)
            yield _Part(total, f"{column} BETWEEN ? AND ?", rows, (first, after))
    for basis, rows in _COHORTS.items():
        yield _Part(COHORTS, f"basis = '{basis}'", rows, ())


async def _first_after(after: date, column: str, tables: Sequence[str], source: Source) -> date | None:
    firsts = [
        row["first"]
        for table in tables
        for row in await source.fetch(
            f"SELECT MIN({column}) AS first FROM {table} WHERE {column} > ?", [after]
        )
    ]
    return min((kept.as_day(first) for first in firsts if first is not None), default=None)


async def _less_than_rows(part: _Part, source: Source) -> dict[Key, tuple[int, ...]]:
    """By how much the kept sums are below those of the rows."""
    total = part.total
    keys = ", ".join(total.keys)
    minus = ", ".join(f"-{name} AS {name}" for name in total.numbers)
    sums = ", ".join(f"SUM({name}) AS {name}" for name in total.numbers)
    some = " OR ".join(f"SUM({name}) <> 0" for name in total.numbers)
    rows = await source.fetch(
        f"SELECT {keys}, {sums} FROM (SELECT {keys}, {minus} FROM {total.table} WHERE {part.where}"
        f" UNION ALL SELECT {keys}, {', '.join(total.numbers)} FROM ({part.rows}) AS r) AS d"
        f" GROUP BY {keys} HAVING {some}",
        [*part.args, *part.args],
    )
    found: dict[Key, tuple[int, ...]] = {}
    for row in rows:
        key: Any = tuple(kept.as_day(row[name]) if name in _DAYS else row[name] for name in total.keys)
        found[key] = tuple(int(row[name]) for name in total.numbers)
    return found


_DAYS = ("day", "month", "cohort")


async def _erased_customers(source: Source) -> list[str]:
    """Keys of all whose data was erased."""
    rows = await source.fetch("SELECT id FROM crm_customer WHERE erased_at IS NOT NULL ORDER BY id")
    return [str(row["id"]) for row in rows]


async def _erased_sums(
    customers: Collection[str], zone: str, source: Source
) -> tuple[Mapping[Any, Sequence[int]], Mapping[Any, Sequence[int]]]:
    """Days and products of all these customers together: only the sums of what they bought are kept."""
    days, goods = totals.Sum(), totals.Sum()
    keys = list(customers)
    for place in range(0, len(keys), AT_ONCE):
        some = keys[place : place + AT_ONCE]
        for sales in (await raw.sales(some, None, source)).values():
            days.add(counted.sales_differences({}, counted.days_of(sales, zone)))
        for lines in (await raw.lines(some, None, source)).values():
            goods.add(counted.product_differences({}, counted.products_of(lines, zone)))
    return dict(days.items()), dict(goods.items())
