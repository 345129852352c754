"""Members of segments: a page for each of many conditions, all in one statement."""

from collections.abc import Callable, Sequence
from typing import Any

from crm_framework.engine.connections import Connection
from crm_framework.engine.context import Context
from crm_framework.engine.declarations import require_source
from crm_framework.engine.errors import RequestError
from crm_framework.engine.filters import FilterSpec, Found, compile_filter
from crm_framework.engine.keyset import Ordering
from crm_framework.engine.listings import Window, bounds_of
from crm_framework.engine.load import GROUP, visible
from crm_framework.engine.lookups import look_up
from crm_framework.engine.pages import Pages, chunk_of
from crm_framework.engine.rows import Level
from crm_framework.engine.sql import Dialect, Fragment, all_of, join
from crm_framework.errors import CrmError

from .customers import Customer

Compiled = Sequence[Fragment | RequestError | CrmError]


async def conditions_of(context: Context, spec: FilterSpec, stored: Sequence[Any]) -> Compiled:
    """What stored filters mean; what they rest on is looked up once for all of them.

    A `RequestError` for one that fits no more, say because its plugin is off; a `CrmError` for one of which
    nobody knows now whom it means.
    """
    found = await look_up(spec, stored, context)
    return [_compiled(spec, value, found, context.reader.dialect) for value in stored]


def _compiled(
    spec: FilterSpec, value: Any, found: Found, dialect: Dialect
) -> Fragment | RequestError | CrmError:
    try:
        return compile_filter(spec, value, dialect, found)
    except RequestError as error:
        return RequestError(error.code, f"the segment's filter does not fit any more: {error.message}")
    except CrmError as error:
        return error


def member_pages(
    context: Context, conditions: Compiled, ordering: Ordering, wanted: Window
) -> list[Connection[Customer] | None]:
    """A page of customers for each condition. Raises `RequestError` for a cursor that does not fit."""
    source, dialect = require_source(Customer), context.reader.dialect
    layout = source.layout
    directed = ordering.reversed() if wanted.backward else ordering
    bounds = bounds_of(ordering, source, wanted, dialect)

    async def load() -> Sequence[Any]:
        if len(conditions) * wanted.limit > context.limits.max_rows:
            raise RequestError("TOO_COMPLEX", "too many members of segments; ask for fewer at a time")
        columns = f"SELECT {layout.selected[dialect]}{directed.select(dialect)}"

        def members(index: int, condition: Fragment) -> Fragment:
            where = all_of([condition, visible(source, context), *bounds])
            return Fragment(
                f"{columns}, {index} AS {GROUP} FROM {source.table} AS t WHERE {where.sql}"
                f" {directed.clause(dialect)} LIMIT ?",
                (*where.args, wanted.limit + 1),
            )

        raws = await _union(context, conditions, members, directed.outer_clause(dialect))
        context.admit(len(raws))
        groups: list[list[Sequence[Any]]] = [[] for _ in conditions]
        for raw in raws:
            groups[raw[-1]].append(raw)
        level = Level(context, Customer, layout)
        return [
            chunk_of(group, wanted).content(ordering, wanted, layout, level)
            if isinstance(condition, Fragment)
            else condition
            for condition, group in zip(conditions, groups, strict=True)
        ]

    async def count() -> Sequence[Any]:
        return await count_members(context, conditions)

    pages: list[Any] = list(Pages(context, len(conditions), load, count).each)
    return pages


async def count_members(context: Context, conditions: Compiled) -> list[int | RequestError | CrmError]:
    """How many customers each condition holds for, in one statement."""
    source = require_source(Customer)

    def number(index: int, condition: Fragment) -> Fragment:
        where = all_of([condition, visible(source, context)])
        return Fragment(
            f"SELECT {index} AS {GROUP}, COUNT(*) AS n FROM {source.table} AS t WHERE {where.sql}", where.args
        )

    found = dict(await _union(context, conditions, number))
    return [
        found[index] if isinstance(condition, Fragment) else condition
        for index, condition in enumerate(conditions)
    ]


async def _union(
    context: Context,
    conditions: Compiled,
    select: Callable[[int, Fragment], Fragment],
    order: str | None = None,
) -> Sequence[Any]:
    parts = [
        select(index, condition)
        for index, condition in enumerate(conditions)
        if isinstance(condition, Fragment)
    ]
    if not parts:
        return []
    each = [
        Fragment(f"SELECT * FROM ({part.sql}) AS s{index}", part.args) for index, part in enumerate(parts)
    ]
    whole = join(" UNION ALL ", each)
    sql = whole.sql if order is None else f"SELECT * FROM ({whole.sql}) AS u {order}"
    return await context.read(sql, whole.args)
