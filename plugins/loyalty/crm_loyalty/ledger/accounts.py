"""Accounts, held for a change: nobody else changes one, or its lots, until the transaction ends.

Locks are taken in one order: customers first (whoever calls holds them), then all accounts of the change in
one call, in the order of their keys. Two calls in one transaction would have no order.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from crm_framework import UnitOfWork, among, new_id, parse_time
from crm_loyalty.models import RefundPolicy

from .book import Book

SEALED = "id, program_id, customer_id, merged_into_id, entries_number, digest, seal"
PURPOSE = "loyalty.account"
"""Of the seals on accounts."""
Owner = tuple[str, str]
"""programme, customer"""

COLUMNS = (
    "id, program_id, customer_id, merged_into_id, balance, pending, deficit, lifetime, entries_number,"
    " digest, seal, tier_id, tier_since, tier_judged_at, tier_review_at, posted_at"
)


@dataclass
class Program:
    """What of a programme the ledger goes by."""

    id: str
    zone: ZoneInfo
    expiry_months: int | None
    pending_days: int
    refund_policy: RefundPolicy


@dataclass
class Account:
    """An account that is held. `book` is what it holds, `lifetime` and what follows are kept beside it."""

    id: str
    program_id: str
    customer_id: str | None
    merged_into_id: str | None
    lifetime: int
    seq: int
    digest: str
    seal: str
    genuine: bool
    """Whether the seal was put on what the account said when it was held; one that was not stays as it is."""
    tier_id: str | None
    tier_since: datetime | None
    tier_judged_at: datetime | None
    tier_review_at: datetime | None
    posted_at: datetime
    """The moment of what is entered now: never before that of the last entry."""
    book: Book = field(repr=False)


async def hold_owners(tx: UnitOfWork, owners: Iterable[Owner]) -> dict[Owner, Account]:
    """The owners' accounts, opened where there is none. Their customers are held by whoever calls."""
    found = await account_keys(tx, owners, open=True)
    accounts = await hold_accounts(tx, found.values())
    return {owner: accounts[key] for owner, key in found.items()}


async def account_keys(tx: UnitOfWork, owners: Iterable[Owner], *, open: bool = False) -> dict[Owner, str]:
    """The keys of the owners' accounts; with `open`, accounts are opened where there is none."""
    wanted = sorted(set(owners))
    found = await _keys_of(tx, wanted) if wanted else {}
    missing = [owner for owner in wanted if owner not in found]
    if not missing or not open:
        return found
    await tx.execute_many(
        "INSERT INTO loyalty_account (id, program_id, customer_id, created_at, updated_at)"
        " VALUES (?, ?, ?, ?, ?) ON CONFLICT (program_id, customer_id) DO NOTHING",
        [(new_id(), program, customer, tx.now, tx.now) for program, customer in missing],
    )
    return await _keys_of(tx, wanted)


async def hold_accounts(tx: UnitOfWork, keys: Iterable[str]) -> dict[str, Account]:
    """The accounts of these keys; those that are not there, or were merged into others, are left out."""
    wanted = sorted(set(keys))
    if not wanted:
        return {}
    where = among("id", wanted, tx.dialect)
    lock = " FOR UPDATE" if tx.dialect == "postgres" else ""
    rows = await tx.fetch(
        f"SELECT {COLUMNS} FROM loyalty_account WHERE {where.sql} ORDER BY id{lock}", where.args
    )
    return {row["id"]: _account(row, tx) for row in rows if row["merged_into_id"] is None}


def is_genuine(tx: UnitOfWork, row: Mapping[str, Any]) -> bool:
    """Whether a row of `SEALED` says what it said when it was sealed. Without entries it is not sealed."""
    new = row["entries_number"] == 0 and row["digest"] == "" and row["seal"] == ""
    # SQLite keeps bytes in a column of text
    return new or (isinstance(row["seal"], str) and tx.is_sealed(_said_by(row), row["seal"], purpose=PURPOSE))


def seal_of(tx: UnitOfWork, row: Mapping[str, Any]) -> str:
    """The seal on a row of `SEALED`, which was proved."""
    return tx.seal(_said_by(row), purpose=PURPOSE)


def sealed(tx: UnitOfWork, account: Account) -> str:
    """The seal on an account as it is now. On what somebody else has changed there is none: the old one
    stays, for the proof to find."""
    if not account.genuine:
        return account.seal
    said = _said(
        account.id, account.program_id, account.customer_id, account.merged_into_id, account.seq,
        account.digest,
    )  # fmt: skip
    return tx.seal(said, purpose=PURPOSE)


async def give(tx: UnitOfWork, account: Account, customer_id: str | None) -> None:
    """Makes an account, which is held, somebody's: of None, nobody's."""
    account.customer_id = customer_id
    await tx.execute(
        "UPDATE loyalty_account SET customer_id = ?, seal = ?, updated_at = ? WHERE id = ?",
        [customer_id, sealed(tx, account), tx.now, account.id],
    )


def _said_by(row: Mapping[str, Any]) -> str:
    return _said(
        row["id"], row["program_id"], row["customer_id"], row["merged_into_id"], row["entries_number"],
        row["digest"],
    )  # fmt: skip


def _said(
    id: str, program: str, customer: str | None, merged_into: str | None, entries: int, digest: str
) -> str:
    return json.dumps([id, program, customer, merged_into, entries, digest], separators=(",", ":"))


async def programs(tx: UnitOfWork, keys: Iterable[str]) -> dict[str, Program]:
    """What the ledger goes by, of each programme."""
    where = among("id", sorted(set(keys)), tx.dialect)
    rows = await tx.fetch(
        "SELECT id, time_zone, expiry_months, pending_days, refund_policy FROM loyalty_program"
        f" WHERE {where.sql}",
        where.args,
    )
    return {
        row["id"]: Program(
            row["id"],
            ZoneInfo(row["time_zone"]),
            row["expiry_months"],
            row["pending_days"],
            RefundPolicy(row["refund_policy"]),
        )
        for row in rows
    }


async def _keys_of(tx: UnitOfWork, owners: Sequence[Owner]) -> dict[Owner, str]:
    where = among("customer_id", sorted({customer for _, customer in owners}), tx.dialect)
    rows = await tx.fetch(
        f"SELECT id, program_id, customer_id FROM loyalty_account WHERE {where.sql}", where.args
    )
    found = {(row["program_id"], row["customer_id"]): str(row["id"]) for row in rows}
    return {owner: found[owner] for owner in owners if owner in found}


def _account(row: dict[str, Any], tx: UnitOfWork) -> Account:
    last = _moment(row["posted_at"])
    return Account(
        id=row["id"],
        program_id=row["program_id"],
        customer_id=row["customer_id"],
        merged_into_id=row["merged_into_id"],
        lifetime=row["lifetime"],
        seq=row["entries_number"],
        digest=row["digest"],
        seal=row["seal"],
        genuine=is_genuine(tx, row),
        tier_id=row["tier_id"],
        tier_since=_moment(row["tier_since"]),
        tier_judged_at=_moment(row["tier_judged_at"]),
        tier_review_at=_moment(row["tier_review_at"]),
        posted_at=tx.now if last is None else max(tx.now, last),
        book=Book(balance=row["balance"], pending=row["pending"], deficit=row["deficit"]),
    )


def _moment(value: Any) -> datetime | None:
    return None if value is None else parse_time(value)
