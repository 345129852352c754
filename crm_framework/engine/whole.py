"""Pages whose records' own lists the database writes as well, in the one statement that reads the page.

On PostgreSQL, where a page's records are nothing but columns and short lists of records that are nothing but
columns: what would take a statement a level, and of each record an object, is a text a record. It is the very
text that would be made here, or none, and then the page is read level by level, which knows the error.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from .connections import Connected, PagePart
from .declarations import DeclaredField, Source
from .json_texts import Texts, is_refused, object_text, texts_of
from .load import GROUP
from .pages import Asked, Choice, Chunk, choice_of, chunk_of, most_of
from .plans import PlannedField, Reading, Selection
from .run_asks import Ask
from .sql import all_of
from .trace import Step
from .writers import Leaves

if TYPE_CHECKING:
    from .run import Run


class Inner(NamedTuple):
    """A list that hangs on each record: the field, and how the database writes what is in it."""

    field: PlannedField
    texts: Texts


@dataclass(frozen=True, slots=True)
class Whole:
    """How the database writes a selection's objects with the lists that hang on them."""

    sql: str
    inner: Sequence[Inner]


class Written(NamedTuple):
    """What was read: the page, whose rows are text, number of records within, and values for cursors."""

    chunk: Chunk
    whole: Whole

    @property
    def texts(self) -> list[str]:
        return [row[0] for row in self.chunk.rows]

    def sizes(self) -> list[int]:
        """How many objects each of the texts has."""
        lists = 1 + len(self.whole.inner)
        return [lists + row[1] for row in self.chunk.rows]


WIDTH = 2
"""What a row has before the values for cursors."""


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
        found = _of_list(field, leaves)
        if found is None:
            return None
        texts, before, after = found
        within[field.key] = (before, f"n{len(inner)}.lines", after)
        inner.append(Inner(field, texts))
    sql = object_text(selection, leaves, within)
    return Whole(sql, inner) if sql is not None else None


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
) -> Written | None:
    """The page of a root list; `None` where it has to be read level by level."""
    context = run.context
    chosen = choice_of(context, asked, [None], peek=reading.peek)
    assert chosen is not None  # a root list has one page
    source = asked.listing.source
    try:
        lists = [_choice(run, one, source) for one in whole.inner]
    except Exception:
        return None  # each field has its own error
    most = chosen.limit * (1 + sum(one.limit for one in lists))
    if context.rows_read + most > context.limits.max_rows:
        return None  # perhaps too many, and whose error that is the levels tell
    sql, args = _statement(whole, chosen, lists, reading)
    try:
        rows = await context.read(sql, args, bounded=chosen.bounded)
    except Exception as error:
        if not is_refused(error):
            raise
        selection.whole = None  # a column is not of its field's type, and this will not change
        return None
    read = len(rows) + sum(row[1] for row in rows)
    if any(row[0] is None for row in rows) or context.rows_read + read > context.limits.max_rows:
        return None
    context.admit(read)
    if context.trace is not None:
        context.trace.steps += [
            Step(one.field.place, one.field.title, "pages", len(rows), "in the statement above")
            for one in whole.inner
        ]
    return Written(chunk_of(rows, asked.window), whole)


def _choice(run: "Run", one: Inner, parent: Source) -> Choice:
    """What is asked of a list that hangs on each record of `parent`."""
    field = one.field
    declaration = field.declaration
    assert isinstance(declaration, Connected)
    assert isinstance(field.field, DeclaredField)
    arguments = field.arguments
    given: Mapping[str, Any] = {} if arguments is None else arguments.shared(run.variables)
    asked = declaration.asked(field.field, run.info(Ask(field)), given)
    assert isinstance(asked, Asked)  # only one that is narrowed may have to wait
    if asked.window.backward:
        raise ValueError("from its end")
    chosen = choice_of(run.context, asked, [""], peek=False, parent=parent)
    assert chosen is not None
    return chosen


def _statement(
    whole: Whole, chosen: Choice, lists: Sequence[Choice], reading: Reading
) -> tuple[str, tuple[Any, ...]]:
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
        # an object without a text leaves the whole list, and so the record, without one
        parts.append(
            "(SELECT count(*) AS number, CASE WHEN count(x._json) = count(*)"
            " THEN coalesce(string_agg(x._json, ','), '') END AS lines"
            f" FROM ({best}) AS x) AS n{number}"
        )
    numbers = " + ".join(f"n{number}.number" for number in range(len(lists)))
    places = "".join(f", t.{ordering.alias(i)}" for i in range(len(ordering.terms))) if reading.places else ""
    sql = (
        f"SELECT {whole.sql} AS _json, {numbers} AS number{places}"
        f" FROM {' CROSS JOIN LATERAL '.join(parts)} {ordering.outer_clause('postgres')}"
    )
    return sql, tuple(args)
