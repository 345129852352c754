"""The daily figures: counted anew, from the core's interactions, for the days on which something happened.

Counting anew rather than adding keeps them right whatever is told twice, late or in another order.
"""

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any

from crm_framework import Event, PurchaseRecorded, RefundRecorded, UnitOfWork, among, new_id, parse_time

CHUNK = 500
"""Customers whose figures are counted at once."""

DAY = {
    "sqlite": "DATE(i.occurred_at)",
    "postgres": "CAST(i.occurred_at AT TIME ZONE 'UTC' AS DATE)",
}


async def count(events: Sequence[Event], tx: UnitOfWork) -> None:
    """Brings the days of these purchases and refunds up to date."""
    keys = [event.interaction_id for event in events if isinstance(event, PurchaseRecorded | RefundRecorded)]
    if not keys:
        return
    where = among("id", keys, tx.dialect)
    rows = await tx.fetch(
        f"SELECT customer_id, occurred_at FROM crm_interaction WHERE {where.sql}", where.args
    )
    if rows:
        moments = [parse_time(row["occurred_at"]) for row in rows]
        customers = sorted({row["customer_id"] for row in rows})
        await recount(customers, min(moments).date(), max(moments).date(), tx)


async def rebuild(tx: UnitOfWork) -> int:
    """Counts everything anew; the number of customers looked at."""
    await tx.execute("DELETE FROM analytics_daily")
    done, last = 0, ""
    while True:
        after, args = ("WHERE id > ?", [last]) if last else ("", [])
        rows = await tx.fetch(f"SELECT id FROM crm_customer {after} ORDER BY id LIMIT {CHUNK}", args)
        if not rows:
            return done
        await recount([row["id"] for row in rows], date(1, 1, 2), date(9999, 12, 30), tx)
        done, last = done + len(rows), rows[-1]["id"]


async def recount(customers: Sequence[str], first: date, last: date, tx: UnitOfWork) -> None:
    """The figures of these customers from one day to another, both included."""
    old = among("customer_id", customers, tx.dialect)
    await tx.execute(
        f"DELETE FROM analytics_daily WHERE day BETWEEN ? AND ? AND {old.sql}", [first, last, *old.args]
    )
    where = among("i.customer_id", customers, tx.dialect)
    rows = await tx.fetch(
        "SELECT CASE WHEN c.erased_at IS NULL THEN i.customer_id END AS customer_id, i.currency,"
        f" {DAY[tx.dialect]} AS day, SUM(CASE WHEN i.kind = 'purchase' THEN 1 ELSE 0 END) AS purchases,"
        " SUM(CASE WHEN i.kind = 'refund' THEN 1 ELSE 0 END) AS refunds, SUM(i.total_minor) AS revenue"
        " FROM crm_interaction i JOIN crm_customer c ON c.id = i.customer_id"
        " WHERE i.kind IN ('purchase', 'refund') AND i.occurred_at >= ? AND i.occurred_at < ?"
        f" AND {where.sql} GROUP BY 1, 2, 3",
        [_start(first), _start(last + timedelta(days=1)), *where.args],
    )
    await tx.execute_many(
        "INSERT INTO analytics_daily (id, customer_id, day, currency, purchases, refunds, revenue_minor)"
        " VALUES (?, ?, ?, ?, ?, ?, ?)",
        [_row(row) for row in rows],
    )


def _row(row: dict[str, Any]) -> tuple[Any, ...]:
    day = row["day"] if isinstance(row["day"], date) else date.fromisoformat(row["day"])
    return (
        new_id(), row["customer_id"], day, row["currency"], int(row["purchases"]), int(row["refunds"]),
        int(row["revenue"]),
    )  # fmt: skip


def _start(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=UTC)
