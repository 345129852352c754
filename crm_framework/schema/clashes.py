"""Who claims which name in a schema, and how a plugin is refused that comes too late or cannot be built."""

import re
from collections.abc import Mapping, Sequence
from typing import Protocol

from strawberry.types.base import get_object_definition
from strawberry.types.field import StrawberryField
from strawberry.utils.str_converters import to_camel_case

from crm_framework.engine.errors import DeclarationError
from crm_framework.engine.parts import SchemaParts
from crm_framework.engine.rows import type_name
from crm_framework.hooks.specs import Plugin

from .ownership import CORE


class Host(Protocol):
    """The part of the plugin host that composition uses."""

    def schema_parts(self) -> Sequence[tuple[str, SchemaParts]]: ...
    def refuse(self, name: str, reason: str, hint: str) -> None: ...
    @property
    def enabled(self) -> Sequence["Named"]: ...
    @property
    def declarations(self) -> Sequence[Plugin]: ...


class Named(Protocol):
    @property
    def name(self) -> str: ...


def root_fields(part: SchemaParts) -> Mapping[str, Sequence[StrawberryField]]:
    """Root type → the fields that the parts add to it."""
    return {"Query": part.query, "Mutation": part.mutation, "Subscription": part.subscription}


def claims(part: SchemaParts) -> list[str]:
    """`Type.member` for all that the parts add to types of others and to the root types."""
    claims = [
        f"{type_name(type_)}.{_name(field)}" for type_, fields in part.extend.items() for field in fields
    ]
    claims += [f"{root}.{_name(field)}" for root, fields in root_fields(part).items() for field in fields]
    claims += [f"{name}.{member.name}" for name, members in part.filters.items() for member in members]
    claims += [f"{name}Field.{order.name}" for name, orders in part.orders.items() for order in orders]
    return claims


def owner_of(claim: str, claimed: Mapping[str, str], part: SchemaParts) -> str | None:
    """Who has the name already: through an earlier claim, or as the type's own field."""
    if claim in claimed:
        return claimed[claim]
    for type_ in part.extend:
        definition = get_object_definition(type_)
        if definition is None or definition.name != claim.partition(".")[0]:
            continue
        if any(_name(field) == claim.partition(".")[2] for field in definition.fields):
            return f"the type {definition.name} itself"
    return None


def _name(field: StrawberryField) -> str:
    return field.graphql_name or to_camel_case(field.python_name)


def refuse_clash(host: Host, name: str, element: str, owner: str) -> None:
    """Refuses a plugin whose element has an owner already."""
    shown = owner if owner.startswith("the type ") else _called(owner)
    host.refuse(
        name,
        f"It adds {element}, which belongs to {shown} already.",
        f"Disable {name} or the other one; their makers must agree on another name.",
    )


def refuse_shape(host: Host, name: str, given: object) -> None:
    """Refuses a plugin whose hook `schema` returned something else than `SchemaParts` of fields."""
    what = (
        "SchemaParts with something in them that is no field"
        if isinstance(given, SchemaParts)
        else repr(given)
    )
    host.refuse(
        name,
        f"Its hook schema returned {what[:200]}.",
        "Return SchemaParts(extend={Type: [field, …]}, query=[…], …), each field made by @computed, @batch …",
    )


def refuse_build(
    host: Host, name: str, error: Exception, types: Mapping[str, str], members: Mapping[str, str]
) -> None:
    """Puts down to the plugin what went wrong when its parts were added to a schema that was in order.

    `types` and `members` say who owned what before.
    """
    cause = _cause(error)
    text = " ".join(str(cause).split())
    duplicate = re.match(r"(?:Type|Scalar) `?(\w+)`? (?:is defined multiple|has already)", text)
    if duplicate:
        refuse_clash(host, name, f"the type {duplicate[1]}", types.get(duplicate[1], name))
    elif isinstance(cause, DeclarationError) and cause.problem == "the name is taken":
        owner = members.get(cause.where) or types.get(cause.where.partition(".")[0], CORE)
        refuse_clash(host, name, cause.where, owner)
    else:
        host.refuse(
            name,
            f"Its part of the schema cannot be built: {text[:500]}",
            "Tell its makers; the API runs without it.",
        )


def _cause(error: BaseException) -> BaseException:
    """The declaration at fault, where there is one: graphql-core wraps what is raised while it builds."""
    met: list[BaseException] = []  # it may lead back to itself, where an exception was raised again
    current: BaseException | None = error
    while current is not None and current not in met:
        if isinstance(current, DeclarationError):
            return current
        met.append(current)
        current = current.__cause__ or current.__context__
    return error


def _called(owner: str) -> str:
    return "the core" if owner == CORE else f"the plugin {owner}"
