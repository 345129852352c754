"""What happens to figures when customers are merged, exported and erased."""

from collections.abc import Mapping, Sequence
from typing import Any

from crm_framework import UnitOfWork, among, new_id

from .support import add


async def merge(winner: str, losers: Sequence[str], tx: UnitOfWork) -> Mapping[str, int]:
    """Adds the losers' figures to the winner's."""
    where = among("customer_id", losers, tx.dialect)
    days = await tx.fetch(
        "SELECT day, currency, SUM(purchases) AS purchases, SUM(refunds) AS refunds,"
        f" SUM(revenue_minor) AS revenue FROM analytics_daily WHERE {where.sql} GROUP BY day, currency",
        where.args,
    )
    moved = await tx.execute(f"DELETE FROM analytics_daily WHERE {where.sql}", where.args)
    await tx.execute_many(
        "INSERT INTO analytics_daily (id, customer_id, day, currency, purchases, refunds, revenue_minor)"
        " VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (customer_id, day, currency) DO UPDATE SET"
        " purchases = analytics_daily.purchases + excluded.purchases,"
        " refunds = analytics_daily.refunds + excluded.refunds,"
        " revenue_minor = analytics_daily.revenue_minor + excluded.revenue_minor",
        [
            (
                new_id(), winner, day["day"], day["currency"], int(day["purchases"]), int(day["refunds"]),
                int(day["revenue"]),
            )
            for day in days
        ],
    )  # fmt: skip
    told = await tx.fetch(f"SELECT tickets, points FROM analytics_activity WHERE {where.sql}", where.args)
    if told:
        await add({winner: (sum(row["tickets"] for row in told), sum(row["points"] for row in told))}, tx)
    activities = await tx.execute(f"DELETE FROM analytics_activity WHERE {where.sql}", where.args)
    return {"analytics_daily": moved, "analytics_activity": activities}


async def export(customer_id: str, tx: UnitOfWork) -> Mapping[str, Any]:
    days = await tx.fetch(
        "SELECT day, currency, purchases, refunds, revenue_minor FROM analytics_daily"
        " WHERE customer_id = ? ORDER BY day, currency",
        [customer_id],
    )
    told = await tx.fetch(
        "SELECT tickets, points FROM analytics_activity WHERE customer_id = ?", [customer_id]
    )
    return {
        "days": [
            {
                "day": str(day["day"]),
                "currency": day["currency"],
                "purchases": day["purchases"],
                "refunds": day["refunds"],
                "revenueMinor": day["revenue_minor"],
            }
            for day in days
        ],
        "activity": [{"tickets": row["tickets"], "points": row["points"]} for row in told],
    }


async def erase(customer_id: str, tx: UnitOfWork) -> Mapping[str, int]:
    """Sales stay as sums of nobody; the rest goes."""
    days = await tx.execute(
        "UPDATE analytics_daily SET customer_id = NULL WHERE customer_id = ?", [customer_id]
    )
    told = await tx.execute("DELETE FROM analytics_activity WHERE customer_id = ?", [customer_id])
    return {"analytics_daily": days, "analytics_activity": told}
