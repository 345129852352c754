"""Reading rows by keys, by a condition, or grouped by parent: one statement each."""

import re
from collections.abc import Iterable, Sequence
from decimal import Decimal
from enum import Enum
from typing import Any, TypeVar, cast

from strawberry.types.info import Info

from .context import Context
from .declarations import Source, require_source
from .info import FieldInfo
from .layouts import Layout
from .rows import Level, Row
from .sql import TRUE, Dialect, Fragment, all_of, among, name

T = TypeVar("T")

GROUP = "_parent"


async def load(
    info: Info | Context,
    type_: type[T],
    keys: Sequence[str | None],
    *,
    columns: Sequence[str] | None = None,
) -> list[T | None]:
    """The records of these keys, in their order; `None` where there is none, or none that the actor may see.

    One statement, whatever the number of keys; a key given twice gives the same row twice. `columns` names
    what the caller itself will look at, besides what the operation selects; all columns, if left out.
    """
    source = require_source(type_)
    context = context_of(info)
    wanted = [key for key in dict.fromkeys(keys) if key is not None]
    if not wanted:
        return [None for _ in keys]
    layout = layout_for(info, source, columns)
    level = Level(context, source.type, layout, await rows_by_key(context, layout, wanted))
    read = level.readers["id"]
    found: dict[Any, Row] = {str(read(row._values)): row for row in level.rows}
    return cast("list[T | None]", [found.get(str(key)) for key in keys])


async def load_where(
    info: Info | Context,
    type_: type[T],
    where: Fragment,
    *,
    order: Sequence[str] = (),
    limit: int | None = None,
    columns: Sequence[str] | None = None,
) -> list[T]:
    """The records that a condition on the table `t` selects. `order` names columns, `-` before one for
    descending. `columns` as for `load`.
    """
    source = require_source(type_)
    context = context_of(info)
    layout = layout_for(info, source, columns)
    tail = order_by(source, order, context.reader.dialect)
    arguments: tuple[Any, ...] = ()
    if limit is not None:
        tail, arguments = f"{tail} LIMIT ?", (limit,)
    raws = await fetch(context, layout, where, tail, arguments)
    return cast("list[T]", Level(context, source.type, layout, raws).rows)


async def load_groups(
    info: Info | Context,
    type_: type[T],
    column: str,
    keys: Sequence[str | None],
    *,
    order: Sequence[str] = (),
    where: Fragment | None = None,
    columns: Sequence[str] | None = None,
) -> list[list[T]]:
    """For each key all records whose `column` holds it, in one statement; empty where there is none.
    `columns` as for `load`.
    """
    source = require_source(type_)
    context = context_of(info)
    wanted = [key for key in dict.fromkeys(keys) if key is not None]
    groups: dict[str, list[Any]] = {str(key): [] for key in wanted}
    if wanted:
        layout = layout_for(info, source, columns)
        raws = await rows_by_parent(context, layout, name(column), wanted, order, where)
        for row in Level(context, source.type, layout, raws).rows:
            groups[str(row._values[layout.width])].append(row)
    return [groups.get(str(key), []) for key in keys]


async def rows_by_key(context: Context, layout: Layout, keys: Sequence[str]) -> Sequence[Any]:
    """The rows of these keys, each once, in no order."""
    written = _written(context, layout, keys)
    if written is not None:
        context.admit(len(written))
        return written
    sql, args = statement_by_key(context, layout, keys)
    rows = await context.read(sql, args, bounded=len(keys) <= MOST_BOUNDED)
    context.admit(len(rows))
    return rows


def statement_by_key(context: Context, layout: Layout, keys: Sequence[str]) -> tuple[str, tuple[object, ...]]:
    """What reads the rows of these keys that the actor may see, and its arguments."""
    source, dialect = layout.source, context.reader.dialect
    args: tuple[object, ...]
    if len(keys) == 1:
        chosen, args = f"t.{source.key} = ?", (keys[0],)
    else:
        several = among(f"t.{source.key}", keys, dialect)
        chosen, args = several.sql, several.args
    restriction = context.restrict(source)
    # the text is the same for the same selection and restriction, and this is the most frequent statement
    text = (dialect, chosen, restriction.sql if restriction is not None else None)
    sql = layout.texts.get(text)
    if sql is None:
        if len(layout.texts) >= _MOST_TEXTS:
            layout.texts.clear()
        where = all_of([Fragment(chosen, args), source.visible, restriction])
        columns = layout.selected[dialect]
        sql = layout.texts[text] = f"SELECT {columns} FROM {source.table} AS t WHERE {where.sql}"
    return sql, args if restriction is None else (*args, *restriction.args)


_MOST_TEXTS = 32
_IS_NULL = re.compile(r"t\.(\w+) IS NULL")


def _written(context: Context, layout: Layout, keys: Sequence[str]) -> Sequence[Any] | None:
    """The same without a read, where the request has just written all of that itself."""
    source = layout.source
    found = []
    for key in keys:
        row = context.known(source.table, key)
        if row is None or not all(column in row for column in layout.columns):
            return None
        if source.where:
            empty = _IS_NULL.fullmatch(source.where)
            if empty is None or row.get(empty[1], "") is not None:
                return None  # whether it is there for the API, only the database can tell
        if not context.shows(source, row):
            return None
        found.append(tuple(row[column] for column in layout.columns))
    return found


async def rows_by_parent(
    context: Context,
    layout: Layout,
    column: str,
    keys: Sequence[str],
    order: Sequence[str],
    where: Fragment | None,
) -> Sequence[Any]:
    """The rows whose `column` holds one of these keys, in order; the key follows the layout's columns."""
    dialect = context.reader.dialect
    condition = all_of([among(f"t.{column}", keys, dialect), where])
    tail = order_by(layout.source, order, dialect)
    parent = f"t.{column}::text" if dialect == "postgres" else f"t.{column}"
    return await fetch(
        context, layout, condition, tail, extra=f", {parent} AS {GROUP}", bounded=len(keys) <= MOST_BOUNDED
    )


MOST_BOUNDED = 200
"""Up to how many keys a statement by key counts as short."""


async def fetch(
    context: Context,
    layout: Layout,
    where: Fragment,
    tail: str = "",
    arguments: tuple[Any, ...] = (),
    *,
    extra: str = "",
    bounded: bool = False,
) -> Sequence[Any]:
    """The rows of a layout under a condition."""
    source, dialect = layout.source, context.reader.dialect
    condition = all_of([where, visible(source, context)])
    columns = f"{layout.selected[dialect]}{extra}"
    statement = f"SELECT {columns} FROM {source.table} AS t WHERE {condition.sql} {tail}".rstrip()
    rows = await context.read(statement, (*condition.args, *arguments), bounded=bounded)
    context.admit(len(rows))
    return rows


def layout_for(info: Info | Context, source: Source, columns: Sequence[str] | None) -> Layout:
    """What to read of a source for a function: `columns` and what the operation selects of its result."""
    if columns is None or not isinstance(info, FieldInfo):
        return source.layout
    selected = info.wanted.get(source.type)
    if selected is None:
        return Layout(source, columns)
    if all(column in selected.places for column in columns):
        return selected
    return Layout(source, (*selected.attributes, *columns))


def visible(source: Source, context: Context) -> Fragment:
    """The condition for a record to exist as far as this request is concerned."""
    restriction = context.restrict(source)
    if source.visible is None:
        return restriction or TRUE
    return source.visible if restriction is None else all_of([source.visible, restriction])


def order_by(source: Source, order: Iterable[str], dialect: Dialect) -> str:
    """` ORDER BY` the columns, then the key. NULL is the largest value, and text goes by code points,
    everywhere.
    """
    terms: list[str] = []
    for column in order:
        descending = column.startswith("-")
        attribute = column.removeprefix("-")
        sql, kind = source.columns.get(attribute, (attribute, None))
        text = is_text(kind) and sql != source.key
        shown = f"t.{name(sql)}"
        if kind is Decimal and dialect == "sqlite":
            shown = f"CAST({shown} AS NUMERIC)"  # it keeps decimals as text
        terms.append(ordered(shown, dialect, descending=descending, text=text))
    if not {source.key, f"-{source.key}"} & set(order):
        terms.append(f"t.{source.key}")
    return " ORDER BY " + ", ".join(terms)


def is_text(kind: object) -> bool:
    """Whether columns of this kind hold texts: those of enumerations do, if their values are some."""
    if isinstance(kind, type) and issubclass(kind, Enum):
        return all(isinstance(member.value, str) for member in kind)
    return kind is str


def ordered(
    sql: str,
    dialect: Dialect,
    *,
    descending: bool,
    text: bool,
    nullable: bool = True,
    least_null: bool = False,
) -> str:
    """One term of `ORDER BY`, equal on both databases: PostgreSQL's own NULLs, which are the largest values,
    and SQLite's own text. With `least_null` they are the smallest, as they are SQLite's.
    """
    collation = ' COLLATE "C"' if text and dialect == "postgres" else ""
    nulls = ""
    if nullable and least_null is (dialect == "postgres"):  # otherwise than the database would
        nulls = " NULLS FIRST" if descending is not least_null else " NULLS LAST"
    return f"{sql}{collation}{' DESC' if descending else ''}{nulls}"


def context_of(info: Info | Context) -> Context:
    """The request's context, from what a resolver was given."""
    found = info if isinstance(info, Context) else info.context
    if not isinstance(found, Context):
        raise TypeError(f"the request's context is a {type(found).__name__}, not an engine Context")
    return found
