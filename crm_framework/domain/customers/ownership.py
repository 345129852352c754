"""Who is responsible for a customer: the owner, and the backup while the owner is away."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

from msgspec import UNSET, UnsetType

from crm_framework.domain.customers.draft import check_owners
from crm_framework.domain.customers.locks import reached
from crm_framework.domain.customers.record import Changed, lock_record, resolve_ids
from crm_framework.domain.customers.record import save as save_record
from crm_framework.domain.customers.staff import (
    Member,
    StaffSaved,
    active_among,
    lock_member,
    members,
    save_member,
)
from crm_framework.domain.rows import chunks, for_update, marks, select_in
from crm_framework.errors import CrmError, ErrorCode, cut
from crm_framework.events import Changes, OwnerAssigned

if TYPE_CHECKING:
    from crm_framework.storage.unit_of_work import UnitOfWork


async def assign_owner(
    tx: "UnitOfWork",
    customer_id: str,
    *,
    owner_id: str | UnsetType | None = UNSET,
    backup_id: str | UnsetType | None = UNSET,
    expected_version: int | None = None,
) -> Changed:
    """Gives the customer another owner, backup, or both; None leaves the role empty.

    BAD_INPUT unless both are active staff and two persons. Without an owner there is no backup either.
    """
    # Staff before customers, as everywhere: two orders of locking would wait for each other.
    given = [key for key in (owner_id, backup_id) if not isinstance(key, UnsetType)]
    active = await active_among(tx, given)
    before = await lock_record(tx, customer_id, expected_version=expected_version)
    owner = before.owner_id if isinstance(owner_id, UnsetType) else owner_id
    backup = before.backup_id if isinstance(backup_id, UnsetType) else backup_id
    if isinstance(backup_id, UnsetType) and (owner is None or owner == backup):
        backup = None
    after = replace(before, owner_id=owner, backup_id=backup)
    if after == before:
        return Changed(before.id, before.version, False)
    # Whoever has the role already may keep it without being active.
    kept = {key for key in (before.owner_id, before.backup_id) if key is not None}
    check_owners(owner, backup, active | kept)
    changed, changes = await save_record(tx, before, after)
    tx.emit(OwnerAssigned(customer_id=before.id, changes=changes))
    return changed


async def responsible(tx: "UnitOfWork", customer_id: str, at: datetime) -> str | None:
    """Key of the member of staff who deals with the customer at that moment, or None without an owner."""
    resolved = await resolve_ids(tx, [customer_id])
    return (await responsibles(tx, list(resolved.values()), at))[resolved[customer_id]]


async def responsibles(tx: "UnitOfWork", customer_ids: Sequence[str], at: datetime) -> dict[str, str | None]:
    """`responsible` for many customers, by their keys, in two statements a few hundred."""
    rows = await select_in(tx, "SELECT id, owner_id, backup_id FROM crm_customer", "id", customer_ids)
    staff = await members(tx, {row[r] for row in rows for r in ("owner_id", "backup_id") if row[r]})
    found: dict[str, str | None] = dict.fromkeys(customer_ids)
    for row in rows:
        found[row["id"]] = choose(staff.get(row["owner_id"]), staff.get(row["backup_id"]), at)
    return found


def choose(owner: Member | None, backup: Member | None, at: datetime) -> str | None:
    """The owner, unless away or no longer active and the backup is there instead."""
    if owner is None:
        return None
    here = owner.active and not owner.away(at)
    if not here and backup is not None and backup.active and not backup.away(at):
        return backup.id
    return owner.id


async def deactivate_staff(
    tx: "UnitOfWork", staff_id: str, *, successor_id: str | None = None, expected_version: int | None = None
) -> StaffSaved:
    """The member no longer owns or backs anybody. `successor_id` takes the customers over.

    REFUSED when there are customers and no successor, with the counts for those who may see all customers.
    """
    if successor_id is not None and successor_id < staff_id:
        await active_among(tx, [successor_id])  # in the order of the keys
    before = await lock_member(tx, staff_id, expected_version=expected_version)
    if successor_id is not None and (
        successor_id == staff_id or successor_id not in await active_among(tx, [successor_id])
    ):
        raise CrmError(
            ErrorCode.BAD_INPUT,
            f"The successor {cut(successor_id)} is no other active member of staff.",
            path=("successor",),
            hint="Choose somebody else who is active.",
        )
    rows = await tx.fetch(
        "SELECT id, owner_id, backup_id FROM crm_customer WHERE (owner_id = ? OR backup_id = ?) "
        f"AND merged_into_id IS NULL AND erased_at IS NULL ORDER BY id {for_update(tx, 'NO KEY UPDATE')}",
        (staff_id, staff_id),
    )
    await reached(tx, [str(row["id"]) for row in rows])  # before the successor has them
    if successor_id is not None:
        await _hand_over(tx, staff_id, successor_id, rows)
    elif rows:
        owned = sum(row["owner_id"] == staff_id for row in rows)
        raise CrmError(
            ErrorCode.REFUSED,
            f"{before.name} owns {owned} customers and is the backup for {len(rows) - owned}."
            if tx.reach is None
            else f"{before.name} still has customers.",
            path=("successor",),
            hint="Name a successor, or assign them to somebody else first.",
        )
    return await save_member(tx, before, replace(before, active=False))


async def _hand_over(
    tx: "UnitOfWork", staff_id: str, successor_id: str, rows: Sequence[Mapping[str, Any]]
) -> None:
    """The successor takes each role; whoever would then be owner and backup is the owner alone."""
    for part in chunks([row["id"] for row in rows]):
        await tx.execute(
            f"""
            UPDATE crm_customer SET version = version + 1, updated_at = ?,
                   owner_id = CASE WHEN owner_id = ? THEN ? ELSE owner_id END,
                   backup_id = CASE WHEN ? IN (owner_id, backup_id) THEN NULL
                                    WHEN backup_id = ? THEN ? ELSE backup_id END
             WHERE id IN ({marks(len(part))})
            """,
            (tx.now, staff_id, successor_id, successor_id, staff_id, successor_id, *part),
        )
    for row in rows:
        changes: Changes = {}
        owner, backup = row["owner_id"], row["backup_id"]
        if owner == staff_id:
            changes["owner_id"] = (owner, successor_id)
        heir = None if successor_id in (owner, backup) else successor_id if backup == staff_id else backup
        if heir != backup:
            changes["backup_id"] = (backup, heir)
        tx.emit(OwnerAssigned(customer_id=row["id"], changes=changes))
