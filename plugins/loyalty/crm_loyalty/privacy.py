"""What happens to points when customers are merged, exported and erased."""

from collections.abc import Mapping, Sequence
from typing import Any

from crm_framework import UnitOfWork, among

from .ledger import recount


async def merge(winner: str, losers: Sequence[str], tx: UnitOfWork) -> Mapping[str, int]:
    """Moves accounts, or where the winner has one in the programme, their entries."""
    where = among("customer_id", [winner, *losers], tx.dialect)
    accounts = await tx.fetch(
        f"SELECT id, program_id, customer_id FROM loyalty_account WHERE {where.sql} ORDER BY id", where.args
    )
    await tx.lock("loyalty_account", [account["id"] for account in accounts])
    keep = {account["program_id"]: account["id"] for account in accounts if account["customer_id"] == winner}
    moved = entries = 0
    for account in accounts:
        if account["customer_id"] == winner:
            continue
        kept = keep.setdefault(account["program_id"], account["id"])
        if kept == account["id"]:
            await tx.execute("UPDATE loyalty_account SET customer_id = ? WHERE id = ?", [winner, kept])
        else:
            entries += await tx.execute(
                "UPDATE loyalty_entry SET account_id = ? WHERE account_id = ?", [kept, account["id"]]
            )
            await tx.execute("DELETE FROM loyalty_account WHERE id = ?", [account["id"]])
        moved += 1
    if moved:
        await recount(sorted(keep.values()), tx)
    return {"loyalty_account": moved, "loyalty_entry": entries}


async def export(customer_id: str, tx: UnitOfWork) -> Mapping[str, Any]:
    """Accounts with their entries."""
    rows = await tx.fetch(
        "SELECT a.id, p.name, a.balance, a.lifetime FROM loyalty_account a"
        " JOIN loyalty_program p ON p.id = a.program_id WHERE a.customer_id = ? ORDER BY a.id",
        [customer_id],
    )
    where = among("account_id", [row["id"] for row in rows], tx.dialect)
    entries = await tx.fetch(
        f"SELECT account_id, kind, points, reason, at FROM loyalty_entry WHERE {where.sql} ORDER BY at, id",
        where.args,
    )
    return {
        "accounts": [
            {
                "program": row["name"],
                "balance": row["balance"],
                "lifetime": row["lifetime"],
                "entries": [
                    {
                        "kind": entry["kind"],
                        "points": entry["points"],
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
    entries = await tx.execute(
        "UPDATE loyalty_entry SET reason = NULL WHERE account_id IN"
        " (SELECT id FROM loyalty_account WHERE customer_id = ?)",
        [customer_id],
    )
    accounts = await tx.execute(
        "UPDATE loyalty_account SET customer_id = NULL, updated_at = ? WHERE customer_id = ?",
        [tx.now, customer_id],
    )
    return {"loyalty_account": accounts, "loyalty_entry": entries}
