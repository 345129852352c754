"""Queries for what a plugin adds, written from the schema."""

from collections.abc import Mapping

from graphql import (
    GraphQLField,
    GraphQLInterfaceType,
    GraphQLNamedType,
    GraphQLObjectType,
    GraphQLSchema,
    GraphQLUnionType,
    get_named_type,
    is_leaf_type,
    is_required_argument,
)

DEPTH = 4
"""Levels of objects below the plugin's field."""


def fields_of_customer(members: Mapping[str, str], plugin: str) -> list[str]:
    """Names of the fields that the plugin adds to Customer."""
    return _added(members, plugin, "Customer")


def lists_of_query(schema: GraphQLSchema, members: Mapping[str, str], plugin: str) -> list[str]:
    """Names of the connections that the plugin adds to Query."""
    root = schema.type_map["Query"]
    assert isinstance(root, GraphQLObjectType)
    return [
        name
        for name in _added(members, plugin, "Query")
        if get_named_type(root.fields[name].type).name.endswith("Connection")
    ]


def selection(
    schema: GraphQLSchema, type_name: str, field: str, arguments: Mapping[str, str], own: set[str]
) -> str:
    """The field with all that can be selected below it.

    `arguments` are those of fields that need some, by `Type.field`; `own` are the names of the plugin's
    types: of the others only leaves are selected. Raises `AssertionError` for a required argument that is
    not there.
    """
    kind = schema.type_map[type_name]
    assert isinstance(kind, GraphQLObjectType | GraphQLInterfaceType)
    return _field(kind, field, kind.fields[field], arguments, own, DEPTH)


def _field(
    kind: GraphQLNamedType,
    name: str,
    field: GraphQLField,
    arguments: Mapping[str, str],
    own: set[str],
    depth: int,
) -> str:
    element = f"{kind.name}.{name}"
    given = arguments.get(element, "")
    missing = [argument for argument, found in field.args.items() if is_required_argument(found)]
    assert given or not missing, f"say in `arguments` what {element} gets for {', '.join(missing)}"
    called = f"{name}({given})" if given else name
    target = get_named_type(field.type)
    if is_leaf_type(target):
        return called
    if isinstance(target, GraphQLUnionType):
        return f"{called} {{ __typename }}"
    assert isinstance(target, GraphQLObjectType | GraphQLInterfaceType)
    return f"{called} {{ __typename {_below(target, arguments, own, depth - 1)} }}"


def _below(
    kind: GraphQLObjectType | GraphQLInterfaceType, arguments: Mapping[str, str], own: set[str], depth: int
) -> str:
    inner = kind.name in own or kind.name.endswith(("Connection", "Edge"))
    parts = []
    for name, field in kind.fields.items():
        leaf = is_leaf_type(get_named_type(field.type))
        required = any(is_required_argument(found) for found in field.args.values())
        if not inner and (not leaf or required or field.args):
            continue
        if name == "edges" or (not leaf and depth < 1):
            continue
        parts.append(_field(kind, name, field, arguments, own, depth))
    return " ".join(parts)


def _added(members: Mapping[str, str], plugin: str, type_name: str) -> list[str]:
    prefix = f"{type_name}."
    return [
        element.removeprefix(prefix)
        for element, owner in members.items()
        if owner == plugin and element.startswith(prefix)
    ]
