"""A stream of results follows its stream of events: to its end, its failure, and until no one listens."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
import strawberry

from crm_framework.engine import PUBLIC, Batch, EngineSchema, Result, batch, root, subscribe

from .harness import Asking, Fault, Nowhere, answering


class Source:
    """Counts up to a number, then ends, fails, or waits for ever; it knows whether it was let go of."""

    def __init__(self, upto: int, then: str = "end") -> None:
        self.upto = upto
        self.then = then
        self.count = 0
        self.ended = ""

    async def events(self) -> AsyncIterator[int]:
        try:
            while self.count < self.upto:
                self.count += 1
                yield self.count
            if self.then == "fail":
                raise Fault("goodbye")
            if self.then == "wait":
                await asyncio.Event().wait()
        except BaseException as error:
            self.ended = type(error).__name__
            raise
        finally:
            self.ended = self.ended or "end"


@strawberry.type
class Number:
    value: int

    @batch(needs=("value",))
    @staticmethod
    async def doubled(numbers: Batch[Any]) -> list[int]:
        "Twice the number."
        await asyncio.sleep(0)
        return [number.value * 2 for number in numbers]

    @batch(needs=())
    @staticmethod
    async def never(numbers: Batch[Any]) -> list[int]:
        "Does not come."
        await asyncio.Event().wait()
        return []


def _schema(source: Source) -> EngineSchema:
    @root(permission=PUBLIC)
    async def numbers() -> AsyncIterator[Number]:
        "Numbers."
        events = source.events()
        try:
            async for value in events:
                yield Number(value=value)
        finally:
            await events.aclose()  # type: ignore[attr-defined]  # a generator

    query = type("Query", (), {"a": answering("a", str, lambda: "a")})
    subscription = type("Subscription", (), {"numbers": numbers})
    return EngineSchema(strawberry.type(query), subscription=strawberry.type(subscription))


async def _stream(source: Source, field: str = "doubled") -> Any:
    context = Asking(Nowhere())
    text = f"subscription {{ numbers {{ {field} }} }}"
    return await subscribe(_schema(source), text, None, None, context)


def _doubled(result: Result) -> Any:
    assert result.errors == []
    assert result.data is not None
    return result.data["numbers"]["doubled"]


async def test_a_result_for_each_event() -> None:
    source = Source(3)
    stream = await _stream(source)
    assert [_doubled(await anext(stream)) for _ in range(3)] == [2, 4, 6]
    for _ in range(2):
        with pytest.raises(StopAsyncIteration):
            await anext(stream)
    assert source.ended == "end"


async def test_with_async_for() -> None:
    assert [_doubled(result) async for result in await _stream(Source(3))] == [2, 4, 6]


async def test_nothing_is_taken_before_it_is_asked_for() -> None:
    source = Source(3)
    stream = await _stream(source)
    assert source.count == 0
    await anext(stream)
    assert source.count == 1
    await stream.aclose()


async def test_closing_it_early_closes_the_source() -> None:
    source = Source(3)
    stream = await _stream(source)
    assert [_doubled(await anext(stream)) for _ in range(2)] == [2, 4]
    await stream.aclose()
    assert (source.count, source.ended) == (2, "GeneratorExit")
    for _ in range(2):
        with pytest.raises(StopAsyncIteration):
            await anext(stream)
    await stream.aclose()


async def test_closing_it_before_it_began() -> None:
    source = Source(3)
    stream = await _stream(source)
    await stream.aclose()
    assert source.count == 0
    with pytest.raises(StopAsyncIteration):
        await anext(stream)


async def test_leaving_the_loop_and_closing_it() -> None:
    source = Source(3, "wait")
    stream = await _stream(source)
    async for result in stream:
        if _doubled(result) == 4:
            break
    await stream.aclose()
    assert source.ended == "GeneratorExit"


async def test_a_source_that_fails_is_the_last_result() -> None:
    source = Source(1, "fail")
    results = [result async for result in await _stream(source)]
    assert [result.code for result in results] == [None, "INTERNAL"]
    assert results[1].data is None
    assert source.ended == "Fault"


async def test_an_error_thrown_into_it_closes_the_source() -> None:
    source = Source(3)
    stream = await _stream(source)
    await anext(stream)
    # one who throws is told as a stream that broke is: with a last result
    result = await stream.athrow(Fault("ouch"))
    assert result.code == "INTERNAL"
    with pytest.raises(StopAsyncIteration):
        await anext(stream)
    assert source.ended == "GeneratorExit"


async def test_cancelling_one_who_waits_for_an_event_closes_the_source() -> None:
    source = Source(1, "wait")
    stream = await _stream(source)
    await anext(stream)
    waiting = asyncio.ensure_future(anext(stream))
    await asyncio.sleep(0.01)
    assert not waiting.done()
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert source.ended == "CancelledError"
    with pytest.raises(StopAsyncIteration):
        await anext(stream)


async def test_cancelling_one_who_waits_for_a_field_closes_the_source_and_ends_the_batch() -> None:
    source = Source(3)
    context = Asking(Nowhere())
    stream: Any = await subscribe(_schema(source), "subscription { numbers { never } }", None, None, context)
    waiting = asyncio.ensure_future(anext(stream))
    await asyncio.sleep(0.01)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert source.ended == "GeneratorExit"
    assert context.tasks == set()
