"""Customers that may be the same: an e-mail address or telephone number in common, or similar names.

All customers are looked at in three statements; the comparison runs in a thread, so that other requests are
served meanwhile. What was found is kept until a customer changes, so that the next page costs little.
"""

import asyncio
import base64
import binascii
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import combinations
from typing import Any
from weakref import WeakKeyDictionary

import orjson

from crm_framework.domain.contacts.decisions import Reader
from crm_framework.domain.contacts.values import PHONE_CHANNELS
from crm_framework.domain.customers.name_pairs import similar_names
from crm_framework.domain.rows import among
from crm_framework.errors import CrmError, ErrorCode

MOST = 1000
"""Pairs of one page, at most."""

SHARED = 20
"""A number that as many customers have is a switchboard's, and says nothing about them."""


class DuplicateReason(StrEnum):
    SAME_EMAIL = "SAME_EMAIL"
    SAME_PHONE = "SAME_PHONE"
    SIMILAR_NAME = "SIMILAR_NAME"


# How much one reason alone counts, of 100; several count as independent evidence.
WEIGHTS = {
    DuplicateReason.SAME_EMAIL: 90,
    DuplicateReason.SAME_PHONE: 75,
    DuplicateReason.SIMILAR_NAME: 60,
}


@dataclass(frozen=True, slots=True)
class DuplicatePair:
    """Two customers, `one` with the smaller key. `score` is from 1 to 99."""

    one: str
    other: str
    score: int
    reasons: tuple[DuplicateReason, ...]

    @property
    def cursor(self) -> str:
        return base64.urlsafe_b64encode(orjson.dumps(["duplicates", *_order(self)])).decode()


@dataclass(frozen=True)
class DuplicatePage:
    pairs: tuple[DuplicatePair, ...]
    has_next: bool
    total: int


_found: "WeakKeyDictionary[Reader, tuple[object, list[DuplicatePair]]]" = WeakKeyDictionary()


Condition = tuple[str, Sequence[object]]
"""SQL over crm_customer, called `t`, and its arguments."""


async def duplicate_customers(
    reader: Reader, *, first: int = 50, after: str | None = None, reach: Condition | None = None
) -> DuplicatePage:
    """The next pairs after the cursor `after`, the most certain first. Merged, erased and archived customers
    are left out, and with `reach` pairs of which not both fulfil it. BAD_INPUT for a cursor of another list,
    or more pairs than 1,000."""
    if not 0 <= first <= MOST:
        raise CrmError(
            ErrorCode.BAD_INPUT,
            f"first must lie between 0 and {MOST}, not {first}.",
            path=("first",),
            hint="Ask for one page after the other.",
        )
    start = None if after is None else _opened(after)
    pairs = await _all_pairs(reader)
    if reach is not None:
        pairs = await _within(reader, pairs, reach)
    begin = 0 if start is None else bisect_right(pairs, start, key=_order)
    return DuplicatePage(tuple(pairs[begin : begin + first]), len(pairs) > begin + first, len(pairs))


async def _within(reader: Reader, pairs: Sequence[DuplicatePair], reach: Condition) -> list[DuplicatePair]:
    chosen, keys = among(reader.dialect, "t.id", {key for pair in pairs for key in (pair.one, pair.other)})
    rows = await reader.fetch(
        f"SELECT t.id FROM crm_customer AS t WHERE {chosen} AND {reach[0]}", [keys, *reach[1]]
    )
    seen = {str(row["id"]) for row in rows}
    return [pair for pair in pairs if pair.one in seen and pair.other in seen]


async def _all_pairs(reader: Reader) -> list[DuplicatePair]:
    # Every change of a customer, its contact points, a merge or an erasure raises a version.
    state = await reader.fetch("SELECT COUNT(*) AS customers, SUM(version) AS versions FROM crm_customer")
    stamp = (state[0]["customers"], state[0]["versions"])
    known = _found.get(reader)
    if known is not None and known[0] == stamp:
        return known[1]
    live = "c.merged_into_id IS NULL AND c.erased_at IS NULL AND c.archived_at IS NULL"
    channels = ("email", *sorted(PHONE_CHANNELS))
    marks = ", ".join("?" * len(channels))
    points = await reader.fetch(
        "SELECT DISTINCT p.normalized, p.customer_id FROM crm_contact_point p"
        " JOIN crm_customer c ON c.id = p.customer_id WHERE p.normalized IN (SELECT normalized"
        f" FROM crm_contact_point WHERE channel IN ({marks}) GROUP BY normalized"
        f" HAVING COUNT(DISTINCT customer_id) BETWEEN 2 AND {SHARED})"
        f" AND p.channel IN ({marks}) AND {live}",
        [*channels, *channels],
    )
    names = await reader.fetch(f"SELECT c.id, c.sort_name FROM crm_customer c WHERE {live}")
    pairs = await asyncio.to_thread(_compare, points, names)
    _found[reader] = (stamp, pairs)
    return pairs


def _compare(points: Sequence[dict[str, Any]], names: Sequence[dict[str, Any]]) -> list[DuplicatePair]:
    evidence: dict[tuple[str, str], dict[DuplicateReason, float]] = defaultdict(dict)
    for one, other, value in _sharing(points):
        reason = DuplicateReason.SAME_EMAIL if "@" in value else DuplicateReason.SAME_PHONE
        evidence[one, other][reason] = 100.0
    for one, other, similarity in similar_names((str(row["id"]), row["sort_name"]) for row in names):
        evidence[one, other][DuplicateReason.SIMILAR_NAME] = similarity
    pairs = [
        DuplicatePair(one, other, _score(reasons), tuple(reason for reason in WEIGHTS if reason in reasons))
        for (one, other), reasons in evidence.items()
    ]
    pairs.sort(key=_order)
    return pairs


def _sharing(points: Iterable[dict[str, Any]]) -> Iterable[tuple[str, str, str]]:
    holders: dict[str, list[str]] = defaultdict(list)
    for row in points:
        holders[row["normalized"]].append(str(row["customer_id"]))
    for value, keys in holders.items():
        for one, other in combinations(sorted(keys), 2):
            yield one, other, value


def _score(reasons: dict[DuplicateReason, float]) -> int:
    """100 less the chance that all evidence is accidental."""
    doubt = 1.0
    for reason, strength in reasons.items():
        doubt *= 1 - WEIGHTS[reason] / 100 * strength / 100
    return min(99, round(100 * (1 - doubt)))


def _order(pair: DuplicatePair) -> tuple[int, str, str]:
    return -pair.score, pair.one, pair.other


def _opened(cursor: str) -> tuple[int, str, str]:
    try:
        list_, score, one, other = orjson.loads(base64.b64decode(cursor, altchars=b"-_", validate=True))
        if list_ == "duplicates" and isinstance(one, str) and isinstance(other, str):
            return int(score), one, other
    except (ValueError, TypeError, binascii.Error):
        pass
    raise CrmError(
        ErrorCode.BAD_INPUT,
        "The cursor does not belong to the list of duplicates.",
        path=("after",),
        hint="Pass an endCursor of the same list, unchanged.",
    )
