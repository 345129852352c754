"""The objects among what functions gave: those of one type form one level, however deep in lists they are."""

import asyncio
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from graphql.pyutils import is_iterable

from .errors import CompletionFailure, NullFailure, going_on
from .layouts import Layout
from .plans import PlannedField, Selection, Shape
from .rows import Level, Row, is_list, type_name

if TYPE_CHECKING:
    from .run import Run


def items_of(field: PlannedField, value: Any) -> Iterable[Any]:
    """The items of a list that a function gave. Raises `CompletionFailure` for what is none."""
    if is_iterable(value):
        return value
    raise CompletionFailure(f"Expected Iterable, but did not find one for field '{field.title}'.")


class _Slot:
    """Where an object among results will be found."""

    __slots__ = ("group", "index")

    def __init__(self, group: "_Group", index: int) -> None:
        self.group = group
        self.index = index


class _Group:
    """Objects of one type that are completed together."""

    __slots__ = ("layout", "made", "origin", "places", "repeats", "selection", "values")

    def __init__(self, selection: Selection, origin: type, layout: Layout | None) -> None:
        self.selection = selection
        self.origin = origin
        self.layout = layout
        self.values: list[Any] = []
        self.places: dict[int, _Slot] = {}
        self.made: Sequence[Any] = ()
        self.repeats = False

    def add(self, value: Any) -> _Slot:
        """A place for one more. A row that was given before has its place already."""
        if self.layout is None:
            self.values.append(value)
            return _Slot(self, len(self.values) - 1)
        slot = self.places.get(id(value))
        if slot is None:
            self.values.append(value._values)
            slot = self.places[id(value)] = _Slot(self, len(self.values) - 1)
        else:
            self.repeats = True
        return slot


class Gathered:
    """The objects among the results of a field, at any depth of lists: those of one type form one level."""

    def __init__(self, run: "Run", field: PlannedField, shape: Shape) -> None:
        self._run = run
        self._field = field
        self._shape = shape
        self._groups: dict[Any, _Group] = {}

    async def output(self, values: Sequence[Any]) -> list[Any]:
        """The results' output, in their shape."""
        if self._shape.item is not None:
            values = [in_lists(self._shape, value) for value in values]
        self._run.context.give(number(self._shape, values))
        alike = self._alike(values) if self._shape.item is None else None
        if alike is not None:
            await self._complete(alike)
            made = iter(alike.made)
            return [None if value is None else next(made) for value in values]
        placed = [self._placed(self._shape, value) for value in values]
        groups = list(self._groups.values())
        if len(groups) == 1 or self._run.dialect == "sqlite":
            for group in groups:
                await self._complete(group)
        else:
            await asyncio.gather(*(self._complete(group) for group in groups))
        return [_found(one) for one in placed]

    def _alike(self, values: Sequence[Any]) -> _Group | None:
        """The frequent case: objects of one kind, none of them twice, and nulls only where they may be."""
        objects = [value for value in values if value is not None]
        if not objects or (self._shape.required and len(objects) < len(values)):
            return None
        kind, target = type(objects[0]), self._field.target
        if not isinstance(target, Selection) or any(type(value) is not kind for value in objects):
            return None
        if kind is not Row:
            if kind is not target.origin or target.layout is not None:
                return None
            group = _Group(target, kind, None)
            group.values = objects
            return group
        level = objects[0]._level
        if (
            level.layout is None
            or any(row._level is not level for row in objects)
            or len({*map(id, objects)}) < len(objects)
        ):
            return None
        try:
            group = _Group(self._selection(level.type, level.layout), level.type, level.layout)
        except Exception:
            return None  # it is the failure of each of them
        group.values = [row._values for row in objects]
        return group

    async def _complete(self, group: _Group) -> None:
        run = self._run
        level = Level(run.context, group.origin, group.layout, group.values)
        group.made = await run.complete(group.selection, level)
        run.shares = run.shares or (group.repeats and bool(group.selection.filled))
        if group.selection is not self._field.target:
            for one in group.made:
                run.chosen[id(one)] = group.selection

    def _placed(self, shape: Shape, value: Any) -> Any:
        run, field = self._run, self._field
        if value is None:
            return run.fail(NullFailure(field.title)) if shape.required else None
        if isinstance(value, Exception):
            return run.fail(value)
        try:
            if shape.item is not None:
                inner = shape.item
                return [self._placed(inner, item) for item in items_of(field, value)]
            return self._group(value).add(value if not _is_wrapped(value) else value._values)
        except Exception as error:
            return run.fail(error)

    def _group(self, value: Any) -> _Group:
        if isinstance(value, Row):
            origin, layout = value._type, value._level.layout
        else:
            origin, layout = getattr(value, "__as_strawberry_type__", None) or type(value), None
        group = self._groups.get((origin, layout))
        if group is None:
            selection = self._selection(origin, layout)
            group = self._groups[(origin, layout)] = _Group(selection, origin, layout)
        return group

    def _selection(self, origin: type, layout: Layout | None) -> Selection:
        target, run = self._field.target, self._run
        if isinstance(target, Selection):
            if layout is not None and origin is not target.origin:
                raise CompletionFailure(f"{self._field.title} gave a {origin.__name__}")
            found = target
        else:
            assert target is not None
            name = type_name(origin)
            chosen = target.options.get(name)
            if chosen is None:
                raise CompletionFailure(f"{self._field.title} gave a {name}, which is no {target.of.name}")
            permission = run.ready.rules.types.get(name)
            if permission is not None and not run.context.may(permission):
                raise run.context.refusal([(name, permission)])
            found = chosen
        if layout is not None and found.layout is not None and layout is not found.layout:
            for attribute in found.layout.attributes:
                if attribute not in layout.places:
                    raise CompletionFailure(f"{origin.__name__}.{attribute} was not read")
        return found


def in_lists(shape: Shape, value: Any) -> Any:
    """A result with lists in place of whatever else it has its objects in: these can be counted before
    anything is made of them. An exception, where going through it raises one.
    """
    inner = shape.item
    if inner is None or (type(value) is list and inner.item is None) or not is_list(value):
        return value
    try:
        with going_on():
            return [in_lists(inner, item) for item in value]
    except Exception as error:
        return error


def number(shape: Shape, values: Sequence[Any]) -> int:
    """How many objects there are in results whose lists are lists, those in lists of lists too."""
    if shape.item is None:
        return sum(value is not None for value in values)
    inner = shape.item
    return sum(number(inner, value) for value in values if type(value) is list)


def _is_wrapped(value: Any) -> bool:
    return isinstance(value, Row) and value._level.layout is None


def _found(placed: Any) -> Any:
    if type(placed) is _Slot:
        return placed.group.made[placed.index]
    if type(placed) is list:
        return [_found(one) for one in placed]
    return placed
