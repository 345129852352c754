"""The stages of a customer, PROSPECT → CUSTOMER → FORMER and back, and the archive."""

from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING

from crm_framework.domain.customers.record import Changed, Record, lock_record, save
from crm_framework.domain.models import CustomerStage
from crm_framework.domain.rows import time_text
from crm_framework.domain.values.moments import past_moment
from crm_framework.errors import CrmError, ErrorCode
from crm_framework.events import CustomerArchived, CustomerConverted, CustomerLapsed

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
        raise _refused("was a customer before", "Record a return instead: conversion happens once.")
    if before.stage is CustomerStage.CUSTOMER:
        return Changed(before.id, before.version, False)
    changed, changes = await save(
        tx, before, replace(before, stage=CustomerStage.CUSTOMER, converted_at=when)
    )
    tx.emit(CustomerConverted(customer_id=before.id, changes=changes))
    return changed


async def lapse_customer(
    tx: "UnitOfWork", customer_id: str, *, at: datetime | None = None, expected_version: int | None = None
) -> Changed:
    """A customer becomes a former one at `at` (now). REFUSED for a prospect, who never was one."""
    before = await lock_record(tx, customer_id, expected_version=expected_version)
    when = past_moment(at, tx.now, path=("at",)) or tx.now
    if before.stage is CustomerStage.PROSPECT:
        raise _refused("is a prospect and cannot leave", "Archive the record instead.")
    if before.stage is CustomerStage.FORMER:
        return Changed(before.id, before.version, False)
    since = max((date for date in (before.converted_at, before.returned_at) if date), default=None)
    if since is not None and when < since:
        raise _too_early("end", since)
    changed, changes = await save(tx, before, replace(before, stage=CustomerStage.FORMER, former_at=when))
    tx.emit(CustomerLapsed(customer_id=before.id, changes=changes))
    return changed


async def return_customer(
    tx: "UnitOfWork", customer_id: str, *, at: datetime | None = None, expected_version: int | None = None
) -> Changed:
    """A former customer comes back at `at` (now); the conversion keeps its date. REFUSED for a prospect."""
    before = await lock_record(tx, customer_id, expected_version=expected_version)
    when = past_moment(at, tx.now, path=("at",)) or tx.now
    if before.stage is CustomerStage.PROSPECT:
        raise _refused("is a prospect and was no customer before", "Convert the prospect instead.")
    if before.stage is CustomerStage.CUSTOMER:
        return Changed(before.id, before.version, False)
    since = before.former_at or before.converted_at
    if since is not None and when < since:
        raise _too_early("return", since)
    after = replace(before, stage=CustomerStage.CUSTOMER, returned_at=when, former_at=None)
    changed, changes = await save(tx, before, after)
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


def _too_early(what: str, since: datetime) -> CrmError:
    return CrmError(
        ErrorCode.BAD_INPUT,
        f"The {what} lies before {time_text(since)}, when the stage before began.",
        path=("at",),
        hint="Give a later moment.",
    )


def _refused(why: str, hint: str) -> CrmError:
    return CrmError(ErrorCode.REFUSED, f"The customer {why}.", path=("id",), hint=hint)
