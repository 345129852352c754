"""Pages of which the database also writes what hangs on their records, in the statement that reads the page.

On PostgreSQL, where a page's records are nothing but columns, and lists and single records of nothing but
columns: what would take a statement a level, and of each record an object, is a text a record. It is the very
text that would be made here, or none, and then the page is read level by level, which knows the error.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import TYPE_CHECKING, NamedTuple

import orjson

from .builders import Builder
from .hanging import Hung, hung_by, made_of
from .json_texts import Texts, is_refused, object_text, texts_of
from .listings import Asked, Choice, Statement, choice_of, most_of
from .load import GROUP
from .pages import Chunk, chunk_of
from .plans import Reading, Selection
from .relations import One
from .sql import all_of
from .trace import IN_ABOVE, Step
from .writers import Leaves

if TYPE_CHECKING:
    from .run import Run


class Inner(NamedTuple):
    """What hangs on each record, how the database writes each record of it, and how many objects that makes:
    an expression.
    """

    hung: Hung
    texts: Texts
    objects: str


@dataclass(frozen=True, slots=True)
class Whole:
    """How the database writes a selection's objects with the lists that hang on them."""

    sql: str
    inner: Sequence[Inner]
    hung: Sequence[Hung]


class Lists(NamedTuple):
    """Which records hang on each of a page's, and how many at most."""

    choices: Sequence[Choice]
    limit: int
    bounded: bool


WIDTH = 3
"""What a row has before the values for cursors: text, records within it, objects within it."""
_TEXT = "CASE WHEN n{0}.number IS NULL THEN '{1}' ELSE n{0}.lines END"
"""The text of what hangs on a record, or what stands for it where nothing does."""


def whole_of(selection: Selection, leaves: Leaves) -> Whole | None:
    """How the database writes all of a selection; `None` where it cannot, or where there are only columns."""
    if not selection.whole_known:
        selection.whole_known = True
        selection.whole = _whole(selection, leaves)
    return selection.whole


def _whole(selection: Selection, leaves: Leaves) -> Whole | None:
    if not selection.filled or selection.repeats:
        return None
    inner: list[Inner] = []
    within: dict[str, tuple[str, str, str]] = {}
    for number, field in enumerate(selection.filled):
        hung = hung_by(field)
        if hung is None:
            return None
        write = _of_one if isinstance(field.declaration, One) else _of_list
        found = write(hung, leaves, number)
        if found is None:
            return None
        one, within[field.key] = found
        inner.append(one)
    sql = object_text(selection, leaves, within)
    return Whole(sql, inner, tuple(one.hung for one in inner)) if sql is not None else None


def _of_one(hung: Hung, leaves: Leaves, number: int) -> tuple[Inner, tuple[str, str, str]] | None:
    """The single record, and the text of it or of what stands for it where there is none."""
    field = hung.field
    declaration, target = field.declaration, field.selection
    texts = texts_of(target, leaves)
    if texts is None or target.layout is None or not isinstance(declaration, One):
        return None
    if declaration.otherwise is None:
        # where one must be there is no text without it
        text = f"n{number}.lines" if field.shape.required else _TEXT.format(number, "null")
        return Inner(hung, texts, f"coalesce(n{number}.number, 0)"), ("", text, "")
    builder = Builder(target, target.layout, "postgres", leaves)
    failed: list[BaseException] = []
    made = builder.build([declaration.missing(target.layout, None)], (), failed.append)
    missing = orjson.dumps(made[0], default=str).decode() if not failed else "?"
    if "?" in missing or "'" in missing:
        return None
    return Inner(hung, texts, "1"), ("", _TEXT.format(number, missing), "")


def _of_list(hung: Hung, leaves: Leaves, number: int) -> tuple[Inner, tuple[str, str, str]] | None:
    """A list whose records are selected in one place, and of these nothing but columns."""
    before, after = "", "{"
    texts: Texts | None = None
    for place, part in enumerate(hung.field.selection.fields):
        after += f'{"," if place else ""}"{part.key}":'
        if part.kind == "typename":
            after += f'"{part.owner.name}"'
            continue
        if texts is not None:
            return None
        texts = texts_of(part.selection, leaves)
        if texts is None:
            return None
        before, after = f"{after}[", "]"
    if texts is None:
        return None
    text = _TEXT.format(number, "")
    return Inner(hung, texts, f"1 + coalesce(n{number}.number, 0)"), (before, text, f"{after}}}")


async def read_whole(
    run: "Run", selection: Selection, whole: Whole, reading: Reading, asked: Asked
) -> Chunk | None:
    """The page of a root list: text, number of records and objects within it, and values for cursors.

    `None` where it has to be read level by level.
    """
    context = run.context
    chosen = choice_of(context, asked, peek=reading.peek)
    lists = made_of(run, selection, "", whole.hung, _lists)
    if lists is None:
        return None
    most = chosen.limit * (1 + lists.limit)
    if context.rows_read + most > context.limits.max_rows:
        return None  # perhaps too many, and whose error that is the levels tell
    sql, args = chosen.statement(_statement, whole, lists, reading)
    try:
        rows = await context.read(sql, args, bounded=chosen.bounded and lists.bounded)
    except Exception as error:
        if is_refused(error):
            selection.whole = None  # a column is not of its field's type, and this will not change
        elif context.translate(error) is not None:
            raise  # the database is away, or takes too long: so it would for each level
        return None  # perhaps of what one field was given, and no other is to fail with it
    chunk = chunk_of(rows, asked.window)
    read = len(rows) + sum(map(itemgetter(1), chunk.rows))
    if None in map(itemgetter(0), rows) or context.rows_read + read > context.limits.max_rows:
        return None
    context.admit(read)
    if context.trace is not None:
        context.trace.steps += [
            Step(one.field.place, one.field.title, one.field.kind, len(rows), IN_ABOVE) for one in whole.hung
        ]
    return chunk


def _lists(choices: Sequence[Choice | None]) -> Lists | None:
    """`None` where a field has to be read by itself, as it then may have an error of its own."""
    found = [one for one in choices if one is not None]
    if len(found) < len(choices):
        return None
    return Lists(found, sum(one.limit for one in found), all(one.bounded for one in found))


def _statement(chosen: Choice, whole: Whole, lists: Lists, reading: Reading) -> Statement:
    source, ordering = chosen.listing.source, chosen.ordering
    most = most_of(chosen)
    args = [*chosen.condition.args, *most.args]
    parts = [
        f"(SELECT t.*{ordering.select('postgres')} FROM {source.table} AS t WHERE {chosen.condition.sql}"
        f" {ordering.clause('postgres')} LIMIT {most.sql}) AS t"
        f" CROSS JOIN LATERAL (SELECT t.{source.key}) AS g({GROUP})"
    ]
    for number, (one, inner) in enumerate(zip(lists.choices, whole.inner, strict=True)):
        query, given = _query(one, inner.texts)
        args += given
        parts.append(f"({query}) AS n{number} ON TRUE")
    numbers = " + ".join(f"coalesce(n{number}.number, 0)" for number in range(len(whole.inner)))
    places = "".join(f", t.{ordering.alias(i)}" for i in range(len(ordering.terms))) if reading.places else ""
    objects = " + ".join(one.objects for one in whole.inner)
    sql = (
        f"SELECT {whole.sql} AS _json, {numbers} AS number, {objects} AS objects{places}"
        f" FROM {' LEFT JOIN LATERAL '.join(parts)} {ordering.outer_clause('postgres')}"
    )
    return sql, tuple(args)


def _query(one: Choice, texts: Texts) -> Statement:
    """What makes the text of a record's `lines`, and their `number`; without a row where there are none, or
    without a text where one of them has none.
    """
    condition, limit = all_of([one.condition, one.reach]), most_of(one)
    best = (
        f"FROM {one.listing.source.table} AS t WHERE t.{one.listing.key} = g.{GROUP} AND ({condition.sql})"
        f" {one.ordering.clause('postgres')} LIMIT {limit.sql}"
    )
    sql = f"SELECT 1 AS number, {texts.sql} AS lines {best}"
    if one.limit != 1:
        sql = (
            "SELECT count(*) AS number, CASE WHEN count(x._json) = count(*)"
            " THEN coalesce(string_agg(x._json, ','), '') END AS lines"
            f" FROM (SELECT {texts.selected['postgres']} {best}) AS x"
        )
    return sql, (*condition.args, *limit.args)
