"""Running a plan: level by level, each field for all objects of its level at once.

The output grows from the leaves: what a level's objects lead to is complete before they are built, so that
nothing is built twice. A field that fails never stops the others: a `Failure` stands in its place until the
whole is settled.
"""

import asyncio
from collections.abc import Awaitable, Sequence
from types import MappingProxyType
from typing import Any

from graphql import GraphQLResolveInfo, get_argument_values
from graphql.pyutils import Path

from .amount import Amount
from .arguments import Variables
from .arrivals import all_here, arrived, shared
from .asking import asked_of_one
from .builders import builder_of
from .context import Context
from .declarations import DeclaredField
from .errors import ENDING, STOPPING, Exited, NullFailure, RequestError, awaited, is_cancelled
from .fields import Batched, Called, Computed
from .gathered import Gathered, in_lists, items_of, number
from .info import FieldInfo
from .joined import filled_within
from .layouts import Layout
from .load import rows_by_key, rows_by_parent
from .plans import Plan, PlannedField, Selection, Shape
from .prepare import Prepared
from .reference import is_awaitable
from .relations import Children, One, Reference
from .rows import Joined, Level, Row, canonical
from .run_asks import Ask
from .run_pages import connected_pages, given_pages
from .settle import Failure
from .sql import Fragment
from .trace import Step
from .writers import Write

_OWN = frozenset({"reference", "children", "one", "pages", "objects"})
"""Kinds that only read the database: on SQLite there is nothing to gain from starting several at once."""


class Run:
    """One execution of a plan."""

    def __init__(self, ready: Prepared, plan: Plan, context: Context, variables: Variables) -> None:
        self.ready = ready
        self.plan = plan
        self.context = context
        self.variables = variables
        self.dialect = context.reader.dialect
        self.failed = False
        self.shares = False
        """Whether objects that lead to others stand at several places of the output."""
        self.chosen: dict[int, Selection] = {}
        self.sizes: dict[int, int] = {}
        """How many objects a JSON text has, by its `id()`."""

    def fail(self, error: BaseException) -> Failure:
        """Stands for a value that could not be had."""
        self.failed = True
        return Failure(error)

    def limited(self, field: PlannedField, value: Any) -> Any:
        """The output of a root field, or its failure where it is too large to be written out."""
        if self.shares and field.target is not None:
            try:
                self.context.write(Amount(self.chosen, self.sizes).of(field, value))
            except RequestError as error:
                return self.fail(error)
        return value

    async def complete(self, selection: Selection, level: Level) -> list[dict[str, Any]]:
        """The output of a level's objects, in their order."""
        if not level.values:
            return []
        within = level.joined
        filled = await self.fill(selection, level) if len(selection.filled) > len(within) else []
        if within:
            filled += await filled_within(self, level)
        builder = builder_of(selection, level.layout, self.dialect, self.ready.leaves, level.joined)
        return builder.build(level.values, filled, self.fail)

    async def fill(self, selection: Selection, level: Level) -> list[Sequence[Any]]:
        """The values of the filled fields that are not joined, a list with one for each object; asked for
        together where that helps.
        """
        asks = self._asks(selection, level)
        if len(asks) == 1:
            await self._answer(asks[0], level)
        else:
            together: list[Ask] = []
            for ask in asks:
                if _waits_for_nobody(ask.first) or (ask.first.kind in _OWN and self.dialect == "sqlite"):
                    await self._answer(ask, level)
                else:
                    together.append(ask)
            if len(together) == 1:
                await self._answer(together[0], level)
            elif together:
                await asyncio.gather(*(self._answer(ask, level) for ask in together))
        if not selection.repeats:
            return [ask.values[0] for ask in asks]
        found = {field: values for ask in asks for field, values in zip(ask.fields, ask.values, strict=True)}
        return [found[field] for field in selection.filled]

    def _asks(self, selection: Selection, level: Level) -> list[Ask]:
        """What to ask of a level: a field that is there under several keys with equal arguments is asked for
        once.
        """
        if not selection.repeats:
            return [Ask(field) for field in selection.filled if field not in level.joined]
        asks: dict[Any, Ask] = {}
        for field in selection.filled:
            try:
                key: Any = (field.name, canonical(self.given(field)))
                known = asks.get(key)
            except Exception:
                key, known = field, None  # it fails again where it is asked for
            if known is None:
                asks[key] = Ask(field)
            else:
                known.fields.append(field)
                known.reading = known.reading.and_also(field.reading)
        return list(asks.values())

    async def answer(self, field: PlannedField, level: Level) -> Sequence[Any]:
        """The values of one field. Failures are among them, never raised."""
        ask = Ask(field)
        await self._answer(ask, level)
        return ask.values[0]

    async def _answer(self, ask: Ask, level: Level) -> None:
        """Finds an ask's values. Failures are among them, never raised."""
        trace = self.context.trace
        try:
            if trace is None:
                ask.values = await self.values_of(ask, level)
                return
            field = ask.first
            how = field.kind if self.plan.straight is None else "by key"
            with trace.step(Step(field.place, field.title, how, len(level.values))):
                ask.values = await self.values_of(ask, level)
        except Exception as error:
            ask.values = [[self.fail(error)] * len(level.values) for _ in ask.fields]
        except ENDING as error:
            ask.values = [[self.fail(Exited.by(error))] * len(level.values) for _ in ask.fields]
        except asyncio.CancelledError as error:
            if is_cancelled():
                raise
            ask.values = [[self.fail(Exited.by(error))] * len(level.values) for _ in ask.fields]

    async def values_of(self, ask: Ask, level: Level) -> list[Sequence[Any]]:
        """The output for each object of a level, for each of the fields that ask for it."""
        match ask.first.kind:
            case "reference":
                return await self._reference(ask, level)
            case "children":
                return await self._children(ask, level)
            case "one":
                return await self._one(ask, level)
            case "pages":
                return await connected_pages(self, ask, level)
            case "batch":
                results = await self._batch(ask, level)
            case "objects":
                results = self._attribute(ask.first, level)
            case "ordinary":
                results = await self._ordinary(ask.first, level)
            case _:
                results = [await self.called(ask)]
        if len(ask.fields) > 1:
            results = await shared(ask.first.shape, results)
        return [await self.output(field, results) for field in ask.fields]

    def info(self, ask: Ask) -> FieldInfo:
        """What a function of the field is told."""
        field = ask.first
        assert field.field is not None
        return FieldInfo(field.field, self.context, ask.reading.wanted, lambda: self.raw_info(field))

    def given(self, field: PlannedField) -> dict[str, Any]:
        """The field's arguments."""
        return field.arguments.values(self.variables) if field.arguments is not None else {}

    async def called(self, ask: Ask) -> Any:
        """The result of a field of a root type."""
        field = ask.first
        assert isinstance(field.declaration, Called)
        assert isinstance(field.field, DeclaredField)
        many = self.variables.many
        given = await asyncio.to_thread(self.given, field) if many else self.given(field)
        result = field.declaration.call(field.field, self.info(ask), given)
        return await result if is_awaitable(result) else result

    async def _reference(self, ask: Ask, level: Level) -> list[Sequence[Any]]:
        declaration, layout = ask.first.declaration, ask.reading.layout
        assert isinstance(declaration, Reference)
        assert layout is not None  # the planner takes no other
        keys = level.column(declaration.column)
        wanted = [key for key in dict.fromkeys(keys) if key is not None]
        rows = await rows_by_key(self.context, layout, wanted) if wanted else ()
        found: list[Sequence[Any]] = []
        for field in ask.fields:
            self.shares = self.shares or (len(wanted) < len(keys) and bool(field.selection.filled))
            made = await self.complete(field.selection, self.level(layout, rows))
            by_key = {str(row[0]): one for row, one in zip(rows, made, strict=True)}
            found.append(self._required(field, [by_key.get(str(key)) for key in keys]))
        return found

    async def _children(self, ask: Ask, level: Level) -> list[Sequence[Any]]:
        declaration, layout = ask.first.declaration, ask.reading.layout
        assert isinstance(declaration, Children)
        assert layout is not None  # the planner takes no other
        keys = level.column(declaration.parent)
        wanted = [key for key in dict.fromkeys(keys) if key is not None]
        self.shares = self.shares or len(wanted) < len(keys)
        rows: Sequence[Any] = ()
        if wanted:
            where = Fragment(declaration.where) if declaration.where else None
            rows = await rows_by_parent(
                self.context, layout, declaration.key, wanted, declaration.order, where
            )
        found: list[Sequence[Any]] = []
        for field in ask.fields:
            made = await self.complete(field.selection, self.level(layout, rows))
            groups: dict[str, list[Any]] = {str(key): [] for key in wanted}
            for row, one in zip(rows, made, strict=True):
                groups[str(row[layout.width])].append(one)
            found.append([groups.get(str(key), []) for key in keys])
        return found

    async def _one(self, ask: Ask, level: Level) -> list[Sequence[Any]]:
        field, layout = ask.first, ask.reading.layout
        declaration = field.declaration
        assert isinstance(declaration, One)
        assert layout is not None  # the planner takes no other
        asked, keys = asked_of_one(self, field), level.column("id")
        rows = await declaration.read(layout, self.context, keys, asked)
        return [await self.ones(each, layout, rows) for each in ask.fields]

    async def ones(self, field: PlannedField, layout: Layout, rows: Sequence[Any]) -> Sequence[Any]:
        """The output for the row of each parent, which may be None."""
        there = [row for row in rows if row is not None]
        made = await self.complete(field.selection, self.level(layout, there))
        if len(there) == len(rows):
            return made
        found = iter(made)
        return self._required(field, [None if row is None else next(found) for row in rows])

    def level(self, layout: Layout, rows: Sequence[Any], joined: Joined = MappingProxyType({})) -> Level:
        """A level of rows."""
        return Level(self.context, layout.source.type, layout, rows, joined)

    async def _batch(self, ask: Ask, level: Level) -> Sequence[Any]:
        field = ask.first
        if isinstance(field.declaration, Computed):
            return field.declaration.of_level(level)
        assert isinstance(field.declaration, Batched)
        assert isinstance(field.field, DeclaredField)
        results = field.declaration.of_level(field.field, level, self.info(ask), self.given(field))
        found: Sequence[Any] = await results if is_awaitable(results) else results  # type: ignore[assignment]  # asked just now
        return found

    def _attribute(self, field: PlannedField, level: Level) -> Sequence[Any]:
        assert field.field is not None
        name = field.field.python_name
        try:
            return level.column(name)
        except Exception:
            return [self._tried(level.readers[name], value) for value in level.values]

    def _tried(self, read: Any, value: Any) -> Any:
        try:
            return read(value)
        except Exception as error:
            return error
        except STOPPING as error:
            return Exited.by(error)

    async def _ordinary(self, field: PlannedField, level: Level) -> Sequence[Any]:
        resolve = self.ready.ordinary[(field.owner.name, field.name)]
        raw, given = self.raw_info(field), self._plain(field)
        parents = level.values if level.layout is None else level.rows
        results: list[Any] = []
        room, objects = self.context.limits.max_objects - self.context.objects_given, 0
        for parent in parents:
            result = self._tried(lambda parent: resolve(parent, raw, **given), parent)
            if field.leaf is None and not isinstance(result, Awaitable):
                result = in_lists(field.shape, result)
                objects += number(field.shape, [result])
                if objects > room:  # the others are not asked for more
                    self.context.give(objects)
            results.append(result)
        waiting = [result for result in results if isinstance(result, Awaitable)]
        if waiting:
            found = iter(await asyncio.gather(*map(awaited, waiting), return_exceptions=True))
            results = [next(found) if isinstance(result, Awaitable) else result for result in results]
        return results

    def _plain(self, field: PlannedField) -> dict[str, Any]:
        """The arguments as graphql-core hands them to a resolver."""
        if field.definition is None or not field.definition.args:
            return {}
        return get_argument_values(field.definition, field.nodes[0], self.variables.reference())

    async def output(self, field: PlannedField, values: Sequence[Any]) -> Sequence[Any]:
        """The output of what a function gave for each object; an exception among it is that object's
        failure.
        """
        if not all_here(values):
            values = await arrived(field.shape, values)
        if field.pages:
            return await given_pages(self, field, values)
        if field.leaf is not None:
            return self.written(field, values)
        if len(values) == 1 and field.shape.item is not None and type(values[0]) is list and not values[0]:
            return [[]]  # of the errors of a change there are none, mostly
        if len(values) == 1 and field.shape.item is None and isinstance(field.target, Selection):
            value, target = values[0], field.target
            # the most frequent cases: one record, read for this very field, and the payload of a mutation
            if type(value) is Row:
                layout = value._level.layout
                if layout is not None and layout is field.reading.layout:
                    return await self.complete(target, self.level(layout, (value._values,)))
            elif type(value) is target.origin and target.layout is None:
                return await self.complete(target, Level(self.context, target.origin, None, values))
        return await Gathered(self, field, field.shape).output(values)

    def written(self, field: PlannedField, values: Sequence[Any]) -> Sequence[Any]:
        """Leaf values, written as the field's type says."""
        assert field.leaf is not None
        return self._leaves(field, self.ready.leaves.writer(field.leaf), values)

    async def items(self, field: PlannedField, values: Sequence[Any]) -> Sequence[Any]:
        """The output of single objects: of a field that leads to one, or of the items of one that leads to a
        list.
        """
        shape = field.shape.item or field.shape
        return await Gathered(self, field, shape).output(values)

    def _leaves(self, field: PlannedField, write: Write, values: Sequence[Any]) -> Sequence[Any]:
        shape = field.shape
        if shape.item is None:
            try:
                return self._required(field, [write(value) for value in values])
            except Exception:
                pass  # whichever it was, it is found again
        return [self._leaf(field, shape, write, value) for value in values]

    def _leaf(self, field: PlannedField, shape: Shape, write: Write, value: Any) -> Any:
        if value is None:
            return self.fail(NullFailure(field.title)) if shape.required else None
        try:
            if shape.item is None:
                found = write(value)
                if found is None and shape.required:
                    raise NullFailure(field.title)
                return found
            if isinstance(value, Exception):
                raise value
            return [self._leaf(field, shape.item, write, item) for item in items_of(field, value)]
        except Exception as error:
            return self.fail(error)

    def _required(self, field: PlannedField, values: list[Any]) -> list[Any]:
        """The values, with a failure for each null where none may be."""
        if field.shape.required and any(value is None for value in values):
            missing = NullFailure(field.title)
            return [self.fail(missing) if value is None else value for value in values]
        return values

    def raw_info(self, field: PlannedField) -> GraphQLResolveInfo[Any]:
        """The same as graphql-core would tell a resolver, but for the numbers in the path."""
        plan = self.plan
        assert field.definition is not None
        return GraphQLResolveInfo(
            field.name,
            field.nodes,
            field.definition.type,
            field.owner,
            _path(field),
            self.ready.schema,
            plan.fragments,
            None,
            plan.operation,
            self.variables.reference(),
            self.context,
            is_awaitable,
            None,
            None,  # type: ignore[arg-type]  # helpers of graphql-core's own executor
        )


def _waits_for_nobody(field: PlannedField) -> bool:
    """Whether nothing is read for it: starting it beside others would only cost a task."""
    if field.kind != "objects":
        return False
    target = field.target
    if isinstance(target, Selection):
        return not target.filled
    return target is None or not any(option.filled for option in target.options.values())


def _path(field: PlannedField) -> Path:
    path: Path | None = None
    for key in field.place.split("."):
        path = Path(path, key, None)
    assert path is not None
    return path
