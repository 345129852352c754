"""`@skip` and `@include`, on fields and fragments, with values written out and from variables."""

from typing import Any

import pytest
import strawberry

from crm_framework.engine import Batch, batch
from tests.engine.conftest import Library

from .harness import Ask, answering, schema_of, told

BOTH = {"a": "a", "b": "b"}
ONE = {"a": "a"}
DIRECTIVES = {
    "@include(if: true)": BOTH,
    "@include(if: false)": ONE,
    "@skip(if: false)": BOTH,
    "@skip(if: true)": ONE,
    "@include(if: true) @skip(if: false)": BOTH,
    "@include(if: true) @skip(if: true)": ONE,
    "@include(if: false) @skip(if: false)": ONE,
    "@include(if: false) @skip(if: true)": ONE,
}
PLACES = {
    "field": "a b %s",
    "fragment spread": "a ...B %s",
    "inline fragment": "a ... on %(type)s %s { b }",
    "anonymous inline fragment": "a ... %s { b }",
    "field of a fragment": "a ... on %(type)s { b %s }",
    "fragment of a fragment": "a ... { ... %s { b } }",
}


@strawberry.type
class Sheet:
    a: str

    @batch(needs=("a",))
    @staticmethod
    def b(tests: Batch[Any]) -> list[str]:
        "The next letter."
        return ["b" for _ in tests]


SCHEMA = schema_of(
    answering("a", str, lambda: "a"),
    answering("b", str, lambda: "b"),
    answering("test", Sheet, lambda: Sheet(a="a")),
    answering("tests", list[Sheet], lambda: [Sheet(a="a"), Sheet(a="a")]),
)


def _selection(place: str, directive: str, on: str) -> str:
    return PLACES[place].replace("%(type)s", on).replace("%s", directive)


async def test_without_directives(ask: Ask) -> None:
    assert await ask(SCHEMA, "{ a b }") == (BOTH, set())


@pytest.mark.parametrize("directive", DIRECTIVES)
@pytest.mark.parametrize("place", PLACES)
async def test_at_the_root(ask: Ask, place: str, directive: str) -> None:
    text = f"query Q {{ {_selection(place, directive, 'Query')} }}"
    if "...B" in text:
        text += " fragment B on Query { b }"
    assert await ask(SCHEMA, text) == (DIRECTIVES[directive], set())


@pytest.mark.parametrize("directive", DIRECTIVES)
@pytest.mark.parametrize("place", PLACES)
async def test_in_objects(ask: Ask, place: str, directive: str) -> None:
    text = f"query Q {{ test {{ {_selection(place, directive, 'Sheet')} }} tests {{ ...T }} }}"
    text += f" fragment T on Sheet {{ {_selection(place, directive, 'Sheet')} }}"
    if "...B" in text:
        text += " fragment B on Sheet { b }"
    expected = DIRECTIVES[directive]
    assert await ask(SCHEMA, text) == ({"test": expected, "tests": [expected, expected]}, set())


@pytest.mark.parametrize("skip", [True, False])
@pytest.mark.parametrize("include", [True, False])
async def test_one_document_with_each_value_of_its_variables(ask: Ask, include: bool, skip: bool) -> None:
    text = """query ($include: Boolean!, $skip: Boolean = false) {
                a b @include(if: $include) @skip(if: $skip)
                tests { ...T @include(if: $include) a } }
              fragment T on Sheet { b @skip(if: $skip) }"""
    for _ in range(2):
        found = await ask(SCHEMA, text, {"include": include, "skip": skip})
        expected = BOTH if include and not skip else ONE
        assert found == ({**expected, "tests": [expected, expected]}, set())


@pytest.mark.parametrize(("variables", "data"), [({}, ONE), ({"yes": True}, BOTH), ({"yes": False}, ONE)])
async def test_a_variables_default_counts(ask: Ask, variables: dict[str, Any], data: Any) -> None:
    text = "query ($yes: Boolean = false) { a b @include(if: $yes) }"
    assert await ask(SCHEMA, text, variables) == (data, set())


async def test_a_field_that_is_left_out_once_and_selected_once_is_selected(ask: Ask) -> None:
    text = "{ b @skip(if: true) a ... @include(if: true) { b } tests { b @include(if: false) a b } }"
    found = await ask(SCHEMA, text)
    assert found == ({**BOTH, "tests": [BOTH, BOTH]}, set())
    assert list(found.data) == ["a", "b", "tests"]


async def test_all_may_be_left_out(ask: Ask) -> None:
    text = "{ a @skip(if: true) tests { a @include(if: false) } }"
    assert await ask(SCHEMA, text) == ({"tests": [{}, {}]}, set())
    assert await ask(SCHEMA, "{ a @skip(if: true) }") == ({}, set())


@pytest.mark.parametrize(
    "text",
    [
        "{ a @include }",
        '{ a @include(if: "yes") }',
        "{ a @include(if: null) }",
        "{ a @unknown }",
        "query @skip(if: true) { a }",
        "{ a @skip(if: true) @skip(if: false) }",
        "query ($yes: String!) { a @include(if: $yes) }",
        "query ($yes: Boolean) { a @include(if: $yes) }",
    ],
)
async def test_a_directive_that_is_none_refuses_the_document(ask: Ask, text: str) -> None:
    result = await ask.result(SCHEMA, text)
    assert (result.refused, result.code) == (True, "BAD_INPUT")


@pytest.mark.parametrize("variables", [{}, {"yes": None}, {"yes": "yes"}, {"yes": 1}])
async def test_a_value_that_is_no_boolean_refuses_the_operation(ask: Ask, variables: dict[str, Any]) -> None:
    result = await ask.result(SCHEMA, "query ($yes: Boolean!) { a b @include(if: $yes) }", variables)
    assert (result.refused, result.code) == (True, "BAD_INPUT")


async def test_an_optional_variable_that_is_null_is_a_fault_of_the_client(ask: Ask) -> None:
    text = "query ($yes: Boolean = true) { a b @include(if: $yes) }"
    result = await ask.result(SCHEMA, text, {"yes": None})
    assert (result.data, result.code) == (None, "BAD_INPUT")


async def test_nothing_is_read_of_what_is_left_out(ask: Ask, filled: Library) -> None:
    text = """query ($books: Boolean!) { authors(limit: 1) { name
                books @include(if: $books) { title reviews @skip(if: true) { stars } } } }"""
    for books, statements in ((False, 1), (True, 2)):
        filled.reader.log.clear()
        found = await ask(filled.schema, text, {"books": books}, context=filled.visit(translate=told))
        titles = {"books": [{"title": f"T000-00{number}"} for number in range(5)]} if books else {}
        assert found == ({"authors": [{"name": "A000", **titles}]}, set())
        assert len(filled.reader.log) == statements
