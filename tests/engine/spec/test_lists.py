"""Lists: what counts as one, and null and errors in them and in lists of lists."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest
import strawberry

from crm_framework.engine import Batch, batch

from .harness import Ask, Fault, answering, null, schema_of

LISTS = {
    "[Int]": list[int | None] | None,
    "[Int]!": list[int | None],
    "[Int!]": list[int] | None,
    "[Int!]!": list[int],
}


async def _complete(ask: Ask, give: Callable[[], Any], annotation: Any = list[str | None] | None) -> Any:
    return await ask(schema_of(answering("list_field", annotation, give)), "{ listField }")


def _words() -> Iterator[str]:
    yield "one"
    yield "two"


class _Words:
    """An iterable of its own kind."""

    def __iter__(self) -> Iterator[str]:
        return iter(("hello", "world"))


@pytest.mark.parametrize(
    ("give", "expected"),
    [
        (list, []),
        (lambda: ["just an apple"], ["just an apple"]),
        (lambda: ["apple", "banana", "coconut"], ["apple", "banana", "coconut"]),
        (lambda: ("apple", "banana"), ["apple", "banana"]),
        (lambda: {"apple"}, ["apple"]),
        (_words, ["one", "two"]),
        (_Words, ["hello", "world"]),
        (lambda: {"apple": 1}.keys(), ["apple"]),
    ],
    ids=["empty", "one", "several", "tuple", "set", "generator", "iterable", "keys"],
)
async def test_any_iterable_is_a_list(ask: Ask, give: Callable[[], Any], expected: list[str]) -> None:
    assert await _complete(ask, give) == ({"listField": expected}, set())


@pytest.mark.parametrize(
    "value",
    [{1: "one", 2: "two"}, "Singular", b"bytes", bytearray(b"bytes"), memoryview(b"bytes"), 3, object()],
    ids=lambda value: type(value).__name__,
)
async def test_a_mapping_a_text_and_a_single_value_are_no_list(ask: Ask, value: Any) -> None:
    message = "Expected Iterable, but did not find one for field 'Query.listField'."
    assert await _complete(ask, lambda: value) == ({"listField": None}, {f"1:3 listField: {message}"})


async def test_a_single_object_is_no_list_of_objects(ask: Ask) -> None:
    schema = schema_of(answering("things", list[Thing | None] | None, lambda: Thing(index=1)))
    message = "Expected Iterable, but did not find one for field 'Query.things'."
    assert await ask(schema, "{ things { index } }") == ({"things": None}, {f"1:3 things: {message}"})


CONTENTS: dict[str, tuple[Callable[[], Any], dict[str, tuple[Any, str | None]]]] = {
    "values": (
        lambda: [1, 2],
        dict.fromkeys(LISTS, ([1, 2], None)),
    ),
    "null in it": (
        lambda: [1, None, 2],
        {
            "[Int]": ([1, None, 2], None),
            "[Int]!": ([1, None, 2], None),
            "[Int!]": (None, "listField.1"),
            "[Int!]!": ("none", "listField.1"),
        },
    ),
    "null": (
        lambda: None,
        {
            "[Int]": (None, None),
            "[Int]!": ("none", "listField"),
            "[Int!]": (None, None),
            "[Int!]!": ("none", "listField"),
        },
    ),
    "an error in it": (
        lambda: [1, Fault("bad"), 2],
        {
            "[Int]": ([1, None, 2], "bad at listField.1"),
            "[Int]!": ([1, None, 2], "bad at listField.1"),
            "[Int!]": (None, "bad at listField.1"),
            "[Int!]!": ("none", "bad at listField.1"),
        },
    ),
    "an error": (
        lambda: Fault("bad"),
        {
            "[Int]": (None, "bad at listField"),
            "[Int]!": ("none", "bad at listField"),
            "[Int!]": (None, "bad at listField"),
            "[Int!]!": ("none", "bad at listField"),
        },
    ),
}
"""What a list holds → for each type the data and the error's path, with "bad" where it is not a null's."""


async def _later(value: Any) -> Any:
    return value


def _sync(value: Any) -> Any:
    return value


def _items_later(value: Any) -> Any:
    return [_later(item) for item in value] if isinstance(value, list) else value


@pytest.mark.parametrize("way", [_sync, _later, _items_later], ids=["value", "promise", "promised items"])
@pytest.mark.parametrize("type_", LISTS)
@pytest.mark.parametrize("contents", CONTENTS)
async def test_null_and_errors_in_a_list_of_a_root_field(
    ask: Ask, contents: str, type_: str, way: Callable[[Any], Any]
) -> None:
    give, by_type = CONTENTS[contents]
    data, problem = by_type[type_]
    found = await _complete(ask, lambda: way(give()), LISTS[type_])
    assert found == (_data(data), _problem(problem))


@pytest.mark.parametrize("late", [False, True])
@pytest.mark.parametrize("type_", LISTS)
@pytest.mark.parametrize("contents", CONTENTS)
async def test_null_and_errors_in_a_list_of_a_batch(ask: Ask, contents: str, type_: str, late: bool) -> None:
    give, by_type = CONTENTS[contents]
    data, problem = by_type[type_]
    holder = _holder(LISTS[type_], give, late)
    schema = schema_of(answering("holder", holder | None, lambda: holder()))
    found = await ask(schema, "{ holder { listField } }")
    at = None if problem is None else problem.replace("listField", "holder.listField")
    expected = None if data == "none" else {"listField": data}
    assert found == ({"holder": expected}, _problem(at, "1:12", "Holder.listField"))


def _holder(annotation: Any, give: Callable[[], Any], late: bool) -> Any:
    def list_field(holders: Batch[Any]) -> Any:
        "A list."
        return [give() for _ in holders]

    async def list_field_later(holders: Batch[Any]) -> Any:
        "A list."
        return [give() for _ in holders]

    function: Any = list_field_later if late else list_field
    function.__name__ = "list_field"
    function.__annotations__["return"] = list[annotation]
    return strawberry.type(type("Holder", (), {"list_field": batch(needs=())(function)}))


def _data(data: Any) -> Any:
    return None if data == "none" else {"listField": data}


def _problem(problem: str | None, at: str = "1:3", field: str = "Query.listField") -> set[str]:
    if problem is None:
        return set()
    bad, _, path = problem.rpartition(" at ")
    return {f"{at} {path}: {bad or null(field)}"}


async def test_every_error_of_a_list_is_reported(ask: Ask) -> None:
    found = await _complete(ask, lambda: [Fault("a"), "b", Fault("c")])
    assert found == ({"listField": [None, "b", None]}, {"1:3 listField.0: a", "1:3 listField.2: c"})


async def test_an_item_that_does_not_fit_is_an_error_of_the_item(ask: Ask) -> None:
    result = await ask.result(
        schema_of(answering("list_field", list[int | None], lambda: [1, "x", 2])), "{ listField }"
    )
    assert (result.data, result.code) == ({"listField": [1, None, 2]}, "INTERNAL")
    assert [error["path"] for error in result.errors] == [["listField", 1]]


GRIDS = {
    "values": ([[1, None], None, []], [[1, None], None, []], set()),
    "an error in an inner list": ([[1, Fault("x")], [2]], [[1, None], [2]], {"1:3 grid.0.1: x"}),
    "an error for an inner list": ([[1], Fault("x")], [[1], None], {"1:3 grid.1: x"}),
}


@pytest.mark.parametrize("grid", GRIDS)
async def test_lists_of_lists(ask: Ask, grid: str) -> None:
    value, data, faults = GRIDS[grid]
    schema = schema_of(answering("grid", list[list[int | None] | None], lambda: value))
    assert await ask(schema, "{ grid }") == ({"grid": data}, faults)


@pytest.mark.parametrize(
    ("annotation", "data"),
    [
        (list[list[int] | None] | None, [None, [3]]),
        (list[list[int]] | None, None),
        (list[list[int | None]] | None, [[1, None], [3]]),
    ],
    ids=str,
)
async def test_null_in_a_list_of_lists_goes_up_to_where_it_may_be(
    ask: Ask, annotation: Any, data: Any
) -> None:
    schema = schema_of(answering("grid", annotation, lambda: [[1, None], [3]]))
    faults = set() if data and data[0] else {f"1:3 grid.0.1: {null('Query.grid')}"}
    assert await ask(schema, "{ grid }") == ({"grid": data}, faults)


def _good(index: int) -> int:
    if index == 2:
        raise Fault("bad")
    return index


@strawberry.type
class Thing:
    index: int

    @strawberry.field
    def checked(self) -> int:
        return _good(self.index)

    @strawberry.field
    async def checked_later(self) -> int:
        return _good(self.index)

    @batch(needs=("index",))
    @staticmethod
    def checked_together(things: Batch[Any]) -> list[int]:
        "Checks all of them."
        return [Fault("bad") if thing.index == 2 else thing.index for thing in things]  # type: ignore[misc]


CHECKS = ("checked", "checkedLater", "checkedTogether")


@pytest.mark.parametrize("check", CHECKS)
@pytest.mark.parametrize("nullable", [True, False])
async def test_an_object_that_is_null_for_an_error_is_null_in_its_list(
    ask: Ask, check: str, nullable: bool
) -> None:
    annotation = list[Thing | None] if nullable else list[Thing]
    schema = schema_of(
        answering("things", annotation | None, lambda: [Thing(index=index) for index in range(4)])
    )
    found = await ask(schema, f"{{ things {{ {check} }} }}")
    good = [{check: 0}, {check: 1}, None, {check: 3}]
    assert found == ({"things": good if nullable else None}, {f"1:12 things.2.{check}: bad"})


async def test_null_and_errors_between_objects(ask: Ask) -> None:
    schema = schema_of(
        answering("things", list[Thing | None], lambda: [Thing(index=0), None, Fault("x"), Thing(index=3)])
    )
    found = await ask(schema, "{ things { index checkedTogether } }")
    assert found == (
        {"things": [{"index": 0, "checkedTogether": 0}, None, None, {"index": 3, "checkedTogether": 3}]},
        {"1:3 things.2: x"},
    )


async def test_grids_of_objects_with_null_in_them(ask: Ask) -> None:
    schema = schema_of(
        answering(
            "grid",
            list[list[Thing | None] | None],
            lambda: [[Thing(index=1), Thing(index=2)], None, [], (None, Thing(index=3))],
        )
    )
    found = await ask(schema, "{ grid { index again: checkedTogether } }")
    assert found == (
        {
            "grid": [
                [{"index": 1, "again": 1}, None],
                None,
                [],
                [None, {"index": 3, "again": 3}],
            ]
        },
        {"1:16 grid.0.1.again: bad"},
    )


@pytest.mark.parametrize("check", ["index", *CHECKS])
async def test_objects_of_any_iterable(ask: Ask, check: str) -> None:
    schema = schema_of(answering("things", list[Thing], lambda: (Thing(index=index) for index in range(2))))
    assert await ask(schema, f"{{ things {{ {check} }} }}") == (
        {"things": [{check: 0}, {check: 1}]},
        set(),
    )


@strawberry.type
class Once:
    @batch(needs=())
    @staticmethod
    def things(parents: Batch[Any]) -> list[list[Thing]]:
        "Things that can be gone through once."
        found: list[Any] = [(Thing(index=index) for index in range(2)) for _ in parents]
        return found

    @batch(needs=())
    @staticmethod
    async def grid(parents: Batch[Any]) -> list[list[list[Thing]]]:
        "Things in rows that can be gone through once."
        found: list[Any] = [((Thing(index=index) for _ in range(2)) for index in range(2)) for _ in parents]
        return found


@pytest.mark.parametrize("field", ["things", "grid"])
async def test_what_can_be_gone_through_once_is_there_under_every_key(ask: Ask, field: str) -> None:
    schema = schema_of(answering("once", Once, Once))
    text = f"{{ once {{ x: {field} {{ index }} y: {field} {{ checked checkedTogether }} }} }}"
    found = await ask(schema, text)
    assert found.faults == set()
    made: Any = [[0, 1], [[0, 0], [1, 1]]][field == "grid"]

    def shown(value: Any, *keys: str) -> Any:
        return (
            [shown(each, *keys) for each in value] if isinstance(value, list) else dict.fromkeys(keys, value)
        )

    assert found.data == {"once": {"x": shown(made, "index"), "y": shown(made, "checked", "checkedTogether")}}


async def _soon(*rows: list[int]) -> "list[Row]":
    return [Row(cells=[*row]) for row in rows]


@strawberry.type
class Row:
    cells: list[int]

    @strawberry.field
    def others(self) -> "list[list[Row]]":
        return [asyncio.ensure_future(_soon(self.cells))]  # type: ignore[list-item]  # it is one soon


@pytest.mark.parametrize("text", ["{{ a: rows {{ {0} }} }}", "{{ a: rows {{ {0} }} b: rows {{ {0} }} }}"])
async def test_a_future_in_a_list_is_awaited_and_not_gone_through(ask: Ask, text: str) -> None:
    """Which it lets one do as well, and for objects a list of lists would."""
    rows = answering("rows", list[list[Row]], lambda: [asyncio.ensure_future(_soon([1], [2]))])
    found = await ask(schema_of(rows), text.format("cells a: others { cells } b: others { cells }"))
    expected = [[{"cells": [n], "a": [[{"cells": [n]}]], "b": [[{"cells": [n]}]]} for n in (1, 2)]]
    assert found == ({key: expected for key in ("a", "b") if f"{key}: rows" in text}, set())


class _Stream:
    """An async iterable of its own kind, which can be closed."""

    def __init__(self, *values: Any) -> None:
        self.values = list(values)
        self.closed = False

    def __aiter__(self) -> "_Stream":
        return self

    async def __anext__(self) -> Any:
        if not self.values:
            raise StopAsyncIteration
        value = self.values.pop(0)
        if isinstance(value, Fault):
            raise value
        return value

    async def aclose(self) -> None:
        self.closed = True


async def _generated(*values: Any) -> AsyncIterator[Any]:
    async for value in _Stream(*values):
        yield value


STREAMS = {"a generator": _generated, "an iterable": _Stream}


@pytest.mark.parametrize("stream", STREAMS)
async def test_an_async_iterable_is_a_list(ask: Ask, stream: str) -> None:
    make: Any = STREAMS[stream]
    assert await _complete(ask, lambda: make("two", "four")) == ({"listField": ["two", "four"]}, set())


@pytest.mark.parametrize("stream", STREAMS)
async def test_an_async_iterable_that_breaks_is_an_error_of_the_field(ask: Ask, stream: str) -> None:
    make: Any = STREAMS[stream]
    found = await _complete(ask, lambda: make("two", Fault("bad")))
    assert found == ({"listField": None}, {"1:3 listField: bad"})


@pytest.mark.parametrize("type_", LISTS)
async def test_null_in_an_async_iterable(ask: Ask, type_: str) -> None:
    data, problem = CONTENTS["null in it"][1][type_]
    found = await _complete(ask, lambda: _generated(1, None, 2), LISTS[type_])
    assert found == (_data(data), _problem(problem))


async def test_an_async_iterable_is_closed_when_an_item_nulls_the_list(ask: Ask) -> None:
    made: list[_Stream] = []

    async def give() -> Any:
        stream = _Stream(1, None, 2)
        made.append(stream)
        try:
            async for value in stream:
                yield value
        finally:
            await stream.aclose()

    found = await _complete(ask, give, list[int] | None)
    assert found == ({"listField": None}, {f"1:3 listField.1: {null('Query.listField')}"})
    assert [stream.closed for stream in made] == [True]


@pytest.mark.parametrize("check", ["index", "checked", "checkedLater"])
async def test_objects_of_an_async_iterable(ask: Ask, check: str) -> None:
    things = [Thing(index=index) for index in (0, 2, 1)]
    schema = schema_of(answering("things", list[Thing | None], lambda: _generated(*things)))
    found = await ask(schema, f"{{ things {{ {check} }} }}")
    second = {check: 2} if check == "index" else None
    assert found == (
        {"things": [{check: 0}, second, {check: 1}]},
        set() if second else {f"1:12 things.1.{check}: bad"},
    )
