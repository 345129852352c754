"""Who bought on which days, and for how much: what the models are fitted to."""

from array import array
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

from crm_analytics.rollups.raw import KIND
from crm_framework import Reader

from .bgnbd import Seen
from .gamma_gamma import Spent

PAGE = 2000
"""Customers whose purchases are read at once."""
WEEK = 7.0
"""Days in the models' unit of time."""

_DAY = {
    "sqlite": "DATE(i.occurred_at)",
    "postgres": "CAST(i.occurred_at AT TIME ZONE 'UTC' AS DATE)",
}
_REFUNDED = "(SELECT SUM(r.total_minor) FROM crm_interaction AS r WHERE r.refund_of_id = i.id)"
_PURCHASES = (
    "SELECT customer_id, currency, day, SUM(net) AS value FROM ("
    " SELECT i.customer_id, i.currency, {day} AS day, i.total_minor AS total,"
    f" i.total_minor + COALESCE({_REFUNDED}, 0) AS net FROM crm_interaction AS i"
    " WHERE {kind} = 'purchase' AND i.customer_id {after} AND i.customer_id <= ? AND i.occurred_at < ?"
    ") AS p WHERE net > 0 OR total = 0"
    " GROUP BY customer_id, currency, day ORDER BY customer_id, currency, day"
)
_CUSTOMERS = (
    "SELECT id FROM crm_customer WHERE merged_into_id IS NULL AND erased_at IS NULL {after}"
    f" ORDER BY id LIMIT {PAGE}"
)


@dataclass(frozen=True, slots=True)
class History:
    """One customer's purchases in one currency.

    `days` are the days (UTC, as ordinals) on which something was bought that was not given back wholly,
    `values` what these days were worth, less refunds, in minor units.
    """

    customer_id: str
    days: "array[int]"
    values: "array[int]"

    def until(self, last: int) -> int:
        """How many of the days are not later than `last`."""
        return sum(1 for day in self.days if day <= last)

    def seen(self, last: int) -> Seen:
        """What BG/NBD needs, in weeks, as it was at the end of the day `last`; the first purchase is
        before.
        """
        n, first = self.until(last), self.days[0]
        return Seen(n - 1, (self.days[n - 1] - first) / WEEK, (last - first) / WEEK)

    def spent(self, last: int) -> Spent | None:
        """What Gamma-Gamma needs, likewise; None where nothing was bought again, or for nothing."""
        n = self.until(last)
        total = sum(self.values[1:n])
        return Spent(n - 1, total / (n - 1)) if n > 1 and total > 0 else None


async def pages(reader: Reader, through: date) -> AsyncIterator[tuple[int, list[tuple[str, History]]]]:
    """Currency and history of everybody, page by page, to the end of the day `through` (UTC), each page with
    how many customers it looked at. Refunds count whenever they were made.
    """
    end = datetime(through.year, through.month, through.day, tzinfo=UTC) + timedelta(days=1)
    last: str | None = None
    while True:
        bound = [] if last is None else [last]
        after = "" if last is None else "AND id > ?"
        rows = await reader.fetch(_CUSTOMERS.format(after=after), bound)
        if not rows:
            return
        live = {str(row["id"]) for row in rows}
        after = "IS NOT NULL" if last is None else "> ?"
        sql = _PURCHASES.format(day=_DAY[reader.dialect], kind=KIND[reader.dialect], after=after)
        found = await reader.fetch(sql, [*bound, rows[-1]["id"], end])
        yield len(rows), _histories(found, live)
        last = rows[-1]["id"]


async def history_of(reader: Any, customer_id: str, through: date) -> dict[str, History]:
    """Currency → history of one customer."""
    end = datetime(through.year, through.month, through.day, tzinfo=UTC) + timedelta(days=1)
    sql = _PURCHASES.format(day=_DAY[reader.dialect], kind=KIND[reader.dialect], after=">= ?")
    found = await reader.fetch(sql, [customer_id, customer_id, end])
    return dict(_histories(found, {customer_id}))


def _histories(rows: list[dict[str, Any]], live: set[str]) -> list[tuple[str, History]]:
    """Of rows that come by customer, currency and day."""
    found: list[tuple[str, History]] = []
    for row in rows:
        customer, currency = str(row["customer_id"]), row["currency"]
        if customer not in live:
            continue
        if not found or found[-1][0] != currency or found[-1][1].customer_id != customer:
            found.append((currency, History(customer, array("l"), array("q"))))
        history = found[-1][1]
        day = row["day"]
        history.days.append((day if isinstance(day, date) else date.fromisoformat(day)).toordinal())
        history.values.append(int(row["value"]))
    return found
