"""Tiers that are lost as time goes by, and those that follow from rules that changed."""

from crm_framework import CrmError, Hold, JobRun, live_customers
from crm_loyalty.ledger.accounts import hold_accounts

from .standing import judge_all

BATCH = 200
"""Accounts in one transaction."""


async def judge_tiers(job: JobRun) -> None:
    """Judges accounts whose tier may be lost by now; with `program` in the payload, all of a programme's.

    It goes on with the next ones until there are no more.
    """
    program, last = job.payload.get("program"), job.payload.get("after", "")
    async with job.unit_of_work() as tx:
        args: list[object]
        if program is None:
            chosen, args = "tier_review_at <= ? ORDER BY tier_review_at", [tx.now]
        elif last:
            chosen, args = "program_id = ? AND id > ? ORDER BY id", [program, last]
        else:
            chosen, args = "program_id = ? ORDER BY id", [program]
        rows = await tx.fetch(
            f"SELECT id, customer_id FROM loyalty_account WHERE {chosen} LIMIT {BATCH}", args
        )
        keys = {row["customer_id"] for row in rows if row["customer_id"] is not None}
        for customer in (await live_customers(tx, keys, Hold.ADD) if keys else {}).values():
            if isinstance(customer, CrmError):
                raise customer
        held = await hold_accounts(tx, [row["id"] for row in rows])
        await judge_all(tx, list(held.values()))
        if program is None:
            # whoever was judged is due later, if at all
            job.done(tx, then={} if held else None)
        else:
            job.done(tx, then={"program": program, "after": rows[-1]["id"]} if rows else None)
