"""A schema made ready to run: what its elements need, and the shortest way to each field's value."""

from collections.abc import Awaitable, Callable
from typing import Any

import strawberry
from graphql import (
    GraphQLField,
    GraphQLInterfaceType,
    GraphQLObjectType,
    GraphQLResolveInfo,
    GraphQLSchema,
    GraphQLUnionType,
    get_named_type,
    is_introspection_type,
    is_leaf_type,
)
from strawberry.schema.schema_converter import GraphQLCoreConverter
from strawberry.types.base import StrawberryObjectDefinition
from strawberry.types.field import StrawberryField

from .access import Rules
from .coercion import Coercion
from .connections import Connected
from .declarations import Column, DeclaredField, Source, declaration_of, source_of
from .documents import Documents
from .errors import awaited, going_on
from .fields import Batched, Computed
from .nodes import Identity
from .relations import Children, Reference
from .rows import Row, type_name, wrap
from .writers import Leaves

Resolve = Callable[..., Any]
ResolveInfo = GraphQLResolveInfo[Any]
_DEFINITION = GraphQLCoreConverter.DEFINITION_BACKREF


class Prepared:
    """A schema with its rules and its documents."""

    def __init__(self, schema: strawberry.Schema) -> None:
        self.schema: GraphQLSchema = schema._schema
        self.coercion = Coercion(schema)
        self.documents = Documents()
        self.leaves = Leaves(getattr(schema, "plain_scalars", frozenset()))
        self.ordinary: dict[tuple[str, str], Resolve] = {}
        """(type, field) → the resolver that Strawberry made of an ordinary field."""
        fields: dict[tuple[str, str], tuple[str, ...]] = {}
        types: dict[str, str] = {}
        for kind in self.schema.type_map.values():
            if isinstance(kind, GraphQLObjectType) and not is_introspection_type(kind):
                _prepare_type(kind, fields, types, self.ordinary)
        self.rules = Rules(fields, types)
        for kind in self.schema.type_map.values():
            if isinstance(kind, GraphQLInterfaceType | GraphQLUnionType):
                kind.resolve_type = _type_resolver(kind.resolve_type, types)


def prepared(schema: strawberry.Schema) -> Prepared:
    """The schema made ready; done once, when it is first used."""
    kept = vars(schema)
    found: Prepared | None = kept.get(_PREPARED)
    if found is None:
        found = kept[_PREPARED] = Prepared(schema)
    return found


_PREPARED = "engine.prepared"
"""Where a schema keeps it: elsewhere, what is kept would keep the schema, which it refers to."""


def _prepare_type(
    kind: GraphQLObjectType,
    fields: dict[tuple[str, str], tuple[str, ...]],
    types: dict[str, str],
    ordinary: dict[tuple[str, str], Resolve],
) -> None:
    definition = kind.extensions.get(_DEFINITION)
    source = source_of(definition.origin) if isinstance(definition, StrawberryObjectDefinition) else None
    if source is not None:
        types[kind.name] = source.permission
        kind.is_type_of = None  # rows know their type; asking each of them again costs more than reading them
    for name, field in kind.fields.items():
        declared = field.extensions.get(_DEFINITION)
        if isinstance(declared, StrawberryField):
            fields[(kind.name, name)] = permissions_of(declared, source)
            assert field.resolve is not None  # Strawberry gives every field of an object one
            ordinary[(kind.name, name)] = field.resolve
            field.resolve = _resolver(field, declared)


def permissions_of(field: StrawberryField, source: Source | None = None) -> tuple[str, ...]:
    """What selecting a field needs, besides the permissions of the types that it leads from and to. `source`
    is that of its own type.
    """
    declaration = declaration_of(field)
    if declaration is None:
        return ()
    found = list(declaration.permissions_on(source))
    if isinstance(declaration, Connected) and isinstance(field, DeclaredField):
        # the number of records alone tells something of them
        found.append(field.listed.permission)
    return tuple(dict.fromkeys(found))


def _resolver(field: GraphQLField, declared: StrawberryField) -> Resolve:
    original = field.resolve
    assert original is not None  # Strawberry gives every field of an object one
    composite = not is_leaf_type(get_named_type(field.type))
    if declared.is_subscription:
        return _event if composite else original
    if isinstance(declared, DeclaredField):
        return _declared(declared, original)
    if declared.is_basic_field:
        return _attribute_of_level(declared) if composite else _attribute(declared.python_name)
    return _ordinary(original, composite)


def _declared(field: DeclaredField, original: Resolve) -> Resolve:
    declaration = field.declaration
    if isinstance(declaration, Column):
        return _attribute(field.python_name)
    if isinstance(declaration, Identity) or (isinstance(declaration, Computed) and not field.is_composite):
        return lambda parent, info: declaration.resolve(field, parent, info, {})
    if isinstance(declaration, Batched | Reference | Children | Computed) and not field.arguments:
        return _of_level(field, original, field.is_composite)
    return original


def _of_level(key: object, original: Resolve, composite: bool) -> Resolve:
    """What the level's first row has started, the others take without asking how."""

    def resolve(parent: Any, info: ResolveInfo) -> Any:
        if type(parent) is Row and (outcome := parent._level.batches.get(key)) is not None:
            return outcome.take(parent._index, info.context.written if composite else None)
        return original(parent, info)

    return resolve


def _attribute(name: str) -> Resolve:
    def resolve(parent: Any, info: ResolveInfo) -> Any:
        if type(parent) is Row:
            return parent._level.readers[name](parent._values)
        return getattr(parent, name)

    return resolve


def _attribute_of_level(field: StrawberryField) -> Resolve:
    """Objects in an attribute of the level's objects form one level themselves."""
    name = field.python_name

    def resolve(parent: Any, info: ResolveInfo) -> Any:
        if type(parent) is not Row or info.context.one_by_one:
            return wrap(info.context, getattr(parent, name))
        level = parent._level
        return level.once(field, lambda: wrap(info.context, level.column(name))).take(parent._index)

    return resolve


def _ordinary(original: Resolve, composite: bool) -> Resolve:
    """An ordinary Strawberry resolver: it gets the object that it knows; what it gives becomes a level."""

    def resolve(parent: Any, info: ResolveInfo, **arguments: Any) -> Any:
        if type(parent) is Row and parent._level.layout is None:
            parent = parent._values
        with going_on():
            value = original(parent, info, **arguments)
        if info.is_awaitable(value):
            return _wrapped(info.context, value) if composite else awaited(value)
        return wrap(info.context, value) if composite else value

    return resolve


async def _wrapped(context: Any, value: Awaitable[Any]) -> Any:
    return wrap(context, await awaited(value))


def _event(event: Any, info: ResolveInfo, **arguments: Any) -> Any:
    return wrap(info.context, event)


def _type_resolver(original: Any, types: dict[str, str]) -> Any:
    """Which type an object is of, where it could be one of several: its permission is known only now."""

    def resolve_type(value: Any, info: ResolveInfo, abstract: Any) -> Any:
        found = type_name(value._type) if type(value) is Row else original(value, info, abstract)
        permission = types.get(found) if isinstance(found, str) else None
        if permission is not None and not info.context.may(permission):
            raise info.context.refusal([(found, permission)])
        return found

    return resolve_type
