"""Roles: what members of staff may do, and on which customers."""

from datetime import datetime
from typing import Any, TypeVar

import strawberry

from crm_framework.engine.connections import Connection, connection
from crm_framework.engine.fields import batch, column
from crm_framework.engine.filters import FilterSpec, Member
from crm_framework.engine.load import load
from crm_framework.engine.nodes import Node, node
from crm_framework.engine.orders import OrderField, Orders
from crm_framework.engine.parts import SchemaParts
from crm_framework.engine.relations import reference
from crm_framework.engine.rows import Batch
from crm_framework.engine.sql import among
from crm_framework.security import roles
from crm_framework.security.permissions import Permissions
from crm_framework.security.scopes import ScopeKind
from crm_framework.storage.unit_of_work import UnitOfWork

from . import enums  # noqa: F401  # makes ScopeKind an enumeration of the API
from .additions import fields_of
from .inputs import chosen, expected, given, key_of, keys_of, optional, optional_key, required, retry_key
from .mutation import mutation, payload
from .segments import Segment
from .staff import Staff, StaffPayload

T = TypeVar("T")


@node(table="crm_role", permission="roles.read", hidden={"segment_id": str}, shared=True)
class Role(Node):
    """A named set of permissions, and the customers on whom they hold."""

    version: int = column("Grows by one with each change.")
    name: str = column("Its name.")
    description: str | None = column("What it is for.")
    permissions: list[str] = column("What it gives: names, `*` for everything, `loyalty.*` for a group.")
    scope: ScopeKind = column("Which customers it is about.")
    segment: Segment | None = reference("segment_id", "The segment, for the scope SEGMENT.")
    created_at: datetime = column("When it was made.")
    updated_at: datetime = column("When it last changed.")

    @batch(permission="staff.read", restricted=True)
    @staticmethod
    async def staff(each: Batch["Role"], info: strawberry.Info) -> list[list[Staff]]:
        """Who has it."""
        return await _across(each, info, "role_id", "staff_id", Staff)


@batch(permission="roles.read", restricted=True, name="roles")
async def roles_of_staff(staff: Batch[Staff], info: strawberry.Info) -> list[list[Role]]:
    """The roles that they have; they act with all of them together."""
    return await _across(staff, info, "staff_id", "role_id", Role)


async def _across(
    each: Batch[Any], info: strawberry.Info, mine: str, theirs: str, type_: type[T]
) -> list[list[T]]:
    reader = info.context.reader
    condition = among(mine, each.ids, reader.dialect)
    rows = await reader.fetch(
        f"SELECT {mine} AS mine, {theirs} AS theirs FROM crm_staff_role WHERE {condition.sql} ORDER BY id",
        condition.args,
        bounded=True,
    )
    keys = list(dict.fromkeys(str(row["theirs"]) for row in rows))
    found = dict(zip(keys, await load(info, type_, keys, columns=()), strict=True))
    groups: dict[str, list[T]] = {key: [] for key in each.ids}
    for row in rows:
        one = found[str(row["theirs"])]
        if one is not None:
            groups[str(row["mine"])].append(one)
    return [groups[key] for key in each.ids]


ROLE_FILTER = FilterSpec(
    "RoleFilter",
    [
        Member("name", "string", "The name.", column="name"),
        Member("scope", "enum", "Which customers it is about.", column="scope", enum=ScopeKind),
    ],
)
ROLE_ORDERS = Orders(
    "RoleOrder",
    [
        OrderField("NAME", "string", "By name.", column="name"),
        OrderField("CREATED_AT", "datetime", "By the moment it was made.", column="created_at"),
    ],
)


class _Queries:
    roles: Connection[Role] = connection(
        description="Roles, by name.",
        filter=ROLE_FILTER,
        orders=ROLE_ORDERS,
        default_order=("NAME",),
        permission="roles.read",
    )


@payload
class RolePayload:
    """The role after the change."""

    role_id: strawberry.Private[str | None] = None
    role: Role | None = reference("role_id", "The role; null on failure, and when it was deleted.")


@strawberry.input(description="A new role.")
class CreateRoleInput:
    name: str = required("Its name; no two share one.")
    permissions: list[str] = required("What it gives; only what you have on all customers.")
    scope: ScopeKind = optional("Which customers it is about.", default=ScopeKind.EVERYTHING)
    segment: strawberry.ID | None = optional("The segment, for the scope SEGMENT.")
    description: str | None = optional("What it is for.")
    idempotency_key: str | None = retry_key()


@strawberry.input(description="A change to a role. What is left out stays; null removes.")
class UpdateRoleInput:
    id: strawberry.ID = required("Which role.")
    name: str | None = optional("Its name.")
    permissions: list[str] | None = optional("What it gives: these replace the others.")
    scope: ScopeKind | None = optional("Which customers it is about.")
    segment: strawberry.ID | None = optional("The segment, for the scope SEGMENT.")
    description: str | None = optional("What it is for.")
    expected_version: int | None = expected()


@strawberry.input(description="A role to delete.")
class DeleteRoleInput:
    id: strawberry.ID = required("Which role; nobody may have it any more.")


@strawberry.input(description="The roles of a member of staff.")
class SetStaffRolesInput:
    staff: strawberry.ID = required("Whose.")
    roles: list[strawberry.ID] = required("All of their roles: these replace the others.")


@mutation(permission="roles.manage", everyone=True)
async def create_role(tx: UnitOfWork, input: CreateRoleInput, info: strawberry.Info) -> RolePayload:
    """Makes a role. Nobody puts into it what they do not have themselves, on all customers."""
    made = await roles.create_role(
        tx,
        Permissions.of(info.context.host.declarations),
        name=input.name,
        permissions=input.permissions,
        scope=input.scope,
        segment_id=chosen(optional_key(input.segment, Segment, ("segment",))),
        description=chosen(input.description),
    )
    return RolePayload(role_id=made)


@mutation(permission="roles.manage", everyone=True)
async def update_role(tx: UnitOfWork, input: UpdateRoleInput, info: strawberry.Info) -> RolePayload:
    """Changes a role, for all who have it. It takes all that the role gave and will give."""
    values = given(input, leave_out=("id", "segment", "expected_version"))
    for name in ("name", "permissions", "scope"):
        if values.get(name, ...) is None:
            del values[name]
    segment = optional_key(input.segment, Segment, ("segment",))
    if segment is not strawberry.UNSET:
        values["segment_id"] = segment
    key = await roles.update_role(
        tx,
        Permissions.of(info.context.host.declarations),
        key_of(input.id, Role),
        roles.RoleChange(**values),
        expected_version=chosen(input.expected_version),
    )
    return RolePayload(role_id=key)


@mutation(permission="roles.manage", everyone=True)
async def delete_role(tx: UnitOfWork, input: DeleteRoleInput) -> RolePayload:
    """Deletes a role that nobody has."""
    await roles.delete_role(tx, key_of(input.id, Role))
    return RolePayload()


@mutation(permission="roles.manage", everyone=True)
async def set_staff_roles(tx: UnitOfWork, input: SetStaffRolesInput) -> StaffPayload:
    """Gives a member of staff these roles and no others. From the first time on, their roles say what they
    may do, none included: the permissions of their tokens only narrow that.
    """
    key = key_of(input.staff, Staff, path=("staff",))
    await roles.set_staff_roles(tx, key, keys_of(input.roles, Role, ("roles",)))
    return StaffPayload(staff_id=key)


parts = SchemaParts(
    query=fields_of(_Queries),
    extend={Staff: [roles_of_staff]},
    mutation=[create_role, update_role, delete_role, set_staff_roles],
)
