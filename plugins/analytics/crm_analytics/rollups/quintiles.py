"""Where the fifths of the customers end: kept, so that filters and lists score a customer without a scan."""

from typing import Any

from crm_analytics.metrics.rfm import ranks
from crm_framework import UnitOfWork, new_id

MEASURES = {"recency": "last_day", "frequency": "purchases", "monetary": "net_minor"}
"""Name → its column of `analytics_customer`."""
COLUMNS = tuple(f"{measure}_{fifth}" for measure in MEASURES for fifth in range(1, 5))


async def refresh(tx: UnitOfWork) -> None:
    """Looks at everybody as they are now."""
    populations = await tx.fetch(
        "SELECT currency, COUNT(*) AS customers FROM analytics_customer WHERE currency IS NOT NULL"
        " GROUP BY currency ORDER BY currency"
    )
    rows: list[list[Any]] = []
    for row in populations:
        bounds = await _bounds(row["currency"], int(row["customers"]), tx)
        rows.append([new_id(), row["currency"], int(row["customers"]), tx.now, *bounds])
    await tx.execute("DELETE FROM analytics_quintile")
    tx.insert_values("analytics_quintile", ("id", "currency", "customers", "counted_at", *COLUMNS), rows)


async def _bounds(currency: str, population: int, tx: UnitOfWork) -> list[Any]:
    """Along the indexes: as many rows are passed over as the population has, and none is sorted."""
    places = [
        f"(SELECT {column} FROM analytics_customer WHERE currency = ? ORDER BY {column} LIMIT 1 OFFSET"
        f" {rank})"
        for column in MEASURES.values()
        for rank in ranks(population)
    ]
    named = ", ".join(f"{place} AS {name}" for place, name in zip(places, COLUMNS, strict=True))
    rows = await tx.fetch(f"SELECT {named}", [currency] * len(places))
    return [rows[0][name] for name in COLUMNS]
