"""Where the fifths of the customers end: kept, so that filters and lists score a customer without a scan."""

from typing import Any

from crm_analytics.metrics.rfm import ranks
from crm_framework import Reader, UnitOfWork, new_id

MEASURES = {"recency": "last_day", "frequency": "purchases", "monetary": "net_minor"}
"""Name → its column of `analytics_customer`."""
COLUMNS = tuple(f"{measure}_{fifth}" for measure in MEASURES for fifth in range(1, 5))


_KEEP = (
    f"INSERT INTO analytics_quintile (id, currency, customers, counted_at, {', '.join(COLUMNS)})"
    f" VALUES (?, ?, ?, ?{', ?' * len(COLUMNS)}) ON CONFLICT (currency) DO UPDATE SET "
    + ", ".join(f"{name} = excluded.{name}" for name in ("customers", "counted_at", *COLUMNS))
)

Found = list[tuple[str, int, list[Any]]]
"""Currency, number of its customers, and the bounds; by currency."""


async def refresh(tx: UnitOfWork) -> None:
    """Looks at everybody as they are now, and keeps what is found."""
    await keep(tx, await look(tx))


async def look(source: UnitOfWork | Reader) -> Found:
    """It passes over all customers: outside a change, which on SQLite keeps everybody else from changing."""
    populations = await source.fetch(
        "SELECT currency, COUNT(*) AS customers FROM analytics_customer WHERE currency IS NOT NULL"
        " GROUP BY currency ORDER BY currency"
    )
    return [
        (currency, population, await bounds_of(currency, population, source))
        for currency, population in ((row["currency"], int(row["customers"])) for row in populations)
    ]


async def keep(tx: UnitOfWork, found: Found) -> None:
    """Of two at the same moment the later one's stay."""
    await tx.execute_many(
        _KEEP, [(new_id(), currency, population, tx.now, *bounds) for currency, population, bounds in found]
    )
    others = ", ".join("?" * len(found))
    gone = f"WHERE currency NOT IN ({others})" if found else ""
    await tx.execute(f"DELETE FROM analytics_quintile {gone}", [currency for currency, _, _ in found])


async def bounds_of(currency: str, population: int, source: UnitOfWork | Reader) -> list[Any]:
    """The values of `COLUMNS`. Along the indexes, from whichever end is nearer: no row is sorted."""
    places = [
        f"(SELECT {column} FROM analytics_customer WHERE currency = ? ORDER BY {column} {order}"
        f" LIMIT 1 OFFSET {skipped})"
        for column in MEASURES.values()
        for order, skipped in (_nearer(rank, population) for rank in ranks(population))
    ]
    named = ", ".join(f"{place} AS {name}" for place, name in zip(places, COLUMNS, strict=True))
    rows = await source.fetch(f"SELECT {named}", [currency] * len(places))
    return [rows[0][name] for name in COLUMNS]


def _nearer(rank: int, population: int) -> tuple[str, int]:
    below, above = rank, population - 1 - rank
    return ("ASC", below) if below <= above else ("DESC", above)
