"""What can be made one's own: fields of others' types, and the context that every function sees."""

from dataclasses import dataclass
from typing import Any

import strawberry
from strawberry.types.info import Info

from crm_framework.engine import PUBLIC, Batch, EngineSchema, batch, computed, root

from .harness import Ask, Asking, Nowhere, answering


@strawberry.type
class Thing:
    foo: str = "bar"


@computed()
def twice(foo: str) -> str:
    "Twice."
    return foo * 2


@batch(needs=("foo",))
async def named(things: Batch[Thing], info: Info) -> list[str]:
    "The field's own name, and what the context says."
    return [f"{info.field_name} {info.context.said}" for _ in things]


@dataclass
class Saying(Asking):
    said: str = "hello"


@root(permission=PUBLIC)
def said(info: Info) -> str:
    "What the context says."
    return str(info.context.said)


def _schema(**options: Any) -> EngineSchema:
    query = type("Query", (), {"thing": answering("thing", Thing, Thing), "said": said})
    return EngineSchema(strawberry.type(query), **options)


async def test_a_field_that_another_adds(ask: Ask) -> None:
    schema = _schema(extend={Thing: [twice, named]})
    text = "{ thing { foo twice named } }"
    found = await ask(schema, text, context=Saying(Nowhere()))
    assert found == ({"thing": {"foo": "bar", "twice": "barbar", "named": "named hello"}}, set())


async def test_it_is_in_that_schema_only(ask: Ask) -> None:
    _schema(extend={Thing: [twice]})
    result = await ask.result(_schema(), "{ thing { twice } }")
    assert (result.refused, result.code) == (True, "BAD_INPUT")


async def test_a_context_of_ones_own(ask: Ask) -> None:
    found = await ask(_schema(), "{ said }", context=Saying(Nowhere(), said="hi"))
    assert found == ({"said": "hi"}, set())
