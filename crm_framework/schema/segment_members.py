"""Members of segments: a page for each of many conditions, all in one statement."""

from collections.abc import Mapping, Sequence
from typing import Any

from crm_framework.engine.connections import Connection
from crm_framework.engine.context import Context
from crm_framework.engine.cursors import place, row_cursor
from crm_framework.engine.declarations import require_source
from crm_framework.engine.errors import RequestError
from crm_framework.engine.filters import FilterSpec, compile_filter
from crm_framework.engine.keyset import Ordering, beyond
from crm_framework.engine.load import GROUP, visible
from crm_framework.engine.pages import Content, Pages, Window
from crm_framework.engine.rows import Level
from crm_framework.engine.sql import Fragment, all_of, join

from .customers import Customer
from .segment_conditions import Known, named_segments, replaced

Compiled = Sequence[Fragment | RequestError]


async def conditions_of(context: Context, spec: FilterSpec, stored: Sequence[Any]) -> Compiled:
    """What stored filters mean; an error for one that fits no more, say because its plugin is off."""
    known = await named_segments(context, list(stored))
    return [_compiled(spec, value, known, context) for value in stored]


def _compiled(spec: FilterSpec, value: Any, known: Known, context: Context) -> Fragment | RequestError:
    try:
        return compile_filter(spec, replaced(value, known), context.reader.dialect)
    except RequestError as error:
        return RequestError(error.code, f"the segment's filter does not fit any more: {error.message}")


def member_pages(
    context: Context, conditions: Compiled, ordering: Ordering, wanted: Window
) -> list[Connection[Customer] | None]:
    """A page of customers for each condition. Raises `RequestError` for a cursor that does not fit."""
    source, dialect = require_source(Customer), context.reader.dialect
    directed = ordering.reversed() if wanted.backward else ordering
    bounds = [
        beyond(terms, place(ordering, cursor, argument, dialect, source.key_type), dialect)
        for terms, cursor, argument in (
            (ordering.terms, wanted.after, "after"),
            (ordering.reversed().terms, wanted.before, "before"),
        )
        if cursor is not None
    ]

    async def load() -> Sequence[Any]:
        if len(conditions) * wanted.limit > context.limits.max_rows:
            raise RequestError("TOO_COMPLEX", "too many members of segments; ask for fewer at a time")
        columns = f"SELECT {source.select}{directed.select(dialect)}"
        raws = await _union(
            context,
            conditions,
            lambda index, condition: join(
                " ",
                [
                    Fragment(f"{columns}, {index} AS {GROUP} FROM {source.table} AS t WHERE"),
                    all_of([condition, visible(source, context), *bounds]),
                    directed.clause(dialect),
                    Fragment("LIMIT ?", (wanted.limit + 1,)),
                ],
            ),
            Fragment(f"{directed.outer_clause(dialect).sql}"),
        )
        context.admit(len(raws))
        groups: list[list[Mapping[str, Any]]] = [[] for _ in conditions]
        for raw in raws:
            groups[raw[GROUP]].append(raw)
        level = Level(context, Customer, source)
        return [
            condition if isinstance(condition, RequestError) else _content(ordering, wanted, group, level)
            for condition, group in zip(conditions, groups, strict=True)
        ]

    async def count() -> Sequence[Any]:
        return await count_members(context, conditions)

    pages: list[Any] = list(Pages(context, len(conditions), load, count).each)
    return pages


async def count_members(context: Context, conditions: Compiled) -> list[int | RequestError]:
    """How many customers each condition holds for, in one statement."""
    source = require_source(Customer)
    raws = await _union(
        context,
        conditions,
        lambda index, condition: join(
            " ",
            [
                Fragment(f"SELECT {index} AS {GROUP}, COUNT(*) AS n FROM {source.table} AS t WHERE"),
                all_of([condition, visible(source, context)]),
            ],
        ),
    )
    found = {raw[GROUP]: raw["n"] for raw in raws}
    return [
        condition if isinstance(condition, RequestError) else found[index]
        for index, condition in enumerate(conditions)
    ]


async def _union(
    context: Context, conditions: Compiled, select: Any, order: Fragment | None = None
) -> list[dict[str, Any]]:
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
    if order is not None:
        whole = Fragment(f"SELECT * FROM ({whole.sql}) AS u {order.sql}", whole.args)
    return await context.reader.fetch(whole.sql, whole.args)


def _content(ordering: Ordering, wanted: Window, raws: Sequence[Mapping[str, Any]], level: Level) -> Content:
    more = len(raws) > wanted.limit
    kept = raws[: wanted.limit]
    if wanted.backward:
        kept = kept[::-1]
    return Content(
        [level.add(raw) for raw in kept],
        lambda index: row_cursor(ordering, kept[index]),
        has_next=wanted.before is not None or (more and not wanted.backward),
        has_previous=wanted.after is not None or (more and wanted.backward),
    )
