"""How many customers have each three scores of RFM: one pass over them, along an index.

Where the fifths end was looked at within the last minute. So all are counted by that first, which tells how
many are below each of these bounds, and so how far the bounds moved since; then the few between are counted
anew.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from crm_analytics.metrics.rfm import Bounds, ranks
from crm_analytics.rollups.quintiles import COLUMNS, MEASURES, bounds_of
from crm_framework import Fragment

from .grouped import TRUE
from .question import Question

Scores = tuple[int, int, int]
"""Recency, frequency, monetary value, 1 to 5."""
MOST_BETWEEN = 5_000
"""So many customers are counted anew one by one, more by another pass over all."""

_CURRENCIES = (
    "WITH RECURSIVE c (currency) AS (SELECT MIN(currency) FROM analytics_customer UNION ALL"
    " SELECT (SELECT MIN(f.currency) FROM analytics_customer AS f WHERE f.currency > c.currency) FROM c"
    " WHERE c.currency IS NOT NULL) SELECT currency FROM c WHERE currency IS NOT NULL ORDER BY currency"
)
"""From one to the next along the index, however many customers each has."""


async def counted_by_scores(asked: Question) -> Mapping[str, Counter[Scores]]:
    """By currency. The scores are those of everybody; a filter chooses who is counted."""
    currencies = [row[0] for row in await asked.reader.rows(_CURRENCIES)]
    if asked.where is not None:
        return {currency: await _exactly(asked, currency) for currency in currencies}
    rows = await asked.reader.rows(f"SELECT currency, {', '.join(COLUMNS)} FROM analytics_quintile")
    looked_at = {row[0]: list(row[1:]) for row in rows}
    return {
        currency: await _from(looked_at[currency], asked, currency)
        if currency in looked_at
        else await _exactly(asked, currency)
        for currency in currencies
    }


async def _exactly(asked: Question, currency: str) -> Counter[Scores]:
    rows = await asked.reader.rows("SELECT COUNT(*) FROM analytics_customer WHERE currency = ?", [currency])
    return await _pass(asked, currency, await bounds_of(currency, int(rows[0][0]), asked.reader))


async def _from(earlier: list[Any], asked: Question, currency: str) -> Counter[Scores]:
    """By the bounds of now, of which those of `earlier` are near."""
    found = await _pass(asked, currency, earlier)
    if not found:
        return found
    bounds = await _moved(asked, currency, earlier, found)
    columns = ", ".join(("customer_id", *MEASURES.values()))
    between = [
        Fragment(
            f"SELECT {columns} FROM analytics_customer WHERE currency = ? AND {column} > ? AND {column} <= ?",
            (currency, min(old, new), max(old, new)),
        )
        for column, old, new in zip(_OF_COLUMNS, earlier, bounds, strict=True)
        if old != new
    ]
    if not between:
        return found
    rows = await asked.reader.rows(
        f"{' UNION '.join(one.sql for one in between)} LIMIT {MOST_BETWEEN}",
        [arg for one in between for arg in one.args],
    )
    if len(rows) == MOST_BETWEEN:
        return await _pass(asked, currency, bounds)
    old, new = _by_measure(earlier), _by_measure(bounds)
    for _, *values in rows:
        found[_scores(old, values)] -= 1
        found[_scores(new, values)] += 1
    return found


_OF_COLUMNS = [column for column in MEASURES.values() for _ in range(4)]
"""Of which column each bound is."""


def _by_measure(bounds: Sequence[Any]) -> list[Bounds]:
    return [Bounds(tuple(bounds[place : place + 4])) for place in range(0, len(bounds), 4)]


def _scores(bounds: Sequence[Bounds], values: Sequence[Any]) -> Scores:
    recency, frequency, monetary = (one.score(value) for one, value in zip(bounds, values, strict=True))
    return recency, frequency, monetary


async def _moved(asked: Question, currency: str, earlier: Sequence[Any], found: Counter[Scores]) -> list[Any]:
    """The bounds of those who were counted: a few steps along the indexes from those they were counted by."""
    places = []
    for number, (column, rank) in enumerate(
        zip(_OF_COLUMNS, [*ranks(found.total())] * len(MEASURES), strict=True)
    ):
        measure, fifth = divmod(number, 4)
        below = sum(count for scores, count in found.items() if scores[measure] <= fifth + 1)
        side, order, steps = (">", "ASC", rank - below) if below <= rank else ("<=", "DESC", below - 1 - rank)
        places.append(
            f"(SELECT {column} FROM analytics_customer WHERE currency = ? AND {column} {side} ?"
            f" ORDER BY {column} {order} LIMIT 1 OFFSET {steps})"
        )
    named = ", ".join(f"{place} AS {name}" for place, name in zip(places, COLUMNS, strict=True))
    rows = await asked.reader.rows(f"SELECT {named}", [arg for bound in earlier for arg in (currency, bound)])
    # who left since the pass may have been the last one there
    return [old if new is None else new for old, new in zip(earlier, rows[0], strict=True)]


async def _pass(asked: Question, currency: str, bounds: Sequence[Any]) -> Counter[Scores]:
    about = asked.about("f.customer_id")
    if asked.reader.dialect == "postgres":
        scored = _number(bounds, 0)
        rows = await asked.reader.rows(
            f"SELECT {scored.sql}, COUNT(*) FROM analytics_customer AS f"
            f" WHERE f.currency = ? AND {about.sql} GROUP BY 1",
            [*scored.args, currency, *about.args],
        )
        return Counter({_digits(int(cell)): int(number) for cell, number in rows})
    # SQLite would sort all of them to group them: a text with a character for each takes half as long
    scored = _number(bounds, 1)
    parts = [
        Fragment(
            f"SELECT {place}, GROUP_CONCAT(CHAR({_FIRST} + {scored.sql}), '') FROM analytics_customer AS f"
            f" WHERE f.currency = ? AND {within.sql} AND {about.sql}",
            (*scored.args, currency, *within.args, *about.args),
        )
        for place, within in enumerate(_fifths(bounds))
    ]
    rows = await asked.reader.rows(
        " UNION ALL ".join(part.sql for part in parts), [arg for part in parts for arg in part.args]
    )
    return Counter(
        {
            _digits(25 * recency + ord(cell) - _FIRST): number
            for recency, cells in rows
            for cell, number in Counter(cells or "").items()
        }
    )


_FIRST = ord("0")


def _fifths(bounds: Sequence[Any]) -> list[Fragment]:
    """The conditions of each score of recency, which lie one after the other in the index."""
    column = f"f.{_OF_COLUMNS[0]}"
    above = [TRUE, *(Fragment(f"{column} > ?", (bound,)) for bound in bounds[:4])]
    below = [*(Fragment(f"{column} <= ?", (bound,)) for bound in bounds[:4]), TRUE]
    return [
        Fragment(f"{low.sql} AND {high.sql}", (*low.args, *high.args))
        for low, high in zip(above, below, strict=True)
    ]


def _number(bounds: Sequence[Any], since: int) -> Fragment:
    """A number whose digits to the base of 5 are the scores of the measures from `since` on, from 0."""
    sql = "0"
    args: list[Any] = []
    for place, column in list(enumerate(MEASURES.values()))[since:]:
        one, two, three, four = bounds[4 * place : 4 * place + 4]
        more = f"f.{column} > ?"
        digit = (
            f"CASE WHEN {more} THEN CASE WHEN {more} THEN CASE WHEN {more} THEN 4 ELSE 3 END ELSE 2 END"
            f" ELSE CASE WHEN {more} THEN 1 ELSE 0 END END"
        )
        sql = f"(5 * {sql} + {digit})" if args else digit
        args += [two, three, four, one]
    return Fragment(sql, tuple(args))


def _digits(number: int) -> Scores:
    return number // 25 + 1, number // 5 % 5 + 1, number % 5 + 1
