"""What happens to points when customers are merged, exported and erased."""

from collections.abc import Mapping, Sequence
from typing import Any

from crm_framework import UnitOfWork, among

from .ledger import Account, hold_accounts
from .ledger.accounts import give
from .ledger.mergers import merge_accounts
from .referrals import privacy as referrals
from .rewards import privacy as rewards


async def merge(winner: str, losers: Sequence[str], tx: UnitOfWork) -> Mapping[str, int]:
    """Gives the losers' accounts to the winner; where the winner has one in the programme, that takes over
    their entries, lots and pending points, and a deficit of the one is made up by the other.
    """
    where = among("customer_id", [winner, *losers], tx.dialect)
    rows = await tx.fetch(
        f"SELECT id, program_id, customer_id FROM loyalty_account WHERE {where.sql} ORDER BY id", where.args
    )
    accounts = await hold_accounts(tx, (row["id"] for row in rows))
    keep = {each.program_id: each for each in accounts.values() if each.customer_id == winner}
    moved = entries = 0
    joined: list[tuple[Account, Account]] = []
    for account in accounts.values():
        if account.customer_id == winner:
            continue
        kept = keep.setdefault(account.program_id, account)
        if kept is account:
            await give(tx, account, winner)
        else:
            joined.append((kept, account))
        moved += 1
    if joined:
        entries = await merge_accounts(tx, joined)
    counts = {"loyalty_account": moved, "loyalty_entry": entries}
    more = {**await rewards.merge(winner, tx), **await referrals.merge(winner, losers, tx)}
    return counts | {table: number for table, number in more.items() if number}


async def export(customer_id: str, tx: UnitOfWork) -> Mapping[str, Any]:
    """Accounts with their entries."""
    rows = await tx.fetch(
        "SELECT a.id, p.name, a.balance, a.pending, a.lifetime, t.name AS tier FROM loyalty_account a"
        " JOIN loyalty_program p ON p.id = a.program_id LEFT JOIN loyalty_tier t ON t.id = a.tier_id"
        " WHERE a.customer_id = ? ORDER BY a.id",
        [customer_id],
    )
    where = among("account_id", [row["id"] for row in rows], tx.dialect)
    entries = await tx.fetch(
        "SELECT account_id, kind, points, pending, amount_minor, source_key, reason, at FROM loyalty_entry"
        f" WHERE {where.sql} ORDER BY at, id",
        where.args,
    )
    more = {**await rewards.export(customer_id, tx), **await referrals.export(customer_id, tx)}
    return more | {
        "accounts": [
            {
                "program": row["name"],
                "balance": row["balance"],
                "pending": row["pending"],
                "tier": row["tier"],
                "lifetime": row["lifetime"],
                "entries": [
                    {
                        "kind": entry["kind"],
                        "points": entry["points"],
                        "pending": entry["pending"],
                        # of a referral it is what the other one was refunded
                        "amount_minor": None
                        if ":referral:" in entry["source_key"]
                        else entry["amount_minor"],
                        "reason": entry["reason"],
                        "at": str(entry["at"]),
                    }
                    for entry in entries
                    if entry["account_id"] == row["id"]
                ],
            }
            for row in rows
        ]
    }


async def erase(customer_id: str, tx: UnitOfWork) -> Mapping[str, int]:
    """Cuts accounts off the person; sums stay for the books, words about the person go."""
    more = {**await rewards.erase(customer_id, tx), **await referrals.erase(customer_id, tx)}
    entries = await tx.execute(
        "UPDATE loyalty_entry SET reason = NULL, reason_salt = NULL WHERE account_id IN"
        " (SELECT id FROM loyalty_account WHERE customer_id = ?)",
        [customer_id],
    )
    rows = await tx.fetch("SELECT id FROM loyalty_account WHERE customer_id = ?", [customer_id])
    accounts = await hold_accounts(tx, (row["id"] for row in rows))
    for account in accounts.values():
        await give(tx, account, None)
    return more | {"loyalty_account": len(accounts), "loyalty_entry": entries}
