"""Reading rows by keys, by a condition, or grouped by parent: one statement each."""

from collections.abc import Iterable, Sequence
from typing import Any, TypeVar, cast

from strawberry.types.info import Info

from .context import Context
from .declarations import Source, require_source
from .rows import Level, Row
from .sql import Dialect, Fragment, all_of, among, join, name

T = TypeVar("T")

GROUP = "_parent"


async def load(info: Info | Context, type_: type[T], keys: Sequence[str | None]) -> list[T | None]:
    """The records of these keys, in their order; `None` where there is none, or none that the actor may see.

    One statement, whatever the number of keys; a key given twice gives the same row twice.
    """
    source = require_source(type_)
    context = context_of(info)
    wanted = [key for key in dict.fromkeys(keys) if key is not None]
    found: dict[Any, Row] = {}
    if wanted:
        among_keys = among(f"t.{source.key}", wanted, context.reader.dialect)
        raws = await fetch(context, source, all_of([among_keys, visible(source, context)]))
        level = Level(context, source.type, source)
        found = {str(raw[source.key]): level.add(raw) for raw in raws}
    return cast(list[T | None], [found.get(str(key)) for key in keys])


async def load_where(
    info: Info | Context,
    type_: type[T],
    where: Fragment,
    *,
    order: Sequence[str] = (),
    limit: int | None = None,
) -> list[T]:
    """The records that a condition on the table `t` selects. `order` names columns, `-` before one for
    descending.
    """
    source = require_source(type_)
    context = context_of(info)
    tail = order_by(source, order, context.reader.dialect)
    if limit is not None:
        tail = join(" ", [tail, Fragment("LIMIT ?", (limit,))])
    raws = await fetch(context, source, all_of([where, visible(source, context)]), tail)
    level = Level(context, source.type, source)
    return cast(list[T], [level.add(raw) for raw in raws])


async def load_groups(
    info: Info | Context,
    type_: type[T],
    column: str,
    keys: Sequence[str | None],
    *,
    order: Sequence[str] = (),
    where: Fragment | None = None,
) -> list[list[T]]:
    """For each key all records whose `column` holds it, in one statement; empty where there is none."""
    source = require_source(type_)
    context = context_of(info)
    wanted = [key for key in dict.fromkeys(keys) if key is not None]
    groups: dict[str, list[Any]] = {str(key): [] for key in wanted}
    if wanted:
        condition = all_of(
            [among(f"t.{name(column)}", wanted, context.reader.dialect), where, visible(source, context)]
        )
        tail = order_by(source, order, context.reader.dialect)
        raws = await fetch(context, source, condition, tail, extra=f", t.{column} AS {GROUP}")
        level = Level(context, source.type, source)
        for raw in raws:
            groups[str(raw[GROUP])].append(level.add(raw))
    return [groups.get(str(key), []) for key in keys]


async def fetch(
    context: Context, source: Source, where: Fragment, tail: Fragment | None = None, *, extra: str = ""
) -> list[dict[str, Any]]:
    """The raw rows of a source under a condition."""
    select = f"SELECT {source.select}{extra} FROM {source.table} AS t"
    statement = Fragment(f"{select} WHERE {where.sql}", where.args)
    if tail is not None:
        statement = join(" ", [statement, tail])
    raws = await context.reader.fetch(statement.sql, statement.args)
    context.admit(len(raws))
    return raws


def visible(source: Source, context: Context) -> Fragment:
    """The condition for a record to exist as far as this request is concerned."""
    return all_of([Fragment(source.where) if source.where else None, context.restrict(source)])


def order_by(source: Source, order: Iterable[str], dialect: Dialect) -> Fragment:
    """`ORDER BY` the columns, then the key. NULL is the largest value, and text goes by code points,
    everywhere.
    """
    terms: list[str] = []
    for column in order:
        descending = column.startswith("-")
        attribute = column.removeprefix("-")
        sql, kind = source.columns.get(attribute, (attribute, None))
        text = kind is str and sql != source.key
        terms.append(ordered(f"t.{name(sql)}", dialect, descending=descending, text=text))
    if not {source.key, f"-{source.key}"} & set(order):
        terms.append(f"t.{source.key}")
    return Fragment("ORDER BY " + ", ".join(terms))


def ordered(sql: str, dialect: Dialect, *, descending: bool, text: bool, nullable: bool = True) -> str:
    """One term of `ORDER BY`, equal on both databases: PostgreSQL's own NULLs, SQLite's own text."""
    if dialect == "postgres":
        collation = ' COLLATE "C"' if text else ""
        return f"{sql}{collation}{' DESC' if descending else ''}"
    nulls = (" NULLS FIRST" if descending else " NULLS LAST") if nullable else ""
    return f"{sql}{' DESC' if descending else ''}{nulls}"


def context_of(info: Info | Context) -> Context:
    """The request's context, from what a resolver was given."""
    found = info if isinstance(info, Context) else info.context
    if not isinstance(found, Context):
        raise TypeError(f"the request's context is a {type(found).__name__}, not an engine Context")
    return found
