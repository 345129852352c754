"""Stopping an operation: by cancelling the task that asked."""

import asyncio
from typing import Any

import pytest
import strawberry

from crm_framework.engine import Batch, EngineSchema, batch
from tests.engine.conftest import Library

from .harness import Ask, Asking, Nowhere, answering


class Stuck:
    """What would wait for ever."""

    def __init__(self) -> None:
        self.begun = asyncio.Event()
        self.log: list[str] = []

    async def wait(self) -> Any:
        self.log.append("begun")
        self.begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            self.log.append("ended")


Stuck.wait.__module__ = __name__


def _schema(stuck: Stuck) -> EngineSchema:
    async def items() -> Any:
        return [stuck.wait()]

    async def stream() -> Any:
        yield await stuck.wait()

    @strawberry.type
    class Author:
        id: strawberry.ID = strawberry.ID("1")

        @strawberry.field
        async def hangs(self) -> str:
            await stuck.wait()
            return ""

        @batch(needs=())
        @staticmethod
        async def hangs_together(parents: Batch[Any]) -> list[str]:
            "Never comes."
            await stuck.wait()
            return []

    def never() -> str:
        stuck.log.append("never")
        return ""

    @strawberry.type
    class Query:
        resolver = answering("resolver", str | None, stuck.wait)
        item = answering("item", list[str | None], items)
        streamed = answering("streamed", list[str | None], stream)
        author = answering("author", Author, Author)

    @strawberry.type
    class Mutation:
        foo = answering("foo", str | None, stuck.wait)
        bar = answering("bar", str | None, never)

    return EngineSchema(Query, mutation=Mutation)


@pytest.mark.parametrize(
    "text",
    [
        "{ resolver }",
        "{ item }",
        "{ streamed }",
        "{ author { id hangs } }",
        "{ author { id hangsTogether } }",
        "mutation { foo bar }",
    ],
)
async def test_what_hangs_is_ended_with_the_one_who_asked(ask: Ask, text: str) -> None:
    stuck = Stuck()
    context = Asking(Nowhere())
    running = asyncio.ensure_future(ask.result(_schema(stuck), text, context=context))
    await asyncio.wait_for(stuck.begun.wait(), 5)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    await asyncio.sleep(0)
    assert stuck.log == ["begun", "ended"]
    assert context.tasks == set()


async def test_one_that_is_cancelled_before_it_begins_does_nothing(ask: Ask) -> None:
    stuck = Stuck()
    running = asyncio.ensure_future(ask.result(_schema(stuck), "mutation { bar }"))
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert stuck.log == []


async def test_a_deadline_ends_it(ask: Ask) -> None:
    stuck = Stuck()
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05):
            await ask.result(_schema(stuck), "{ author { hangsTogether } }")
    assert stuck.log == ["begun", "ended"]


async def test_the_next_operation_runs_as_ever(ask: Ask, filled: Library) -> None:
    text = "{ authors(limit: 1) { name books { title } } }"
    running = asyncio.ensure_future(ask.result(filled.schema, text, context=filled.visit()))
    await asyncio.sleep(0)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    found = await ask(filled.schema, text, context=filled.visit())
    assert found == (
        {"authors": [{"name": "A000", "books": [{"title": f"T000-00{number}"} for number in range(5)]}]},
        set(),
    )
