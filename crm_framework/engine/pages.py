"""Pages of a list: the best few rows of each parent in one statement, and their number only when it is asked
for.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol

from .context import Context
from .cursors import place, row_cursor
from .declarations import ROW_NUMBER, Source
from .errors import RequestError
from .keyset import Ordering, beyond
from .last import Last
from .layouts import Layout
from .load import GROUP, MOST_BOUNDED, visible
from .rows import Level, Outcome, wrap
from .sql import TRUE, Dialect, Fragment, all_of, among, json_list


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


@dataclass
class Content:
    """The rows of one page; `cursor` gives that of the i-th."""

    rows: list[Any]
    cursor: Callable[[int], str]
    has_next: bool
    has_previous: bool


class Pages:
    """The pages of one list for all parents of a level (a root list has one parent, `None`)."""

    def __init__(
        self,
        context: Context,
        parents: int,
        load: Callable[[], Awaitable[Sequence[Content]] | Sequence[Content]],
        count: Callable[[], Awaitable[Sequence[int]] | Sequence[int]],
    ) -> None:
        self._context = context
        self._load = load
        self._count = count
        self._contents: Outcome | None = None
        self._counts: Outcome | None = None
        self.each = [Page(self, index) for index in range(parents)]

    def contents(self) -> Outcome:
        """The pages' contents; read when the first of them is looked into."""
        if self._contents is None:
            self._contents = Outcome()
            self._contents.start(self._context, self._load)
        return self._contents

    def counts(self) -> Outcome:
        """How many rows there are in all, parent by parent; counted when it is asked for."""
        if self._counts is None:
            self._counts = Outcome()
            self._counts.start(self._context, self._count)
        return self._counts


class Page:
    """One parent's page: what the fields of a connection type look at."""

    __slots__ = ("index", "pages")

    def __init__(self, pages: Pages, index: int) -> None:
        self.pages = pages
        self.index = index


@dataclass(frozen=True)
class ReadyPage:
    """A page that a function has made itself, for `pages_of`: `cursors` has one for each node."""

    nodes: Sequence[Any]
    cursors: Sequence[str]
    has_next_page: bool = False
    has_previous_page: bool = False
    total_count: int | None = None


def pages_of(context: Context, pages: Sequence[ReadyPage]) -> list[Any]:
    """Values for fields of a connection type, from pages that a function has made; their nodes form one
    level.
    """
    wrapped = wrap(context, [page.nodes for page in pages])

    def load() -> Sequence[Content]:
        return [
            Content(nodes, page.cursors.__getitem__, page.has_next_page, page.has_previous_page)
            for page, nodes in zip(pages, wrapped, strict=True)
        ]

    def count() -> Sequence[Any]:
        return [page.total_count for page in pages]

    return list(Pages(context, len(pages), load, count).each)


def listed_pages(context: Context, asked: Asked, keys: Sequence[str | None]) -> Pages:
    """The pages of a listing, parent by parent."""
    listing, wanted = asked.listing, asked.window
    layout = listing.source.layout

    async def load() -> Sequence[Content]:
        chunks = await read_pages(context, layout, asked, keys)
        level = Level(context, listing.source.type, layout)
        return [chunk.content(listing.ordering, wanted, layout, level) for chunk in chunks]

    async def count() -> Sequence[int]:
        return await count_pages(context, listing, keys)

    return Pages(context, len(keys), load, count)


class Chunk(NamedTuple):
    """One parent's page as the database gave it, in the list's order; `more` rows follow in its direction.

    A row is the layout's columns, then the values that the list goes by, where they were asked for.
    """

    rows: Sequence[Any]
    more: bool

    def has_next(self, wanted: Window) -> bool:
        """Whether there are rows after the page."""
        return wanted.before is not None or (self.more and not wanted.backward)

    def has_previous(self, wanted: Window) -> bool:
        """Whether there are rows before the page."""
        return wanted.after is not None or (self.more and wanted.backward)

    def content(self, ordering: Ordering, wanted: Window, layout: Layout, level: Level) -> Content:
        """The page as rows of a level."""
        return Content(
            [level.add(row) for row in self.rows],
            lambda index: row_cursor(ordering, self.rows[index], layout.width),
            self.has_next(wanted),
            self.has_previous(wanted),
        )


_EMPTY = Chunk((), more=False)
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
    restriction = reach = None
    if key is None or parent is None or not context.follows(parent, source, key):
        restriction = context.restrict(source)
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


def _parents_of(context: Context, asked: Asked, keys: Sequence[str | None]) -> Sequence[str]:
    """Those whose pages are to be read, each once. Raises `RequestError` where these may be too many rows."""
    parents = [key for key in dict.fromkeys(keys) if key is not None]
    limit = asked.window.limit
    if (parents or asked.listing.key is None) and len(keys) * limit > context.limits.max_rows:
        raise RequestError(
            "TOO_COMPLEX",
            f"{limit} records for each of {len(keys)} are more than the {context.limits.max_rows} "
            "rows that one operation may read; ask for fewer at a time",
        )
    return parents


async def _read(context: Context, chosen: Choice, made: Statement, parents: Sequence[str]) -> Sequence[Any]:
    sql, args = made
    if chosen.listing.key is not None:
        args = (list(parents) if context.reader.dialect == "postgres" else json_list(parents), *args)
    return await context.read(sql, args, bounded=chosen.bounded and len(parents) <= MOST_BOUNDED)


async def read_pages(
    context: Context,
    columns: Columns,
    asked: Asked,
    keys: Sequence[str | None],
    *,
    peek: bool = True,
    places: bool = True,
) -> list[Chunk]:
    """The pages of all parents in one statement; a root list has one parent, `None`.

    Without `peek` it is not looked whether more rows follow; without `places` the rows come without the
    values that cursors are made of.
    """
    parents = _parents_of(context, asked, keys)
    if asked.listing.key is not None and not parents:
        return [_EMPTY for _ in keys]
    dialect = context.reader.dialect
    chosen = choice_of(context, asked, peek=peek)
    made = chosen.statement(page_statement, columns, dialect, places)
    try:
        rows = await _read(context, chosen, made, parents)
    except Exception as error:
        if ROW_NUMBER not in made[0] or f"t.{ROW_NUMBER}" not in str(error):
            raise
        source = asked.listing.source
        source.row_number = source.key  # it is a view, or a table without such numbers
        chosen = choice_of(context, asked, peek=peek)
        rows = await _read(context, chosen, page_statement(chosen, columns, dialect, places), parents)
    context.admit(len(rows))
    if asked.listing.key is None:
        return [chunk_of(rows, asked.window)]
    groups: list[list[Any]] = [[] for _ in parents]
    for row in rows:
        groups[row[-1]].append(row)
    return _each(parents, groups, asked.window, keys)


async def read_texts(
    context: Context, texts: Columns, asked: Asked, keys: Sequence[str | None], *, peek: bool
) -> list[Chunk]:
    """The pages of all parents as texts, one line each; an empty one for a record without a text.

    A row for each parent: of a row for each record the driver makes an object.
    """
    parents = _parents_of(context, asked, keys)
    if not parents:
        return [_EMPTY for _ in keys]
    chosen = choice_of(context, asked, peek=peek)
    rows = await _read(context, chosen, chosen.statement(text_statement, texts), parents)
    groups = [row[0].split("\n") if row[0] is not None else [] for row in rows]
    context.admit(sum(map(len, groups)))
    return _each(parents, groups, asked.window, keys)


def _each(
    parents: Sequence[str], groups: Sequence[Sequence[Any]], wanted: Window, keys: Sequence[str | None]
) -> list[Chunk]:
    """The page of each key, from the rows of each parent."""
    if len(parents) == len(keys):
        return [chunk_of(group, wanted) for group in groups]
    chunks = {key: chunk_of(group, wanted) for key, group in zip(parents, groups, strict=True)}
    return [_EMPTY if key is None else chunks[key] for key in keys]


def chunk_of(rows: Sequence[Any], wanted: Window) -> Chunk:
    """The page among rows of which there is one too many, if more follow."""
    more = len(rows) > wanted.limit
    kept = rows[: wanted.limit] if more else rows
    return Chunk(kept[::-1] if wanted.backward else kept, more)


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


async def count_pages(context: Context, listing: Listing, keys: Sequence[str | None]) -> list[int]:
    """How many rows the whole list of each parent has, in one statement."""
    source, key = listing.source, listing.key
    condition = all_of([listing.where, visible(source, context)])
    table = f"FROM {source.table} AS t WHERE"
    if key is None:
        sql = f"SELECT COUNT(*) AS n {table} {condition.sql}"
        return [(await context.read(sql, condition.args))[0][0]]
    wanted = [one for one in dict.fromkeys(keys) if one is not None]
    if not wanted:
        return [0 for _ in keys]
    grouped = all_of([among(f"t.{key}", wanted, context.reader.dialect), condition])
    sql = f"SELECT t.{key}, COUNT(*) AS n {table} {grouped.sql} GROUP BY t.{key}"
    found = {str(row[0]): row[1] for row in await context.read(sql, grouped.args)}
    return [found.get(str(one), 0) for one in keys]
