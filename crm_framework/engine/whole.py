"""Pages of which the database also writes what hangs on their records, in the statement that reads the page.

On PostgreSQL, where a page's records are nothing but columns, and lists and single records of nothing but
columns: what would take a statement a level, and of each record an object, is a text a record. It is the very
text that would be made here, or none, and then the page is read level by level, which knows the error.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import orjson

from .asking import asked_at_once
from .builders import Builder
from .connections import Connected, PagePart
from .declarations import Source
from .json_texts import Texts, is_refused, object_text, texts_of
from .listings import Asked, Choice, Statement, choice_of, most_of
from .load import GROUP
from .pages import Chunk, chunk_of
from .plans import PlannedField, Reading, Selection
from .relations import One
from .sql import all_of
from .trace import IN_ABOVE, Step
from .writers import Leaves

if TYPE_CHECKING:
    from .run import Run


class Inner(NamedTuple):
    """What hangs on each record: the field, and how the database writes what is in it.

    `query` makes the `lines` and the `number` of the records in `best`, which has a text of each; of none it
    may have no row. `objects` is how many objects these are, of the n-th.
    """

    field: PlannedField
    texts: Texts
    query: str
    objects: str


@dataclass(frozen=True, slots=True)
class Whole:
    """How the database writes a selection's objects with the lists that hang on them."""

    sql: str
    inner: Sequence[Inner]


WIDTH = 3
"""What a row has before the values for cursors: text, records within it, objects within it."""
_LIST = (  # an object without a text leaves the whole list, and so the record, without one
    "(SELECT count(*) AS number, CASE WHEN count(x._json) = count(*)"
    " THEN coalesce(string_agg(x._json, ','), '') END AS lines FROM ({best}) AS x)"
)
_OBJECTS_OF_LIST = "1 + n{0}.number"
_ONE = "(SELECT 1 AS number, x._json AS lines FROM ({best}) AS x)"


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
    for field in selection.filled:
        number = len(inner)
        if isinstance(field.declaration, One):
            one = _of_one(field, field.declaration, leaves, number)
            if one is None:
                return None
            inner.append(one[0])
            within[field.key] = ("", one[1], "")
            continue
        found = _of_list(field, leaves)
        if found is None:
            return None
        texts, before, after = found
        within[field.key] = (before, f"n{number}.lines", after)
        inner.append(Inner(field, texts, _LIST, _OBJECTS_OF_LIST))
    sql = object_text(selection, leaves, within)
    return Whole(sql, inner) if sql is not None else None


def _of_one(field: PlannedField, declaration: One, leaves: Leaves, number: int) -> tuple[Inner, str] | None:
    """The single record, and the text of it or of what stands for it where there is none."""
    target = field.target
    texts = texts_of(target, leaves) if isinstance(target, Selection) else None
    if texts is None or not isinstance(target, Selection) or target.layout is None:
        return None
    text = f"CASE WHEN n{number}.number IS NULL THEN '{{}}' ELSE n{number}.lines END"
    if declaration.otherwise is None:
        # where one must be there is no text without it
        shown = f"n{number}.lines" if field.shape.required else text.format("null")
        return Inner(field, texts, _ONE, "coalesce(n{0}.number, 0)"), shown
    builder = Builder(target, target.layout, "postgres", leaves)
    failed: list[BaseException] = []
    made = builder.build([declaration.missing(target.layout, None)], (), failed.append)
    missing = orjson.dumps(made[0], default=str).decode() if not failed else "?"
    if "?" in missing or "'" in missing:
        return None
    return Inner(field, texts, _ONE, "1"), text.format(missing)


def _of_list(field: PlannedField, leaves: Leaves) -> tuple[Texts, str, str] | None:
    """Of a list of which nothing is selected but its records, and of these nothing but columns."""
    declaration = field.declaration
    if not isinstance(declaration, Connected) or declaration.key is None or declaration.parent != "id":
        return None
    if declaration.narrow is not None:  # a function of somebody's: it is called once
        return None
    found: Texts | None = None
    text, before = "{", ""
    for number, part in enumerate(field.selection.fields):
        text += f'{"," if number else ""}"{part.key}":'
        if part.kind == "typename":
            text += f'"{part.owner.name}"'
            continue
        of = part.declaration
        if found is not None or not isinstance(of, PagePart) or of.part != "nodes":
            return None
        if not isinstance(part.target, Selection):
            return None
        found = texts_of(part.target, leaves)
        if found is None:
            return None
        before, text = f"{text}[", "]"
    return (found, before, f"{text}}}") if found is not None else None


async def read_whole(
    run: "Run", selection: Selection, whole: Whole, reading: Reading, asked: Asked
) -> Chunk | None:
    """The page of a root list: text, number of records and objects within it, and values for cursors.

    `None` where it has to be read level by level.
    """
    context = run.context
    chosen = choice_of(context, asked, peek=reading.peek)
    source = asked.listing.source
    try:
        lists = [_choice(run, one, source) for one in whole.inner]
    except Exception:
        return None  # each field has its own error
    most = chosen.limit * (1 + sum(one.limit for one in lists))
    if context.rows_read + most > context.limits.max_rows:
        return None  # perhaps too many, and whose error that is the levels tell
    sql, args = chosen.statement(_statement, whole, lists, reading)
    try:
        bounded = chosen.bounded and all(one.bounded for one in lists)
        rows = await context.read(sql, args, bounded=bounded)
    except Exception as error:
        if is_refused(error):
            selection.whole = None  # a column is not of its field's type, and this will not change
        elif context.translate(error) is not None:
            raise  # the database is away, or takes too long: so it would for each level
        return None  # perhaps of what one field was given, and no other is to fail with it
    chunk = chunk_of(rows, asked.window)
    read = len(rows) + sum(row[1] for row in chunk.rows)
    if any(row[0] is None for row in rows) or context.rows_read + read > context.limits.max_rows:
        return None
    context.admit(read)
    if context.trace is not None:
        context.trace.steps += [
            Step(one.field.place, one.field.title, one.field.kind, len(rows), IN_ABOVE) for one in whole.inner
        ]
    return chunk


def _choice(run: "Run", one: Inner, parent: Source) -> Choice:
    """What is asked of a list that hangs on each record of `parent`."""
    asked = asked_at_once(run, one.field)
    if asked.window.backward:
        raise ValueError("from its end")
    return choice_of(run.context, asked, peek=False, parent=parent)


def _statement(chosen: Choice, whole: Whole, lists: Sequence[Choice], reading: Reading) -> Statement:
    source, ordering = chosen.listing.source, chosen.ordering
    most = most_of(chosen)
    args = [*chosen.condition.args, *most.args]
    parts = [
        f"(SELECT t.*{ordering.select('postgres')} FROM {source.table} AS t WHERE {chosen.condition.sql}"
        f" {ordering.clause('postgres')} LIMIT {most.sql}) AS t"
        f" CROSS JOIN LATERAL (SELECT t.{source.key}) AS g({GROUP})"
    ]
    for number, (one, inner) in enumerate(zip(lists, whole.inner, strict=True)):
        condition, limit = all_of([one.condition, one.reach]), most_of(one)
        args += [*condition.args, *limit.args]
        best = (
            f"SELECT {inner.texts.selected['postgres']} FROM {one.listing.source.table} AS t"
            f" WHERE t.{one.listing.key} = g.{GROUP} AND ({condition.sql})"
            f" {one.ordering.clause('postgres')} LIMIT {limit.sql}"
        )
        parts.append(f"{inner.query.format(best=best)} AS n{number} ON TRUE")
    numbers = " + ".join(f"coalesce(n{number}.number, 0)" for number in range(len(lists)))
    places = "".join(f", t.{ordering.alias(i)}" for i in range(len(ordering.terms))) if reading.places else ""
    objects = " + ".join(one.objects.format(number) for number, one in enumerate(whole.inner))
    sql = (
        f"SELECT {whole.sql} AS _json, {numbers} AS number, {objects} AS objects{places}"
        f" FROM {' LEFT JOIN LATERAL '.join(parts)} {ordering.outer_clause('postgres')}"
    )
    return sql, tuple(args)
