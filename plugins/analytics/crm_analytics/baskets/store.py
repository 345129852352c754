"""Baskets read page by page, and the rules that they gave.

A basket is a purchase with lines that was not wholly given back. Lines that take off, such as discounts,
are no products.
"""

from collections.abc import AsyncIterator, Collection
from datetime import UTC, date, datetime, timedelta
from itertools import groupby
from typing import Any

from crm_analytics.predictions.refit import Progress, Run
from crm_framework import JobRun, Reader, UnitOfWork, among, new_id

from .rules import Limits, Pairs, Rule

USUAL = Limits()
PAGE = 5_000
"""Purchases that are read at once."""

KEPT = (
    "(i.total_minor <= 0 OR i.total_minor + COALESCE("
    "(SELECT SUM(r.total_minor) FROM crm_interaction AS r WHERE r.refund_of_id = i.id), 0) > 0)"
)
"""The purchase `i` was not wholly given back."""
_LINES = (
    "SELECT l.interaction_id, l.sku FROM crm_interaction AS i"
    " JOIN crm_purchase_line AS l ON l.interaction_id = i.id"
    f" WHERE i.kind = 'purchase' AND i.id {{after}} AND i.id <= ? AND i.occurred_at >= ?"
    f" AND l.amount_minor >= 0 AND {KEPT} GROUP BY l.interaction_id, l.sku ORDER BY l.interaction_id, l.sku"
)
_PURCHASES = (
    "SELECT MAX(id) AS last, COUNT(*) AS n FROM (SELECT CAST(id AS TEXT) AS id FROM crm_interaction"
    f" WHERE kind = 'purchase' {{after}} ORDER BY crm_interaction.id LIMIT {PAGE}) AS p"
)
_PUT = (
    "INSERT INTO analytics_rule (id, antecedent, consequent, antecedent_name, consequent_name, baskets,"
    " with_antecedent, with_consequent, with_both, support, confidence, lift, since, found_at)"
    " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (antecedent, consequent) DO UPDATE SET "
    + ", ".join(
        f"{name} = excluded.{name}"
        for name in (
            *("antecedent_name", "consequent_name", "baskets", "with_antecedent", "with_consequent"),
            *("with_both", "support", "confidence", "lift", "since", "found_at"),
        )
    )
)


async def baskets_job(job: JobRun) -> None:
    """The job `analytics.baskets`."""
    await find(job)


async def find(
    run: Run, progress: Progress = lambda what, done, of: None, limits: Limits = USUAL
) -> list[Rule]:
    """Finds the rules of the last `basket_days` days and keeps them instead of those of before."""
    since = run.now.date() - timedelta(days=run.settings.basket_days)
    frequency: dict[str, int] = {}
    total = purchases = 0
    async for looked_at, page in pages(run.reader, since):
        for basket in page:
            for product in basket:
                frequency[product] = frequency.get(product, 0) + 1
        total += len(page)
        purchases += looked_at
        progress("purchases read", purchases, purchases)
    pairs, done = Pairs(frequency, limits), 0
    async for looked_at, page in pages(run.reader, since):
        pairs.add(page)
        done += looked_at
        progress("baskets counted", done, max(purchases, done))
    found = pairs.rules(total)
    names = await _names(run.reader, {name for rule in found for name in (rule.antecedent, rule.consequent)})
    async with run.unit_of_work() as tx:
        await replace(tx, found, names, since)
    return found


async def pages(reader: Reader, since: date) -> AsyncIterator[tuple[int, list[Collection[str]]]]:
    """Baskets since that day (UTC), with how many purchases were looked at for each page."""
    begin = datetime(since.year, since.month, since.day, tzinfo=UTC)
    last: str | None = None
    while True:
        bound = [] if last is None else [last]
        [end] = await reader.fetch(_PURCHASES.format(after="" if last is None else "AND id > ?"), bound)
        if not end["n"]:
            return
        sql = _LINES.format(after="IS NOT NULL" if last is None else "> ?")
        rows = await reader.fetch(sql, [*bound, end["last"], begin])
        yield (
            end["n"],
            [
                [row["sku"] for row in basket]
                for _, basket in groupby(rows, lambda row: row["interaction_id"])
            ],
        )
        last = end["last"]


async def _names(reader: Reader, products: Collection[str]) -> dict[str, str | None]:
    where = among("sku", sorted(products), reader.dialect)
    rows = await reader.fetch(
        f"SELECT sku, MAX(name) AS name FROM crm_purchase_line WHERE {where.sql} GROUP BY sku", where.args
    )
    return {row["sku"]: row["name"] for row in rows}


async def replace(tx: UnitOfWork, rules: list[Rule], names: dict[str, Any], since: date) -> None:
    """Keeps these rules and no others. Two at the same moment leave those of one of them, or of both."""
    rows = [
        (
            new_id(),
            rule.antecedent,
            rule.consequent,
            names.get(rule.antecedent),
            names.get(rule.consequent),
            rule.baskets,
            rule.with_antecedent,
            rule.with_consequent,
            rule.with_both,
            rule.support,
            rule.confidence,
            rule.lift,
            since,
            tx.now,
        )
        for rule in sorted(rules, key=lambda rule: (rule.antecedent, rule.consequent))
    ]
    await tx.execute_many(_PUT, rows)
    await tx.execute("DELETE FROM analytics_rule WHERE found_at < ?", [tx.now])
