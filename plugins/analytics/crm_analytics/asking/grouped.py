"""One statement over kept rows, for everything together or for each group."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from crm_framework import CrmError, ErrorCode, Fragment

from .members import customers
from .question import Dimension, Grouping, Question, customers_in

TRUE = Fragment("1 = 1")


@dataclass(frozen=True)
class Source:
    """A table, or a query in brackets, that calls itself `f`, and a condition on it."""

    table: Fragment
    where: Fragment = TRUE


async def rows(
    asked: Question,
    grouping: Grouping | None,
    numbers: str,
    source: Source,
    *,
    keys: Sequence[str] = (),
    time: str | None = None,
    channel: str | None = None,
) -> list[tuple[Any, ...]]:
    """Rows of (group, *keys, *numbers) over `source`, whose rows belong to `f.customer_id`. `numbers` are
    aggregates, or empty for the different keys.

    Of PERIOD, which the caller makes of days, the group is the expression `time`; `channel` is that of the
    channel. BAD_INPUT where there is none.
    """
    if grouping is None:
        return await _select(asked, Fragment("''"), Fragment(""), numbers, source, keys)
    if grouping.by is Dimension.PERIOD:
        return await _select(asked, Fragment(_given(time, grouping)), Fragment(""), numbers, source, keys)
    if grouping.by is Dimension.CHANNEL:
        return await _select(asked, Fragment(_given(channel, grouping)), Fragment(""), numbers, source, keys)
    if grouping.by in _OF_CUSTOMERS:
        value, join = _of_customers(asked, grouping)
        return await _select(asked, Fragment(value), Fragment(join), numbers, source, keys)
    return await _each(asked, grouping, numbers, source, keys)


async def with_whole(
    asked: Question, grouping: Grouping, numbers: Sequence[str], source: Source
) -> tuple[tuple[Any, ...], list[tuple[Any, ...]]]:
    """The numbers of everything together, and rows of (group, *numbers), of groups of customers: in one
    statement that passes over `source` once. They are sums and counts. Of nothing, sums may be None.
    """
    if grouping.conditions and asked.reader.dialect == "sqlite":
        return await _at_once(asked, grouping, numbers, source)
    about, columns = asked.about("f.customer_id"), ", ".join(numbers)
    parts = [Fragment(f"SELECT 0, '', {columns} FROM f")]
    if grouping.by in _OF_CUSTOMERS:
        value, join = _of_customers(asked, grouping)
        parts.append(Fragment(f"SELECT 1, {value}, {columns} FROM f {join} GROUP BY 2"))
    elif grouping.conditions:
        members = [customers_in("f.customer_id", where) for _, where in grouping.conditions]
        parts += [
            Fragment(f"SELECT {place}, '', {columns} FROM f WHERE {one.sql}", one.args)
            for place, one in enumerate(members, 1)
        ]
    else:
        raise unsuited(grouping)
    once = f"SELECT f.* FROM {source.table.sql} WHERE ({source.where.sql}) AND {about.sql}"
    found = await asked.reader.rows(
        f"WITH f AS MATERIALIZED ({once}) {' UNION ALL '.join(part.sql for part in parts)}",
        [
            *(*source.table.args, *source.where.args, *about.args),
            *(arg for part in parts for arg in part.args),
        ],
    )
    groups = [
        (grouping.conditions[place - 1][0] if grouping.conditions else group, *row)
        for place, group, *row in found
        if place
    ]
    return next(tuple(row) for place, _, *row in found if not place), groups


async def _at_once(
    asked: Question, grouping: Grouping, numbers: Sequence[str], source: Source
) -> tuple[tuple[Any, ...], list[tuple[Any, ...]]]:
    """As `with_whole`, with each customer looked at once for all groups: SQLite does not join by hashes, and
    would sort the members of every group."""
    belongs = " + ".join(
        f"CASE WHEN {where.sql} THEN {1 << place} ELSE 0 END"
        for place, (_, where) in enumerate(grouping.conditions)
    )
    everybody = customers([where for _, where in grouping.conditions])
    about = asked.about("f.customer_id")
    found = await asked.reader.rows(
        # the limit keeps the inner query apart: else all that conditions look at is sorted with the rows
        f"SELECT f.belongs, {', '.join(numbers)} FROM (SELECT {belongs} AS belongs, f.*"
        f" FROM {source.table.sql} JOIN {everybody}"
        f" WHERE t.id = f.customer_id AND ({source.where.sql}) AND {about.sql} LIMIT -1) AS f GROUP BY 1",
        [
            *(arg for _, where in grouping.conditions for arg in where.args),
            *(*source.table.args, *source.where.args, *about.args),
        ],
    )

    def summed(rows: Sequence[Sequence[Any]]) -> tuple[Any, ...]:
        return tuple(sum(row[place] or 0 for row in rows) for place in range(1, len(numbers) + 1))

    groups = [
        (label, *summed([row for row in found if row[0] >> place & 1]))
        for place, (label, _) in enumerate(grouping.conditions)
    ]
    return summed(found), groups


_OF_CUSTOMERS = (Dimension.TAG, Dimension.ATTRIBUTE)


def _of_customers(asked: Question, grouping: Grouping) -> tuple[str, str]:
    """The value that customers are grouped by, and the join that has it."""
    if grouping.by is Dimension.TAG:
        return "g.tag", "JOIN crm_customer_tag AS g ON g.customer_id = f.customer_id"
    join = "JOIN crm_customer AS c ON c.id = f.customer_id LEFT JOIN "
    return _VALUE[asked.reader.dialect], join + _VALUES[asked.reader.dialect].format(grouping.attribute)


_VALUE = {
    "sqlite": "CASE WHEN g.type IN ('true', 'false') THEN g.type ELSE CAST(g.value AS TEXT) END",
    "postgres": "g.value",
}
_VALUES = {
    "sqlite": "json_each(c.attributes, '$.{0}') AS g ON 1 = 1",
    "postgres": (
        "LATERAL jsonb_array_elements_text(CASE jsonb_typeof(c.attributes -> '{0}') WHEN 'array' THEN"
        " c.attributes -> '{0}' ELSE jsonb_build_array(c.attributes -> '{0}') END) AS g (value) ON TRUE"
    ),
}
"""A row for the value of an attribute, for each choice of several, and for none."""


def unsuited(grouping: Grouping) -> CrmError:
    return CrmError(
        ErrorCode.BAD_INPUT,
        f"This metric cannot be broken down by {grouping.by.value}.",
        path=("groupBy", "by"),
        hint="Choose another dimension.",
    )


def _given(expression: str | None, grouping: Grouping) -> str:
    if expression is None:
        raise unsuited(grouping)
    return expression


async def _select(
    asked: Question, group: Fragment, join: Fragment, numbers: str, source: Source, keys: Sequence[str]
) -> list[tuple[Any, ...]]:
    statement = _statement(asked, group, join, numbers, source, keys)
    return [tuple(row) for row in await asked.reader.rows(statement.sql, statement.args)]


def _statement(
    asked: Question, group: Fragment, join: Fragment, numbers: str, source: Source, keys: Sequence[str]
) -> Fragment:
    about = asked.about("f.customer_id")
    columns = ", ".join([f"{group.sql} AS grp", *keys, *([numbers] if numbers else [])])
    by = ", ".join(str(place + 1) for place in range(1 + len(keys)))
    sql = (
        f"SELECT {columns} FROM {source.table.sql} {join.sql}"
        f" WHERE ({source.where.sql}) AND {about.sql} GROUP BY {by}"
    )
    return Fragment(sql, (*group.args, *source.table.args, *join.args, *source.where.args, *about.args))


async def _each(
    asked: Question, grouping: Grouping, numbers: str, source: Source, keys: Sequence[str]
) -> list[tuple[Any, ...]]:
    parts = []
    for place, (_, where) in enumerate(grouping.conditions):
        members = customers_in("f.customer_id", where)
        within = Fragment(f"({source.where.sql}) AND {members.sql}", (*source.where.args, *members.args))
        narrowed = Source(source.table, within)
        parts.append(_statement(asked, Fragment(str(place)), Fragment(""), numbers, narrowed, keys))
    sql = " UNION ALL ".join(part.sql for part in parts)
    args = [arg for part in parts for arg in part.args]
    found = await asked.reader.rows(sql, args)
    return [(grouping.conditions[int(row[0])][0], *row[1:]) for row in found]
