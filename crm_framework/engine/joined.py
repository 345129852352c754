"""Records that SQLite reads with those that they hang on: the one of each, or the first of a list.

A statement for them alone would have to be told all keys, would find each parent anew, and takes what is done
for a level. On PostgreSQL see `whole`.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from .asking import asked_at_once
from .connections import Connected, PagePart
from .layouts import Layout
from .listings import Asked, Choice, Statement, choice_of
from .objects import records_of
from .pages import Chunk, chunk_of
from .plans import PlannedField, Reading, Selection
from .relations import One
from .rows import Joined, Level
from .sql import TRUE, Fragment, all_of
from .trace import IN_ABOVE, Step

if TYPE_CHECKING:
    from .run import Run


def joinable(selection: Selection) -> Sequence[PlannedField]:
    """The fields of a selection that can be read with its records."""
    if selection.joined is None:
        selection.joined = () if selection.repeats else tuple(filter(_joins, selection.filled))
    return selection.joined


def _joins(field: PlannedField) -> bool:
    if isinstance(field.declaration, One):
        return True
    declaration = field.declaration
    if not isinstance(declaration, Connected) or declaration.key is None or declaration.parent != "id":
        return False
    if declaration.narrow is not None:  # a function of somebody's: it is called once
        return False
    parts = [part.declaration for part in field.selection.fields if part.kind != "typename"]
    return bool(parts) and all(isinstance(part, PagePart) and part.part == "nodes" for part in parts)


async def read_joined(
    run: "Run", fields: Sequence[PlannedField], layout: Layout, reading: Reading, asked: Asked
) -> tuple[Chunk, Joined, int] | None:
    """The page of a root list with these fields' records, and where in its rows the values for cursors begin;
    `None` where it has to be read level by level.
    """
    context = run.context
    chosen = choice_of(context, asked, peek=reading.peek)
    joins: list[tuple[PlannedField, Layout, Choice]] = []
    for field in fields:
        try:
            one = _choice(run, field, asked)
        except Exception:
            continue  # it is the field's own error
        if one is not None:
            inner = field.reading.layout
            assert inner is not None  # or it would not join
            joins.append((field, inner, one))
    if not joins or context.rows_read + chosen.limit * (1 + len(joins)) > context.limits.max_rows:
        return None
    begins: dict[PlannedField, int] = {}
    width = layout.width
    for field, inner, _ in joins:
        begins[field] = width
        width += inner.width
    sql, args = chosen.statement(_statement, layout, joins, reading, asked.bounds)
    bounded = chosen.bounded and all(one.bounded for _, _, one in joins)
    try:
        rows = await context.read(sql, args, bounded=bounded)
    except Exception as error:
        if context.translate(error) is not None:
            raise  # the database is away, or takes too long: so it would for each level
        return None  # a table without numbers of rows, or a field's own failure: found out where it is alone
    chunk = chunk_of(rows, asked.window)
    there = sum(len(chunk.rows) - [row[at] for row in chunk.rows].count(None) for at in begins.values())
    context.admit(len(rows) + there)
    for field, inner, _ in joins:
        if isinstance(field.declaration, One) and field.declaration.otherwise is not None:
            chunk = Chunk(_filled_up(chunk.rows, field.declaration, inner, begins[field]), chunk.more)
    return chunk, begins, width


def _filled_up(rows: Sequence[Any], declaration: One, inner: Layout, begin: int) -> Sequence[Any]:
    """The rows with what stands for the records that are not there."""
    end = begin + inner.width
    return [
        row if row[begin] is not None else (*row[:begin], *declaration.missing(inner, row[0]), *row[end:])
        for row in rows
    ]


async def filled_within(run: "Run", level: Level) -> list[Sequence[Any]]:
    """What the records that were read with a level's rows lead to in turn: a list for each field of theirs
    that is filled, with a value for each row.
    """
    found: list[Sequence[Any]] = []
    trace = run.context.trace
    for field, begin in level.joined.items():
        if trace is None:
            found += await _filled(run, field, begin, level.values)
            continue
        with trace.step(Step(field.place, field.title, field.kind, len(level.values), IN_ABOVE)):
            found += await _filled(run, field, begin, level.values)
    return found


async def _filled(
    run: "Run", field: PlannedField, begin: int, rows: Sequence[Any]
) -> Sequence[Sequence[Any]]:
    selections = [part.selection for part in records_of(field)]
    if not any(selection.filled for selection in selections):
        return ()
    layout = field.reading.layout
    assert layout is not None  # or it would not be joined
    end = begin + layout.width
    level = run.level(layout, [row[begin:end] for row in rows if row[begin] is not None])
    found: list[Sequence[Any]] = []
    for selection in selections:
        columns = await run.fill(selection, level) if level.values else [() for _ in selection.filled]
        for values in map(iter, columns):
            found.append([None if row[begin] is None else next(values) for row in rows])
    return found


def _choice(run: "Run", field: PlannedField, above: Asked) -> Choice | None:
    asked = asked_at_once(run, field)
    if asked.window.limit != 1 or asked.window.backward:
        return None
    parent = above.listing.source
    return choice_of(run.context, asked, peek=False, parent=parent, named=f"x.{parent.key}")


def _statement(
    chosen: Choice,
    layout: Layout,
    joins: Sequence[tuple[PlannedField, Layout, Choice]],
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
    for number, (_, inner, one) in enumerate(joins):
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
