"""No field of the API, the plugins' included, is left to graphql-core, which takes several times as long."""

from typing import Any

import pytest
from graphql import (
    GraphQLObjectType,
    GraphQLSchema,
    get_named_type,
    is_leaf_type,
    is_required_argument,
    parse,
    print_type,
)

from crm_framework.engine.planner import planned
from crm_framework.engine.prepare import prepared
from crm_framework.hooks.discovery import load_plugins
from crm_framework.schema.compose import ComposedSchema
from crm_framework.schema.core import compose_schema
from crm_framework.settings import Settings

PLUGINS = ("analytics", "hello", "loyalty", "ticketing")


@pytest.fixture(scope="module")
def whole() -> ComposedSchema:
    return compose_schema(load_plugins(Settings(plugins=PLUGINS)))


def _selection(schema: GraphQLSchema, kind: Any, depth: int) -> str:
    named = get_named_type(kind)
    if is_leaf_type(named):
        return ""
    if not isinstance(named, GraphQLObjectType):
        kinds = schema.get_possible_types(named)
        parts = [f"... on {each.name} {_selection(schema, each, 0)}" for each in kinds]
        return "{ __typename " + " ".join(parts) + " }"
    fields = []
    for name, field in named.fields.items():
        if any(is_required_argument(argument) for argument in field.args.values()):
            continue
        composite = not is_leaf_type(get_named_type(field.type))
        if composite and depth == 0:
            continue
        fields.append(f"{named.name}_{name}: {name} {_selection(schema, field.type, depth - 1)}")
    return "{ __typename " + " ".join(fields) + " }"


@pytest.mark.parametrize("operation", ["query", "mutation"])
def test_every_field_of_the_roots_is_planned(whole: ComposedSchema, operation: str) -> None:
    schema = whole.graphql
    root = schema.query_type if operation == "query" else schema.mutation_type
    assert root is not None
    ready = prepared(whole.schema)
    left: dict[str, str] = {}
    for name, field in root.fields.items():
        document = parse(f"{operation} {{ {name} {_selection(schema, field.type, 3)} }}")
        [definition] = document.definitions
        plan = planned(ready, document, definition, {})  # type: ignore[arg-type]  # an operation
        left |= {key: fallback.reason for key, fallback in plan.fallbacks.items()}
    assert left == {}
    assert "loyaltyPrograms" in print_type(schema.query_type)  # type: ignore[arg-type]  # asserted above
