"""What happens to figures when customers are merged, exported and erased."""

from collections.abc import Mapping, Sequence
from typing import Any

from crm_framework import UnitOfWork, among, parse_time

from . import daily, figures

_EARLIER = {
    "sqlite": "COALESCE(MIN({0}, {1}), {0}, {1})",
    "postgres": "LEAST({0}, {1})",
}
_LATER = {
    "sqlite": "COALESCE(MAX({0}, {1}), {0}, {1})",
    "postgres": "GREATEST({0}, {1})",
}


async def merge(winner: str, losers: Sequence[str], tx: UnitOfWork) -> Mapping[str, int]:
    """Adds the losers' figures to the winner's."""
    where = among("customer_id", losers, tx.dialect)
    await figures.hold([winner], tx)
    days = await tx.fetch(
        "SELECT day, currency, SUM(purchases) AS purchases, SUM(refunds) AS refunds,"
        " SUM(revenue_minor) AS revenue_minor, SUM(refunded_minor) AS refunded_minor,"
        " MIN(first_purchase_at) AS first_purchase_at, MAX(last_purchase_at) AS last_purchase_at"
        f" FROM analytics_daily WHERE {where.sql} GROUP BY day, currency",
        where.args,
    )
    moved = await tx.execute(f"DELETE FROM analytics_daily WHERE {where.sql}", where.args)
    await tx.execute_many(_added(tx.dialect), [daily.row_of(winner, day) for day in days])
    told = await tx.fetch(
        "SELECT COALESCE(tickets, 0) AS tickets, COALESCE(points, 0) AS points FROM analytics_customer"
        f" WHERE {where.sql} AND tickets IS NOT NULL",
        where.args,
    )
    if told:
        tickets, points = (sum(row[name] for row in told) for name in ("tickets", "points"))
        await figures.add({winner: (tickets, points)}, tx)
    counts = {"analytics_daily": moved}
    for table in figures.TABLES:
        counts[table] = await tx.execute(f"DELETE FROM {table} WHERE {where.sql}", where.args)
    await figures.sum_up([winner], tx)
    return counts


def _added(dialect: str) -> str:
    old, new = "analytics_daily.{}", "excluded.{}"
    sums = [f"{name} = {old.format(name)} + {new.format(name)}" for name in daily.COLUMNS[:4]]
    for name, better in (("first_purchase_at", _EARLIER), ("last_purchase_at", _LATER)):
        sums.append(f"{name} = {better[dialect].format(old.format(name), new.format(name))}")
    return f"{daily.INSERT} ON CONFLICT (customer_id, day, currency) DO UPDATE SET {', '.join(sums)}"


async def export(customer_id: str, tx: UnitOfWork) -> Mapping[str, Any]:
    days = await tx.fetch(
        "SELECT day, currency, purchases, refunds, revenue_minor FROM analytics_daily"
        " WHERE customer_id = ? ORDER BY day, currency",
        [customer_id],
    )
    known = await tx.fetch("SELECT * FROM analytics_customer WHERE customer_id = ?", [customer_id])
    revenue = await tx.fetch(
        "SELECT currency, purchased_minor, refunded_minor FROM analytics_revenue WHERE customer_id = ?"
        " ORDER BY currency",
        [customer_id],
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
        "figures": [
            {
                "purchases": row["purchases"],
                "refunds": row["refunds"],
                "purchaseDays": row["purchase_days"],
                "firstPurchaseAt": _text(row["first_purchase_at"]),
                "lastPurchaseAt": _text(row["last_purchase_at"]),
                "tickets": row["tickets"],
                "points": row["points"],
            }
            for row in known
        ],
        "revenue": [
            {
                "currency": row["currency"],
                "purchasedMinor": row["purchased_minor"],
                "refundedMinor": row["refunded_minor"],
            }
            for row in revenue
        ],
    }


def _text(moment: Any) -> str | None:
    return None if moment is None else parse_time(moment).isoformat().replace("+00:00", "Z")


async def erase(customer_id: str, tx: UnitOfWork) -> Mapping[str, int]:
    """Sales stay as sums of nobody; the rest goes.

    What is still owed is counted now: afterwards nobody can tell which of the sums it belongs to.
    """
    await daily.recount([customer_id], *daily.ALWAYS, tx)
    counts = {
        "analytics_daily": await tx.execute(
            "UPDATE analytics_daily SET customer_id = NULL WHERE customer_id = ?", [customer_id]
        )
    }
    for table in figures.TABLES:
        counts[table] = await tx.execute(f"DELETE FROM {table} WHERE customer_id = ?", [customer_id])
    return counts
