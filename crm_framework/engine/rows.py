"""Rows and the levels they came in. A level is the unit of resolution: a batch always takes all of it."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import fields, is_dataclass
from inspect import isawaitable
from operator import attrgetter
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Generic, NamedTuple, TypeGuard, TypeVar, overload
from weakref import WeakKeyDictionary

from graphql.pyutils import is_iterable
from strawberry.types.base import get_object_definition, has_object_definition

from .decode import Read
from .errors import FieldFailure

if TYPE_CHECKING:
    from .context import Context
    from .declarations import Source
    from .layouts import Layout

T = TypeVar("T", covariant=True)
View = Callable[[Any], Any]


class Place(NamedTuple):
    """Where in a row a record begins that was read with it: with its key, or None for no record. `leads_on`
    says that more has to be read for it.
    """

    begin: int
    leads_on: bool


Joined = Mapping[Any, Place]
"""Planned fields whose record was read with each row."""


class _Attributes(dict[str, Read]):
    """Readers of plain objects: every name is an attribute."""

    def __missing__(self, name: str) -> Read:
        reader = self[name] = attrgetter(name)
        return reader


_ATTRIBUTES = _Attributes()


class Level:
    """All rows that one statement or one batch produced, of one type, and the batches that ran over them.

    `values` are the tuples that the database gave, in the order of `layout`; without one, plain objects.
    """

    __slots__ = ("_rows", "batches", "context", "joined", "layout", "readers", "type", "values")

    def __init__(
        self,
        context: "Context",
        type_: type,
        layout: "Layout | None" = None,
        values: Iterable[Any] = (),
        joined: Joined = MappingProxyType({}),
    ) -> None:
        self.context = context
        self.type = type_
        self.layout = layout
        self.joined = joined
        self.readers: Mapping[str, Read] = (
            _ATTRIBUTES if layout is None else layout.readers(context.reader.dialect)
        )
        self.values: list[Any] = list(values)
        self.batches: dict[object, Outcome] = {}
        self._rows: list[Row] = []

    @property
    def source(self) -> "Source | None":
        """Where the records come from; `None` for plain objects."""
        return None if self.layout is None else self.layout.source

    @property
    def rows(self) -> "list[Row]":
        """All of them as objects."""
        made = self._rows
        while len(made) < len(self.values):
            made.append(Row(self, len(made), self.values[len(made)]))
        return made

    def add(self, values: Any) -> "Row":
        """One more row."""
        self.values.append(values)
        return self.rows[-1]

    def column(self, name: str) -> list[Any]:
        """One column of all rows, decoded. Raises `AttributeError` where it was not read."""
        if self.layout is not None and name not in self.readers:
            raise AttributeError(self.unknown(name))
        read = self.readers[name]
        return [read(values) for values in self.values]

    def unknown(self, name: str) -> str:
        """What to say of an attribute that the rows do not have."""
        shown = self.type.__name__
        if self.source is not None and name in self.source.columns:
            return f"{shown}.{name} was not read: the batch must name it in needs=, or load() in columns="
        return f"{shown} has no column {name!r}"

    def once(self, key: object, run: Callable[[], "Awaitable[Sequence[Any]] | Sequence[Any]"]) -> "Outcome":
        """The outcome of `run`, which gives one result per row; started by the first call with this key."""
        outcome = self.batches.get(key)
        if outcome is None:
            outcome = self.batches[key] = Outcome()
            outcome.start(self.context, run)
        return outcome


class Row:
    """A record, or an object that a batch made. Its attributes are columns, decoded when they are read."""

    __slots__ = ("_index", "_level", "_values")

    def __init__(self, level: Level, index: int, values: Any) -> None:
        self._level = level
        self._index = index
        self._values = values

    @property
    def _type(self) -> type:
        return self._level.type

    @property
    def __as_strawberry_type__(self) -> type:  # how Strawberry asks a foreign object for its type
        return self._level.type

    def __getattr__(self, name: str) -> Any:
        try:
            read = self._level.readers[name]
        except KeyError:
            raise AttributeError(self._level.unknown(name)) from None
        return read(self._values)

    def __repr__(self) -> str:
        return f"<{self._level.type.__name__} {self._values!r}>"


class Outcome:
    """What a batch will have given, row by row. Several fields wait for it; one of them started it."""

    __slots__ = ("error", "results", "waiting")

    def __init__(self) -> None:
        self.results: Sequence[Any] | None = None
        self.error: BaseException | None = None
        self.waiting: list[tuple[int, View | None, asyncio.Future[Any]]] = []

    def start(self, context: "Context", run: Callable[[], Awaitable[Sequence[Any]] | Sequence[Any]]) -> None:
        try:
            results = run()
        except Exception as error:
            self.error = error
            return
        if not isawaitable(results):
            self.results = results
            return
        task = asyncio.ensure_future(self._finish(results))
        context.tasks.add(task)
        task.add_done_callback(context.tasks.discard)

    def take(self, index: int, view: "View | None" = None) -> Any:
        """The result for one row (what `view` makes of it), or an awaitable of it. An exception is raised."""
        if self.results is not None:
            result = self.results[index]
            if isinstance(result, Exception):
                raise FieldFailure(result)
            return view(result) if view is not None else result
        if self.error is not None:
            raise FieldFailure(self.error)
        # a future for each one who waits: cancelling one of them must not reach the batch or the others
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self.waiting.append((index, view, future))
        return future

    async def _finish(self, results: Awaitable[Sequence[Any]]) -> None:
        try:
            self.results = await results
        except Exception as error:
            self.error = error
        except BaseException:
            for *_, future in self.waiting:
                future.cancel()
            raise
        for index, view, future in self.waiting:
            if future.done():
                continue
            try:
                future.set_result(self.take(index, view))
            except Exception as failure:
                future.set_exception(failure)
                future.exception()  # a field that was given up on is no one's unretrieved exception
        self.waiting = []


class Batch(Sequence[T], Generic[T]):
    """All parents of a level, in order: what a batch resolver gets. It returns one result for each."""

    __slots__ = ("_level",)

    def __init__(self, level: Level) -> None:
        self._level = level

    @property
    def ids(self) -> list[str]:
        """The parents' keys (not their global ids)."""
        return self.column("id")

    def column(self, name: str) -> list[Any]:
        """One column of all parents."""
        return self._level.column(name)

    def __len__(self) -> int:
        return len(self._level.values)

    @overload
    def __getitem__(self, index: int) -> T: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[T]: ...
    def __getitem__(self, index: int | slice) -> "T | Sequence[T]":
        parents: Sequence[Any] = self._level.values if self._level.layout is None else self._level.rows
        return parents[index]

    def __repr__(self) -> str:
        return f"<batch of {len(self)} {self._level.type.__name__}>"


def wrap(context: "Context", value: Any) -> Any:
    """The value with every plain object in it, at any depth of lists, made a row; rows of one type, one
    level.
    """
    levels: dict[type, Level] = {}
    wrapped = _wrap(context, value, levels)
    context.give(sum(len(level.values) for level in levels.values()))
    return wrapped


def _wrap(context: "Context", value: Any, levels: dict[type, Level]) -> Any:
    if value is None or isinstance(value, Row | Exception):
        return value
    if isinstance(value, list | tuple):
        return [_wrap(context, item, levels) for item in value]
    kind = getattr(value, "__as_strawberry_type__", None) or type(value)
    if not has_object_definition(kind):
        return [_wrap(context, item, levels) for item in value] if is_list(value) else value
    level = levels.get(kind)
    if level is None:
        level = levels[kind] = Level(context, kind)
    return level.add(value)


def is_list(value: Any) -> TypeGuard[Iterable[Any]]:
    """Whether a value that a function gave is a list, in whatever it has its items. A future is none, which
    can be gone through as well: by `await`.
    """
    return is_iterable(value) and not isinstance(value, Awaitable)


def canonical(value: Any) -> Any:
    """A hashable equal for equal arguments, whatever objects they were converted to."""
    if isinstance(value, list | tuple):
        return tuple(map(canonical, value))
    if isinstance(value, Mapping):
        return tuple(sorted((key, canonical(item)) for key, item in value.items()))
    if is_dataclass(value) and not isinstance(value, type):
        given = [(each.name, canonical(getattr(value, each.name))) for each in fields(value) if each.init]
        return (type(value), *given)
    return (type(value), value)  # True, 1 and 1.0 are equal, but not one argument


def type_name(type_: type) -> str:
    """The name that a type has in the schema."""
    found = _TYPE_NAMES.get(type_)
    if found is None:
        definition = get_object_definition(type_)
        found = definition.name if definition else type_.__name__
        if definition:
            _TYPE_NAMES[type_] = found
    return found


_TYPE_NAMES: WeakKeyDictionary[type, str] = WeakKeyDictionary()
"""Asked for every id and every object of an interface."""
