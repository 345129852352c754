"""The proof that the kept figures are those of the purchases and refunds: a scan of all of these."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime
from typing import Any

from crm_framework import UnitOfWork, among, parse_time

from .daily import CHUNK, COLUMNS, COUNTED, DAY, day_of, held

MOST = 100
"""Differences that are told."""
NOBODY = ""

Days = dict[tuple[date, str], tuple[Any, ...]]
"""Day and currency → the values of `COLUMNS`."""


async def verify(tx: UnitOfWork) -> tuple[int, list[str]]:
    """How many customers were looked at, and where figures differ from a scan, `MOST` of these."""
    done, last = 0, ""
    told: list[str] = []
    while len(told) < MOST:
        after, args = ("WHERE id > ?", [last]) if last else ("", [])
        rows = await tx.fetch(f"SELECT id FROM crm_customer {after} ORDER BY id LIMIT {CHUNK}", args)
        if not rows:
            told += _compared(NOBODY, await _scan_erased(tx), (await _kept(None, tx)).get(NOBODY, {}))
            break
        keys = [str(row["id"]) for row in rows]
        wrong = {customer for customer, _ in await _differences(keys, tx)}
        if wrong:
            # what was recorded between two statements is no difference: once more, with them held
            await held(sorted(wrong), tx)
            told += [text for _, text in await _differences(sorted(wrong), tx)]
        done, last = done + len(rows), keys[-1]
    return done, told[:MOST]


async def _differences(customers: Sequence[str], tx: UnitOfWork) -> list[tuple[str, str]]:
    """Customer, and what differs."""
    scanned, kept = await _scan(customers, tx), await _kept(customers, tx)
    together, revenue = await _together(customers, tx), await _revenue(customers, tx)
    found: list[tuple[str, str]] = []
    for customer in customers:
        days = scanned.get(customer, {})
        texts = [*_compared(customer, days, kept.get(customer, {}))]
        if (sums := together.get(customer, _NOTHING)) != (wanted := _summed(days)):
            texts.append(f"customer {customer}: {sums} is kept, {wanted} was recorded")
        if (kept_ := revenue.get(customer, {})) != (wanted_ := _per_currency(days)):
            texts.append(f"revenue of customer {customer}: {kept_} is kept, {wanted_} was recorded")
        found += [(customer, text) for text in texts]
    return found


def _compared(customer: str, scanned: Days, kept: Days) -> Iterator[str]:
    for key in sorted(scanned.keys() | kept.keys()):
        if scanned.get(key) != kept.get(key):
            day, currency = key
            yield (
                f"{day} {currency} of {f'customer {customer}' if customer else 'erased customers'}:"
                f" {kept.get(key)} is kept, {scanned.get(key)} was recorded"
            )


async def _scan(customers: Sequence[str], tx: UnitOfWork) -> Mapping[str, Days]:
    where = among("i.customer_id", customers, tx.dialect)
    rows = await tx.fetch(
        f"SELECT i.customer_id, i.currency, {DAY[tx.dialect]} AS day, {COUNTED} FROM crm_interaction i"
        " JOIN crm_customer c ON c.id = i.customer_id"
        f" WHERE i.kind IN ('purchase', 'refund') AND c.erased_at IS NULL AND {where.sql} GROUP BY 1, 2, 3",
        where.args,
    )
    return _by_customer(rows)


async def _scan_erased(tx: UnitOfWork) -> Days:
    rows = await tx.fetch(
        f"SELECT NULL AS customer_id, i.currency, {DAY[tx.dialect]} AS day, {COUNTED}"
        " FROM crm_interaction i JOIN crm_customer c ON c.id = i.customer_id"
        " WHERE i.kind IN ('purchase', 'refund') AND c.erased_at IS NOT NULL GROUP BY 2, 3"
    )
    return _by_customer(rows).get(NOBODY, {})


async def _kept(customers: Sequence[str] | None, tx: UnitOfWork) -> Mapping[str, Days]:
    """The days that are kept of these customers; None for those of nobody, which several rows may have."""
    if customers is not None:
        where = among("customer_id", customers, tx.dialect)
        return _by_customer(await tx.fetch(f"SELECT * FROM analytics_daily WHERE {where.sql}", where.args))
    sums = ", ".join(f"SUM({name}) AS {name}" for name in COLUMNS[:4])
    return _by_customer(
        await tx.fetch(
            f"SELECT NULL AS customer_id, day, currency, {sums}, MIN(first_purchase_at) AS first_purchase_at,"
            " MAX(last_purchase_at) AS last_purchase_at FROM analytics_daily WHERE customer_id IS NULL"
            " GROUP BY day, currency"
        )
    )


def _by_customer(rows: Sequence[dict[str, Any]]) -> dict[str, Days]:
    found: dict[str, Days] = defaultdict(dict)
    for row in rows:
        numbers = [int(row[name]) for name in COLUMNS[:4]]
        moments = [_moment(row[name]) for name in COLUMNS[4:]]
        key = str(row["customer_id"] or NOBODY)
        found[key][(day_of(row), row["currency"])] = (*numbers, *moments)
    return found


def _moment(value: Any) -> datetime | None:
    return None if value is None else parse_time(value)


_NOTHING = (0, 0, 0, None, None)


async def _together(customers: Sequence[str], tx: UnitOfWork) -> dict[str, tuple[Any, ...]]:
    where = among("customer_id", customers, tx.dialect)
    rows = await tx.fetch(f"SELECT * FROM analytics_customer WHERE {where.sql}", where.args)
    return {
        str(row["customer_id"]): (
            row["purchases"], row["refunds"], row["purchase_days"], _moment(row["first_purchase_at"]),
            _moment(row["last_purchase_at"]),
        )
        for row in rows
    }  # fmt: skip


def _summed(days: Days) -> tuple[Any, ...]:
    firsts = [day[4] for day in days.values() if day[4] is not None]
    lasts = [day[5] for day in days.values() if day[5] is not None]
    return (
        sum(day[0] for day in days.values()),
        sum(day[1] for day in days.values()),
        len({day for (day, _), counted in days.items() if counted[0]}),
        min(firsts, default=None),
        max(lasts, default=None),
    )


async def _revenue(customers: Sequence[str], tx: UnitOfWork) -> dict[str, dict[str, tuple[int, ...]]]:
    where = among("customer_id", customers, tx.dialect)
    rows = await tx.fetch(f"SELECT * FROM analytics_revenue WHERE {where.sql}", where.args)
    found: dict[str, dict[str, tuple[int, ...]]] = defaultdict(dict)
    for row in rows:
        found[str(row["customer_id"])][row["currency"]] = (
            row["purchases"], row["purchase_days"], row["purchased_minor"], row["refunded_minor"],
        )  # fmt: skip
    return found


def _per_currency(days: Days) -> dict[str, tuple[int, ...]]:
    found: dict[str, tuple[int, ...]] = {}
    for (_, currency), (purchases, _, revenue, refunded, *_) in days.items():
        sums = found.get(currency, (0, 0, 0, 0))
        more = (purchases, 1 if purchases else 0, revenue + refunded, refunded)
        found[currency] = tuple(one + other for one, other in zip(sums, more, strict=True))
    return found
