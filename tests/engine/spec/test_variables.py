"""Arguments and variables: values of every input type, null, defaults, lists, and what refuses them."""

import json
from collections.abc import Callable
from dataclasses import fields, is_dataclass
from enum import Enum
from typing import Any

import pytest
import strawberry
from graphql import GraphQLError
from strawberry.schema.config import StrawberryConfig

from crm_framework.engine import Batch, EngineSchema, batch
from tests.engine.conftest import Library

from .harness import Ask, answering, null, schema_of, told


class Complex:
    """A value of a scalar with a form of its own."""


def _complex(value: Any) -> str:
    if value != "SerializedValue":
        raise GraphQLError(f"no complex value: {value}")
    return "DeserializedValue"


@strawberry.enum
class Choice(Enum):
    NULL = strawberry.enum_value("null value")
    NUMBER = strawberry.enum_value(1)
    FALSE = strawberry.enum_value(False)
    CUSTOM = strawberry.enum_value("custom value")
    PLAIN = "PLAIN"


@strawberry.input
class TestInput:
    __test__ = False
    c: str
    a: str | None = strawberry.UNSET
    b: list[str | None] | None = strawberry.UNSET
    d: Complex | None = strawberry.UNSET
    e: int = 7
    f: Choice | None = strawberry.UNSET


@strawberry.input
class NestedInput:
    na: TestInput
    nb: str
    more: "list[NestedInput] | None" = strawberry.UNSET


def _plain(value: Any) -> Any:
    """What a function was given, as JSON has it; what was not given is left out."""
    if is_dataclass(value):
        given = {field.name: getattr(value, field.name) for field in fields(value)}
        return {name: _plain(each) for name, each in given.items() if each is not strawberry.UNSET}
    if isinstance(value, Enum):
        return f"{type(value).__name__}({value.value!r})"
    return [_plain(each) for each in value] if isinstance(value, list) else value


def _shows(**given: Any) -> str | None:
    if "input" not in given or given["input"] is strawberry.UNSET:
        return None
    return json.dumps(_plain(given["input"]))


OPTIONAL = strawberry.UNSET
ARGUMENTS: dict[str, Any] = {
    "enum": (Choice | None, OPTIONAL),
    "must_enum": Choice,
    "of_object": (TestInput | None, OPTIONAL),
    "nested": (NestedInput | None, OPTIONAL),
    "text": (str | None, OPTIONAL),
    "must_text": str,
    "text_with_default": (str | None, "Hello World"),
    "must_text_with_default": (str, "Hello World"),
    "number": (int | None, OPTIONAL),
    "real": (float | None, OPTIONAL),
    "yes": (bool | None, OPTIONAL),
    "key": (strawberry.ID | None, OPTIONAL),
    "texts": (list[str | None] | None, OPTIONAL),
    "must_list": list[str | None],
    "list_of_musts": (list[str] | None, OPTIONAL),
    "must_list_of_musts": list[str],
    "grid": (list[list[int | None] | None] | None, OPTIONAL),
}


@strawberry.type
class Holder:
    prefix: str = "held "

    @batch(needs=("prefix",))
    @staticmethod
    def of_object(holders: Batch[Any], input: TestInput | None = strawberry.UNSET) -> list[str | None]:
        "What it was given."
        return [_shows(input=input) for _ in holders]

    @batch(needs=("prefix",))
    @staticmethod
    async def text_with_default(holders: Batch[Any], input: str | None = "Hello World") -> list[str | None]:
        "What it was given."
        return [_shows(input=input) for _ in holders]

    @strawberry.field
    def must_text(self, input: str) -> str | None:
        return _shows(input=input)


def _schema() -> EngineSchema:
    named = [answering(name, str | None, _shows, input=of) for name, of in ARGUMENTS.items()]
    query = {field.python_name: field for field in named}
    query["holders"] = answering("holders", list[Holder | None], lambda: [Holder(), Holder()])
    scalar = strawberry.scalar(name="ComplexScalar", parse_value=_complex, serialize=str)
    return EngineSchema(
        strawberry.type(type("Query", (), query)), config=StrawberryConfig(scalar_map={Complex: scalar})
    )


SCHEMA = _schema()


async def given(ask: Ask, text: str, variables: dict[str, Any] | None = None) -> Any:
    """What the fields of the query say that they were given."""
    found = await ask(SCHEMA, text, variables)
    assert found.faults == set()
    return {name: "nothing" if shown is None else json.loads(shown) for name, shown in found.data.items()}


FULL = {"c": "baz", "a": "foo", "b": ["bar"], "e": 7}

WRITTEN = {
    'ofObject(input: {a: "foo", b: ["bar"], c: "baz"})': FULL,
    'ofObject(input: {a: "foo", b: "bar", c: "baz"})': FULL,
    'ofObject(input: {a: null, b: null, c: "C", d: null})': {
        "c": "C",
        "a": None,
        "b": None,
        "d": None,
        "e": 7,
    },
    'ofObject(input: {b: ["A", null, "C"], c: "C", e: 8})': {"c": "C", "b": ["A", None, "C"], "e": 8},
    'ofObject(input: {c: "foo", d: "SerializedValue"})': {"c": "foo", "d": "DeserializedValue", "e": 7},
    'ofObject(input: {c: "foo", f: CUSTOM})': {"c": "foo", "e": 7, "f": "Choice('custom value')"},
    "ofObject(input: null)": None,
    'nested(input: {na: {c: "c"}, nb: "b", more: {na: {c: "d"}, nb: "e"}})': {
        "na": {"c": "c", "e": 7},
        "nb": "b",
        "more": [{"na": {"c": "d", "e": 7}, "nb": "e"}],
    },
    "enum(input: NULL)": "Choice('null value')",
    "enum(input: NUMBER)": "Choice(1)",
    "enum(input: FALSE)": "Choice(False)",
    "enum(input: PLAIN)": "Choice('PLAIN')",
    "enum(input: null)": None,
    "mustEnum(input: CUSTOM)": "Choice('custom value')",
    'text(input: "a")': "a",
    'text(input: """\n  block\n    text\n""")': "block\n  text",
    'text(input: "\\u00e9\\n\\"")': 'é\n"',
    "text(input: null)": None,
    "text": "nothing",
    'mustText(input: "a")': "a",
    "textWithDefault": "Hello World",
    "textWithDefault(input: null)": None,
    'textWithDefault(input: "other")': "other",
    "mustTextWithDefault": "Hello World",
    "number(input: -2147483648)": -2147483648,
    "number(input: 0)": 0,
    "real(input: 4)": 4.0,
    "real(input: -3.5e2)": -350.0,
    "yes(input: false)": False,
    "key(input: 4)": "4",
    'key(input: "4a")': "4a",
    "texts(input: null)": None,
    "texts(input: [])": [],
    'texts(input: "A")': ["A"],
    'mustList(input: ["A", null, "B"])': ["A", None, "B"],
    'listOfMusts(input: ["A"])': ["A"],
    'mustListOfMusts(input: ["A", "B"])': ["A", "B"],
    "grid(input: [[1, 2], null, [null]])": [[1, 2], None, [None]],
    "grid(input: [1, 2])": [[1], [2]],
    "grid(input: 1)": [[1]],
}


@pytest.mark.parametrize("field", WRITTEN)
async def test_a_value_written_out(ask: Ask, field: str) -> None:
    assert await given(ask, f"{{ it: {field} }}") == {"it": WRITTEN[field]}


VARIABLES: dict[str, tuple[str, str, Any, Any]] = {
    "an object": ("TestInput", "ofObject", {"a": "foo", "b": ["bar"], "c": "baz"}, FULL),
    "one item for a list": ("TestInput", "ofObject", {"a": "foo", "b": "bar", "c": "baz"}, FULL),
    "a scalar of its own": (
        "TestInput",
        "ofObject",
        {"c": "foo", "d": "SerializedValue"},
        {"c": "foo", "d": "DeserializedValue", "e": 7},
    ),
    "an enum in an object": (
        "TestInput!",
        "ofObject",
        {"c": "foo", "f": "NUMBER"},
        {"c": "foo", "e": 7, "f": "Choice(1)"},
    ),
    "null in an object": ("TestInput", "ofObject", {"c": "x", "a": None}, {"c": "x", "a": None, "e": 7}),
    "a nested object": (
        "NestedInput",
        "nested",
        {"na": {"c": "c"}, "nb": "b", "more": [{"na": {"c": "d"}, "nb": "e"}]},
        {"na": {"c": "c", "e": 7}, "nb": "b", "more": [{"na": {"c": "d", "e": 7}, "nb": "e"}]},
    ),
    "null": ("String", "text", None, None),
    "a text": ("String", "text", "a", "a"),
    "a text that must be": ("String!", "mustText", "a", "a"),
    "one that must be for one that may be": ("String!", "text", "a", "a"),
    "a number": ("Int", "number", 3, 3),
    "a whole number written as real": ("Int", "number", 3.0, 3),
    "a whole number for a real one": ("Float", "real", 3, 3.0),
    "a truth": ("Boolean", "yes", True, True),
    "a key": ("ID", "key", "x", "x"),
    "a key of digits": ("ID", "key", 12, "12"),
    "an enum": ("Choice", "enum", "CUSTOM", "Choice('custom value')"),
    "an enum that must be": ("Choice!", "mustEnum", "PLAIN", "Choice('PLAIN')"),
    "a list that is null": ("[String]", "texts", None, None),
    "a list": ("[String]", "texts", ["A"], ["A"]),
    "one item": ("[String]", "texts", "A", ["A"]),
    "null in a list": ("[String]", "texts", ["A", None, "B"], ["A", None, "B"]),
    "a list that must be": ("[String]!", "mustList", ["A", None], ["A", None]),
    "a list of musts that is null": ("[String!]", "listOfMusts", None, None),
    "a list of musts": ("[String!]", "listOfMusts", ["A"], ["A"]),
    "a list of musts that must be": ("[String!]!", "mustListOfMusts", ["A"], ["A"]),
    "a stricter list": ("[String!]!", "texts", ["A"], ["A"]),
    "a list of lists": ("[[Int]]", "grid", [[1, None], None], [[1, None], None]),
    "a row for a list of lists": ("[[Int]]", "grid", [[1], 2], [[1], [2]]),
}


@pytest.mark.parametrize("case", VARIABLES)
async def test_a_value_of_a_variable(ask: Ask, case: str) -> None:
    type_, field, value, expected = VARIABLES[case]
    text = f"query ($input: {type_}) {{ it: {field}(input: $input) }}"
    assert await given(ask, text, {"input": value}) == {"it": expected}


DEFAULTS: dict[str, tuple[str, dict[str, Any], Any]] = {
    "not given": ('query ($v: String = "default") { it: text(input: $v) }', {}, "default"),
    "given": ('query ($v: String = "default") { it: text(input: $v) }', {"v": "value"}, "value"),
    "given null": ('query ($v: String = "default") { it: text(input: $v) }', {"v": None}, None),
    "null is the default": ("query ($v: String = null) { it: text(input: $v) }", {}, None),
    "of one that must be": ('query ($v: String! = "default") { it: text(input: $v) }', {}, "default"),
    "for one that must be": ('query ($v: String = "default") { it: mustText(input: $v) }', {}, "default"),
    "an object": (
        'query ($v: TestInput = {a: "foo", b: ["bar"], c: "baz"}) { it: ofObject(input: $v) }',
        {},
        FULL,
    ),
    "one item for a list": ('query ($v: [String] = "A") { it: texts(input: $v) }', {}, ["A"]),
    "an enum": ("query ($v: Choice = NUMBER) { it: enum(input: $v) }", {}, "Choice(1)"),
    "none, and not given": ("query ($v: String) { it: text(input: $v) }", {}, "nothing"),
    "none, and the argument has one": (
        "query ($v: String) { it: textWithDefault(input: $v) }",
        {},
        "Hello World",
    ),
    "null, and the argument has one": (
        "query ($v: String) { it: textWithDefault(input: $v) }",
        {"v": None},
        None,
    ),
    "none, and the argument that must be has one": (
        "query ($v: String) { it: mustTextWithDefault(input: $v) }",
        {},
        "Hello World",
    ),
    "none, in an object": (
        'query ($v: String) { it: ofObject(input: {c: "c", a: $v}) }',
        {},
        {"c": "c", "e": 7},
    ),
    "none, in an object where there is one": (
        'query ($v: Int) { it: ofObject(input: {c: "c", e: $v}) }',
        {},
        {"c": "c", "e": 7},
    ),
    "given, in an object": (
        'query ($v: String) { it: ofObject(input: {c: "c", a: $v}) }',
        {"v": "x"},
        {"c": "c", "a": "x", "e": 7},
    ),
    "none, in a list": ('query ($v: String) { it: texts(input: ["a", $v]) }', {}, ["a", None]),
    "given, in a list": ('query ($v: String) { it: texts(input: ["a", $v]) }', {"v": "b"}, ["a", "b"]),
}


@pytest.mark.parametrize("case", DEFAULTS)
async def test_defaults_and_values_that_are_not_given(ask: Ask, case: str) -> None:
    text, variables, expected = DEFAULTS[case]
    assert await given(ask, text, variables) == {"it": expected}


async def test_fields_of_objects_get_them_too(ask: Ask) -> None:
    text = """query ($input: TestInput, $text: String, $must: String! = "m") { holders {
                ofObject(input: $input) written: ofObject(input: {c: $must}) left: ofObject
                textWithDefault(input: $text) null: textWithDefault(input: null) mustText(input: $must) } }"""
    found = await ask(SCHEMA, text, {"input": {"c": "c"}})
    shown = {
        "ofObject": '{"c": "c", "e": 7}',
        "written": '{"c": "m", "e": 7}',
        "left": None,
        "textWithDefault": '"Hello World"',
        "null": "null",
        "mustText": '"m"',
    }
    assert found == ({"holders": [shown, shown]}, set())


REFUSED: dict[str, tuple[str, dict[str, Any]]] = {
    "a list for an object": ('{ ofObject(input: ["foo", "bar"]) }', {}),
    "a text for an object": ('{ ofObject(input: "foo") }', {}),
    "an object without what must be": ('{ ofObject(input: {a: "foo"}) }', {}),
    "an object with null for what must be": ("{ ofObject(input: {c: null}) }", {}),
    "an object with null for a number": ('{ ofObject(input: {c: "c", e: null}) }', {}),
    "an unknown field": ('{ ofObject(input: {c: "c", extra: 1}) }', {}),
    "a field twice": ('{ ofObject(input: {c: "c", c: "d"}) }', {}),
    "a scalar of its own": ('{ ofObject(input: {c: "c", d: "bar"}) }', {}),
    "an unknown value of an enum": ("{ enum(input: UNKNOWN) }", {}),
    "a text for an enum": ('{ enum(input: "CUSTOM") }', {}),
    "a word for a text": ("{ textWithDefault(input: WRONG_TYPE) }", {}),
    "a number for a text": ("{ text(input: 3) }", {}),
    "a text for a number": ('{ number(input: "3") }', {}),
    "a real for a whole number": ("{ number(input: 3.5) }", {}),
    "a number beyond 32 bits": ("{ number(input: 2147483648) }", {}),
    "a number for a truth": ("{ yes(input: 1) }", {}),
    "a truth for a key": ("{ key(input: true) }", {}),
    "null for what must be": ("{ mustText(input: null) }", {}),
    "nothing for what must be": ("{ mustText }", {}),
    "an unknown argument": ("{ text(unknown: 1) }", {}),
    "an argument twice": ('{ text(input: "a", input: "b") }', {}),
    "null in a list of musts": ('{ listOfMusts(input: ["a", null]) }', {}),
    "a variable that is not declared": ("{ text(input: $v) }", {"v": "a"}),
    "a variable that is not used": ("query ($v: String) { text }", {}),
    "a variable of another type": ("query ($v: Int) { text(input: $v) }", {}),
    "a variable that may be null for one that must be": ("query ($v: String) { mustText(input: $v) }", {}),
    "a variable in a list that may be null": (
        "query ($v: String) { mustListOfMusts(input: [$v]) }",
        {"v": "a"},
    ),
    "a variable of an object type": ("query ($v: Holder) { text(input: $v) }", {}),
    "a variable of an unknown type": ("query ($v: Unknown!) { text(input: $v) }", {"v": "who knows"}),
    "a default of another type": ("query ($v: String = 3) { text(input: $v) }", {}),
    "a default with null for what must be": ("query ($v: String! = null) { text(input: $v) }", {}),
    "a variable twice": ("query ($v: String, $v: String) { text(input: $v) }", {}),
    "no value for one that must be": ("query ($v: String!) { text(input: $v) }", {}),
    "null for one that must be": ("query ($v: String!) { text(input: $v) }", {"v": None}),
    "a list for a text variable": ("query ($v: String!) { mustText(input: $v) }", {"v": [1, 2, 3]}),
    "a number for a text variable": ("query ($v: String) { text(input: $v) }", {"v": 3}),
    "a text for a number variable": ("query ($v: Int) { number(input: $v) }", {"v": "3"}),
    "a truth for a number variable": ("query ($v: Int) { number(input: $v) }", {"v": True}),
    "a real for a number variable": ("query ($v: Int) { number(input: $v) }", {"v": 3.5}),
    "a number variable beyond 32 bits": ("query ($v: Int) { number(input: $v) }", {"v": 2**31}),
    "no number for a real variable": ("query ($v: Float) { real(input: $v) }", {"v": "3.5"}),
    "infinity for a real variable": ("query ($v: Float) { real(input: $v) }", {"v": float("inf")}),
    "a number for a truth variable": ("query ($v: Boolean) { yes(input: $v) }", {"v": 1}),
    "a real for a key variable": ("query ($v: ID) { key(input: $v) }", {"v": 1.5}),
    "an unknown value of an enum variable": ("query ($v: Choice) { enum(input: $v) }", {"v": "custom value"}),
    "a number for an enum variable": ("query ($v: Choice) { enum(input: $v) }", {"v": 1}),
    "a text for an object variable": ("query ($v: TestInput) { ofObject(input: $v) }", {"v": "foo bar"}),
    "an object variable without what must be": (
        "query ($v: TestInput) { ofObject(input: $v) }",
        {"v": {"a": "foo"}},
    ),
    "an object variable with null for what must be": (
        "query ($v: TestInput) { ofObject(input: $v) }",
        {"v": {"c": None}},
    ),
    "an object variable with an unknown field": (
        "query ($v: TestInput) { ofObject(input: $v) }",
        {"v": {"c": "c", "extra": "dog"}},
    ),
    "a scalar of its own in an object variable": (
        "query ($v: TestInput) { ofObject(input: $v) }",
        {"v": {"c": "c", "d": "bar"}},
    ),
    "null in a list variable of musts": (
        "query ($v: [String!]) { listOfMusts(input: $v) }",
        {"v": ["a", None]},
    ),
    "null for a list variable that must be": ("query ($v: [String]!) { mustList(input: $v) }", {"v": None}),
    "null for a list variable of musts that must be": (
        "query ($v: [String!]!) { mustListOfMusts(input: $v) }",
        {"v": None},
    ),
}


@pytest.mark.parametrize("case", REFUSED)
async def test_what_does_not_fit_refuses_the_operation(ask: Ask, case: str) -> None:
    text, variables = REFUSED[case]
    result = await ask.result(SCHEMA, text, variables)
    assert (result.data, result.refused, result.code) == (None, True, "BAD_INPUT")


async def test_each_fault_of_a_nested_variable_is_told(ask: Ask) -> None:
    text = "query ($v: NestedInput) {\n  nested(input: $v) }"
    result = await ask.result(SCHEMA, text, {"v": {"na": {"a": "foo"}}})
    assert result.refused
    assert [error["locations"] for error in result.errors] == [[{"line": 1, "column": 8}]] * 2
    told_of = " ".join(error["message"] for error in result.errors)
    assert "'c'" in told_of
    assert "'nb'" in told_of


async def test_the_number_of_faults_told_is_limited(ask: Ask) -> None:
    text = "query ($v: [String!]) { listOfMusts(input: $v) }"
    result = await ask.result(SCHEMA, text, {"v": list(range(200))})
    assert (result.refused, result.code) == (True, "BAD_INPUT")
    assert len(result.errors) <= 51


async def test_variables_that_are_not_declared_are_ignored(ask: Ask) -> None:
    assert await given(ask, "query ($v: String) { it: text(input: $v) }", {"v": "a", "w": "b"}) == {"it": "a"}


async def test_a_fault_of_a_variable_names_its_place(ask: Ask) -> None:
    result = await ask.result(SCHEMA, "query (\n  $v: Int!\n) { number(input: $v) }", {"v": "x"})
    assert [error["locations"] for error in result.errors] == [[{"line": 2, "column": 3}]]
    assert "path" not in result.errors[0]
    assert "$v" in result.errors[0]["message"]


async def test_null_for_an_argument_that_must_be_is_an_error_of_its_fields(ask: Ask) -> None:
    text = 'query ($v: String = "d") { holders { mustText(input: $v) } it: text(input: $v) }'
    result = await ask.result(SCHEMA, text, {"v": None})
    assert result.data == {"holders": [{"mustText": None}] * 2, "it": "null"}
    assert [(error["path"], error["extensions"]["code"]) for error in result.errors] == [
        (["holders", 0, "mustText"], "BAD_INPUT"),
        (["holders", 1, "mustText"], "BAD_INPUT"),
    ]


def _raises(error: Callable[[], Exception]) -> Any:
    def parse(value: Any) -> Any:
        raise error()

    scalar = strawberry.scalar(name="Faulty", parse_value=parse, serialize=str)
    query = type("Query", (), {"shows": answering("shows", str | None, _shows, input=Complex)})
    return EngineSchema(strawberry.type(query), config=StrawberryConfig(scalar_map={Complex: scalar}))


@pytest.mark.parametrize("error", [lambda: GraphQLError("faulty"), lambda: ValueError("faulty")])
@pytest.mark.parametrize("text", ['{ shows(input: "x") }', "query ($v: Faulty!) { shows(input: $v) }"])
async def test_a_scalar_that_refuses_a_value_refuses_the_operation(
    ask: Ask, text: str, error: Callable[[], Exception]
) -> None:
    result = await ask.result(_raises(error), text, {"v": "x"} if "$v" in text else {})
    assert (result.data, result.refused) == (None, True)


async def test_variables_of_a_page(ask: Ask, filled: Library) -> None:
    text = """query ($first: Int, $filter: BookFilter, $by: [BookOrder!]) {
                authors(limit: 2) {
                  catalogue(first: $first, filter: $filter, orderBy: $by) { nodes { title } } } }"""
    by = [{"field": "TITLE", "direction": "DESC"}]
    variables = {"first": 2, "filter": {"lent": {"eq": False}}, "by": by}
    found = await ask(filled.schema, text, variables, context=filled.visit(translate=told))
    titles = [[{"title": f"T00{a}-00{b}"} for b in (4, 2)] for a in range(2)]
    assert found == ({"authors": [{"catalogue": {"nodes": nodes}} for nodes in titles]}, set())


async def test_a_null_of_a_variable_nulls_what_needs_it(ask: Ask) -> None:
    schema = schema_of(
        answering("upper", str, lambda input: input and input.upper(), input=(str | None, None))
    )
    text = "query ($v: String) { upper(input: $v) }"
    assert await ask(schema, text, {"v": "a"}) == ({"upper": "A"}, set())
    assert await ask(schema, text, {"v": None}) == (None, {f"1:22 upper: {null('Query.upper')}"})
