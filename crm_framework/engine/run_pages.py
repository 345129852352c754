"""Pages in the output: of declared connections, and those that functions made."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from operator import itemgetter
from typing import TYPE_CHECKING, Any

import orjson

from .asking import asked_of
from .connections import Connected, PageCount, PageInfo, PagePart
from .cursors import row_cursor
from .errors import CompletionFailure, NullFailure
from .joined import read_joined
from .json_texts import Texts, is_refused, texts_of
from .listings import Asked
from .pages import Chunk, Content, Page, count_pages, read_pages, read_texts
from .plans import PlannedField, Reading, Selection
from .rows import Level
from .whole import WIDTH, Whole, read_whole, whole_of

if TYPE_CHECKING:
    from .run import Run
    from .run_asks import Ask


@dataclass(frozen=True, slots=True)
class Spread:
    """The pages of all parents of a level, one after the other.

    `nodes` gives what is selected of all their records, for one of the fields that select them; `cursor` that
    of the i-th record of all. `spans` are the records of each parent, `ends` whether more follow and precede.
    """

    nodes: Callable[[PlannedField], Awaitable[Sequence[Any]]]
    cursor: Callable[[int], str]
    spans: Sequence[tuple[int, int]]
    ends: Callable[[], Sequence[tuple[bool, bool]]]
    lists: Callable[[], Sequence[Any]] | None = None
    """The records of each parent, where they can be had without those of all."""


async def connected_pages(run: "Run", ask: "Ask", level: Level) -> list[Sequence[Any]]:
    """A declared connection's pages, one for each object of the level, for each of the fields that ask.

    A root list has one object above it.
    """
    reading, declaration = ask.reading, ask.first.declaration
    assert isinstance(declaration, Connected)
    found = asked_of(run, ask)
    asked = found if isinstance(found, Asked) else await found
    keys = level.column(declaration.parent) if declaration.key is not None else [None]

    async def records() -> Spread | BaseException | None:
        try:
            return await _read(run, ask, asked, keys) if reading.rows else None
        except Exception as error:
            return error

    async def counts() -> Sequence[Any] | BaseException | None:
        try:
            return await count_pages(run.context, asked.listing, keys) if reading.count else None
        except Exception as error:
            return error

    if reading.count and reading.rows and run.dialect != "sqlite":
        spread, numbers = await asyncio.gather(records(), counts())
    else:
        spread, numbers = await records(), await counts()
    return [await _pages(run, each.selection, len(keys), spread, numbers) for each in ask.fields]


async def _read(run: "Run", ask: "Ask", asked: Asked, keys: Sequence[str | None]) -> Spread:
    reading = ask.reading
    if run.dialect == "postgres":
        selection = _alone(ask)
        whole = _whole_of(run, selection, asked)
        if selection is not None and whole is not None:
            written = await read_whole(run, selection, whole, reading, asked)
            if written is not None:
                return _written(run, written, asked)
        texts = texts_of(selection, run.ready.leaves) if selection is not None else None
        if selection is not None and texts is not None:
            found = await _read_texts(run, selection, texts, reading, asked, keys)
            if found is not None:
                return found
    layout = reading.layout
    assert layout is not None
    if run.dialect == "sqlite" and asked.listing.key is None:
        selection = _alone(ask)
        joined = None
        if selection is not None and selection.filled:
            joined = await read_joined(run, selection, layout, reading, asked)
        if joined is not None:
            chunk, places, width = joined
            return _of_level(run, asked, [chunk], run.level(layout, chunk.rows, places), width)
    chunks = await read_pages(run.context, layout, asked, keys, peek=reading.peek, places=reading.places)
    rows = chunks[0].rows if len(chunks) == 1 else [row for chunk in chunks for row in chunk.rows]
    return _of_level(run, asked, chunks, run.level(layout, rows), layout.width)


def _of_level(run: "Run", asked: Asked, chunks: Sequence[Chunk], level: Level, width: int) -> Spread:
    """The pages of rows that have the values for cursors after others of this width."""
    rows = level.values

    async def nodes(field: PlannedField) -> Sequence[Any]:
        return await run.complete(field.selection, level)

    return _spread(asked, chunks, nodes, lambda index: row_cursor(asked.listing.ordering, rows[index], width))


def _whole_of(run: "Run", selection: Selection | None, asked: Asked) -> Whole | None:
    if selection is None or asked.listing.key is not None or not selection.filled:
        return None
    return whole_of(selection, run.ready.leaves)


def _written(run: "Run", written: Chunk, asked: Asked) -> Spread:
    rows = written.rows

    async def nodes(field: PlannedField) -> Sequence[Any]:
        found = [orjson.Fragment(row[0]) for row in rows]
        run.sizes.update((id(text), 1 + row[2]) for text, row in zip(found, rows, strict=True))
        return found

    def lists() -> Sequence[Any]:
        text = orjson.Fragment(f"[{','.join(map(itemgetter(0), rows))}]")
        run.sizes[id(text)] = len(rows) + sum(map(itemgetter(2), rows))
        return [text]

    return _spread(
        asked, [written], nodes, lambda index: row_cursor(asked.listing.ordering, rows[index], WIDTH), lists
    )


def _spread(
    asked: Asked,
    chunks: Sequence[Chunk],
    nodes: Callable[[PlannedField], Awaitable[Sequence[Any]]],
    cursor: Callable[[int], str],
    lists: Callable[[], Sequence[Any]] | None = None,
) -> Spread:
    spans: list[tuple[int, int]] = []
    end = 0
    for chunk in chunks:
        start, end = end, end + len(chunk.rows)
        spans.append((start, end))
    window = asked.window

    def ends() -> Sequence[tuple[bool, bool]]:
        return [(chunk.has_next(window), chunk.has_previous(window)) for chunk in chunks]

    return Spread(nodes=nodes, cursor=cursor, spans=spans, ends=ends, lists=lists)


def _alone(ask: "Ask") -> Selection | None:
    """What is selected of the pages' records, if that is in one place."""
    found: list[PlannedField] = []
    for field in ask.fields:
        for part in field.selection.fields:
            if isinstance(part.declaration, PagePart) and part.declaration.part == "nodes":
                found.append(part)
            elif isinstance(part.declaration, PagePart) and part.declaration.part == "edges":
                found += [each for each in part.selection.fields if each.name == "node"]
    target = found[0].target if len(found) == 1 else None
    return target if isinstance(target, Selection) else None


async def _read_texts(
    run: "Run", selection: Selection, texts: Texts, reading: Reading, asked: Asked, keys: Sequence[str | None]
) -> Spread | None:
    """The pages as the database has written them; `None` where it has not."""
    lines = asked.listing.key is not None and not reading.places
    try:
        if lines:
            chunks = await read_texts(run.context, texts, asked, keys, peek=reading.peek)
        else:
            chunks = await read_pages(
                run.context, texts, asked, keys, peek=reading.peek, places=reading.places
            )
    except Exception as error:
        if not is_refused(error):
            raise
        selection.texts = None  # this column will not change
        return None
    pages = [chunk.rows if lines else [row[0] for row in chunk.rows] for chunk in chunks]
    if any("" in page or None in page for page in pages):
        counted = {id(chunk): len(chunk.rows) + chunk.more for chunk in chunks}
        run.context.admit(-sum(counted.values()))  # they are about to be counted again
        return None
    rows = [] if lines else [row for chunk in chunks for row in chunk.rows]

    async def nodes(field: PlannedField) -> Sequence[Any]:
        return [orjson.Fragment(text) for page in pages for text in page]

    def lists() -> Sequence[Any]:
        found = [orjson.Fragment(f"[{','.join(page)}]") for page in pages]
        run.sizes.update(zip(map(id, found), map(len, pages), strict=True))
        return found

    return _spread(
        asked,
        chunks,
        nodes,
        lambda index: row_cursor(asked.listing.ordering, rows[index], texts.width),
        lists,
    )


async def _pages(
    run: "Run",
    selection: Selection,
    number: int,
    spread: Spread | BaseException | None,
    counts: Sequence[Any] | BaseException | None,
) -> list[Any]:
    """The pages' output, field by field."""
    columns: dict[str, Sequence[Any]] = {}
    for field in selection.fields:
        if field.kind == "typename":
            columns[field.key] = [field.owner.name] * number
        elif isinstance(field.declaration, PageCount):
            columns[field.key] = _counted(run, field, number, counts)
        elif isinstance(spread, BaseException):
            columns[field.key] = [run.fail(spread)] * number
        else:
            assert spread is not None  # a field of the pages' records is selected
            columns[field.key] = await _part(run, field, spread)
    return _rows(columns, number)


def _rows(columns: Mapping[str, Sequence[Any]], number: int) -> list[dict[str, Any]]:
    """One object for each page or edge, also where `@skip` leaves out all that is selected of them."""
    if not columns:
        return [{} for _ in range(number)]
    if len(columns) == 1:
        [(key, values)] = columns.items()
        return [{key: value} for value in values]
    keys = list(columns)
    return [dict(zip(keys, values, strict=True)) for values in zip(*columns.values(), strict=True)]


def _counted(
    run: "Run", field: PlannedField, number: int, counts: Sequence[Any] | BaseException | None
) -> Sequence[Any]:
    if isinstance(counts, BaseException):
        return [run.fail(counts)] * number
    assert counts is not None  # it is selected
    assert field.leaf is not None
    return run.written(field, counts)


async def _part(run: "Run", field: PlannedField, spread: Spread) -> Sequence[Any]:
    part = field.declaration.part if isinstance(field.declaration, PagePart) else ""
    if part == "nodes":
        if spread.lists is not None:
            return spread.lists()
        every = await spread.nodes(field)
        if len(spread.spans) == 1:
            return [list(every)]
        return [every[start:end] for start, end in spread.spans]
    selection = field.selection
    if part == "edges":
        return await _edges(run, selection, spread)
    infos = [
        PageInfo(
            has_next_page=has_next,
            has_previous_page=has_previous,
            start_cursor=spread.cursor(start) if end > start and "startCursor" in names else None,
            end_cursor=spread.cursor(end - 1) if end > start and "endCursor" in names else None,
        )
        for names in [{each.name for each in selection.fields}]
        for (start, end), (has_next, has_previous) in zip(spread.spans, spread.ends(), strict=True)
    ]
    return await run.complete(selection, Level(run.context, PageInfo, None, infos))


async def _edges(run: "Run", selection: Selection, spread: Spread) -> Sequence[Any]:
    last = spread.spans[-1][1] if spread.spans else 0
    columns: dict[str, Sequence[Any]] = {}
    for field in selection.fields:
        if field.kind == "typename":
            columns[field.key] = [field.owner.name] * last
        elif field.name == "cursor":
            columns[field.key] = [spread.cursor(index) for index in range(last)]
        else:
            columns[field.key] = await spread.nodes(field)
    edges = _rows(columns, last)
    return [edges[start:end] for start, end in spread.spans]


async def given_pages(run: "Run", field: PlannedField, values: Sequence[Any]) -> Sequence[Any]:
    """The output of pages that a function gave: each is asked for what is selected of it."""
    reading, selection = field.reading, field.selection
    output: list[Any] = []
    places: list[int] = []
    pages: list[Page] = []
    for value in values:
        if isinstance(value, Page):
            places.append(len(output))
            pages.append(value)
            output.append(None)
        elif value is None:
            missing = NullFailure(field.title)
            output.append(run.fail(missing) if field.shape.required else None)
        elif isinstance(value, Exception):
            output.append(run.fail(value))
        else:
            wrong = CompletionFailure(f"{field.title} gave a {type(value).__name__}, which is no page")
            output.append(run.fail(wrong))
    contents = [await _asked(page, "contents") for page in pages] if reading.rows else []
    counts = [await _asked(page, "counts") for page in pages] if reading.count else None
    good = [content if isinstance(content, Content) else None for content in contents]
    spread = _given(run, good) if reading.rows else None
    made = await _pages(run, selection, len(pages), spread, counts)
    for place, one, content in zip(places, made, contents or [None] * len(made), strict=True):
        output[place] = one
        if isinstance(content, BaseException):
            for part in selection.fields:
                if isinstance(part.declaration, PagePart):
                    one[part.key] = run.fail(content)
    return output


async def _asked(page: Page, what: str) -> Any:
    try:
        outcome = page.pages.contents() if what == "contents" else page.pages.counts()
        result = outcome.take(page.index)
        return await result if isinstance(result, Awaitable) else result
    except Exception as error:
        return error


def _given(run: "Run", contents: Sequence[Content | None]) -> Spread:
    rows: list[Any] = []
    cursors: list[Callable[[], str]] = []
    spans: list[tuple[int, int]] = []
    ends: list[tuple[bool, bool]] = []
    for content in contents:
        start = len(rows)
        if content is not None:
            rows += content.rows
            cursors += [partial(content.cursor, index) for index in range(len(content.rows))]
        spans.append((start, len(rows)))
        ends.append((content.has_next, content.has_previous) if content is not None else (False, False))

    async def nodes(field: PlannedField) -> Sequence[Any]:
        return await run.items(field, rows)

    return Spread(nodes=nodes, cursor=lambda index: cursors[index](), spans=spans, ends=lambda: ends)
