"""When those who belonged to a segment on a day bought last before it, and first from it on.

It is kept beside each membership, so that retention of segments is told by one short row a member. Months
that begin before the day and those that do not are told apart, and so are purchases before and after the
boundary that retention is asked for at: the first day of a month on the day or next after it.
"""

from collections.abc import Collection, Iterable, Mapping
from datetime import date
from typing import Any

from crm_analytics.windows import month_of, months_later, place_of
from crm_framework import Fragment, UnitOfWork, among

from . import kept
from .counted import DayKey, MonthSums, bought_in
from .kept import Source

Numbers = tuple[int | None, int | None]
"""The last month with a purchase before, and the first one from then on."""

_PLACE = {
    "sqlite": "CAST(SUBSTR({0}, 1, 4) AS INTEGER) * 12 + CAST(SUBSTR({0}, 6, 2) AS INTEGER) - 1",
    "postgres": "CAST(EXTRACT(YEAR FROM {0}) * 12 + EXTRACT(MONTH FROM {0}) - 1 AS smallint)",
}
"""`place_of` in SQL."""


def boundary(day: date) -> date:
    """From which day on who belonged to a segment on the day is asked for with what is kept here."""
    return day if day.day == 1 else months_later(month_of(day), 1)


def numbers(months: Iterable[date], day: date) -> Numbers:
    """Of a member who bought in these months."""
    places: tuple[list[int], list[int]] = ([], [])
    for month in months:
        places[month >= day].append(place_of(month))
    return max(places[0], default=None), min(places[1], default=None)


async def number(where: Fragment, tx: UnitOfWork) -> None:
    """Of the memberships `b` that a condition selects, whose customers are held: by the months that are
    kept. Only rows that differ are written."""
    last, first = (
        f"(SELECT {_PLACE[tx.dialect].format(f'{which}(m.month)')} FROM analytics_month AS m"
        f" WHERE m.customer_id = b.customer_id AND m.month {than} b.day AND m.purchases > 0)"
        for which, than in (("MAX", "<"), ("MIN", ">="))
    )
    await tx.execute(
        "UPDATE analytics_membership AS b SET last_before = n.last, first_from = n.first"
        f" FROM (SELECT b.id, b.last_before, b.first_from, {last} AS last, {first} AS first"
        f" FROM analytics_membership AS b WHERE {where.sql}) AS n WHERE b.id = n.id"
        " AND (n.last_before IS DISTINCT FROM n.last OR n.first_from IS DISTINCT FROM n.first)",
        where.args,
    )


async def recount(customers: Collection[str], tx: UnitOfWork) -> None:
    """Of all memberships of these customers, who are held."""
    own = among("b.customer_id", sorted(customers), tx.dialect)
    await number(Fragment(own.sql, tuple(own.args)), tx)


async def compared(
    months: Mapping[str, Mapping[DayKey, MonthSums]], source: Source
) -> tuple[Mapping[str, Mapping[Any, Numbers]], Mapping[str, Mapping[Any, Numbers]]]:
    """What is kept of these customers, and what follows from the months: by customer, and day and segment."""
    found = await kept.memberships_of(months, source)
    wanted = {
        customer: {key: numbers(bought_in(months[customer]), key[0]) for key in own}
        for customer, own in found.items()
    }
    return found, wanted


async def differing(months: Mapping[str, Mapping[DayKey, MonthSums]], source: Source) -> set[str]:
    """Those of whom something else is kept than follows from the months."""
    found, wanted = await compared(months, source)
    return {customer for customer, own in found.items() if own != wanted[customer]}
