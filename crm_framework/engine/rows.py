"""Rows and the levels they came in. A level is the unit of resolution: a batch always takes all of it."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import fields, is_dataclass
from inspect import isawaitable
from operator import attrgetter
from typing import TYPE_CHECKING, Any, Generic, TypeVar, overload

from strawberry.types.base import get_object_definition, has_object_definition

from .errors import FieldFailure

if TYPE_CHECKING:
    from .context import Context
    from .declarations import Source

T = TypeVar("T", covariant=True)
Read = Callable[[Any], Any]
View = Callable[[Any], Any]


class _Attributes(dict[str, Read]):
    """Readers of plain objects: every name is an attribute."""

    def __missing__(self, name: str) -> Read:
        reader = self[name] = attrgetter(name)
        return reader


_ATTRIBUTES = _Attributes()


class Level:
    """All rows that one statement or one batch produced, of one type, and the batches that ran over them."""

    __slots__ = ("batches", "context", "readers", "rows", "source", "type")

    def __init__(self, context: "Context", type_: type, source: "Source | None" = None) -> None:
        self.context = context
        self.type = type_
        self.source = source
        self.readers: Mapping[str, Read] = (
            _ATTRIBUTES if source is None else source.readers(context.reader.dialect)
        )
        self.rows: list[Row] = []
        self.batches: dict[object, Outcome] = {}

    def add(self, values: Any) -> "Row":
        """One more row; `values` is the database's mapping or the plain object itself."""
        row = Row(self, len(self.rows), values)
        self.rows.append(row)
        return row

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
            raise AttributeError(f"{self._level.type.__name__} has no column {name!r}") from None
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

    __slots__ = ("_level", "_parents")

    def __init__(self, level: Level) -> None:
        self._level = level
        rows: Sequence[Any] = level.rows
        self._parents: Sequence[T] = rows if level.source else [row._values for row in rows]

    @property
    def ids(self) -> list[str]:
        """The parents' keys (not their global ids)."""
        return self.column("id")

    def column(self, name: str) -> list[Any]:
        """One column of all parents."""
        read = self._level.readers[name]
        return [read(row._values) for row in self._level.rows]

    def __len__(self) -> int:
        return len(self._parents)

    @overload
    def __getitem__(self, index: int) -> T: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[T]: ...
    def __getitem__(self, index: int | slice) -> "T | Sequence[T]":
        return self._parents[index]

    def __repr__(self) -> str:
        return f"<batch of {len(self)} {self._level.type.__name__}>"


def wrap(context: "Context", value: Any) -> Any:
    """The value with every plain object in it, at any depth of lists, made a row; rows of one type, one
    level.
    """
    levels: dict[type, Level] = {}
    return _wrap(context, value, levels)


def _wrap(context: "Context", value: Any, levels: dict[type, Level]) -> Any:
    if value is None or isinstance(value, Row | Exception):
        return value
    if isinstance(value, list | tuple):
        return [_wrap(context, item, levels) for item in value]
    kind = getattr(value, "__as_strawberry_type__", None) or type(value)
    if not has_object_definition(kind):
        if isinstance(value, Iterable) and not isinstance(value, str | bytes | Mapping):
            return [_wrap(context, item, levels) for item in value]
        return value
    level = levels.get(kind)
    if level is None:
        level = levels[kind] = Level(context, kind)
    return level.add(value)


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
    definition = get_object_definition(type_)
    return definition.name if definition else type_.__name__
