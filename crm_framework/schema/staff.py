"""Members of staff: who deals with customers."""

from collections.abc import Sequence
from datetime import datetime

import strawberry

from crm_framework.domain.customers import ownership, staff
from crm_framework.engine.connections import Connection, connection
from crm_framework.engine.fields import column
from crm_framework.engine.filters import FilterSpec, Member
from crm_framework.engine.load import load
from crm_framework.engine.nodes import Node, node
from crm_framework.engine.orders import OrderField, Orders
from crm_framework.engine.parts import SchemaParts
from crm_framework.engine.relations import reference
from crm_framework.security.roles import refuse_posing
from crm_framework.storage.unit_of_work import UnitOfWork

from .additions import fields_of
from .inputs import chosen, expected, given, key_of, optional, optional_key, required, retry_key
from .mutation import mutation, payload


@node(table="crm_staff", permission="staff.read", shared=True)
class Staff(Node):
    """A member of staff."""

    version: int = column("Grows by one with each change.")
    name: str = column("The full name.")
    email: str | None = column("The address at work.")
    active: bool = column("Whether they still work here. Who left owns no customers.")
    away_from: datetime | None = column("Begin of an absence, during which the backup stands in.")
    away_until: datetime | None = column("End of the absence; null while it is open.")
    source: str | None = column("The system that the record comes from.")
    reference: str | None = column("Its key in that system.")
    created_at: datetime = column("When the record was made.")
    updated_at: datetime = column("When it last changed.")


async def staff_names(info: strawberry.Info, keys: Sequence[str | None]) -> list[str | None]:
    """Names of members of staff, for whoever may see what they did; None where there is no key."""
    known = list(dict.fromkeys(key for key in keys if key is not None))
    found = dict(zip(known, await load(info, Staff, known, columns=("name",)), strict=True))
    return [None if key is None or (one := found[key]) is None else one.name for key in keys]


STAFF_FILTER = FilterSpec(
    "StaffFilter",
    [
        Member("name", "string", "The full name.", column="name"),
        Member("email", "string", "The address at work, in lower case.", column="email"),
        Member("active", "boolean", "Whether they still work here.", column="active"),
        Member("source", "string", "The system that the record comes from.", column="source"),
        Member("reference", "string", "Its key in that system.", column="reference"),
    ],
)
STAFF_ORDERS = Orders(
    "StaffOrder",
    [
        OrderField("NAME", "string", "By name.", column="name"),
        OrderField("CREATED_AT", "datetime", "By the moment the record was made.", column="created_at"),
    ],
)


class _Queries:
    staff: Connection[Staff] = connection(
        description="Members of staff, by name.",
        filter=STAFF_FILTER,
        orders=STAFF_ORDERS,
        default_order=("NAME",),
        permission="staff.read",
    )


@payload
class StaffPayload:
    """The member of staff after the change."""

    staff_id: strawberry.Private[str | None] = None
    staff: Staff | None = reference("staff_id", "The member of staff; null on failure.")


@strawberry.input(description="A new member of staff.")
class CreateStaffInput:
    name: str = required("The full name.")
    email: str | None = optional("The address at work; no two members share one.")
    source: str | None = optional("The system that the record comes from.")
    reference: str | None = optional("Its key in that system; the same one again changes nothing.")
    idempotency_key: str | None = retry_key()


@strawberry.input(description="A change to a member of staff. What is left out stays; null removes.")
class UpdateStaffInput:
    id: strawberry.ID = required("Whom.")
    name: str | None = optional("The full name.")
    email: str | None = optional("The address at work.")
    away_from: datetime | None = optional("Begin of an absence.")
    away_until: datetime | None = optional("End of the absence.")
    expected_version: int | None = expected()


@strawberry.input(description="A member of staff leaves.")
class DeactivateStaffInput:
    id: strawberry.ID = required("Who leaves.")
    successor: strawberry.ID | None = optional("Who takes over their customers; needed if they have any.")
    expected_version: int | None = expected()


@strawberry.input(description="A member of staff returns.")
class ReactivateStaffInput:
    id: strawberry.ID = required("Who returns.")
    expected_version: int | None = expected()


@mutation(permission="staff.write", everyone=True)
async def create_staff(tx: UnitOfWork, input: CreateStaffInput) -> StaffPayload:
    """Adds a member of staff."""
    saved = await staff.create_staff(tx, staff.NewStaff(**given(input, leave_out=("idempotency_key",))))
    return StaffPayload(staff_id=saved.id)


@mutation(permission="staff.write", everyone=True)
async def update_staff(tx: UnitOfWork, input: UpdateStaffInput) -> StaffPayload:
    """Changes a member of staff. The address of one whose roles give more than you have stays."""
    if input.email is not strawberry.UNSET:
        await refuse_posing(tx, key_of(input.id, Staff))
    change = staff.StaffChange(**given(input, leave_out=("id", "expected_version")))
    saved = await staff.update_staff(
        tx, key_of(input.id, Staff), change, expected_version=chosen(input.expected_version)
    )
    return StaffPayload(staff_id=saved.id)


@mutation(permission="staff.write", everyone=True)
async def deactivate_staff(tx: UnitOfWork, input: DeactivateStaffInput) -> StaffPayload:
    """Marks someone as gone and hands their customers to a successor."""
    saved = await ownership.deactivate_staff(
        tx,
        key_of(input.id, Staff),
        successor_id=chosen(optional_key(input.successor, Staff, ("successor",))),
        expected_version=chosen(input.expected_version),
    )
    return StaffPayload(staff_id=saved.id)


@mutation(permission="staff.write", everyone=True)
async def reactivate_staff(tx: UnitOfWork, input: ReactivateStaffInput) -> StaffPayload:
    """Marks someone as working here again; former customers stay where they are."""
    saved = await staff.reactivate_staff(
        tx, key_of(input.id, Staff), expected_version=chosen(input.expected_version)
    )
    return StaffPayload(staff_id=saved.id)


parts = SchemaParts(
    query=fields_of(_Queries),
    mutation=[create_staff, update_staff, deactivate_staff, reactivate_staff],
)
