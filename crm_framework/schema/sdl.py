"""The schema as text, in which every element that a plugin added names its plugin."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import strawberry
from graphql import GraphQLSchema, parse, print_ast, print_schema
from graphql.language import (
    ConstArgumentNode,
    ConstDirectiveNode,
    DirectiveDefinitionNode,
    EnumTypeDefinitionNode,
    InputObjectTypeDefinitionNode,
    InterfaceTypeDefinitionNode,
    NameNode,
    ObjectTypeDefinitionNode,
    SchemaDefinitionNode,
    StringValueNode,
    TypeDefinitionNode,
)
from strawberry.schema_directive import Location

from .ownership import CORE, ROOTS

_WITH_FIELDS = (ObjectTypeDefinitionNode, InterfaceTypeDefinitionNode, InputObjectTypeDefinitionNode)


@strawberry.schema_directive(
    name="plugin",
    description="The plugin that adds this element; without it, the element is the core's.",
    locations=[
        Location.OBJECT,
        Location.INTERFACE,
        Location.UNION,
        Location.SCALAR,
        Location.ENUM,
        Location.ENUM_VALUE,
        Location.INPUT_OBJECT,
        Location.FIELD_DEFINITION,
        Location.INPUT_FIELD_DEFINITION,
    ],
)
class PluginDirective:
    name: str = strawberry.directive_field(name="name")


def print_owned(schema: GraphQLSchema, types: Mapping[str, str], members: Mapping[str, str]) -> str:
    """SDL, definitions in the order of their names. `types` and `members` map elements to owners."""
    document = parse(print_schema(schema), no_location=True)
    definitions = [
        _marked(definition, types, members) if isinstance(definition, TypeDefinitionNode) else definition
        for definition in document.definitions
    ]
    return "\n\n".join(print_ast(definition) for definition in sorted(definitions, key=_rank)) + "\n"


def _marked(definition: Any, types: Mapping[str, str], members: Mapping[str, str]) -> Any:
    name = definition.name.value
    owner = types.get(name, CORE)

    def child(node: Any) -> Any:
        of = members.get(f"{name}.{node.name.value}", owner)
        return node if of == owner else _with_directive(node, of)

    marked = definition
    if isinstance(definition, _WITH_FIELDS):
        marked = replace(marked, fields=tuple(map(child, definition.fields or ())))
    elif isinstance(definition, EnumTypeDefinitionNode):
        marked = replace(marked, values=tuple(map(child, definition.values or ())))
    return marked if owner == CORE else _with_directive(marked, owner)


def _with_directive(node: Any, owner: str) -> Any:
    argument = ConstArgumentNode(name=NameNode(value="name"), value=StringValueNode(value=owner))
    directive = ConstDirectiveNode(name=NameNode(value="plugin"), arguments=(argument,))
    return replace(node, directives=(*(node.directives or ()), directive))


def _rank(definition: Any) -> tuple[int, str]:
    """The schema, then directives, then the roots, then the rest by name."""
    if isinstance(definition, SchemaDefinitionNode):
        return 0, ""
    name: str = definition.name.value
    if isinstance(definition, DirectiveDefinitionNode):
        return 1, name
    return (2, str(ROOTS.index(name))) if name in ROOTS else (3, name)
