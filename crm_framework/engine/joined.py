"""Records that SQLite reads with those that they hang on: the one of each, or the first of a list.

A statement for them alone would have to be told all keys, would find each parent anew, and takes what is done
for a level. On PostgreSQL see `whole`.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import TYPE_CHECKING, Any, NamedTuple

from .hanging import Hung, hung_by, made_of
from .layouts import Layout
from .listings import Asked, Choice, Statement, choice_of
from .objects import records_of
from .pages import Chunk, chunk_of
from .plans import PlannedField, Reading, Selection
from .relations import One
from .rows import Joined, Level, Place
from .sql import TRUE, Fragment, all_of
from .trace import IN_ABOVE, Step

if TYPE_CHECKING:
    from .run import Run


class Join(NamedTuple):
    """The record of one field: where it begins in a row, and what tells whether there is one."""

    field: PlannedField
    layout: Layout
    choice: Choice
    begin: int
    key: Callable[[Any], Any]


@dataclass(eq=False, slots=True)
class Joins:
    """What is joined to a page's rows, which are then `width` values until those for cursors."""

    each: Sequence[Join]
    places: Joined
    width: int
    bounded: bool


def joinable(selection: Selection) -> Sequence[Hung]:
    """The fields of a selection that can be read with its records."""
    if selection.joined is None:
        found = [] if selection.repeats else map(hung_by, selection.filled)
        selection.joined = tuple(one for one in found if one is not None)
    return selection.joined


async def read_joined(
    run: "Run", selection: Selection, layout: Layout, reading: Reading, asked: Asked
) -> tuple[Chunk, Joined, int] | None:
    """The page of a root list with the records of fields, and where in its rows the values for cursors begin;
    `None` where it has to be read level by level.
    """
    context, hung = run.context, joinable(selection)
    if not hung:
        return None
    chosen = choice_of(context, asked, peek=reading.peek)
    joins = made_of(run, selection, f"x.{asked.listing.source.key}", hung, _joins, hung, layout)
    if not joins.each or context.rows_read + chosen.limit * (1 + len(joins.each)) > context.limits.max_rows:
        return None
    sql, args = chosen.statement(_statement, layout, joins, reading, asked.bounds)
    try:
        rows = await context.read(sql, args, bounded=chosen.bounded and joins.bounded)
    except Exception as error:
        if context.translate(error) is not None:
            raise  # the database is away, or takes too long: so it would for each level
        return None  # a table without numbers of rows, or a field's own failure: found out where it is alone
    chunk = chunk_of(rows, asked.window)
    there = 0
    for one in joins.each:
        missing = [*map(one.key, chunk.rows)].count(None)
        there += len(chunk.rows) - missing
        declaration = one.field.declaration
        if missing and isinstance(declaration, One) and declaration.otherwise is not None:
            chunk = Chunk(_filled_up(chunk.rows, declaration, one), chunk.more)
    context.admit(len(rows) + there)
    return chunk, joins.places, joins.width


def _joins(choices: Sequence[Choice | None], hung: Sequence[Hung], layout: Layout) -> Joins:
    """Those of which there is one record of each parent; all others have to be read by themselves."""
    found: list[Join] = []
    width = layout.width
    for one, choice in zip(hung, choices, strict=True):
        inner = one.field.reading.layout
        if choice is not None and choice.limit == 1 and inner is not None:
            found.append(Join(one.field, inner, choice, width, itemgetter(width)))
            width += inner.width
    places = {join.field: Place(join.begin, _leads_on(join.field)) for join in found}
    return Joins(found, places, width, all(join.choice.bounded for join in found))


def _leads_on(field: PlannedField) -> bool:
    return any(part.selection.filled for part in records_of(field))


def _filled_up(rows: Sequence[Any], declaration: One, join: Join) -> Sequence[Any]:
    """The rows with what stands for the records that are not there."""
    begin, end = join.begin, join.begin + join.layout.width
    return [
        row
        if row[begin] is not None
        else (*row[:begin], *declaration.missing(join.layout, row[0]), *row[end:])
        for row in rows
    ]


async def filled_within(run: "Run", level: Level) -> list[Sequence[Any]]:
    """What the records that were read with a level's rows lead to in turn: a list for each field of theirs
    that is filled, with a value for each row.
    """
    found: list[Sequence[Any]] = []
    trace = run.context.trace
    for field, place in level.joined.items():
        if trace is not None:
            with trace.step(Step(field.place, field.title, field.kind, len(level.values), IN_ABOVE)):
                found += await _filled(run, field, place, level.values)
        elif place.leads_on:
            found += await _filled(run, field, place, level.values)
    return found


async def _filled(
    run: "Run", field: PlannedField, place: Place, rows: Sequence[Any]
) -> Sequence[Sequence[Any]]:
    layout, begin = field.reading.layout, place.begin
    if layout is None or not place.leads_on:
        return ()
    end = begin + layout.width
    level = run.level(layout, [row[begin:end] for row in rows if row[begin] is not None])
    found: list[Sequence[Any]] = []
    for part in records_of(field):
        columns = (
            await run.fill(part.selection, level) if level.values else [() for _ in part.selection.filled]
        )
        for values in map(iter, columns):
            found.append([None if row[begin] is None else next(values) for row in rows])
    return found


def _statement(
    chosen: Choice,
    layout: Layout,
    joins: Joins,
    reading: Reading,
    bounds: Sequence[Fragment],
) -> Statement:
    source, ordering = chosen.listing.source, chosen.ordering
    rows = (
        f"SELECT {layout.selected['sqlite']}{ordering.select('sqlite')} FROM {source.table} AS t"
        f" WHERE {chosen.condition.sql}"
    )
    shown, args, order = [layout.outer], [*chosen.condition.args], ordering.outer_clause("sqlite")
    along = _comes_in_order(chosen, bounds)
    if along:
        order += " LIMIT ?"
    else:
        rows += f" {ordering.clause('sqlite')} LIMIT ?"
        args.append(chosen.limit)
    parts = [f"({rows}) AS x"]
    for number, (_, inner, one, _, _) in enumerate(joins.each):
        shown += [f"j{number}.{column} AS _j{number}_{column}" for column in inner.columns]
        of = inner.source
        condition = all_of([one.condition, one.reach])
        args += condition.args
        if one.listing.key == of.key and condition is TRUE:
            parts.append(f"{of.table} AS j{number} ON j{number}.{of.key} = x.{source.key}")
            continue
        parts.append(
            f"{of.table} AS j{number} ON j{number}.{of.row_number} = (SELECT t.{of.row_number}"
            f" FROM {of.table} AS t WHERE t.{one.listing.key} = x.{source.key} AND ({condition.sql})"
            f" {one.ordering.clause('sqlite')} LIMIT 1)"
        )
    if along:
        args.append(chosen.limit)
    columns = f"{', '.join(shown)}{ordering.outer(reading.places)}"
    return f"SELECT {columns} FROM {' LEFT JOIN '.join(parts)} {order}", tuple(args)


def _comes_in_order(chosen: Choice, bounds: Sequence[Fragment]) -> bool:
    """Whether an index most likely gives the page's rows in their order, so that they can be joined as they
    come: those of all that everybody sees, by columns.

    Where SQLite has to sort, it would join all rows first, and not only those of the page.
    """
    of_cursors = sum(len(bound.args) for bound in bounds)
    computed = any(term.computed for term in chosen.ordering.terms)
    return chosen.bounded and len(chosen.condition.args) == of_cursors and not computed
