"""The ledger: entries are added and never changed; the balance is kept with them in one transaction."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from crm_framework import UnitOfWork, among, new_id

from .events import PointsChanged

EARNED = "EARNED"
REFUNDED = "REFUNDED"


@dataclass(frozen=True, kw_only=True)
class Posting:
    """An entry to be added. `source_key` names its cause: one cause counts once in a programme."""

    program_id: str
    customer_id: str
    kind: str
    points: int
    source_key: str
    amount_minor: int
    reason: str
    at: datetime
    corrects_id: str | None = None


Owner = tuple[str, str]
"""programme, customer"""


async def hold_accounts(owners: Iterable[Owner], tx: UnitOfWork) -> dict[Owner, str]:
    """The owners' accounts, opened where there is none, held with their entries until the end.

    To be called once in a transaction, after the customers are held: two calls would have no order.
    """
    wanted = sorted(set(owners))
    if not wanted:
        return {}
    await tx.execute_many(
        "INSERT INTO loyalty_account (id, program_id, customer_id, created_at, updated_at)"
        " VALUES (?, ?, ?, ?, ?) ON CONFLICT (program_id, customer_id) DO NOTHING",
        [(new_id(), program, customer, tx.now, tx.now) for program, customer in wanted],
    )
    where = among("customer_id", sorted({customer for _, customer in wanted}), tx.dialect)
    rows = await tx.fetch(
        f"SELECT id, program_id, customer_id FROM loyalty_account WHERE {where.sql}", where.args
    )
    found = {(row["program_id"], row["customer_id"]): row["id"] for row in rows}
    accounts = {owner: found[owner] for owner in wanted}
    await tx.lock("loyalty_account", list(accounts.values()))
    return accounts


async def post(postings: Sequence[Posting], accounts: Mapping[Owner, str], tx: UnitOfWork) -> None:
    """Adds the entries whose cause was not counted before. A few statements, whatever their number.

    `accounts` are those that are held.
    """
    if not postings:
        return
    known = await _known(postings, tx)
    fresh = {(each.program_id, each.source_key): each for each in postings}
    added = [posting for cause, posting in fresh.items() if cause not in known]
    await tx.execute_many(
        "INSERT INTO loyalty_entry (id, program_id, account_id, kind, points, amount_minor, source_key,"
        " corrects_id, reason, at, created_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        [_row(each, accounts[each.program_id, each.customer_id], tx) for each in added],
    )
    sums: dict[Owner, list[int]] = defaultdict(lambda: [0, 0])
    for each in added:
        total = sums[each.program_id, each.customer_id]
        total[0] += each.points
        total[1] += each.points if each.kind == EARNED else 0
    await tx.execute_many(
        "UPDATE loyalty_account SET balance = balance + ?, lifetime = lifetime + ?, updated_at = ?"
        " WHERE id = ?",
        [(points, earned, tx.now, accounts[owner]) for owner, (points, earned) in sums.items()],
    )
    tx.emit(
        *(
            PointsChanged(customer_id=owner[1], account_id=accounts[owner], points=points)
            for owner, (points, _) in sums.items()
        )
    )


async def recount(account_ids: Sequence[str], tx: UnitOfWork) -> None:
    """Sets balances to the sums of their entries."""
    where = among("id", account_ids, tx.dialect)
    await tx.execute(
        "UPDATE loyalty_account SET updated_at = ?,"
        " balance = (SELECT COALESCE(SUM(e.points), 0) FROM loyalty_entry e"
        " WHERE e.account_id = loyalty_account.id),"
        " lifetime = (SELECT COALESCE(SUM(e.points), 0) FROM loyalty_entry e"
        f" WHERE e.account_id = loyalty_account.id AND e.kind = '{EARNED}')"
        f" WHERE {where.sql}",
        [tx.now, *where.args],
    )


def _row(each: Posting, account: str, tx: UnitOfWork) -> tuple[object, ...]:
    return (
        new_id(), each.program_id, account, each.kind, each.points, each.amount_minor, each.source_key,
        each.corrects_id, each.reason, each.at, tx.now,
    )  # fmt: skip


async def _known(postings: Sequence[Posting], tx: UnitOfWork) -> set[tuple[str, str]]:
    where = among("source_key", sorted({each.source_key for each in postings}), tx.dialect)
    rows = await tx.fetch(f"SELECT program_id, source_key FROM loyalty_entry WHERE {where.sql}", where.args)
    return {(row["program_id"], row["source_key"]) for row in rows}
