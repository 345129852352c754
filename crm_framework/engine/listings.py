"""What is asked of a list, which rows that means, and the statement that reads these: the best few of each
parent in one.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from .context import Context
from .cursors import place
from .declarations import Source
from .errors import RequestError
from .keyset import Ordering, beyond
from .last import Last
from .load import GROUP
from .sql import TRUE, Dialect, Fragment, all_of


@dataclass(frozen=True)
class Window:
    """Which rows of an ordered list: `limit` of them, from its beginning or (`backward`) its end."""

    limit: int
    backward: bool
    after: str | None
    before: str | None


def window(
    context: Context, first: int | None, after: str | None, last: int | None, before: str | None
) -> Window:
    """The window that a connection's arguments ask for. Raises `RequestError` BAD_INPUT."""
    if first is not None and last is not None:
        raise RequestError("BAD_INPUT", "first and last exclude each other; give one of them")
    for argument, given in (("first", first), ("last", last)):
        if given is not None and given < 0:
            raise RequestError(
                "BAD_INPUT", f"{argument}: {given} is negative; ask for 0 to {context.page_max}"
            )
        if given is not None and given > context.page_max:
            raise RequestError(
                "BAD_INPUT",
                f"{argument}: {given} is more than a page may hold; ask for {context.page_max} at most, "
                "and go on with the cursor",
            )
    backward = last is not None or (first is None and before is not None and after is None)
    limit = last if last is not None else first if first is not None else context.page_default
    return Window(limit, backward, after, before)


@dataclass(frozen=True)
class Listing:
    """A list to take pages of: all of a source's rows, or with `key` those of each parent."""

    source: Source
    ordering: Ordering
    key: str | None = None
    where: Fragment | None = None


@dataclass(eq=False, slots=True)
class Asked:
    """What a connection's arguments ask for; `bounds` is what the window's cursors mean."""

    listing: Listing
    window: Window
    bounds: Sequence[Fragment] = ()
    choice: "Last[Choice]" = field(default_factory=Last, init=False)
    """See `choice_of`."""


_PARENT: Mapping[Dialect, str] = {"sqlite": "g.value", "postgres": f"g.{GROUP}"}
"""A parent's key in statements for several of them."""


class Columns(Protocol):
    """What a statement selects of each record: `selected` from the table `t`, `outer` from a query `x` that
    selects it, and how many values that are.
    """

    selected: Mapping[Dialect, str]
    outer: str
    width: int


Statement = tuple[str, tuple[Any, ...]]
"""Its text and its arguments: those that follow the parents' keys, where it is given these."""


@dataclass(eq=False, slots=True)
class Choice:
    """Which rows a statement for pages takes: the best `limit` of each parent, or of all.

    `reach` is a condition on the parent's key that decides on all records of it. `limit` is that of a `page`,
    or one more.
    """

    listing: Listing
    ordering: Ordering
    condition: Fragment
    reach: Fragment | None
    page: int
    limit: int
    bounded: bool
    _made: Last[Statement] = field(default_factory=Last, init=False)

    def statement(self, make: Callable[..., Statement], *of: Any) -> Statement:
        """`make(self, *of)`, if that was not made last."""
        goes_by = (make, *of)
        return self._made.of(goes_by) or self._made.keep(goes_by, make(self, *of))


def choice_of(
    context: Context, asked: Asked, *, peek: bool, parent: Source | None = None, named: str = ""
) -> Choice:
    """What to read for the pages. The same as last time, where the actor reaches the same records.

    `parent` is where the parents come from, if the same statement reads them; it may call a parent's key by
    another name.
    """
    listing, wanted, dialect = asked.listing, asked.window, context.reader.dialect
    source, key = listing.source, listing.key
    if key is None or parent is None:
        restriction = context.restrict(source)
    else:
        restriction = context.restrict_below(parent, source, key)
    reach = None
    goes_by = (restriction, peek, named, dialect, source.row_number)
    known = asked.choice.of(goes_by)
    if known is not None:
        return known
    if restriction is not None and key is not None:
        # looked at once a parent, not once a record
        reach = restriction.about(f"t.{key}", named or _PARENT[dialect])
    chosen = Choice(
        listing,
        listing.ordering.reversed() if wanted.backward else listing.ordering,
        all_of([listing.where, source.visible, restriction if reach is None else None, *asked.bounds]),
        reach,
        wanted.limit,
        wanted.limit + 1 if peek else wanted.limit,
        bounded=listing.where in (None, TRUE),
    )
    return asked.choice.keep(goes_by, chosen)


def bounds_of(ordering: Ordering, source: Source, wanted: Window, dialect: Dialect) -> list[Fragment]:
    """The conditions that the window's cursors mean. Raises `RequestError` BAD_INPUT for one that does not
    fit.
    """
    found: list[Fragment] = []
    for cursor, argument in ((wanted.after, "after"), (wanted.before, "before")):
        if cursor is not None:
            terms = ordering.terms if argument == "after" else ordering.reversed().terms
            values = place(ordering, cursor, argument, dialect, source.key_type)
            found.append(beyond(terms, values, dialect))
    return found


def page_statement(chosen: Choice, columns: Columns, dialect: Dialect, places: bool) -> Statement:
    """The best rows of each parent, or of all rows: columns, places, the parent's number."""
    source, key = chosen.listing.source, chosen.listing.key
    condition, ordering, limit = chosen.condition, chosen.ordering, chosen.limit
    given = ordering.select(dialect)
    table = f"{source.table} AS t"
    order = ordering.clause(dialect)
    if key is None:
        shown = f"{columns.selected[dialect]}{given if places else ''}"
        most = most_of(chosen) if dialect == "postgres" else Fragment("?", (limit,))
        sql = f"SELECT {shown} FROM {table} WHERE {condition.sql} {order} LIMIT {most.sql}"
        return sql, (*condition.args, *most.args)
    if dialect == "postgres":
        condition, most = all_of([condition, chosen.reach]), most_of(chosen)
        best = (
            f"SELECT {columns.selected[dialect]}{given} FROM {table}"
            f" WHERE t.{key} = g.{GROUP} AND ({condition.sql}) {order} LIMIT {most.sql}"
        )
        shown = f"{columns.outer}{ordering.outer(places)}"
        sql = (
            f"SELECT {shown}, g.number - 1 AS {GROUP} FROM {_numbered(source)}"
            f" CROSS JOIN LATERAL ({best}) AS x {ordering.outer_clause(dialect)}"
        )
        return sql, (*condition.args, *most.args)
    # SQLite: the numbers of the best few rows per parent, which the index has, and straight to these rows.
    # CROSS keeps it from beginning with the table, which it else may: all of it, once for each parent.
    number = source.row_number
    best = f"SELECT t.{number} FROM {table} WHERE t.{key} = g.value AND ({condition.sql}) {order} LIMIT ?"
    reach = chosen.reach or TRUE
    sql = (
        f"SELECT {columns.selected[dialect]}{given if places else ''}, g.key AS {GROUP}"
        f" FROM json_each(?) AS g CROSS JOIN {table} ON t.{number} IN ({best})"
        f"{f' WHERE {reach.sql}' if reach is not TRUE else ''} {order}"
    )
    return sql, (*condition.args, limit, *reach.args)


def text_statement(chosen: Choice, texts: Columns) -> Statement:
    """The lines of each parent, for PostgreSQL: aggregates of an ordered query keep its order."""
    source, most = chosen.listing.source, most_of(chosen)
    condition = all_of([chosen.condition, chosen.reach])
    best = (
        f"SELECT {texts.selected['postgres']} FROM {source.table} AS t"
        f" WHERE t.{chosen.listing.key} = g.{GROUP} AND ({condition.sql})"
        f" {chosen.ordering.clause('postgres')} LIMIT {most.sql}"
    )
    lines = f"SELECT string_agg(coalesce({texts.outer}, ''), chr(10)) AS lines FROM ({best}) AS x"
    sql = f"SELECT l.lines FROM {_numbered(source)} CROSS JOIN LATERAL ({lines}) AS l ORDER BY g.number"
    return sql, (*condition.args, *most.args)


def most_of(chosen: Choice) -> Fragment:
    """How many rows, for PostgreSQL: as a number where it is a usual one.

    Of a parameter its planner believes that it lets a tenth of the table through, and plans such a statement
    anew each time. Numbers of all kinds would make too many statements to be kept.
    """
    usual = chosen.page % 10 == 0 or chosen.page in _USUAL
    return Fragment(str(chosen.limit)) if usual else Fragment("?", (chosen.limit,))


_USUAL = frozenset({1, 2, 3, 4, 5, 25})


def _numbered(source: Source) -> str:
    return f"unnest(?::{source.key_type}[]) WITH ORDINALITY AS g({GROUP}, number)"
