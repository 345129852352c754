"""Who owns what in a composed schema: each type and each member that a plugin added to it has one owner."""

from collections.abc import Iterable, Iterator, Mapping, Sequence

from graphql import (
    GraphQLInputObjectType,
    GraphQLInterfaceType,
    GraphQLNamedType,
    GraphQLObjectType,
    GraphQLSchema,
    GraphQLUnionType,
    get_named_type,
    is_introspection_type,
    is_specified_scalar_type,
)

CORE = "core"
"""The owner of all that no plugin adds."""

ROOTS = ("Query", "Mutation", "Subscription")


def owners_of_types(
    schema: GraphQLSchema,
    members: Mapping[str, str],
    roots: Mapping[str, Sequence[str]],
) -> dict[str, str]:
    """Type name → owner. A type belongs to the first owner whose elements lead to it.

    `members` maps each added `Type.member` to its owner; `roots` lists, owner by owner in order and the core
    first, the types that an owner brings without a field that leads to them.
    """
    owners: dict[str, str] = {}
    for owner, names in roots.items():
        starts = [schema.type_map[name] for name in names if name in schema.type_map]
        if owner == CORE:
            starts += [schema.type_map[name] for name in ROOTS if name in schema.type_map]
        for element in (element for element, of in members.items() if of == owner):
            starts += _leads_to(schema, element)
        for name in _reachable(starts, members, owner):
            owners.setdefault(name, owner)
    return owners


def _leads_to(schema: GraphQLSchema, element: str) -> list[GraphQLNamedType]:
    type_name, _, member = element.partition(".")
    kind = schema.type_map.get(type_name)
    return [found for name, found in _members(kind) if name == member] if kind is not None else []


def _members(kind: GraphQLNamedType) -> Iterator[tuple[str, GraphQLNamedType]]:
    """(member, type it mentions), arguments included."""
    if isinstance(kind, GraphQLObjectType | GraphQLInterfaceType):
        for name, field in kind.fields.items():
            yield name, get_named_type(field.type)
            for argument in field.args.values():
                yield name, get_named_type(argument.type)
    elif isinstance(kind, GraphQLInputObjectType):
        for name, member in kind.fields.items():
            yield name, get_named_type(member.type)


def _reachable(starts: Iterable[GraphQLNamedType], members: Mapping[str, str], owner: str) -> Iterator[str]:
    seen: set[str] = set()
    waiting = list(starts)
    while waiting:
        kind = waiting.pop()
        if kind.name in seen or is_introspection_type(kind) or is_specified_scalar_type(kind):
            continue
        seen.add(kind.name)
        yield kind.name
        if isinstance(kind, GraphQLObjectType | GraphQLInterfaceType):
            waiting += kind.interfaces
        if isinstance(kind, GraphQLUnionType):
            waiting += kind.types
        waiting += [
            found for name, found in _members(kind) if members.get(f"{kind.name}.{name}", owner) == owner
        ]
