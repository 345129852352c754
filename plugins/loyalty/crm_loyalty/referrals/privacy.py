"""What happens to referrals when customers are merged, exported and erased."""

from collections.abc import Mapping, Sequence
from typing import Any

from crm_framework import UnitOfWork, among
from crm_loyalty.models import ReferralStatus

from .store import came_by


async def merge(winner: str, losers: Sequence[str], tx: UnitOfWork) -> Mapping[str, int]:
    """Moves codes and referrals. Those that would not have been accepted of one customer, and are not
    credited yet, count no more: to oneself, a second one, after a purchase, in a circle.
    """
    moved = {
        table: sum(
            [
                await tx.execute(
                    f"UPDATE {table} SET {column} = ? WHERE {(of := among(column, losers, tx.dialect)).sql}",
                    [winner, *of.args],
                )
                for column in columns
            ]
        )
        for table, columns in (
            ("loyalty_referral", ("customer_id", "referrer_id")),
            ("loyalty_referral_code", ("customer_id",)),
        )
    }
    await _void(tx, "customer_id = referrer_id AND customer_id = ?", [winner], "they are one customer")
    rows = await tx.fetch(
        "SELECT id, program_id, status FROM loyalty_referral WHERE customer_id = ? AND status <> ?"
        f" ORDER BY CASE status WHEN '{ReferralStatus.CREDITED}' THEN 0 ELSE 1 END, id",
        [winner, ReferralStatus.VOID],
    )
    if not rows:
        return moved
    bought = await tx.fetch(
        "SELECT id FROM crm_interaction WHERE customer_id = ? AND kind = 'purchase' LIMIT 1", [winner]
    )
    if bought:
        await _void(tx, "customer_id = ?", [winner], "the customer has bought before")
    first: set[str] = set()
    for row in rows:
        program = str(row["program_id"])
        if program in first:
            await _void(tx, "id = ?", [row["id"]], "the customer was referred before")
        elif await came_by(tx, program, winner, winner):
            await _void(tx, "id = ?", [row["id"]], "it would close a circle")
        first.add(program)
    return moved


async def _void(tx: UnitOfWork, condition: str, args: Sequence[object], reason: str) -> None:
    await tx.execute(
        f"UPDATE loyalty_referral SET status = '{ReferralStatus.VOID}', reason = ?, version = version + 1"
        f" WHERE status = '{ReferralStatus.PENDING}' AND {condition}",
        [reason, *args],
    )


async def export(customer_id: str, tx: UnitOfWork) -> Mapping[str, Any]:
    """Codes and referrals; the others' names are theirs."""
    codes = await tx.fetch(
        "SELECT code FROM loyalty_referral_code WHERE customer_id = ? ORDER BY id", [customer_id]
    )
    rows = await tx.fetch(
        "SELECT customer_id, status, created_at, credited_at FROM loyalty_referral"
        " WHERE customer_id = ? OR referrer_id = ? ORDER BY id",
        [customer_id, customer_id],
    )
    return {
        "referral_codes": [row["code"] for row in codes],
        "referrals": [
            {
                "came": str(row["customer_id"]) == customer_id,
                "status": row["status"],
                "created_at": str(row["created_at"]),
                "credited_at": None if row["credited_at"] is None else str(row["credited_at"]),
            }
            for row in rows
        ],
    }


async def erase(customer_id: str, tx: UnitOfWork) -> Mapping[str, int]:
    """Codes go; referrals are cut off the person, and those not credited count no more."""
    codes = await tx.execute("DELETE FROM loyalty_referral_code WHERE customer_id = ?", [customer_id])
    await _void(
        tx, "(customer_id = ? OR referrer_id = ?)", [customer_id, customer_id], "a customer was erased"
    )
    came = await tx.execute(
        "UPDATE loyalty_referral SET customer_id = NULL, reason = NULL WHERE customer_id = ?", [customer_id]
    )
    brought = await tx.execute(
        "UPDATE loyalty_referral SET referrer_id = NULL, reason = NULL WHERE referrer_id = ?", [customer_id]
    )
    return {"loyalty_referral": came + brought, "loyalty_referral_code": codes}
