"""Staff: who deals with customers, and when they are away. How they leave is in `ownership`."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

from msgspec import UNSET, UnsetType

from crm_framework.domain.contacts.values import normalize_email
from crm_framework.domain.customers.draft import check_source
from crm_framework.domain.rows import (
    check_key,
    for_update,
    insert,
    not_found,
    select_in,
    stale,
    time_of,
    time_text,
    update,
)
from crm_framework.domain.values.moments import moment
from crm_framework.domain.values.text import line, optional_line
from crm_framework.errors import CrmError, ErrorCode
from crm_framework.events import Changes, SettingChanged
from crm_framework.storage.ids import is_key, new_id

if TYPE_CHECKING:
    from crm_framework.storage.unit_of_work import UnitOfWork


@dataclass(frozen=True, kw_only=True)
class NewStaff:
    name: str
    email: str | None = None
    source: str | None = None
    reference: str | None = None


@dataclass(frozen=True, kw_only=True)
class StaffChange:
    """What is UNSET stays. `away_until` None with an `away_from` means away until further notice."""

    name: str | UnsetType = UNSET
    email: str | UnsetType | None = UNSET
    away_from: datetime | UnsetType | None = UNSET
    away_until: datetime | UnsetType | None = UNSET


@dataclass(frozen=True, kw_only=True, slots=True)
class Member:
    """A member of staff."""

    id: str
    version: int = 1
    name: str
    email: str | None = None
    active: bool = True
    away_from: datetime | None = None
    away_until: datetime | None = None
    source: str | None = None
    reference: str | None = None

    def away(self, at: datetime) -> bool:
        """From `away_from` on, until just before `away_until`."""
        if self.away_from is None or at < self.away_from:
            return False
        return self.away_until is None or at < self.away_until


@dataclass(frozen=True, slots=True)
class StaffSaved:
    """`changed` is False where there was nothing to change, or the record was there already."""

    id: str
    version: int
    changed: bool


async def create_staff(tx: "UnitOfWork", new: NewStaff) -> StaffSaved:
    """The new member, or the one with this source and reference. CONFLICT for an e-mail that is taken."""
    source, reference = check_source(new.source, new.reference)
    member = Member(
        id=new_id(),
        name=line(new.name, "The name", 200, path=("name",)),
        email=_email(new.email),
        source=source,
        reference=reference,
    )
    row = {**_columns(member), "id": member.id, "created_at": tx.now, "updated_at": tx.now}
    if not await insert(tx, "crm_staff", row, or_nothing=True):
        there = await tx.fetch(
            "SELECT id, version FROM crm_staff WHERE source = ? AND reference = ?", (source, reference)
        )
        if there:
            return StaffSaved(there[0]["id"], there[0]["version"], False)
        raise _taken(member.email)
    _emit(tx, member, _differences(None, member))
    return StaffSaved(member.id, 1, True)


async def update_staff(
    tx: "UnitOfWork", staff_id: str, change: StaffChange, *, expected_version: int | None = None
) -> StaffSaved:
    """Changes name, e-mail or absence. CONFLICT for a stale `expected_version` or an e-mail that is taken."""
    before = await lock_member(tx, staff_id, expected_version=expected_version)
    fields: dict[str, Any] = {}
    if not isinstance(change.name, UnsetType):
        fields["name"] = line(change.name, "The name", 200, path=("name",))
    if not isinstance(change.email, UnsetType):
        fields["email"] = _email(change.email)
    for name, path in (("away_from", "awayFrom"), ("away_until", "awayUntil")):
        value = getattr(change, name)
        if not isinstance(value, UnsetType):
            fields[name] = None if value is None else moment(value, path=(path,))
    after = replace(before, **fields)
    if after.away_from is None and after.away_until is not None:
        if "away_until" in fields and fields["away_until"] is not None:
            raise CrmError(
                ErrorCode.BAD_INPUT,
                "An absence with an end needs a beginning.",
                path=("awayFrom",),
                hint="Give awayFrom too.",
            )
        after = replace(after, away_until=None)
    if after.away_from and after.away_until and after.away_until <= after.away_from:
        raise CrmError(
            ErrorCode.BAD_INPUT,
            "The absence ends before it begins.",
            path=("awayUntil",),
            hint="Give an end after the beginning, or none.",
        )
    new_email = after.email if after.email != before.email else None
    if new_email and await tx.fetch("SELECT id FROM crm_staff WHERE email = ?", (new_email,)):
        raise _taken(new_email)
    return await save_member(tx, before, after)


async def reactivate_staff(
    tx: "UnitOfWork", staff_id: str, *, expected_version: int | None = None
) -> StaffSaved:
    before = await lock_member(tx, staff_id, expected_version=expected_version)
    return await save_member(tx, before, replace(before, active=True))


async def lock_member(
    tx: "UnitOfWork",
    staff_id: str,
    *,
    expected_version: int | None = None,
    path: tuple[str, ...] = ("id",),
) -> Member:
    """The member of staff, kept from other writers until the transaction ends."""
    check_key(staff_id, "member of staff", path=path)
    rows = await tx.fetch(f"{_SELECT} WHERE id = ? {for_update(tx, 'NO KEY UPDATE')}", (staff_id,))
    if not rows:
        raise not_found("member of staff", staff_id, path=path)
    member = _member(rows[0])
    if expected_version is not None and expected_version != member.version:
        raise stale("member of staff", expected_version, member.version)
    return member


async def save_member(tx: "UnitOfWork", before: Member, after: Member) -> StaffSaved:
    if after == before:
        return StaffSaved(before.id, before.version, False)
    changes = _differences(before, after)
    after = replace(after, version=before.version + 1)
    values = {**_columns(after), "updated_at": tx.now}
    await update(tx, "crm_staff", before.id, values, clash=_taken(after.email))
    _emit(tx, after, changes)
    return StaffSaved(after.id, after.version, True)


async def active_among(tx: "UnitOfWork", staff_ids: Iterable[str | None]) -> frozenset[str]:
    """Those of the keys that belong to active staff, who stay active until the transaction ends."""
    keys = sorted({key for key in staff_ids if key is not None and is_key(key)})
    rows = await select_in(
        tx, "SELECT id, active FROM crm_staff", "id", keys, then=f"ORDER BY id {for_update(tx, 'SHARE')}"
    )
    return frozenset(row["id"] for row in rows if row["active"])


async def members(tx: "UnitOfWork", staff_ids: Iterable[str]) -> dict[str, Member]:
    """Members of staff by key."""
    rows = await select_in(tx, _SELECT, "id", sorted(set(staff_ids)))
    return {row["id"]: _member(row) for row in rows}


_SELECT = "SELECT id, version, name, email, active, away_from, away_until, source, reference FROM crm_staff"


def _member(row: Mapping[str, Any]) -> Member:
    return Member(
        id=row["id"],
        version=row["version"],
        name=row["name"],
        email=row["email"],
        active=bool(row["active"]),
        away_from=time_of(row["away_from"]),
        away_until=time_of(row["away_until"]),
        source=row["source"],
        reference=row["reference"],
    )


def _columns(member: Member) -> dict[str, object]:
    names = ("version", "name", "email", "active", "away_from", "away_until", "source", "reference")
    return {name: getattr(member, name) for name in names}


def _differences(before: Member | None, after: Member) -> Changes:
    changes: Changes = {}
    for name, new in _columns(after).items():
        old = None if before is None else getattr(before, name)
        if name != "version" and old != new:
            changes[name] = tuple(  # type: ignore[assignment]  # a generator of two
                time_text(value) if isinstance(value, datetime) else value for value in (old, new)
            )
    return changes


def _emit(tx: "UnitOfWork", member: Member, changes: Changes) -> None:
    tx.emit(SettingChanged(customer_id=None, kind="staff", record_id=member.id, changes=changes))


def _email(value: str | None) -> str | None:
    text = optional_line(value, "The e-mail address", 320, path=("email",))
    return None if text is None else normalize_email(text, path=("email",))


def _taken(email: str | None) -> CrmError:
    return CrmError(
        ErrorCode.CONFLICT,
        f"The e-mail address {email!r} belongs to another member of staff.",
        path=("email",),
        hint="Give another one, or change that member.",
    )
