"""The daily figures: counted anew, from the core's interactions, for the days on which something happened.

Counting anew rather than adding keeps them right whatever is told twice, late or in another order. What is
known of a customer altogether is the sum of these days (`figures`).
"""

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any

from crm_framework import (
    CrmError,
    Event,
    Hold,
    PurchaseRecorded,
    RefundRecorded,
    UnitOfWork,
    among,
    live_customers,
    new_id,
    parse_time,
)

from . import figures

CHUNK = 500
"""Customers whose figures are counted at once."""
ALWAYS = (date(1, 1, 2), date(9999, 12, 30))

DAY = {
    "sqlite": "DATE(i.occurred_at)",
    "postgres": "CAST(i.occurred_at AT TIME ZONE 'UTC' AS DATE)",
}
COLUMNS = (
    "purchases", "refunds", "revenue_minor", "refunded_minor", "first_purchase_at", "last_purchase_at",
)  # fmt: skip
COUNTED = (
    "SUM(CASE WHEN i.kind = 'purchase' THEN 1 ELSE 0 END) AS purchases,"
    " SUM(CASE WHEN i.kind = 'refund' THEN 1 ELSE 0 END) AS refunds, SUM(i.total_minor) AS revenue_minor,"
    " SUM(CASE WHEN i.kind = 'refund' THEN -i.total_minor ELSE 0 END) AS refunded_minor,"
    " MIN(CASE WHEN i.kind = 'purchase' THEN i.occurred_at END) AS first_purchase_at,"
    " MAX(CASE WHEN i.kind = 'purchase' THEN i.occurred_at END) AS last_purchase_at"
)
INSERT = (
    f"INSERT INTO analytics_daily (id, customer_id, day, currency, {', '.join(COLUMNS)})"
    " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
)


async def count(events: Sequence[Event], tx: UnitOfWork) -> None:
    """Brings the days of these purchases and refunds up to date."""
    keys = [event.interaction_id for event in events if isinstance(event, PurchaseRecorded | RefundRecorded)]
    if not keys:
        return
    where = among("id", keys, tx.dialect)
    rows = await tx.fetch(
        f"SELECT customer_id, occurred_at FROM crm_interaction WHERE {where.sql}", where.args
    )
    customers = await held([row["customer_id"] for row in rows], tx)
    if customers:
        days = [parse_time(row["occurred_at"]).date() for row in rows]
        await recount(customers, min(days), max(days), tx)
        await figures.sum_up(customers, tx)


async def rebuild(tx: UnitOfWork) -> int:
    """Counts everything anew; the number of customers looked at."""
    done, last = 0, ""
    while True:
        after, args = ("AND id > ?", [last]) if last else ("", [])
        rows = await tx.fetch(
            f"SELECT id FROM crm_customer WHERE merged_into_id IS NULL {after} ORDER BY id LIMIT {CHUNK}",
            args,
        )
        if not rows:
            break
        customers = await held([row["id"] for row in rows], tx)
        await recount(customers, *ALWAYS, tx)
        await figures.sum_up(customers, tx)
        done, last = done + len(rows), rows[-1]["id"]
    await _recount_erased(tx)
    return done


async def held(customers: Sequence[str], tx: UnitOfWork) -> list[str]:
    """Those whom these keys mean today, without the erased, held: nobody else counts them meanwhile."""
    live = await live_customers(tx, set(customers), Hold.ADD)
    found = sorted({one.id for one in live.values() if not isinstance(one, CrmError)})
    await figures.hold(found, tx)
    return found


async def recount(customers: Sequence[str], first: date, last: date, tx: UnitOfWork) -> None:
    """The figures of these customers from one day to another, both included."""
    old = among("customer_id", customers, tx.dialect)
    await tx.execute(
        f"DELETE FROM analytics_daily WHERE day BETWEEN ? AND ? AND {old.sql}", [first, last, *old.args]
    )
    where = among("i.customer_id", customers, tx.dialect)
    rows = await tx.fetch(
        f"SELECT i.customer_id, i.currency, {DAY[tx.dialect]} AS day, {COUNTED} FROM crm_interaction i"
        " WHERE i.kind IN ('purchase', 'refund') AND i.occurred_at >= ? AND i.occurred_at < ?"
        f" AND {where.sql} GROUP BY 1, 2, 3",
        [_start(first), _start(last + timedelta(days=1)), *where.args],
    )
    await tx.execute_many(INSERT, [row_of(row["customer_id"], row) for row in rows])


async def _recount_erased(tx: UnitOfWork) -> None:
    """The days of nobody. In one statement, so that an erasure at the same moment comes before or after."""
    counted = (
        f"SELECT i.currency, {DAY[tx.dialect]} AS day, {COUNTED}"
        " FROM crm_interaction i JOIN crm_customer c ON c.id = i.customer_id"
        " WHERE i.kind IN ('purchase', 'refund') AND c.erased_at IS NOT NULL GROUP BY 1, 2"
    )
    removed = "DELETE FROM analytics_daily WHERE customer_id IS NULL"
    if tx.dialect == "postgres":
        rows = await tx.fetch(f"WITH removed AS ({removed}) {counted}")
    else:
        await tx.execute(removed)
        rows = await tx.fetch(counted)
    await tx.execute_many(INSERT, [row_of(None, row) for row in rows])


def row_of(customer_id: str | None, row: dict[str, Any]) -> tuple[Any, ...]:
    """What `INSERT` takes for a day of this customer, or of nobody."""
    numbers = (int(row[column]) for column in COLUMNS[:4])
    moments = (row[column] and parse_time(row[column]) for column in COLUMNS[4:])
    return (new_id(), customer_id, day_of(row), row["currency"], *numbers, *moments)


def day_of(row: dict[str, Any]) -> date:
    """The day of a row, which is text on SQLite."""
    return row["day"] if isinstance(row["day"], date) else date.fromisoformat(row["day"])


def _start(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=UTC)
