"""What waits, waits at the same time; and what is not needed any more does not matter."""

import asyncio
from typing import Any

import pytest
import strawberry

from crm_framework.engine import Batch, batch

from .harness import Ask, Fault, answering, schema_of


class Barrier:
    """Lets those who wait go on once so many of them wait."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.event = asyncio.Event()

    async def wait(self) -> bool:
        self.number -= 1
        if self.number <= 0:
            self.event.set()
        return await self.event.wait()


@strawberry.type
class Waiting:
    barrier: strawberry.Private[Barrier]

    @strawberry.field
    async def foo(self) -> bool:
        return await self.barrier.wait()

    @strawberry.field
    async def bar(self) -> bool:
        return await self.barrier.wait()

    @batch(needs=("barrier",))
    @staticmethod
    async def foo_together(parents: Batch[Any]) -> list[bool]:
        "Waits once for all."
        return [await parents[0].barrier.wait()] * len(parents)

    @batch(needs=("barrier",))
    @staticmethod
    async def bar_together(parents: Batch[Any]) -> list[bool]:
        "Waits once for all."
        return [await parents[0].barrier.wait()] * len(parents)


async def _asked(ask: Ask, schema: Any, text: str) -> Any:
    return await asyncio.wait_for(ask(schema, text), 5)


async def test_a_single_field(ask: Ask) -> None:
    barrier = Barrier(1)
    schema = schema_of(answering("foo", bool, barrier.wait))
    assert await _asked(ask, schema, "{ foo }") == ({"foo": True}, set())


Barrier.wait.__module__ = __name__


async def test_root_fields(ask: Ask) -> None:
    barrier = Barrier(2)
    schema = schema_of(answering("foo", bool, barrier.wait), answering("bar", bool, barrier.wait))
    assert await _asked(ask, schema, "{ foo bar }") == ({"foo": True, "bar": True}, set())


@pytest.mark.parametrize("fields", [("foo", "bar"), ("fooTogether", "barTogether"), ("foo", "barTogether")])
async def test_fields_of_an_object(ask: Ask, fields: tuple[str, str]) -> None:
    schema = schema_of(answering("waiting", Waiting, lambda: Waiting(barrier=Barrier(2))))
    found = await _asked(ask, schema, f"{{ waiting {{ {' '.join(fields)} }} }}")
    assert found == ({"waiting": dict.fromkeys(fields, True)}, set())


async def test_one_field_of_the_objects_of_a_list(ask: Ask) -> None:
    barrier = Barrier(3)
    schema = schema_of(answering("all", list[Waiting], lambda: [Waiting(barrier=barrier) for _ in range(3)]))
    assert await _asked(ask, schema, "{ all { foo } }") == ({"all": [{"foo": True}] * 3}, set())


async def test_items_of_a_list(ask: Ask) -> None:
    barrier = Barrier(2)

    async def give() -> Any:
        return [barrier.wait(), barrier.wait()]

    schema = schema_of(answering("foo", list[bool], give))
    assert await _asked(ask, schema, "{ foo }") == ({"foo": [True, True]}, set())


async def test_a_single_item(ask: Ask) -> None:
    async def give() -> Any:
        return [True]

    schema = schema_of(answering("foo", list[bool], give))
    assert await _asked(ask, schema, "{ foo }") == ({"foo": [True]}, set())


async def test_types_that_take_their_time_to_say_what_is_of_them(ask: Ask) -> None:
    barrier = Barrier(4)

    class Stray:
        def __init__(self, foo: str) -> None:
            self.foo = foo

    @strawberry.interface
    class Foo:
        foo: str

    @strawberry.type
    class Bar(Foo):
        @classmethod
        async def is_type_of(cls, value: Any, info: Any) -> bool:
            await barrier.wait()
            return bool(value.foo == "bar")

    @strawberry.type
    class Baz(Foo):
        @classmethod
        async def is_type_of(cls, value: Any, info: Any) -> bool:
            await barrier.wait()
            return bool(value.foo == "baz")

    schema = schema_of(answering("foos", list[Foo], lambda: [Stray("bar"), Stray("baz")]), types=[Bar, Baz])
    found = await _asked(ask, schema, "{ foos { foo __typename } }")
    assert found == (
        {"foos": [{"foo": "bar", "__typename": "Bar"}, {"foo": "baz", "__typename": "Baz"}]},
        set(),
    )


class Slow:
    """A resolver that takes its time, and says what became of it."""

    def __init__(self) -> None:
        self.ended = ""

    async def wait(self) -> Any:
        try:
            await asyncio.sleep(0.05)
            self.ended = "done"
        except asyncio.CancelledError:
            self.ended = "cancelled"
            raise

    def ended_well(self, ask: Ask) -> bool:
        """The specification leaves open whether what is not needed any more is waited for. The engine waits,
        so that it never depends on the clock which error is told; graphql-core does not.
        """
        return self.ended == ("done" if ask.first else "cancelled")


Slow.wait.__module__ = __name__


async def _fail() -> Any:
    await asyncio.sleep(0)
    raise Fault("oops")


async def test_fields_beside_one_that_nulls_their_object_do_not_matter(ask: Ask) -> None:
    slow = Slow()
    schema = schema_of(answering("foo", bool, _fail), answering("bar", bool | None, slow.wait))
    assert await _asked(ask, schema, "{ foo bar }") == (None, {"1:3 foo: oops"})
    await asyncio.sleep(0)
    assert slow.ended_well(ask)


async def test_items_beside_one_that_nulls_their_list_do_not_matter(ask: Ask) -> None:
    slow = Slow()

    async def give() -> Any:
        return [_fail(), slow.wait()]

    schema = schema_of(answering("foo", list[bool] | None, give))
    assert await _asked(ask, schema, "{ foo }") == ({"foo": None}, {"1:3 foo.0: oops"})
    await asyncio.sleep(0)
    assert slow.ended_well(ask)


async def test_batches_beside_a_field_that_nulls_their_object_do_not_matter(ask: Ask) -> None:
    slow = Slow()

    @strawberry.type
    class Holder:
        @strawberry.field
        async def foo(self) -> bool:
            await asyncio.sleep(0)
            raise Fault("oops")

        @batch(needs=())
        @staticmethod
        async def bar(parents: Batch[Any]) -> list[bool | None]:
            "Comes late."
            await slow.wait()
            return [None for _ in parents]

    schema = schema_of(answering("holder", Holder | None, Holder))
    assert await _asked(ask, schema, "{ holder { foo bar } }") == (
        {"holder": None},
        {"1:12 holder.foo: oops"},
    )
    assert slow.ended_well(ask)
