"""In which months a customer bought, as bits: a row for five years, with the five before.

Whatever lies within ten such years is therefore told by one short row a customer, however much was bought.
"""

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import NamedTuple

from crm_analytics.windows import place_of
from crm_framework import Fragment

from .counted import DayKey, MonthSums, bought_in

YEARS = 5
"""Of a block."""
MONTHS = 12 * YEARS
ALL = (1 << MONTHS) - 1


class Active(NamedTuple):
    """What is kept of a customer and a block."""

    tags: str
    earlier: int
    months: int
    followed: bool


def active(months: Mapping[DayKey, MonthSums], tags: str) -> dict[int, Active]:
    """By block, of one customer with these tags."""
    bits: dict[int, int] = defaultdict(int)
    for month in bought_in(months):
        bits[_block(month)] |= 1 << place_of(month) % MONTHS
    return {
        block: Active(tags, bits.get(block - 1, 0), own, block + 1 in bits)
        for block, own in sorted(bits.items())
    }


def tags_text(tags: Iterable[str]) -> str:
    """As they are kept."""
    return json.dumps(sorted(tags), ensure_ascii=False, separators=(",", ":"))


@dataclass(frozen=True)
class Rows:
    """Some rows `m`, one a customer: `first` and `then` are the conditions that the customer bought in the
    first months asked about, and in those after."""

    where: Fragment
    first: Fragment
    then: Fragment


def rows_of(since: date, start: date, end: date) -> Sequence[Rows] | None:
    """The rows that tell who bought from the month `since` on and before `start`, and who before `end`.

    None where these are more years than a row has.
    """
    block = _block(end) if place_of(end) % MONTHS else _block(end) - 1
    low = MONTHS * (block - 1)
    if place_of(since) < low:
        return None
    first, then = (
        _bits(place_of(one) - low, place_of(other) - low) for one, other in ((since, start), (start, end))
    )
    rows = [Rows(Fragment("m.block = ?", (block,)), _has(*first), _has(*then))]
    if first[0] or then[0]:
        where = Fragment("m.block = ? AND NOT m.followed", (block - 1,))
        rows.append(Rows(where, _has(0, first[0]), _has(0, then[0])))
    return rows


def _bits(low: int, high: int) -> tuple[int, int]:
    """The months from one on and before another, of the block before and the block itself."""
    both = (1 << high) - (1 << low) if high > low else 0
    return both & ALL, both >> MONTHS


def _has(earlier: int, months: int) -> Fragment:
    parts = [(name, bits) for name, bits in (("earlier", earlier), ("months", months)) if bits]
    sql = " OR ".join(f"(m.{name} & ?) <> 0" for name, _ in parts)
    return Fragment(f"({sql or '1 = 0'})", tuple(bits for _, bits in parts))


def _block(month: date) -> int:
    return month.year // YEARS
