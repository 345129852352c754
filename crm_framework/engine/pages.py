"""Pages of a list, for all parents of a level at once, and their number only when it is asked for."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from .context import Context
from .cursors import row_cursor
from .declarations import ROW_NUMBER
from .errors import RequestError
from .keyset import Ordering
from .layouts import Layout
from .listings import (
    Asked,
    Choice,
    Columns,
    Listing,
    Statement,
    Window,
    choice_of,
    page_statement,
    text_statement,
)
from .load import MOST_BOUNDED, visible
from .rows import Level, Outcome, wrap
from .sql import all_of, among, json_list


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
        made = chosen.statement(page_statement, columns, dialect, places)
        rows = await _read(context, chosen, made, parents)
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
