"""Purchases and refunds as the core has them, as values."""

from collections import defaultdict
from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

from crm_framework import among, parse_time

from .counted import Line, Sale
from .kept import Source

SALES = (
    # a refund that names no channel went the way of its purchase
    "SELECT i.customer_id, i.occurred_at, i.kind, i.currency, i.total_minor,"
    " COALESCE(i.channel, p.channel, '') AS channel FROM crm_interaction AS i"
    " LEFT JOIN crm_interaction AS p ON p.id = i.refund_of_id WHERE {kind} IN ('purchase', 'refund')"
)
LINES = (
    "SELECT i.customer_id, i.id, i.occurred_at, i.currency, l.sku, l.quantity, l.amount_minor"
    " FROM crm_interaction AS i JOIN crm_purchase_line AS l ON l.interaction_id = i.id"
    " WHERE {kind} = 'purchase'"
)
KIND = {"sqlite": "+i.kind", "postgres": "i.kind"}
"""How a kind is asked for: on SQLite not along its index, which has the purchases of everybody else, too."""

Span = tuple[datetime, datetime] | None
"""From a moment on, and before another; None for always."""


async def sales(customers: Collection[str], span: Span, source: Source) -> dict[str, list[Sale]]:
    found: dict[str, list[Sale]] = defaultdict(list)
    for row in await _rows(SALES, customers, span, source):
        refund = row["kind"] == "refund"
        found[str(row["customer_id"])].append(
            Sale(
                parse_time(row["occurred_at"]),
                row["channel"],
                row["currency"],
                int(row["total_minor"]),
                refund,
            )
        )
    return found


async def lines(customers: Collection[str], span: Span, source: Source) -> dict[str, list[Line]]:
    found: dict[str, list[Line]] = defaultdict(list)
    for row in await _rows(LINES, customers, span, source):
        found[str(row["customer_id"])].append(
            Line(
                str(row["id"]),
                parse_time(row["occurred_at"]),
                row["sku"],
                row["currency"],
                int(row["quantity"]),
                int(row["amount_minor"]),
            )
        )
    return found


async def _rows(
    select: str, customers: Collection[str], span: Span, source: Source
) -> Sequence[dict[str, Any]]:
    where = among("i.customer_id", sorted(customers), source.dialect)
    within = "" if span is None else " AND i.occurred_at >= ? AND i.occurred_at < ?"
    rows: Sequence[dict[str, Any]] = await source.fetch(
        f"{select.format(kind=KIND[source.dialect])} AND {where.sql}{within}", [*where.args, *(span or ())]
    )
    return rows
