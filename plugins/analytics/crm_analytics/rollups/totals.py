"""Sums over all customers: what differs is added, and folded later.

Rows are only ever added, so that changes of different customers never wait for one another; the sum of a
key's rows holds. `fold` takes rows of one key together in the transaction that removes them.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from crm_framework import UnitOfWork, new_id

from .counted import CohortKey, DayKey, ProductKey

Key = CohortKey | DayKey | ProductKey

FOLDED_AT_ONCE = 20_000
"""Rows."""


@dataclass(frozen=True)
class Total:
    """A table, the columns of its keys and those of its sums."""

    table: str
    keys: tuple[str, ...]
    numbers: tuple[str, ...]

    @property
    def columns(self) -> tuple[str, ...]:
        return ("id", *self.keys, *self.numbers)


SALES = Total(
    "analytics_sales",
    ("day", "channel", "currency"),
    ("purchases", "refunds", "revenue_minor", "refunded_minor"),
)
GOODS = Total(
    "analytics_goods",
    ("month", "sku", "currency"),
    ("quantity", "amount_minor", "purchases", "buyers"),
)
COHORTS = Total("analytics_cohort", ("basis", "cohort", "month"), ("customers",))
TOTALS = (SALES, GOODS, COHORTS)


class Sum:
    """Differences of many customers, added up by key, so that each key is one row."""

    def __init__(self) -> None:
        self._found: dict[Key, list[int]] = {}

    def add(self, differences: Iterable[tuple[Key, Sequence[int]]]) -> None:
        for key, numbers in differences:
            sum_ = self._found.get(key)
            if sum_ is None:
                self._found[key] = list(numbers)
            else:
                for place, number in enumerate(numbers):
                    sum_[place] += number

    def items(self) -> list[tuple[Key, Sequence[int]]]:
        return [(key, numbers) for key, numbers in self._found.items() if any(numbers)]


def add(tx: UnitOfWork, total: Total, differences: Iterable[tuple[Key, Sequence[int]]]) -> None:
    """Costs no round trip of its own."""
    tx.insert_values(total.table, total.columns, [[new_id(), *key, *numbers] for key, numbers in differences])


async def fold(tx: UnitOfWork, total: Total) -> int:
    """Makes one row of those with the same key; how many rows went."""
    keys = ", ".join(total.keys)
    on = " AND ".join(f"k.{key} = t.{key}" for key in total.keys)
    rows = await tx.fetch(
        f"DELETE FROM {total.table} WHERE id IN (SELECT t.id FROM {total.table} AS t JOIN (SELECT {keys} FROM"
        f" {total.table} GROUP BY {keys} HAVING COUNT(*) > 1) AS k ON {on} LIMIT {FOLDED_AT_ONCE})"
        f" RETURNING {keys}, {', '.join(total.numbers)}"
    )
    sums: dict[tuple[object, ...], list[int]] = defaultdict(lambda: [0] * len(total.numbers))
    for row in rows:
        sum_ = sums[tuple(row[key] for key in total.keys)]
        for place, number in enumerate(total.numbers):
            sum_[place] += int(row[number])
    left = [[new_id(), *key, *numbers] for key, numbers in sums.items() if any(numbers)]
    tx.insert_values(total.table, total.columns, left)
    return len(rows) - len(left)
