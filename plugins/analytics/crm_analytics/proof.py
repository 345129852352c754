"""The proof that the kept figures are those of a scan of all interactions.

Each customer's rows are compared with a count of all their purchases and refunds; then the sums over all
customers with those of the rows. Customers whose events the worker has yet to hand over are left out: what
differs there is on its way.
"""

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from crm_framework import UnitOfWork, among

from . import answers
from .rollups import counted, kept, raw, rebuild, totals
from .rollups.activity import active
from .rollups.recount import CHUNK, held
from .rollups.state import state

MOST = 100
"""Differences that are told."""


@dataclass
class Found:
    """How far the proof is, and where figures differ."""

    after: str | None = None
    customers: int = 0
    differences: list[str] = field(default_factory=list)
    owed: int = 0
    """Customers who differ by what is still to be counted."""


async def verify(tx: UnitOfWork) -> Found:
    """How many customers were looked at, and where figures differ from a scan, `MOST` of these."""
    found = await batch(tx, Found())
    while found.after is not None:
        found = await batch(tx, found)
    found.differences += await sums(tx)
    del found.differences[MOST:]
    return found


async def batch(tx: UnitOfWork, found: Found) -> Found:
    """Looks at the next customers. `after` is None after the last ones."""
    after, args = ("AND id > ?", [found.after]) if found.after else ("", [])
    rows = await tx.fetch(
        "SELECT id FROM crm_customer WHERE merged_into_id IS NULL AND erased_at IS NULL"
        f" {after} ORDER BY id LIMIT {CHUNK}",
        args,
    )
    keys = [str(row["id"]) for row in rows]
    wrong = {customer for customer, _ in await _differences(keys, tx)}
    told: list[str] = []
    owed: set[str] = set()
    if wrong:
        owed = await _owed(wrong, tx)
        if rest := wrong - owed:
            # what was recorded between two statements is no difference: once more, with them held
            await held(rest, tx)
            owed |= await _owed(rest, tx)
            told = [text for _, text in await _differences(sorted(rest - owed), tx)]
    more = len(keys) == CHUNK and len(found.differences) + len(told) < MOST
    return Found(
        keys[-1] if more else None,
        found.customers + len(keys),
        [*found.differences, *told],
        found.owed + len(owed),
    )


async def _owed(customers: Collection[str], tx: UnitOfWork) -> set[str]:
    where = among("customer_id", sorted(customers), tx.dialect)
    rows = await tx.fetch(
        "SELECT DISTINCT customer_id FROM crm_delivery"
        f" WHERE handler = 'analytics' AND status = 'PENDING' AND {where.sql}",
        where.args,
    )
    return {str(row["customer_id"]) for row in rows}


async def _differences(customers: Sequence[str], tx: UnitOfWork) -> list[tuple[str, str]]:
    """Customer, and what differs."""
    zones = await _together(customers, tx)
    now = await state(tx)
    sales = await raw.sales(customers, None, tx)
    lines = await raw.lines(customers, None, tx)
    days = await kept.days_of(customers, tx)
    months, revenue = await kept.months_of(customers, tx), await kept.currencies_of(customers, tx)
    products = await kept.products_of(customers, tx)
    activity, tags = await kept.activity_of(customers, tx), await kept.tags_of(customers, tx)
    answered, kept_answers = await _given(customers, tx), await _kept_answers(customers, tx)
    found: list[tuple[str, str]] = []
    for customer in customers:
        zone, together = zones.get(customer, (now.zone, None))
        scanned = counted.days_of(sales.get(customer, ()), zone)
        currencies, by_month = counted.currencies_of(scanned), counted.months_of(scanned)
        pairs: list[tuple[str, Mapping[Any, Any], Mapping[Any, Any]]] = [
            ("days", days.get(customer, {}), scanned),
            ("months", months.get(customer, {}), by_month),
            ("activity", activity.get(customer, {}), active(by_month, tags[customer])),
            ("revenue", revenue.get(customer, {}), currencies),
            ("products", products.get(customer, {}), counted.products_of(lines.get(customer, ()), zone)),
            ("answers", kept_answers.get(customer, {}), answered.get(customer, {})),
        ]
        wanted = kept.values_of(counted.together(scanned, currencies))
        if (together or kept.values_of(counted.Together())) != wanted:
            pairs.append(("figures", {"together": together}, {"together": wanted}))
        found += [
            (customer, text) for what, old, new in pairs for text in _compared(what, customer, old, new)
        ]
    return found


def _compared(what: str, whose: str, old: Mapping[Any, Any], new: Mapping[Any, Any]) -> Iterator[str]:
    for key in {**old, **new}:
        if old.get(key) != new.get(key):
            place = " ".join(map(str, key)) if isinstance(key, tuple) else key
            yield f"{what} of {whose}, {place}: {old.get(key)} is kept, {new.get(key)} was recorded"


async def _together(
    customers: Sequence[str], tx: UnitOfWork
) -> dict[str, tuple[str, tuple[Any, ...] | None]]:
    where = among("customer_id", customers, tx.dialect)
    rows = await tx.fetch(f"SELECT * FROM analytics_customer WHERE {where.sql}", where.args)
    return {
        str(row["customer_id"]): (row["zone"], tuple(_value(row, name) for name in kept.TOGETHER))
        for row in rows
    }


def _value(row: Mapping[str, Any], name: str) -> Any:
    value = row[name]
    if value is not None and name.endswith("_at"):
        return kept.as_moment(value)
    return kept.as_day(value) if value is not None and name.endswith(("_day", "_month", "_on")) else value


async def _given(customers: Collection[str], tx: UnitOfWork) -> dict[str, dict[str, Any]]:
    where = among("customer_id", sorted(customers), tx.dialect)
    rows = await tx.fetch(
        f"SELECT customer_id, id, outcome FROM crm_interaction WHERE kind = 'survey' AND {where.sql}",
        where.args,
    )
    found: dict[str, dict[str, Any]] = defaultdict(dict)
    for row in rows:
        score = answers.score_of(row["outcome"])
        if score is not None:
            found[str(row["customer_id"])][str(row["id"])] = score
    return found


async def _kept_answers(customers: Collection[str], tx: UnitOfWork) -> dict[str, dict[str, Any]]:
    where = among("customer_id", sorted(customers), tx.dialect)
    rows = await tx.fetch(
        f"SELECT customer_id, interaction_id, question, score, most FROM analytics_answer WHERE {where.sql}",
        where.args,
    )
    found: dict[str, dict[str, Any]] = defaultdict(dict)
    for row in rows:
        score = answers.Score(row["question"], row["score"], row["most"])
        found[str(row["customer_id"])][str(row["interaction_id"])] = score
    return found


async def sums(tx: UnitOfWork) -> list[str]:
    """Where the sums over all differ from those of the customers' rows, and of those who were erased."""
    days, goods = await rebuild.erased_sums(await rebuild.erased_customers(tx), (await state(tx)).zone, tx)
    erased: Mapping[totals.Total, Mapping[Any, Sequence[int]]] = {
        totals.SALES: {key: one.numbers for key, one in days.items()},
        totals.GOODS: goods,
        totals.COHORTS: {},
    }
    found: list[str] = []
    for total, select in rebuild.FROM_CUSTOMERS.items():
        less = {key: tuple(-number for number in one) for key, one in erased[total].items()}
        for key, numbers in (await _more_than_rows(total, select, tx)).items():
            less[key] = tuple(map(sum, zip(numbers, less.get(key, (0,) * len(numbers)), strict=True)))
        found += [
            f"{total.table} {' '.join(map(str, key))}: {', '.join(total.numbers)} differ by {numbers}"
            for key, numbers in less.items()
            if any(numbers)
        ]
    return found


async def _more_than_rows(
    total: totals.Total, select: str, tx: UnitOfWork
) -> dict[tuple[Any, ...], tuple[int, ...]]:
    """By how much the kept sums are above those of the rows: in one statement, which sees one moment."""
    keys = ", ".join(total.keys)
    minus = ", ".join(f"-{name} AS {name}" for name in total.numbers)
    sums = ", ".join(f"SUM({name}) AS {name}" for name in total.numbers)
    rows = await tx.fetch(
        f"SELECT {keys}, {sums} FROM (SELECT {keys}, {', '.join(total.numbers)} FROM {total.table}"
        f" UNION ALL SELECT {keys}, {minus} FROM ({select}) AS r) AS d GROUP BY {keys}"
    )
    return {
        tuple(kept.as_day(row[key]) if key in _DAYS else row[key] for key in total.keys): tuple(
            int(row[name]) for name in total.numbers
        )
        for row in rows
    }


_DAYS = ("day", "month", "cohort")
