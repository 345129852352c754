"""Variables and arguments are what graphql-core and Strawberry make of them, and are made much faster."""

from typing import Any

import pytest
from graphql import OperationDefinitionNode, parse
from hypothesis import given, settings
from hypothesis import strategies as st

from . import library, shapes
from .operations import Drawn, Oracle

LIBRARY = Oracle(library.make_schema())
SHAPES = Oracle(shapes.make_schema())
TREE = {"name": "a", "total": "1.5"}


@settings(max_examples=150, deadline=None)
@given(LIBRARY.drawn)
def test_the_library_is_read_as_by_graphql_core(drawn: Drawn) -> None:
    LIBRARY.check(drawn)


@settings(max_examples=300, deadline=None)
@given(SHAPES.drawn)
def test_types_of_every_shape_are_read_as_by_graphql_core(drawn: Drawn) -> None:
    SHAPES.check(drawn)


@pytest.mark.parametrize(
    ("text", "variables"),
    [
        ("query($a: Int) { Query_leaves(a: 1, b: $a) }", {}),
        ("query($a: Int = 5) { Query_leaves(a: $a) }", {}),
        ("query($a: Int = 5) { Query_leaves(a: $a) }", {"a": None}),
        ("query($a: [ID!]) { Query_leaves(a: 1, ids: $a) }", {"a": 7}),
        ("query($a: ID!) { Query_leaves(a: 1, ids: [1, $a, null]) }", {"a": 1.0}),
        ("query($a: Colour!) { Query_leaves(a: 1, colour: $a) }", {"a": "VERDE"}),
        ("query($a: Colour!) { Query_leaves(a: 1, colour: $a) }", {"a": "g"}),
        ("query($a: Int!) { Query_leaves(a: $a) }", {"a": 2**31}),
        ("query($a: Int!) { Query_leaves(a: $a) }", {"a": 3.0}),
        ("query($a: Int!, $b: Int!) { Query_leaves(a: $a) }", {"a": 1, "c": 2}),
        ("query($a: [Tree!]!) { Query_objects(many: $a) }", {"a": TREE}),
        ("query($a: [Tree!]!) { Query_objects(many: $a) }", {"a": [TREE, {**TREE, "someName": 3}, TREE]}),
        ("query($a: [Tree!]!) { Query_objects(many: $a) }", {"a": [TREE, {**TREE, "in": 3}, {"zz": {}}]}),
        ("query($a: Point) { Query_objects(tree: {name: $n, corner: $a}) }", {}),
        ("query($a: Int, $n: String!) { Query_objects(tree: {name: $n, lines: [[1, $a]]}) }", {"n": "n"}),
        ("query($a: JSON) { Query_objects(tree: {name: 1, json: $a}) }", {"a": {"b": None}}),
        ("query($a: String) { Query_objects(tree: {name: 1, json: {b: $a, c: [$a]}}) }", {"a": "x"}),
        ("query($a: Condition) { Query_objects(holder: {condition: $a}) }", {"a": {"point": {"x": 1}}}),
        ("query($a: Point) { Query_objects(condition: {point: $a, limit: 9}) }", {"a": {"x": 1}}),
        ("query($a: Point) { Query_objects(condition: {point: $a}, point: $a) }", {"a": {"x": 1}}),
        ("query($a: Checked) { Query_objects(checked: $a) }", {"a": {"number": 4}}),
        ("query($a: Exotic) { Query_exotic(exotic: $a) }", {"a": {"maybe": 1, "choices": {"number": 1}}}),
        ("query($a: Choice!) { Query_exotic(choice: $a) }", {"a": {"number": 1, "point": None}}),
        ("query($a: Point) { Query_exotic(exotic: {point: $a}) }", {"a": {"x": 1}}),
        ("query($a: Gone!) { Query_objects(point: $a) }", {"a": {"x": 1}}),
        ("query($a: Int! = null) { Query_leaves(a: $a) }", {}),
        ("query($a: Point = {y: 2}) { Query_objects(point: $a) }", {}),
    ],
)
def test_a_case_is_read_as_by_graphql_core(text: str, variables: dict[str, Any]) -> None:
    (operation,) = parse(text).definitions
    assert isinstance(operation, OperationDefinitionNode)
    key = text.partition("{ ")[2].partition("(")[0]
    SHAPES.check_operation(operation, Drawn(key, text, variables, ["$"] * text.count("$")))


@pytest.mark.parametrize("depth", [60, 95, 105, 5_000])
def test_what_is_nested_too_deeply_is_refused_alike(depth: int) -> None:
    tree: dict[str, Any] = dict(TREE)
    for _ in range(depth):
        tree = {**TREE, "children": [tree]}
    (operation,) = parse("query($a: Tree) { Query_objects(tree: $a) }").definitions
    assert isinstance(operation, OperationDefinitionNode)
    if depth < 100:  # a list and an object each time
        SHAPES.check_operation(operation, Drawn("Query_objects", "$", {"a": tree}, ["$a"]))
        return
    found = SHAPES.coercion.variables_of(operation).read({"a": tree})
    assert isinstance(found, list)
    assert [error.message for error in found] == ["Variable values are nested too deeply."]


@given(st.integers(0, 120), st.integers(0, 120))
@settings(max_examples=20, deadline=None)
def test_as_many_faults_are_told_as_graphql_core_tells(wrong: int, right: int) -> None:
    given_ = [{"x": "no"}] * wrong + [{"x": 1}] * right + [{"x": 1, "z": 1}]
    (operation,) = parse("query($a: [Point]) { Query_exotic }").definitions
    assert isinstance(operation, OperationDefinitionNode)
    SHAPES.check_operation(operation, Drawn("Query_exotic", "$", {"a": given_}, []))


def test_values_are_made_anew_each_time() -> None:
    (operation,) = parse('query { Query_objects(many: [{name: "a", total: 1}], holder: {}) }').definitions
    assert isinstance(operation, OperationDefinitionNode)
    (node,) = operation.selection_set.selections
    declared, definition = SHAPES.fields["Query_objects"]
    plan = SHAPES.coercion.argument_plan(declared, definition, node)  # type: ignore[arg-type]  # it is a field
    assert plan.static
    first, second = plan.values({}), plan.values({})
    assert first == second
    first["trees"][0].json["a"].append(2)
    first["trees"][0].lines[0].append(3)
    first["holder"].conditions.append(4)
    assert first != second
    assert plan.values({}) == second


def test_variables_that_are_used_twice_are_not_shared() -> None:
    text = "query($a: [Tree!]!) { a: Query_objects(many: $a) }"
    (operation,) = parse(text).definitions
    assert isinstance(operation, OperationDefinitionNode)
    (node,) = operation.selection_set.selections
    declared, definition = SHAPES.fields["Query_objects"]
    plan = SHAPES.coercion.argument_plan(declared, definition, node)  # type: ignore[arg-type]  # it is a field
    variables = SHAPES.coercion.variables_of(operation).read({"a": [TREE]})
    assert isinstance(variables, dict)
    first = plan.values(variables)["trees"]
    first[0].lines[0].append(1)
    first.append(None)
    assert plan.values(variables)["trees"][0].lines == [[1], [2]]
