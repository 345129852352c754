"""The whole schema's inputs are read as graphql-core and Strawberry read them."""

import time
from collections.abc import Callable
from typing import Any

import pytest
from graphql import FieldNode, GraphQLInputObjectType, OperationDefinitionNode, parse
from hypothesis import given, settings
from hypothesis import strategies as st

from crm_framework.hooks.discovery import load_plugins
from crm_framework.schema.core import compose_schema
from crm_framework.settings import Settings
from tests.engine.operations import Drawn, Oracle

PLUGINS = ("analytics", "hello", "loyalty", "ticketing")


@pytest.fixture(scope="module")
def oracle() -> Oracle:
    """All plugins of this repository, which must be installed, and the first example."""
    return Oracle(compose_schema(load_plugins(Settings(plugins=PLUGINS))).schema)


def test_every_input_type_is_read_by_structs(oracle: Oracle) -> None:
    types = oracle.coercion._types
    assert len(oracle.fields) > 50
    for kind in oracle.schema._schema.type_map.values():
        if isinstance(kind, GraphQLInputObjectType):
            assert types.object(kind).is_simple or types.object(kind).keeps_mapping, kind.name


@settings(max_examples=200, deadline=None)
@given(data=st.data())
def test_operations_are_read_as_by_graphql_core(oracle: Oracle, data: st.DataObject) -> None:
    drawn: Drawn = data.draw(oracle.drawn)
    oracle.check(drawn)


def test_objects_take_less_than_a_seventh_of_the_time(oracle: Oracle) -> None:
    row = {"name": "Ada", "email": "ada@example.com", "kind": "PERSON", "tags": ["a", "b"], "source": "erp"}
    variables = {"input": {"rows": [row] * 2_000}}
    text = "mutation($input: ImportCustomersInput!) { Mutation_importCustomers(input: $input) }"
    (operation,) = parse(text).definitions
    assert isinstance(operation, OperationDefinitionNode)
    (node,) = operation.selection_set.selections
    assert isinstance(node, FieldNode)
    plan = oracle.coercion.argument_plan(*oracle.fields["Mutation_importCustomers"], node)

    def fast() -> Any:
        found = oracle.coercion.variables_of(operation).read(variables)
        assert isinstance(found, dict)
        return plan.values(found)

    def slow() -> Any:
        return oracle.reference("Mutation_importCustomers", operation, variables)

    assert fast() == slow()
    assert 7 * min(_timed(fast) for _ in range(5)) < min(_timed(slow) for _ in range(2))


def _timed(run: Callable[[], Any]) -> float:
    before = time.process_time()
    run()
    return time.process_time() - before
