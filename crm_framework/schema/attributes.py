"""Definitions of custom fields of customers."""

from datetime import datetime
from typing import Any

import strawberry

from crm_framework.domain.customers import attributes
from crm_framework.domain.models import AttributeType
from crm_framework.engine.fields import column, root
from crm_framework.engine.load import load_where
from crm_framework.engine.nodes import Node, node
from crm_framework.engine.parts import SchemaParts
from crm_framework.engine.relations import reference
from crm_framework.engine.sql import TRUE
from crm_framework.storage.unit_of_work import UnitOfWork

from . import enums  # noqa: F401  # makes the domain's enumerations known to GraphQL
from .inputs import chosen, expected, given, key_of, optional, required, retry_key
from .mutation import mutation, payload


@node(table="crm_attribute_definition", permission="settings.read", shared=True)
class AttributeDefinition(Node):
    """A custom field that customers may have."""

    version: int = column("Grows by one with each change.")
    name: str = column("Its name, under which values are kept; it never changes.")
    type: AttributeType = column("What values it takes.")
    choices: list[str] | None = column("The choices, for the types CHOICE and CHOICES.")
    required: bool = column("Whether a new customer must have a value.")
    description: str | None = column("What it is for.")
    created_at: datetime = column("When it was defined.")


@root(permission="settings.read", restricted=True)
async def attribute_definitions(info: strawberry.Info) -> list[AttributeDefinition]:
    """All custom fields, by name; they are 500 at most."""
    return await load_where(info, AttributeDefinition, TRUE, order=("name",))


@payload
class AttributePayload:
    """The definition after the change."""

    definition_id: strawberry.Private[str | None] = None
    attribute_definition: AttributeDefinition | None = reference(
        "definition_id", "The definition; null on failure, and when it was removed."
    )


@strawberry.input(description="A new custom field.")
class DefineAttributeInput:
    name: str = required("Its name: a letter, then letters, digits and _. It never changes.")
    type: AttributeType = required("What values it takes.")
    choices: list[str] | None = optional("The choices, for the types CHOICE and CHOICES.")
    required: bool = optional("Whether a new customer must have a value.", default=False)
    description: str | None = optional("What it is for.")
    idempotency_key: str | None = retry_key()


@strawberry.input(description="A change to a custom field. What is left out stays; null removes.")
class UpdateAttributeInput:
    id: strawberry.ID = required("Which definition.")
    type: AttributeType | None = optional("What values it takes; those there are must fit.")
    choices: list[str] | None = optional("The choices, for the types CHOICE and CHOICES.")
    required: bool | None = optional("Whether a new customer must have a value.")
    description: str | None = optional("What it is for.")
    expected_version: int | None = expected()


@strawberry.input(description="A custom field to remove.")
class RemoveAttributeInput:
    id: strawberry.ID = required("Which definition; no customer may have a value any more.")


@mutation(permission="settings.write", everyone=True)
async def define_attribute(tx: UnitOfWork, input: DefineAttributeInput) -> AttributePayload:
    """Defines a custom field of customers."""
    new = attributes.NewAttribute(**given(input, leave_out=("idempotency_key",)))
    return AttributePayload(definition_id=await attributes.define_attribute(tx, new))


@mutation(permission="settings.write", everyone=True)
async def update_attribute(tx: UnitOfWork, input: UpdateAttributeInput) -> AttributePayload:
    """Changes a custom field. Refused where values of customers would not fit any more."""
    key = key_of(input.id, AttributeDefinition)
    values: dict[str, Any] = given(input, leave_out=("id", "expected_version"))
    change = attributes.AttributeChange(**values)
    await attributes.change_attribute(tx, key, change, expected_version=chosen(input.expected_version))
    return AttributePayload(definition_id=key)


@mutation(permission="settings.write", everyone=True)
async def remove_attribute(tx: UnitOfWork, input: RemoveAttributeInput) -> AttributePayload:
    """Removes a custom field. Refused while customers have values."""
    await attributes.remove_attribute(tx, key_of(input.id, AttributeDefinition))
    return AttributePayload()


parts = SchemaParts(
    query=[attribute_definitions], mutation=[define_attribute, update_attribute, remove_attribute]
)
