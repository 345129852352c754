"""How a field comes to its value: an attribute, a method, a function, with arguments and the context."""

import json
from dataclasses import dataclass
from typing import Any

import pytest
import strawberry
from strawberry.types.info import Info

from crm_framework.engine import PUBLIC, Batch, batch, computed

from .harness import Ask, Asking, Nowhere, answering, null, schema_of


@strawberry.type
class Source:
    plain: str | None = None
    secret: strawberry.Private[str] = "testValue"
    renamed: str = strawberry.field(name="otherName", default="renamed")

    @strawberry.field
    def method(self) -> str:
        return self.secret

    @strawberry.field
    def adds(self, info: Info, addend: int) -> int:
        return 700 + addend + info.context.addend  # type: ignore[no-any-return]  # of the context below

    @strawberry.field
    async def adds_later(self, info: Info, addend: int) -> int:
        return 700 + addend + info.context.addend  # type: ignore[no-any-return]  # of the context below

    @strawberry.field
    def shows(self, a_str: str | None = strawberry.UNSET, a_int: int | None = strawberry.UNSET) -> str:
        given = {"aStr": a_str, "aInt": a_int}
        return json.dumps([self.secret, {k: v for k, v in given.items() if v is not strawberry.UNSET}])

    @computed()
    @staticmethod
    def shouted(secret: str) -> str:
        "The secret, louder."
        return secret.upper()

    @batch(needs=("secret",))
    @staticmethod
    async def joined(sources: Batch[Any], info: Info, by: str = "-", times: int = 1) -> list[str]:
        "The secret, several times."
        return [by.join([source.secret] * times) for source in sources]

    @strawberry.field
    def inner(self) -> "Source":
        return Source(secret=f"{self.secret}/inner")

    @strawberry.field
    def foreign(self) -> "Source | None":
        return Foreign("foreign")  # type: ignore[return-value]  # an object with the same attributes


@dataclass
class Foreign:
    """An object of no type of the schema, with attributes as one has."""

    secret: str
    plain: str = "of a stranger"
    renamed: str = "renamed stranger"


@dataclass
class Adding(Asking):
    addend: int = 9


SCHEMA = schema_of(
    answering("source", Source, lambda **given: Source(**given), plain=(str | None, None)),
    answering("nothing", Source | None, lambda: None),
)


async def test_an_attribute(ask: Ask) -> None:
    text = '{ source(plain: "testValue") { plain otherName } }'
    assert await ask(SCHEMA, text) == ({"source": {"plain": "testValue", "otherName": "renamed"}}, set())


async def test_a_method(ask: Ask) -> None:
    assert await ask(SCHEMA, "{ source { method } }") == ({"source": {"method": "testValue"}}, set())


async def test_a_declared_field_of_each_kind(ask: Ask) -> None:
    text = '{ source { shouted joined other: joined(by: "+", times: 2) } }'
    assert await ask(SCHEMA, text) == (
        {"source": {"shouted": "TESTVALUE", "joined": "testValue", "other": "testValue+testValue"}},
        set(),
    )


@pytest.mark.parametrize("field", ["adds", "addsLater"])
async def test_arguments_and_the_context_are_passed(ask: Ask, field: str) -> None:
    context = Adding(Nowhere(), introspection_permission=PUBLIC)
    text = f"{{ source {{ {field}(addend: 80) }} }}"
    assert await ask(SCHEMA, text, context=context) == ({"source": {field: 789}}, set())


@pytest.mark.parametrize(
    ("arguments", "given"),
    [
        ("", {}),
        ('(aStr: "String!")', {"aStr": "String!"}),
        ('(aInt: -123, aStr: "String!")', {"aStr": "String!", "aInt": -123}),
        ("(aStr: null)", {"aStr": None}),
    ],
)
async def test_a_function_gets_the_object_and_the_arguments_that_were_given(
    ask: Ask, arguments: str, given: dict[str, Any]
) -> None:
    found = await ask(SCHEMA, f"{{ source {{ shows{arguments} }} }}")
    assert found.faults == set()
    assert json.loads(found.data["source"]["shows"]) == ["testValue", given]


async def test_objects_in_objects(ask: Ask) -> None:
    text = """{ source { inner { method inner { shouted joined(times: 2) inner { method } } } }
                nothing { method } }"""
    deep = {
        "shouted": "TESTVALUE/INNER/INNER",
        "joined": "testValue/inner/inner-testValue/inner/inner",
        "inner": {"method": "testValue/inner/inner/inner"},
    }
    assert await ask(SCHEMA, text) == (
        {"source": {"inner": {"method": "testValue/inner", "inner": deep}}, "nothing": None},
        set(),
    )


async def test_an_object_that_only_looks_like_one_of_the_type(ask: Ask) -> None:
    text = "{ source { foreign { plain otherName shouted joined } } }"
    stranger = {
        "plain": "of a stranger",
        "otherName": "renamed stranger",
        "shouted": "FOREIGN",
        "joined": "foreign",
    }
    assert await ask(SCHEMA, text) == ({"source": {"foreign": stranger}}, set())


async def test_an_attribute_that_is_not_there_is_an_error(ask: Ask) -> None:
    schema = schema_of(answering("source", Source | None, object))
    result = await ask.result(schema, "{ source { plain otherName } }")
    assert (result.data, result.code) == ({"source": None}, "INTERNAL")
    assert ["source", "otherName"] in [error["path"] for error in result.errors] or [
        "source",
        "plain",
    ] in [error["path"] for error in result.errors]


async def test_a_null_attribute_where_none_may_be(ask: Ask) -> None:
    schema = schema_of(
        answering("source", Source | None, lambda: Source(renamed=None))  # type: ignore[arg-type]  # against its type
    )
    text = "{ source { plain otherName } }"
    assert await ask(schema, text) == (
        {"source": None},
        {f"1:18 source.otherName: {null('Source.otherName')}"},
    )
