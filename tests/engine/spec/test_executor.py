"""The execution of operations in general: selections, merging, paths, errors, and which operation runs."""

import asyncio
from collections.abc import Callable
from enum import Enum
from typing import Any

import pytest
import strawberry
from graphql import GraphQLError
from strawberry.schema.config import StrawberryConfig
from strawberry.types.info import Info

from crm_framework.engine import PUBLIC, Batch, EngineSchema, RequestError, batch, computed, root
from tests.engine.conftest import Library

from .harness import Ask, Asking, Fault, Nowhere, answering, list_of, null, schema_of, told


@strawberry.type
class Data:
    a: str = "Apple"
    f: str = "Fish"

    @strawberry.field
    def b(self) -> str:
        return "Banana"

    @computed()
    @staticmethod
    def c(a: str) -> str:
        "A cookie."
        return "Cookie"

    @batch(needs=())
    @staticmethod
    def d(parents: Batch[Any]) -> list[str]:
        "A donut."
        return ["Donut" for _ in parents]

    @batch(needs=())
    @staticmethod
    async def e(parents: Batch[Any]) -> list[str]:
        "An egg."
        return ["Egg" for _ in parents]

    @strawberry.field
    def pic(self, size: int) -> str:
        return f"Pic of size: {size}"

    @strawberry.field
    def deep(self) -> "DeepData":
        return DeepData()

    @strawberry.field
    async def promise(self) -> "Data":
        await asyncio.sleep(0)
        return Data()

    @batch(needs=())
    @staticmethod
    async def together(parents: Batch[Any]) -> "list[Data | None]":
        "One of its kind for each."
        return [Data() for _ in parents]


@strawberry.type
class DeepData:
    a: str = "Already Been Done"
    b: str = "Boring"

    @strawberry.field
    def c(self) -> list[str | None]:
        return ["Contrived", None, "Confusing"]

    @strawberry.field
    def deeper(self) -> list[Data | None]:
        return [Data(), None, Data()]


SCHEMA = schema_of(
    answering("data", Data, Data),
    answering("a", str, lambda: "b"),
    answering("none", Data | None, lambda: None),
)


async def test_a_selection_of_all_kinds_of_fields(ask: Ask) -> None:
    text = """query ($size: Int!) { data {
        a, b, x: c ...C f
        ... on Data { pic(size: $size) promise { a together { b } } }
        deep { a b c deeper { a b d } } } none { a } }
      fragment C on Data { d e }"""
    found = await ask(SCHEMA, text, {"size": 100})
    deeper = {"a": "Apple", "b": "Banana", "d": "Donut"}
    assert found == (
        {
            "data": {
                "a": "Apple",
                "b": "Banana",
                "x": "Cookie",
                "d": "Donut",
                "e": "Egg",
                "f": "Fish",
                "pic": "Pic of size: 100",
                "promise": {"a": "Apple", "together": {"b": "Banana"}},
                "deep": {
                    "a": "Already Been Done",
                    "b": "Boring",
                    "c": ["Contrived", None, "Confusing"],
                    "deeper": [deeper, None, deeper],
                },
            },
            "none": None,
        },
        set(),
    )
    assert list(found.data["data"]) == ["a", "b", "x", "d", "e", "f", "pic", "promise", "deep"]


async def test_parallel_fragments_are_merged(ask: Ask) -> None:
    text = """{ data { a ...One ...Two } }
      fragment One on Data { b promise { b deeper: promise { b } } }
      fragment Two on Data { c promise { c deeper: promise { c } } }"""
    both = {"b": "Banana", "c": "Cookie"}
    assert await ask(SCHEMA, text) == (
        {"data": {"a": "Apple", **both, "promise": {**both, "deeper": both}}},
        set(),
    )


async def test_one_field_with_other_arguments_needs_other_keys(ask: Ask) -> None:
    text = "{ data { pic(size: 1) two: pic(size: 2) again: pic(size: 1) } }"
    assert await ask(SCHEMA, text) == (
        {"data": {"pic": "Pic of size: 1", "two": "Pic of size: 2", "again": "Pic of size: 1"}},
        set(),
    )
    result = await ask.result(SCHEMA, "{ data { pic(size: 1) pic(size: 2) } }")
    assert (result.refused, result.code) == (True, "BAD_INPUT")


async def test_keys_come_in_the_order_of_the_document_whatever_takes_longer(ask: Ask) -> None:
    for text, order in (
        ("{ data { a e b together { a } c promise { a } d } }", "a e b together c promise d"),
        ("{ data { d ... { e b } a } }", "d e b a"),
        ("{ data { b ...F a } } fragment F on Data { a e b }", "b a e"),
        ("{ data { __typename z: a y: __typename x: b } }", "__typename z y x"),
    ):
        found = await ask(SCHEMA, text)
        assert list(found.data["data"]) == order.split()


async def test_the_name_of_the_type_under_any_key(ask: Ask) -> None:
    text = "{ __typename kind: __typename data { __typename promise { t: __typename } } none { __typename } }"
    assert await ask(SCHEMA, text) == (
        {
            "__typename": "Query",
            "kind": "Query",
            "data": {"__typename": "Data", "promise": {"t": "Data"}},
            "none": None,
        },
        set(),
    )


async def test_introspection_beside_other_fields(ask: Ask) -> None:
    text = """{ before: a __schema { queryType { name } } data { a }
                type: __type(name: "DeepData") { kind fields { name type { kind ofType { name } } } } }"""
    found = await ask(SCHEMA, text)
    assert found.faults == set()
    assert list(found.data) == ["before", "__schema", "data", "type"]
    assert found.data["__schema"] == {"queryType": {"name": "Query"}}
    assert found.data["type"]["fields"][0] == {
        "name": "a",
        "type": {"kind": "NON_NULL", "ofType": {"name": "String"}},
    }


SEEN: list[Info] = []


@root(permission=PUBLIC)
def watched(info: Info, var: str = "") -> str:
    "Keeps its info."
    SEEN.append(info)
    return "seen"


@strawberry.type
class Watching:
    @strawberry.field
    def test(self, info: Info) -> str:
        SEEN.append(info)
        return "seen"


async def test_a_function_is_told_where_it_is(ask: Ask) -> None:
    SEEN.clear()
    context = Asking(Nowhere())
    schema = schema_of(watched)
    await ask(schema, "query ($var: String!) { result: watched(var: $var) }", {"var": "abc"}, context=context)
    [info] = SEEN
    assert (info.field_name, info.python_name, info.context) == ("watched", "watched", context)
    assert info.path.as_list() == ["result"]
    assert info.variable_values == {"var": "abc"}
    assert info.operation.operation.value == "query"
    assert [getattr(selected, "name", None) for selected in info.selected_fields] == ["watched"]


async def test_the_path_of_an_object_in_lists(ask: Ask) -> None:
    SEEN.clear()
    schema = schema_of(answering("watchers", list[list[Watching]], lambda: [[], [Watching(), Watching()]]))
    await ask(schema, "{ l1: watchers { l2: test } }")
    assert [info.path.as_list() for info in SEEN] == [
        ["l1", 1, 0, "l2"],
        ["l1", 1, 1, "l2"],
    ]


async def test_arguments_are_passed_by_name_and_left_out_where_they_were_not_given(ask: Ask) -> None:
    got: list[dict[str, Any]] = []

    def keep(**given: Any) -> str:
        got.append({name: value for name, value in given.items() if value is not strawberry.UNSET})
        return "kept"

    of = dict.fromkeys("abc", (bool | None, strawberry.UNSET))
    numbers = {"num_arg": (int | None, strawberry.UNSET), "other_arg": (int | None, strawberry.UNSET)}
    keep.__module__ = __name__
    schema = schema_of(answering("keep", str, keep, **of, **numbers))
    await ask(schema, "{ keep(a: true, c: null, numArg: 0) }")
    assert got == [{"a": True, "c": None, "num_arg": 0}]


def _raise(error: Exception) -> Any:
    raise error


async def _later(value: Any) -> Any:
    await asyncio.sleep(0)
    return _raise(value) if isinstance(value, Exception) else value


OUTCOMES: dict[str, Callable[[], Any]] = {
    "sync_ok": lambda: "sync ok",
    "sync_error": lambda: _raise(Fault("sync")),
    "sync_return_error": lambda: Fault("sync return"),
    "sync_refusal": lambda: _raise(RequestError("NOT_FOUND", "not found")),
    "async_ok": lambda: _later("async ok"),
    "async_error": lambda: _later(Fault("async")),
    "async_refusal": lambda: _later(RequestError("NOT_FOUND", "not found")),
}


async def test_fields_that_fail_are_null_and_leave_the_others_alone(ask: Ask) -> None:
    async def return_error() -> Any:
        return Fault("async return")

    schema = schema_of(
        *(answering(name, str | None, give) for name, give in OUTCOMES.items()),
        answering("async_return_error", str | None, return_error),
    )
    text = """{
      syncOk
      syncError
      syncReturnError
      syncRefusal
      asyncOk
      asyncError
      asyncReturnError
      asyncRefusal
    }"""
    found = await ask(schema, text)
    assert found == (
        {
            "syncOk": "sync ok",
            "syncError": None,
            "syncReturnError": None,
            "syncRefusal": None,
            "asyncOk": "async ok",
            "asyncError": None,
            "asyncReturnError": None,
            "asyncRefusal": None,
        },
        {
            "3:7 syncError: sync",
            "4:7 syncReturnError: sync return",
            "5:7 syncRefusal: not found",
            "7:7 asyncError: async",
            "8:7 asyncReturnError: async return",
            "9:7 asyncRefusal: not found",
        },
    )


@pytest.mark.parametrize("error", [GraphQLError("said", extensions={"foo": "bar"})])
@pytest.mark.parametrize("late", [False, True])
async def test_an_error_of_graphql_keeps_its_extensions(ask: Ask, error: GraphQLError, late: bool) -> None:
    schema = schema_of(answering("a", str | None, lambda: _later(error) if late else _raise(error)))
    result = await ask.result(schema, "{ a }")
    assert result.data == {"a": None}
    assert [(each["message"], each["path"], each["extensions"]["foo"]) for each in result.errors] == [
        ("said", ["a"], "bar")
    ]


async def test_an_unexpected_error_is_masked(ask: Ask) -> None:
    context = Asking(Nowhere())
    context.translate = lambda error: None  # type: ignore[method-assign]  # as most errors are translated
    schema = schema_of(answering("a", str | None, lambda: _raise(Fault("secret"))))
    result = await ask.result(schema, "{ a }", context=context)
    [error] = result.errors
    reference = error["extensions"].pop("reference")
    assert error == {
        "message": f"An internal error occurred; the log has it under reference {reference}",
        "locations": [{"line": 1, "column": 3}],
        "path": ["a"],
        "extensions": {"code": "INTERNAL"},
    }


async def test_of_a_null_and_a_failure_still_to_come_one_is_reported(ask: Ask) -> None:
    schema = schema_of(
        answering("async_null", str, lambda: _later(None)),
        answering("sync_null", str, lambda: None),
    )
    found = await ask(schema, "{ asyncNull syncNull }")
    causes = f"1:3 asyncNull: {null('Query.asyncNull')}", f"1:13 syncNull: {null('Query.syncNull')}"
    ask.settled(found, None, *causes)


@strawberry.type
class Failing:
    @strawberry.field
    def plain(self) -> str:
        raise Fault("plain")

    @strawberry.field
    def informed(self, info: Info) -> str:
        raise Fault("informed")

    @batch(needs=())
    @staticmethod
    async def together(parents: Batch[Any]) -> list[str]:
        "Fails."
        raise Fault("together")


FAILING = schema_of(answering("must", Failing, Failing), answering("may", Failing | None, Failing))


@pytest.mark.parametrize("first", ["plain", "informed", "together"])
@pytest.mark.parametrize("then", ["plain", "informed", "together"])
@pytest.mark.parametrize("roots", [("must", "must"), ("must", "may"), ("may", "must"), ("may", "may")])
async def test_of_several_root_fields_that_fail_the_first_that_nulls_all_is_told(
    ask: Ask, roots: tuple[str, str], first: str, then: str
) -> None:
    text = f"{{\n  a: {roots[0]} {{ {first} }}\n  b: {roots[1]} {{ {then} }}\n}}"
    column = 6 + len(roots[0]) + 3, 6 + len(roots[1]) + 3
    one, two = f"2:{column[0]} a.{first}: {first}", f"3:{column[1]} b.{then}: {then}"
    found = await ask(FAILING, text)
    match roots:
        case ("may", "may"):
            assert found == ({"a": None, "b": None}, {one, two})
        case ("may", "must"):
            ask.settled(found, None, two, one)
        case _:
            ask.settled(found, None, one, two)


@strawberry.type
class Chain:
    @strawberry.field
    def nullable(self) -> "Chain | None":
        return Chain()

    @strawberry.field
    def non_null(self) -> "Chain":
        return Chain()

    @strawberry.field
    def throws(self) -> "Chain":
        raise Fault("catch me")

    @batch(needs=())
    @staticmethod
    def throws_together(chains: Batch[Any]) -> "list[Chain]":
        "Fails."
        raise Fault("catch me")


@pytest.mark.parametrize("field", ["throws", "throwsTogether"])
async def test_an_error_has_its_whole_path(ask: Ask, field: str) -> None:
    schema = schema_of(answering("nullable", Chain | None, Chain))
    text = f"""{{
      nullable {{
        aliased: nullable {{
          nonNull {{
            another: nonNull {{
              {field} {{ __typename }}
            }}
          }}
        }}
      }}
    }}"""
    assert await ask(schema, text) == (
        {"nullable": {"aliased": None}},
        {f"6:15 nullable.aliased.nonNull.another.{field}: catch me"},
    )


async def test_an_error_of_a_merged_field_has_the_place_of_each_of_its_nodes(ask: Ask) -> None:
    schema = schema_of(answering("a", str | None, lambda: _raise(Fault("a"))))
    result = await ask.result(schema, "{ a ...F }\nfragment F on Query { a }")
    assert [error["locations"] for error in result.errors] == [
        [{"line": 1, "column": 3}, {"line": 2, "column": 23}]
    ]


@pytest.mark.parametrize(
    ("text", "operation", "data"),
    [
        ("{ a }", None, {"a": "b"}),
        ("query Example { a }", None, {"a": "b"}),
        ("query Example { first: a } query Other { second: a }", "Other", {"second": "b"}),
        ("query Example { first: a } query Other { second: a }", "Example", {"first": "b"}),
    ],
)
async def test_the_operation_that_is_meant_runs(
    ask: Ask, text: str, operation: str | None, data: Any
) -> None:
    assert await ask(SCHEMA, text, None, operation) == (data, set())


@pytest.mark.parametrize(
    ("text", "operation"),
    [
        ("fragment Example on Query { a }", None),
        ("query Example { a } query Other { a }", None),
        ("query Example { a } query Other { a }", "Unknown"),
        ("{ a }", "Unknown"),
        ("{ a }", ""),
        ("query Example { a } query Example { a }", "Example"),
        ("{ a } query Example { a }", "Example"),
        ("query Q { a } mutation M { __typename }", "M"),
        ("subscription S { __typename }", None),
        ("", None),
    ],
)
async def test_an_operation_that_is_not_there_or_not_clear_is_refused(
    ask: Ask, text: str, operation: str | None
) -> None:
    result = await ask.result(SCHEMA, text, None, operation)
    assert (result.data, result.refused, result.code) == (None, True, "BAD_INPUT")


async def test_queries_and_mutations_have_their_own_root(ask: Ask) -> None:
    @strawberry.type
    class Query:
        a = answering("a", str, lambda: "b")

    @strawberry.type
    class Mutation:
        c = answering("c", str, lambda: "d")

    schema = EngineSchema(Query, mutation=Mutation)
    text = "query Q { a __typename } mutation M { c __typename }"
    assert await ask(schema, text, None, "Q") == ({"a": "b", "__typename": "Query"}, set())
    assert await ask(schema, text, None, "M") == ({"c": "d", "__typename": "Mutation"}, set())


@pytest.mark.parametrize(
    "text",
    [
        "query Q { a ...F } fragment F on Query { a ...F }",
        "{ ...A } fragment A on Query { ...B } fragment B on Query { ...A }",
        "{ data }",
        "{ a { b } }",
        "{ thisIsIllegalDoNotIncludeMe }",
        "{ data { thisIsIllegalDoNotIncludeMe } }",
        "{ ...Unknown }",
        "{ ... on Unknown { a } }",
        "{ a } type Query { bar: String }",
        "{ a } fragment Unused on Query { a }",
    ],
    ids=[
        "a fragment in itself",
        "fragments in each other",
        "no selection",
        "a selection of a leaf",
        "an unknown field",
        "an unknown field of an object",
        "an unknown fragment",
        "an unknown type",
        "a definition",
        "an unused fragment",
    ],
)
async def test_a_document_that_does_not_fit_is_refused(ask: Ask, text: str) -> None:
    result = await ask.result(SCHEMA, text)
    assert (result.data, result.refused, result.code) == (None, True, "BAD_INPUT")


async def test_an_empty_selection_is_an_empty_object(ask: Ask) -> None:
    assert await ask(SCHEMA, "{ }") == ({}, set())
    assert await ask(SCHEMA, "{ data { } none { } }") == ({"data": {}, "none": None}, set())


async def test_a_fragment_that_is_spread_twice_counts_once(ask: Ask) -> None:
    text = "{ data { ...F ...F together { ...F ... { ...F } } } } fragment F on Data { a }"
    assert await ask(SCHEMA, text) == ({"data": {"a": "Apple", "together": {"a": "Apple"}}}, set())


class Colour(Enum):
    RED = "red"
    BLUE = "blue"


Shade = strawberry.enum(Colour, name="Shade")


class Odd:
    """A value of a scalar with a form of its own."""


def _serialize(value: Any) -> Any:
    if value == "nothing":
        return None
    return _raise(Fault("odd")) if value == "faulty" else f"<{value}>"


LEAVES: dict[str, tuple[Any, Any, Any]] = {
    "an enum": (Shade, Colour.BLUE, "BLUE"),
    "no value of the enum": (Shade, "green", Fault),
    "a scalar of its own": (Odd, "x", "<x>"),
    "a scalar of its own that fails": (Odd, "faulty", Fault),
    "a whole number for text": (str, 3, "3"),
    "a truth for text": (str, True, "true"),
    "an object for text": (str, {}, Fault),
    "text for a whole number": (int, "3", 3),
    "a real for a whole number": (int, 3.5, Fault),
    "a real without a rest for a whole number": (int, 3.0, 3),
    "a truth for a whole number": (int, True, 1),
    "a number beyond 32 bits": (int, 2**31, Fault),
    "a whole number for a real": (float, 3, 3),
    "no number for a real": (float, float("nan"), Fault),
    "a whole number for a truth": (bool, 1, True),
    "text for a truth": (bool, "yes", Fault),
    "a whole number for a key": (strawberry.ID, 3, "3"),
    "a truth for a key": (strawberry.ID, object(), Fault),
}


@pytest.mark.parametrize("leaf", LEAVES)
@pytest.mark.parametrize("place", ["root", "object", "list"])
async def test_a_leaf_is_what_its_type_makes_of_it(ask: Ask, leaf: str, place: str) -> None:
    annotation, value, expected = LEAVES[leaf]
    config = StrawberryConfig(
        scalar_map={Odd: strawberry.scalar(name="Odd", serialize=_serialize, parse_value=str)}
    )
    holder = strawberry.type(
        type("Holder", (), {"__annotations__": {"leaf": annotation | None}, "__module__": __name__})
    )
    fields = {
        "root": answering("leaf", annotation | None, lambda: value),
        "object": answering("holder", holder, lambda: holder(leaf=value)),
        "list": answering("holders", list_of(holder), lambda: [holder(leaf=value), holder(leaf=value)]),
    }
    texts = {"root": "{ leaf }", "object": "{ holder { leaf } }", "list": "{ holders { leaf } }"}
    query = strawberry.type(type("Query", (), {fields[place].python_name: fields[place]}))
    result = await ask.result(EngineSchema(query, config=config), texts[place])
    shown = None if expected is Fault else expected
    one = {"leaf": shown}
    assert result.data == {"root": one, "object": {"holder": one}, "list": {"holders": [one, one]}}[place]
    faults = 0 if expected is not Fault else 2 if place == "list" else 1
    assert [error["extensions"]["code"] for error in result.errors] == ["INTERNAL"] * faults


async def test_rows_of_tables_and_objects_of_functions_in_one_answer(ask: Ask, filled: Library) -> None:
    text = """{ authors(limit: 2) { name greeting mentor { name } books { title cost { symbol amount } }
                shelf { count top { title author { name } } author { name } }
                grid { count author { name } }
                catalogue(first: 1) { totalCount nodes { title } edges { node { author { name } } } } } }"""
    found = await ask(filled.schema, text, context=filled.visit(translate=told))
    assert found.faults == set()
    second = found.data["authors"][1]
    assert second["mentor"] == {"name": "A000"}
    assert second["books"][3:] == [
        {"title": "T001-003", "cost": None},
        {"title": "T001-004", "cost": {"symbol": "€", "amount": "14.50"}},
    ]
    assert second["shelf"] == {
        "count": 5,
        "top": {"title": "T001-000", "author": {"name": "A001"}},
        "author": {"name": "A001"},
    }
    assert second["grid"][1][1] == {"count": 1, "author": {"name": "A001"}}
    assert second["catalogue"] == {
        "totalCount": 5,
        "nodes": [{"title": "T001-004"}],
        "edges": [{"node": {"author": {"name": "A001"}}}],
    }
