"""How the values of scalars and enums are read from JSON: as graphql-core does, or not at all.

What a reader here refuses is not wrong yet: graphql-core, which also takes 3.0 for an Int or 3 for an ID, has
the last word, and words the error.
"""

import copy
from collections.abc import Callable
from datetime import date, timedelta
from decimal import Decimal
from enum import Enum
from typing import Annotated, Any
from uuid import UUID

import msgspec
from graphql import (
    GraphQLBoolean,
    GraphQLEnumType,
    GraphQLID,
    GraphQLInt,
    GraphQLNamedType,
    GraphQLScalarType,
    GraphQLString,
    Undefined,
)
from graphql.type.scalars import GRAPHQL_MAX_INT, GRAPHQL_MIN_INT

Read = Callable[[Any], Any]
"""A value of JSON → the value that it means. Raises for what it does not take."""

_INT = Annotated[int, msgspec.Meta(ge=GRAPHQL_MIN_INT, le=GRAPHQL_MAX_INT)]
_PLAIN: dict[GraphQLNamedType, Any] = {
    GraphQLString: str,
    GraphQLID: str,
    GraphQLBoolean: bool,
    GraphQLInt: _INT,
}
"""Scalars whose values msgspec checks by itself."""
PLAIN_LEAVES = frozenset(_PLAIN.values())
"""What stands for these in a struct: their values are neither lists nor objects."""
IMMUTABLE = (str, int, float, bool, type(None), Enum, Decimal, date, timedelta, UUID)
"""Types whose values several can hold."""


class _Parsed(type):
    """Type of the types that stand for a scalar or an enum in structs. `read` gives its values.

    Anything may be their value: only `read` knows what is one.
    """

    read: Read

    def __instancecheck__(cls, value: object) -> bool:
        return True


def _parsed(kind: Any, value: Any) -> Any:
    return kind.read(value)


def read(value: Any, kind: Any) -> Any:
    """A value of JSON as one of a struct, or of what else stands for an input type. Raises if it is not."""
    return msgspec.convert(value, kind, strict=True, dec_hook=_parsed)


def leaf(type_: GraphQLNamedType) -> Any:
    """What stands for a scalar or an enum in a struct."""
    plain = _PLAIN.get(type_)
    return plain if plain is not None else _Parsed(type_.name, (), {"read": staticmethod(_reader(type_))})


def _reader(type_: GraphQLNamedType) -> Read:
    if isinstance(type_, GraphQLEnumType):
        members = {name: type_.coerce_input_value(name) for name in type_.values}
        return members.__getitem__
    assert isinstance(type_, GraphQLScalarType)  # there is no other kind of leaf
    coerce = type_.coerce_input_value

    def read(value: Any) -> Any:
        if value is None or value is Undefined:
            raise ValueError("null")
        found = coerce(value)
        if found is Undefined:
            raise ValueError("no value")
        return found

    return read


def fresh(value: Any) -> Any:
    """The same value for another one to keep: lists and mappings are copied."""
    kind = type(value)
    if kind is str or kind is int or value is Undefined or isinstance(value, IMMUTABLE):
        return value
    if type(value) is list:
        return [fresh(item) for item in value]
    if type(value) is dict:
        return {name: fresh(inner) for name, inner in value.items()}
    return copy.deepcopy(value)
