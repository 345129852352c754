"""One customer as the domain holds it while it changes him: read under a lock, compared, written once."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from operator import attrgetter
from typing import TYPE_CHECKING, Any

from crm_framework.domain.customers.locks import Hold, hold_customers, reached
from crm_framework.domain.models import CustomerKind, CustomerStage
from crm_framework.domain.rows import (
    check_key,
    chunks,
    json_of,
    json_text,
    marks,
    not_found,
    select_in,
    stale,
    time_of,
    time_text,
    update,
)
from crm_framework.errors import CrmError, ErrorCode, cut
from crm_framework.events import Changes
from crm_framework.storage.ids import is_key

if TYPE_CHECKING:
    from crm_framework.storage.unit_of_work import UnitOfWork


@dataclass(frozen=True, kw_only=True, slots=True)
class Record:
    """A row of customers, all columns that the domain changes."""

    id: str
    version: int = 1
    kind: CustomerKind
    stage: CustomerStage
    name: str
    sort_name: str
    company: str | None = None
    email: str | None = None
    phone: str | None = None
    city: str | None = None
    country: str | None = None
    owner_id: str | None = None
    backup_id: str | None = None
    attributes: Mapping[str, Any]
    locale: str | None = None
    time_zone: str | None = None
    source: str | None = None
    reference: str | None = None
    confidential: bool = False
    search_text: str = ""
    created_at: datetime
    updated_at: datetime
    converted_at: datetime | None = None
    former_at: datetime | None = None
    returned_at: datetime | None = None
    archived_at: datetime | None = None
    erased_at: datetime | None = None
    merged_into_id: str | None = None


@dataclass(frozen=True, slots=True)
class Changed:
    """What a change came to: the customer's key (the winner's, for a merged one) and version now."""

    id: str
    version: int
    changed: bool


COLUMNS = tuple(Record.__dataclass_fields__)
# They follow from other columns, so that an event need not say them again.
_UNTOLD = frozenset({"id", "version", "sort_name", "search_text", "created_at", "updated_at", "attributes"})

_TOLD = tuple(name for name in COLUMNS if name not in _UNTOLD)


async def resolve_id(tx: "UnitOfWork", key: str, *, path: Sequence[str | int] = ("id",)) -> str:
    """The key itself, or the winner's if the customer was merged. NOT_FOUND for one that is unknown."""
    return (await resolve_ids(tx, [key], path=path))[key]


async def resolve_ids(
    tx: "UnitOfWork", keys: Iterable[str], *, path: Sequence[str | int] = ("id",)
) -> dict[str, str]:
    """Key → key of the customer that it stands for now. NOT_FOUND for the first one that is unknown, or out
    of the change's reach.
    """
    wanted = list(dict.fromkeys(keys))
    resolved = await known_ids(tx, wanted)
    for key in wanted:
        if key not in resolved:
            raise not_found("customer", key, path=path)
    return resolved


async def known_ids(tx: "UnitOfWork", keys: Iterable[str], *, anywhere: bool = False) -> dict[str, str]:
    """The same without those that are unknown; and out of the change's reach, unless `anywhere` counts."""
    wanted = list(dict.fromkeys(keys))
    into: dict[str, str | None] = {}
    open_keys = [key for key in wanted if is_key(key)]
    while open_keys:
        rows = await select_in(tx, "SELECT id, merged_into_id FROM crm_customer", "id", open_keys)
        into.update({row["id"]: row["merged_into_id"] for row in rows})
        winners = dict.fromkeys(row["merged_into_id"] for row in rows)
        open_keys = [key for key in winners if key is not None and key not in into]
    resolved: dict[str, str] = {}
    for key in wanted:
        if key in into:
            at = key
            while (winner := into[at]) is not None:
                at = winner
            resolved[key] = at
    if anywhere or tx.reach is None:
        return resolved
    seen = await reached(tx, resolved.values())
    return {key: at for key, at in resolved.items() if at in seen}


async def lock_record(
    tx: "UnitOfWork",
    key: str,
    *,
    hold: Hold = Hold.CHANGE,
    expected_version: int | None = None,
    path: Sequence[str | int] = ("id",),
) -> Record:
    """The customer, or the winner of a merged one, kept from other writers until the transaction ends.

    NOT_FOUND for an unknown one, REFUSED for an erased one, CONFLICT for a stale `expected_version`.
    """
    rows = await hold_customers(tx, [check_key(key, "customer", path=path)], hold, COLUMNS)
    if key not in rows:
        raise not_found("customer", key, path=path)
    record = _record(rows[key])
    refuse_erased(record.erased_at, path=path)
    if expected_version is not None and expected_version != record.version:
        raise stale("customer", expected_version, record.version)
    return record


async def lock_records(
    tx: "UnitOfWork", keys: Sequence[str], *, path: Sequence[str | int] = ("ids",)
) -> dict[str, Record]:
    """Given key → record of the customer that it stands for now, all locked, in the order of their keys.

    Two keys may lead to one record: a loser's of a merge and its winner's.
    """
    rows = await hold_customers(tx, keys, Hold.CHANGE, COLUMNS)
    records: dict[str, Record] = {}
    for key in dict.fromkeys(keys):
        if key not in rows:
            raise not_found("customer", key, path=path)
        record = _record(rows[key])
        refuse_erased(record.erased_at, path=path)
        records[key] = record
    return records


async def touch(tx: "UnitOfWork", keys: Sequence[str]) -> None:
    """The next version of customers whose tags, contact points or the like changed. The caller holds them."""
    for part in chunks(keys):
        await tx.execute(
            f"UPDATE crm_customer SET version = version + 1, updated_at = ? WHERE id IN ({marks(len(part))})",
            (tx.now, *part),
        )


def refuse_erased(erased_at: datetime | None, *, path: Sequence[str | int] = ("id",)) -> None:
    if erased_at is not None:
        raise CrmError(
            ErrorCode.REFUSED,
            f"The customer was erased on {erased_at.date().isoformat()} and cannot be changed.",
            path=path,
            hint="Create a new customer.",
        )


async def save(
    tx: "UnitOfWork", before: Record, after: Record, *, more: Changes | None = None
) -> tuple[Changed, Changes]:
    """Writes what differs, and the next version, in one statement. `more` are changes outside the row.

    Where nothing differs nothing is written. The changes are returned for the event.
    """
    changes = differences(before, after) | (more or {})
    columns = {name for name in COLUMNS if getattr(before, name) != getattr(after, name)}
    if not changes and not columns:
        return Changed(before.id, before.version, False), {}
    after = replace(after, version=before.version + 1, updated_at=tx.now)
    row = row_of(after)
    values = {name: row[name] for name in (*sorted(columns), "version", "updated_at")}
    clash = reference_taken(after.source, after.reference)
    if not await update(tx, "crm_customer", before.id, values, version=before.version, clash=clash):
        raise CrmError(
            ErrorCode.CONFLICT,
            "The customer changed while it was being written.",
            hint="Read it again, and repeat the change if it still fits.",
        )
    return Changed(before.id, after.version, True), changes


def reference_taken(source: str | None, reference: str | None) -> CrmError:
    return CrmError(
        ErrorCode.CONFLICT,
        f"The reference {reference!r} of {source!r} belongs to another customer.",
        path=("reference",),
        hint="Merge the two, or give another reference.",
    )


def reference_elsewhere(source: str | None, reference: str | None) -> CrmError:
    """For a reference that a record out of the change's reach carries: nothing more is told of that."""
    return CrmError(
        ErrorCode.CONFLICT,
        f"The reference {cut(reference)} of {cut(source)} belongs to a record that you may not see.",
        path=("reference",),
        hint="Give another reference, or ask somebody who may see more.",
    )


def differences(before: Record | None, after: Record) -> Changes:
    """Field → (before, after) as JSON-able values; each attribute is a field `attributes.<name>`."""
    if before is None:
        changes: Changes = {
            name: (None, _told(value)) for name in _TOLD if (value := getattr(after, name)) is not None
        }
        for name in sorted(after.attributes):
            changes[f"attributes.{name}"] = (None, after.attributes[name])
        return changes
    changes = {
        name: (_told(old), _told(new))
        for name in _TOLD
        if (old := getattr(before, name)) != (new := getattr(after, name))
    }
    old_attributes = before.attributes
    for name in sorted(old_attributes.keys() | after.attributes.keys()):
        if not same_value(old_attributes.get(name), after.attributes.get(name)):
            changes[f"attributes.{name}"] = (old_attributes.get(name), after.attributes.get(name))
    return changes


def same_value(one: object, other: object) -> bool:
    """Equality of JSON values, for which true is not 1."""
    return one == other and isinstance(one, bool) is isinstance(other, bool)


def row_of(record: Record) -> dict[str, object]:
    """Column → value as statements take it."""
    row = dict(zip(COLUMNS, _in_order(record), strict=True))
    row |= {"kind": str(record.kind), "stage": str(record.stage), "attributes": json_text(record.attributes)}
    return row


_in_order = attrgetter(*COLUMNS)


def _record(row: Mapping[str, Any]) -> Record:
    values = {name: row[name] for name in COLUMNS}
    for name in COLUMNS:
        if name.endswith("_at"):
            values[name] = time_of(values[name])
    values["kind"] = CustomerKind(values["kind"])
    values["stage"] = CustomerStage(values["stage"])
    values["attributes"] = json_of(values["attributes"])
    values["confidential"] = bool(values["confidential"])
    return Record(**values)


def _told(value: object) -> object:
    if isinstance(value, datetime):
        return time_text(value)
    return str(value) if isinstance(value, StrEnum) else value
