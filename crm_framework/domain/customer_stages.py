"""The stages of a customer, PROSPECT → CUSTOMER → FORMER and back, and the archive."""

from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING

from crm_framework.domain.customer_record import Changed, Record, lock_record, save
from crm_framework.domain.events import CustomerArchived, CustomerConverted, CustomerLapsed
from crm_framework.domain.models import CustomerStage
from crm_framework.domain.moments import past_moment
from crm_framework.errors import CrmError, ErrorCode

if TYPE_CHECKING:
    from crm_framework.storage.unit_of_work import UnitOfWork


async def convert_prospect(
    tx: "UnitOfWork", customer_id: str, *, at: datetime | None = None, expected_version: int | None = None
) -> Changed:
    """A prospect becomes a customer at `at` (now). One who is a customer already is left as he is.

    REFUSED for a former customer: conversion happens once; `return_customer` brings him back.
    """
    before = await lock_record(tx, customer_id, expected_version=expected_version)
    when = past_moment(at, tx.now, path=("at",)) or tx.now
    if before.stage is CustomerStage.FORMER:
        raise _refused(before, "was a customer before", "Record a return instead: conversion happens once.")
    if before.stage is CustomerStage.CUSTOMER:
        return Changed(before.id, before.version, False)
    changed, changes = await save(
        tx, before, replace(before, stage=CustomerStage.CUSTOMER, converted_at=when)
    )
    tx.emit(CustomerConverted(customer_id=before.id, changes=changes))
    return changed


async def lapse_customer(
    tx: "UnitOfWork", customer_id: str, *, expected_version: int | None = None
) -> Changed:
    """A customer becomes a former one. REFUSED for a prospect, who never was one."""
    before = await lock_record(tx, customer_id, expected_version=expected_version)
    if before.stage is CustomerStage.PROSPECT:
        raise _refused(before, "is a prospect and cannot leave", "Archive the record instead.")
    if before.stage is CustomerStage.FORMER:
        return Changed(before.id, before.version, False)
    changed, changes = await save(tx, before, replace(before, stage=CustomerStage.FORMER))
    tx.emit(CustomerLapsed(customer_id=before.id, changes=changes))
    return changed


async def return_customer(
    tx: "UnitOfWork", customer_id: str, *, at: datetime | None = None, expected_version: int | None = None
) -> Changed:
    """A former customer comes back at `at` (now); the conversion keeps its date. REFUSED for a prospect."""
    before = await lock_record(tx, customer_id, expected_version=expected_version)
    when = past_moment(at, tx.now, path=("at",)) or tx.now
    if before.stage is CustomerStage.PROSPECT:
        raise _refused(before, "is a prospect and was no customer before", "Convert the prospect instead.")
    if before.stage is CustomerStage.CUSTOMER:
        return Changed(before.id, before.version, False)
    if before.converted_at is not None and when < before.converted_at:
        raise CrmError(
            ErrorCode.BAD_INPUT,
            f"The return lies before the conversion of {before.converted_at.isoformat()}.",
            path=("at",),
            hint="Give a later moment.",
        )
    changed, changes = await save(tx, before, replace(before, stage=CustomerStage.CUSTOMER, returned_at=when))
    tx.emit(CustomerConverted(customer_id=before.id, changes=changes, returned=True))
    return changed


async def archive_customer(
    tx: "UnitOfWork", customer_id: str, *, expected_version: int | None = None
) -> Changed:
    """Takes the customer out of the daily lists; nothing is lost, and it can be undone."""
    before = await lock_record(tx, customer_id, expected_version=expected_version)
    if before.archived_at is not None:
        return Changed(before.id, before.version, False)
    return await _archive(tx, before, tx.now)


async def unarchive_customer(
    tx: "UnitOfWork", customer_id: str, *, expected_version: int | None = None
) -> Changed:
    before = await lock_record(tx, customer_id, expected_version=expected_version)
    if before.archived_at is None:
        return Changed(before.id, before.version, False)
    return await _archive(tx, before, None)


async def _archive(tx: "UnitOfWork", before: Record, at: datetime | None) -> Changed:
    changed, changes = await save(tx, before, replace(before, archived_at=at))
    tx.emit(CustomerArchived(customer_id=before.id, changes=changes))
    return changed


def _refused(record: Record, why: str, hint: str) -> CrmError:
    return CrmError(ErrorCode.REFUSED, f"The customer {record.id} {why}.", path=("id",), hint=hint)
