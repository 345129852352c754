"""Inputs of which exactly one field is given."""

from typing import Any

import pytest
import strawberry

from .harness import Ask, answering, schema_of


@strawberry.input(one_of=True)
class OneInput:
    a: str | None = strawberry.UNSET
    b: int | None = strawberry.UNSET


@strawberry.type
class One:
    a: str | None
    b: int | None


def _one(input: OneInput) -> One:
    return One(a=input.a or None, b=input.b or None)


def _ones(inputs: list[OneInput]) -> list[One]:
    return [_one(each) for each in inputs]


SCHEMA = schema_of(
    answering("test", One | None, _one, input=OneInput),
    answering("tests", list[One], _ones, inputs=list[OneInput]),
)
QUERY = "query ($input: OneInput!) { test(input: $input) { a b } }"


@pytest.mark.parametrize(("given", "data"), [({"a": "abc"}, ("abc", None)), ({"b": 123}, (None, 123))])
async def test_a_variable_with_one_field(ask: Ask, given: dict[str, Any], data: tuple[Any, Any]) -> None:
    expected = dict(zip("ab", data, strict=True))
    assert await ask(SCHEMA, QUERY, {"input": given}) == ({"test": expected}, set())


@pytest.mark.parametrize("written", ['{a: "abc"}', "{a: $a}"])
async def test_a_value_written_out_with_one_field(ask: Ask, written: str) -> None:
    head = "query ($a: String!)" if "$a" in written else "query"
    text = f"{head} {{ test(input: {written}) {{ a b }} }}"
    assert await ask(SCHEMA, text, {"a": "abc"} if "$a" in written else {}) == (
        {"test": {"a": "abc", "b": None}},
        set(),
    )


async def test_a_default_with_one_field(ask: Ask) -> None:
    text = 'query ($input: OneInput! = {a: "abc"}) { test(input: $input) { a b } }'
    assert await ask(SCHEMA, text) == ({"test": {"a": "abc", "b": None}}, set())


async def test_a_list_of_them(ask: Ask) -> None:
    text = "query ($inputs: [OneInput!]!) { tests(inputs: $inputs) { a b } }"
    assert await ask(SCHEMA, text, {"inputs": [{"a": "x"}, {"b": 1}]}) == (
        {"tests": [{"a": "x", "b": None}, {"a": None, "b": 1}]},
        set(),
    )


@pytest.mark.parametrize(
    "given",
    [{}, {"a": None}, {"a": "abc", "b": 123}, {"a": "abc", "b": None}, {"b": "no number"}, {"c": 1}],
    ids=str,
)
async def test_any_other_variable_refuses_the_operation(ask: Ask, given: dict[str, Any]) -> None:
    result = await ask.result(SCHEMA, QUERY, {"input": given})
    assert (result.refused, result.code) == (True, "BAD_INPUT")


@pytest.mark.parametrize(
    "text",
    [
        "{ test(input: {}) { a } }",
        "{ test(input: {a: null}) { a } }",
        '{ test(input: {a: "abc", b: 123}) { a } }',
        '{ test(input: {a: "abc", b: null}) { a } }',
        'query ($input: OneInput! = {a: "abc", b: 123}) { test(input: $input) { a } }',
        "query ($a: String, $b: Int) { test(input: {a: $a, b: $b}) { a } }",
        "query ($a: String) { test(input: {a: $a}) { a } }",
    ],
)
async def test_any_other_value_refuses_the_document(ask: Ask, text: str) -> None:
    result = await ask.result(SCHEMA, text, {"a": "abc"} if "$a" in text else {})
    assert (result.refused, result.code) == (True, "BAD_INPUT")
