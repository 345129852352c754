"""Functions that wait and functions that do not give the same; there is one way to ask, and it is awaited."""

import asyncio
from collections.abc import Awaitable
from inspect import isawaitable
from typing import Any

import pytest
import strawberry

from crm_framework.engine import EngineSchema

from .harness import REFUSED, Ask, answer, answering, schema_of


async def _later() -> str:
    await asyncio.sleep(0)
    return "value"


def _schema() -> EngineSchema:
    @strawberry.type
    class Mutation:
        sync_mutation_field = answering("sync_mutation_field", str, lambda: "value")

    return schema_of(
        answering("sync_field", str, lambda: "value"),
        answering("async_field", str, _later),
        mutation=Mutation,
    )


SCHEMA = _schema()


@pytest.mark.parametrize(
    ("text", "data"),
    [
        ("query Example { syncField }", {"syncField": "value"}),
        ("mutation Example { syncMutationField }", {"syncMutationField": "value"}),
        ("query Example { syncField asyncField }", {"syncField": "value", "asyncField": "value"}),
        ("fragment Example on Query { syncField }", REFUSED),
        ("fragment Example on Query { { { syncField }", REFUSED),
        ("{ unknownField }", REFUSED),
    ],
)
async def test_the_result_is_awaited_whatever_it_is(ask: Ask, text: str, data: Any) -> None:
    outcome = ask.result(SCHEMA, text)
    assert isawaitable(outcome)
    waiting: Awaitable[Any] = outcome
    assert answer(await waiting).data == data


@pytest.mark.parametrize(
    ("text", "faults"),
    [
        (
            "fragment Example on Query { { { syncField }",
            {"1:29: Syntax Error: Expected Name, found '{'."},
        ),
        (
            "query A { unknownField } query B($v: String) { syncField }",
            {
                "1:11: Cannot query field 'unknownField' on type 'Query'.",
                "1:34: Variable '$v' is never used in operation 'B'.",
            },
        ),
        (
            "fragment Example on Query { unknownField }",
            {"1:1: Fragment 'Example' is never used."},
        ),
    ],
)
async def test_the_faults_of_a_document_name_their_place(ask: Ask, text: str, faults: set[str]) -> None:
    assert await ask(SCHEMA, text) == (REFUSED, faults)


async def test_no_name_is_suggested_unless_the_context_allows_it(ask: Ask) -> None:
    found = await ask(SCHEMA, "{ syncFeld }")
    assert found == (REFUSED, {"1:3: Cannot query field 'syncFeld' on type 'Query'."})
