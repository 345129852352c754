"""Figures by the days of a zone other than the company's: made of the purchases when they are asked for.

Tables of kept days become queries of the same names and columns, which stand before whatever a metric asks.
So a metric is one statement for all zones; what takes a few kept rows is here a scan of all purchases.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property, lru_cache
from typing import Any, Literal

from crm_analytics.windows import zone_of
from crm_framework import Fragment, Reader, now, parse_time

Dialect = Literal["sqlite", "postgres"]
Offsets = tuple[int, tuple[tuple[datetime, int], ...]]
"""Seconds east of Greenwich at first, and from each of these moments on."""


@lru_cache(64)
def offsets(zone: str, first: datetime, last: datetime) -> Offsets:
    """How far the clocks of the zone are from UTC between two moments."""

    def at(moment: datetime) -> int:
        found = moment.astimezone(zone_of(zone)).utcoffset()
        return round(found.total_seconds()) if found is not None else 0

    changes = []
    before, begun = first, at(first)
    held = begun
    while before < last:
        after = before + timedelta(days=1)  # clocks are not put twice on one day
        if at(after) != held:
            low, high = before, after
            while high - low > timedelta(seconds=1):
                middle = (low + (high - low) / 2).replace(microsecond=0)
                low, high = (middle, high) if at(middle) == held else (low, middle)
            held = at(after)
            changes.append((high, held))
        before = after
    return begun, tuple(changes)


def day(column: str, of: Offsets, dialect: Dialect) -> Fragment:
    """The day of a moment, as kept days are."""
    begun, changes = of
    later = [(moment, seconds) for moment, seconds in reversed(changes)]
    cases = " ".join(f"WHEN {column} >= ? THEN {seconds}" for _, seconds in later)
    seconds = f"CASE {cases} ELSE {begun} END" if cases else str(begun)
    args = tuple(moment for moment, _ in later)
    if dialect == "sqlite":
        # of a whole second: SQLite rounds what is less than a thousandth of one, up to the next day
        return Fragment(f"DATE(SUBSTR({column}, 1, 19), ({seconds}) || ' seconds')", args)
    return Fragment(f"CAST({column} AT TIME ZONE 'UTC' + ({seconds}) * INTERVAL '1 second' AS DATE)", args)


_MONTH = {"sqlite": "SUBSTR({0}, 1, 7) || '-01'", "postgres": "CAST(DATE_TRUNC('month', {0}) AS DATE)"}
_PURCHASE = "CASE WHEN s.kind = 'purchase' THEN {0} END"
_SUMS = (
    "COUNT(" + _PURCHASE.format("1") + ") AS purchases,"
    " COUNT(*) - COUNT(" + _PURCHASE.format("1") + ") AS refunds, SUM(s.minor) AS revenue_minor,"
    " SUM(CASE WHEN s.kind = 'refund' THEN -s.minor ELSE 0 END) AS refunded_minor"
)


def queries(of: Offsets, dialect: Dialect) -> Fragment:
    """The queries, as they stand behind WITH."""
    sold, came = day("i.occurred_at", of, dialect), day("c.created_at", of, dialect)
    month = _MONTH[dialect]
    return Fragment(
        # a refund that names no channel went the way of its purchase
        "zoned_sale AS MATERIALIZED (SELECT i.id, CASE WHEN c.erased_at IS NULL THEN i.customer_id END"
        f" AS customer_id, {sold.sql} AS day, COALESCE(i.channel, p.channel, '') AS channel, i.currency,"
        " i.kind, i.total_minor AS minor, i.occurred_at FROM crm_interaction AS i"
        " JOIN crm_customer AS c ON c.id = i.customer_id"
        " LEFT JOIN crm_interaction AS p ON p.id = i.refund_of_id"
        " WHERE i.kind IN ('purchase', 'refund')),"
        f" analytics_daily AS MATERIALIZED (SELECT s.customer_id, s.day, s.channel, s.currency, {_SUMS},"
        f" MIN({_PURCHASE.format('s.occurred_at')}) AS first_purchase_at,"
        f" MAX({_PURCHASE.format('s.occurred_at')}) AS last_purchase_at FROM zoned_sale AS s"
        " WHERE s.customer_id IS NOT NULL GROUP BY s.customer_id, s.day, s.channel, s.currency),"
        f" analytics_sales AS (SELECT s.day, s.channel, s.currency, {_SUMS} FROM zoned_sale AS s"
        " GROUP BY s.day, s.channel, s.currency),"
        f" analytics_month AS MATERIALIZED (SELECT d.customer_id, {month.format('d.day')} AS month,"
        " d.channel, d.currency, SUM(d.purchases) AS purchases, SUM(d.refunds) AS refunds,"
        " SUM(d.revenue_minor + d.refunded_minor) AS purchased_minor,"
        " SUM(d.refunded_minor) AS refunded_minor FROM analytics_daily AS d"
        " GROUP BY d.customer_id, 2, d.channel, d.currency),"
        f" zoned_line AS MATERIALIZED (SELECT s.id, s.customer_id, {month.format('s.day')} AS month, l.sku,"
        " s.currency, l.quantity, l.amount_minor FROM zoned_sale AS s"
        " JOIN crm_purchase_line AS l ON l.interaction_id = s.id WHERE s.kind = 'purchase'),"
        " analytics_product AS (SELECT l.customer_id, l.month, l.sku, l.currency,"
        " SUM(l.quantity) AS quantity, SUM(l.amount_minor) AS amount_minor,"
        " COUNT(DISTINCT l.id) AS purchases FROM zoned_line AS l WHERE l.customer_id IS NOT NULL"
        " GROUP BY l.customer_id, l.month, l.sku, l.currency),"
        " analytics_goods AS (SELECT l.month, l.sku, l.currency, SUM(l.quantity) AS quantity,"
        " SUM(l.amount_minor) AS amount_minor, COUNT(DISTINCT l.id) AS purchases,"
        " COUNT(DISTINCT l.customer_id) AS buyers FROM zoned_line AS l GROUP BY l.month, l.sku, l.currency),"
        " zoned_month AS (SELECT k.customer_id, k.month,"
        f" MIN(k.month) OVER w AS first_month, MAX(k.month) OVER w AS last_month,"
        f" {month.format(f'({came.sql})')} AS signup_month FROM analytics_month AS k"
        " JOIN crm_customer AS c ON c.id = k.customer_id WHERE k.purchases > 0"
        " WINDOW w AS (PARTITION BY k.customer_id))",
        (*sold.args, *came.args),
    )


@dataclass(frozen=True)
class Zoned:
    """Reads as the reader does, with the days of another zone in place of the kept ones.

    Within a statement there is `zoned_month` too: the months in which customers bought, with the
    `first_month` and `last_month` of these, and the customer's `signup_month`.
    """

    reader: Reader
    known: Offsets
    first: datetime | None
    """When the first purchase or refund was; None where there is none."""

    @property
    def dialect(self) -> Dialect:
        return self.reader.dialect

    @cached_property
    def _queries(self) -> Fragment:
        return queries(self.known, self.dialect)

    def _whole(self, sql: str, args: Sequence[object]) -> tuple[str, list[object]]:
        begins = next((word for word in ("WITH RECURSIVE ", "WITH ") if sql.startswith(word)), "")
        whole = f"{begins or 'WITH '}{self._queries.sql}{',' if begins else ''} {sql.removeprefix(begins)}"
        return whole, [*self._queries.args, *args]

    async def fetch(
        self, sql: str, args: Sequence[object] = (), *, bounded: bool = False
    ) -> list[dict[str, Any]]:
        return await self.reader.fetch(*self._whole(sql, args))

    async def rows(
        self, sql: str, args: Sequence[object] = (), *, bounded: bool = False
    ) -> Sequence[Sequence[Any]]:
        return await self.reader.rows(*self._whole(sql, args))


_SALES = [
    f"(SELECT {which}(occurred_at) FROM crm_interaction WHERE kind = '{kind}')"
    for which in ("MIN", "MAX")
    for kind in ("purchase", "refund")
]
_EDGES = f"SELECT {', '.join(_SALES)}, (SELECT MIN(created_at) FROM crm_customer)"
"""Steps along an index, two for either kind. Customers who came before the first purchase are counted by
their sign-up."""


async def zoned(zone: str, reader: Reader) -> Zoned:
    """The reader for the days of a zone."""
    [row] = await reader.rows(_EDGES, ())
    *sales, came = [None if value is None else parse_time(value) for value in row]
    moments = [now(), *(one for one in (*sales, came) if one is not None)]
    edges = min(moments), max(moments)
    first, last = (one.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0) for one in edges)
    return Zoned(
        reader,
        offsets(zone, first, last + timedelta(days=1)),
        min((one for one in sales if one is not None), default=None),
    )
