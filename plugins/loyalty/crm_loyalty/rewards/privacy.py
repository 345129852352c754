"""What happens to redemptions, and to what rules gave, when customers are merged, exported and erased."""

from collections.abc import Mapping
from typing import Any

from crm_framework import UnitOfWork
from crm_loyalty.models import RedemptionStatus

from .redeeming import cancel

OF_ACCOUNTS = ("loyalty_redemption", "loyalty_replay_difference", "loyalty_share")
"""Tables whose rows belong to an account."""


async def merge(winner: str, tx: UnitOfWork) -> Mapping[str, int]:
    """Moves what belongs to accounts that were merged into the winner's. These are held."""
    return {
        table: await tx.execute(
            f"UPDATE {table} SET account_id ="
            f" (SELECT a.merged_into_id FROM loyalty_account a WHERE a.id = {table}.account_id)"
            " WHERE account_id IN (SELECT a.id FROM loyalty_account a JOIN loyalty_account k"
            " ON k.id = a.merged_into_id WHERE k.customer_id = ?)",
            [winner],
        )
        for table in OF_ACCOUNTS
    }


async def export(customer_id: str, tx: UnitOfWork) -> Mapping[str, Any]:
    """Rewards that were taken, with their codes."""
    rows = await tx.fetch(
        "SELECT w.name AS reward, r.status, r.points, r.note, r.created_at, v.code FROM loyalty_redemption r"
        " JOIN loyalty_account a ON a.id = r.account_id JOIN loyalty_reward w ON w.id = r.reward_id"
        " LEFT JOIN loyalty_voucher_code v ON v.redemption_id = r.id WHERE a.customer_id = ? ORDER BY r.id",
        [customer_id],
    )
    return {"redemptions": [{**row, "created_at": str(row["created_at"])} for row in rows]}


async def erase(customer_id: str, tx: UnitOfWork) -> Mapping[str, int]:
    """Notes go; what was spent stays for the books. What is only held is given back."""
    held = await tx.fetch(
        "SELECT r.id FROM loyalty_redemption r JOIN loyalty_account a ON a.id = r.account_id"
        " JOIN loyalty_entry e ON e.program_id = a.program_id"
        " AND e.source_key = 'redemption:' || CAST(r.id AS TEXT)"
        f" WHERE a.customer_id = ? AND r.status = '{RedemptionStatus.RESERVED}' ORDER BY r.id",
        [customer_id],
    )
    for row in held:
        await cancel(tx, str(row["id"]))
    return {
        "loyalty_redemption": await tx.execute(
            "UPDATE loyalty_redemption SET note = NULL WHERE account_id IN"
            " (SELECT id FROM loyalty_account WHERE customer_id = ?)",
            [customer_id],
        )
    }
