"""What happens to figures when customers are merged, exported and erased."""

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

from crm_framework import UnitOfWork, among, parse_time

from . import answers, moods, support
from .predictions import privacy as predictions
from .rollups import kept, membership, totals
from .rollups.counted import cohort_differences, cohorts_of, months_of
from .rollups.figures import Change
from .rollups.kept import Days, Products
from .rollups.recount import recount, store

COUNTED = (
    *("analytics_daily", "analytics_month", "analytics_activity", "analytics_revenue"),
    "analytics_product",
)
"""Tables with rows that customers have several of."""
TABLES = (*COUNTED, "analytics_answer", "analytics_membership", "analytics_customer")


async def merge(winner: str, losers: Sequence[str], tx: UnitOfWork) -> Mapping[str, int]:
    """Adds the losers' figures to the winner's. What all bought together stays as it is."""
    everybody = [winner, *losers]
    held = await kept.hold(everybody, tx)
    days = await kept.days_of(everybody, tx)
    products = await kept.products_of(everybody, tx)
    united: Days = {}
    bought: Products = {}
    for customer in everybody:
        for key, one in days.get(customer, {}).items():
            united[key] = united[key].plus(one) if key in united else one
        for product, numbers in products.get(customer, {}).items():
            old = bought.get(product, (0, 0, 0))
            bought[product] = (old[0] + numbers[0], old[1] + numbers[1], old[2] + numbers[2])
    where = among("customer_id", losers, tx.dialect)
    counts = {
        table: await tx.execute(f"DELETE FROM {table} WHERE {where.sql}", where.args) for table in COUNTED
    }
    await store(held, Change(days, {winner: united}), Change(products, {winner: bought}), tx)
    counts["analytics_answer"] = await tx.execute(
        f"UPDATE analytics_answer SET customer_id = ? WHERE {where.sql}", [winner, *where.args]
    )
    counts["analytics_membership"] = await _move_memberships(winner, losers, tx)
    await membership.recount([winner], tx)
    await _add_told(winner, losers, tx)
    counts["analytics_customer"] = await tx.execute(
        f"DELETE FROM analytics_customer WHERE {where.sql}", where.args
    )
    await moods.recount([winner], tx)
    zones = {one.zone for one in held.values()}
    if zones != {held[winner].zone}:
        await recount({winner: held[winner]}, None, tx)  # they had days of different zones
    return {**counts, **await predictions.merge(winner, losers, tx)}


async def _move_memberships(winner: str, losers: Sequence[str], tx: UnitOfWork) -> int:
    """Who belonged to a segment by one of the records belongs to it."""
    where = among("b.customer_id", losers, tx.dialect)
    rows = await tx.fetch(
        "SELECT b.segment_id, b.day, MIN(CAST(b.id AS TEXT)) AS id FROM analytics_membership AS b"
        f" WHERE {where.sql}"
        " AND NOT EXISTS (SELECT 1 FROM analytics_membership AS w WHERE w.segment_id = b.segment_id"
        " AND w.day = b.day AND w.customer_id = ?) GROUP BY b.segment_id, b.day",
        [*where.args, winner],
    )
    await tx.execute_many(
        "UPDATE analytics_membership SET customer_id = ? WHERE id = ?",
        [(winner, str(row["id"])) for row in rows],
    )
    left = among("customer_id", losers, tx.dialect)
    gone = await tx.execute(f"DELETE FROM analytics_membership WHERE {left.sql}", left.args)
    return len(rows) + gone


async def _add_told(winner: str, losers: Sequence[str], tx: UnitOfWork) -> None:
    where = among("customer_id", losers, tx.dialect)
    names = ("tickets", "solved", "points")
    told = await tx.fetch(
        f"SELECT {', '.join(f'COALESCE({name}, 0) AS {name}' for name in names)} FROM analytics_customer"
        f" WHERE {where.sql} AND tickets IS NOT NULL",
        where.args,
    )
    if told:
        tickets, solved, points = (sum(int(row[name]) for row in told) for name in names)
        await support.add({winner: (tickets, solved, points)}, tx)


async def erase(customer_id: str, tx: UnitOfWork) -> Mapping[str, int]:
    """Sums over all stay; what is the person's goes.

    What is still owed is counted now: afterwards nobody can tell which of the sums it belongs to.
    """
    held = await kept.hold([customer_id], tx)
    await recount(held, None, tx)
    await answers.recount([customer_id], tx)
    days = (await kept.days_of([customer_id], tx)).get(customer_id, {})
    signed_up = held[customer_id].signed_up(held[customer_id].zone)
    left = cohort_differences(cohorts_of(months_of(days), signed_up), Counter())
    totals.add(tx, totals.COHORTS, left)
    counts = {
        "analytics_answer": await tx.execute(
            "UPDATE analytics_answer SET customer_id = NULL WHERE customer_id = ?", [customer_id]
        )
    }
    for table in (*COUNTED, "analytics_membership", "analytics_customer"):
        counts[table] = await tx.execute(f"DELETE FROM {table} WHERE customer_id = ?", [customer_id])
    return {**counts, **await predictions.erase(customer_id, tx)}


async def export(customer_id: str, tx: UnitOfWork) -> Mapping[str, Any]:
    """All rows with the customer's figures, by table, without their keys."""
    found = {}
    for table in TABLES:
        rows = await tx.fetch(f"SELECT * FROM {table} WHERE customer_id = ?", [customer_id])
        shown = [
            {_camel(name): _plain(name, value) for name, value in row.items() if _told(name)} for row in rows
        ]
        found[_camel(table.removeprefix("analytics_"))] = sorted(shown, key=str)
    return {**found, "predictions": await predictions.export(customer_id, tx)}


def _told(name: str) -> bool:
    # what is kept of months beside memberships says no more than the months do
    return name not in ("id", "customer_id", "counted", "last_before", "first_from")


def _camel(name: str) -> str:
    head, *rest = name.split("_")
    return head + "".join(part.capitalize() for part in rest)


def _plain(name: str, value: Any) -> Any:
    if value is None or isinstance(value, bool | int | float):
        return value
    if name.endswith("_at"):
        return parse_time(value).isoformat().replace("+00:00", "Z")
    return value.isoformat() if isinstance(value, date) else str(value)
