"""Pages of a list: the best few rows of each parent in one statement, and their number only when it is asked
for.
"""

import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .context import Context
from .cursors import place, row_cursor
from .declarations import Source
from .errors import RequestError
from .keyset import Ordering, beyond
from .load import GROUP, visible
from .rows import Level, Outcome, wrap
from .sql import Dialect, Fragment, all_of, among, join


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


def listed_pages(context: Context, listing: Listing, wanted: Window, keys: Sequence[str | None]) -> Pages:
    """The pages of a listing, parent by parent. Raises `RequestError` BAD_INPUT for a cursor that does not
    fit.
    """
    dialect = context.reader.dialect
    ordering = listing.ordering.reversed() if wanted.backward else listing.ordering
    bounds = [
        beyond(terms, place(listing.ordering, cursor, argument, dialect, listing.source.key_type), dialect)
        for terms, cursor, argument in (
            (listing.ordering.terms, wanted.after, "after"),
            (listing.ordering.reversed().terms, wanted.before, "before"),
        )
        if cursor is not None
    ]

    nothing = listing.key is not None and all(key is None for key in keys)

    async def load() -> Sequence[Content]:
        if nothing:
            return [Content([], str, False, False) for _ in keys]
        if len(keys) * wanted.limit > context.limits.max_rows:
            raise RequestError(
                "TOO_COMPLEX",
                f"{wanted.limit} records for each of {len(keys)} are more than the {context.limits.max_rows} "
                "rows that one operation may read; ask for fewer at a time",
            )
        condition = all_of([listing.where, visible(listing.source, context), *bounds])
        statement = _statement(listing, ordering, condition, wanted.limit + 1, keys, dialect)
        raws = await context.reader.fetch(statement.sql, statement.args)
        context.admit(len(raws))
        groups: dict[str | None, list[Mapping[str, Any]]] = {key: [] for key in keys}
        for raw in raws:
            groups[None if listing.key is None else str(raw[GROUP])].append(raw)
        level = Level(context, listing.source.type, listing.source)
        return [_content(listing.ordering, wanted, groups[key], level) for key in keys]

    async def count() -> Sequence[int]:
        if nothing:
            return [0 for _ in keys]
        condition = all_of([listing.where, visible(listing.source, context)])
        statement = _count_statement(listing, condition, keys, dialect)
        raws = await context.reader.fetch(statement.sql, statement.args)
        if listing.key is None:
            return [raws[0]["n"]]
        found = {str(raw[GROUP]): raw["n"] for raw in raws}
        return [found.get(str(key), 0) for key in keys]

    return Pages(context, len(keys), load, count)


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


def _statement(
    listing: Listing,
    ordering: Ordering,
    condition: Fragment,
    limit: int,
    keys: Sequence[str | None],
    dialect: Dialect,
) -> Fragment:
    source, key = listing.source, listing.key
    columns = f"SELECT {source.select}{ordering.select(dialect)}"
    table = f"FROM {source.table} AS t"
    tail = join(" ", [ordering.clause(dialect), Fragment("LIMIT ?", (limit,))])
    if key is None:
        return join(" ", [Fragment(f"{columns} {table} WHERE"), condition, tail])
    wanted = [one for one in dict.fromkeys(keys) if one is not None]
    if dialect == "postgres":
        parents = f"FROM unnest(?::{source.key_type}[]) AS g({GROUP}) CROSS JOIN LATERAL"
        inner = join(
            " ",
            [
                Fragment(f"SELECT g.{GROUP}, x.* {parents}", (wanted,)),
                Fragment(f"({columns} {table} WHERE t.{key} = g.{GROUP} AND ("),
                condition,
                Fragment(")"),
                tail,
                Fragment(") AS x"),
            ],
        )
        return join(" ", [inner, ordering.outer_clause(dialect)])
    # SQLite: the keys of the best few per parent through the index, then the rows of these keys
    best = join(
        " ",
        [
            Fragment(f"(SELECT t.{source.key} {table} WHERE t.{key} = g.value AND ("),
            condition,
            Fragment(")"),
            tail,
            Fragment(")"),
        ],
    )
    given = (json.dumps(wanted),)
    # CROSS keeps SQLite from beginning with the table, which it else may: all of it, once for each parent.
    head = Fragment(
        f"{columns}, g.value AS {GROUP} FROM json_each(?) AS g"
        f" CROSS JOIN {source.table} AS t ON t.{source.key} IN",
        given,
    )
    return join(" ", [head, best, ordering.clause(dialect)])


def _count_statement(
    listing: Listing, condition: Fragment, keys: Sequence[str | None], dialect: Dialect
) -> Fragment:
    table = f"FROM {listing.source.table} AS t WHERE"
    if listing.key is None:
        return join(" ", [Fragment(f"SELECT COUNT(*) AS n {table}"), condition])
    wanted = [one for one in dict.fromkeys(keys) if one is not None]
    column = f"t.{listing.key}"
    grouped = all_of([among(column, wanted, dialect), condition])
    head = Fragment(f"SELECT {column} AS {GROUP}, COUNT(*) AS n {table}")
    return join(" ", [head, grouped, Fragment(f"GROUP BY {column}")])
