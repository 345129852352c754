"""Tiers that are lost as time goes by, and those that follow from rules that changed."""

from crm_framework import CrmError, Hold, JobRun, live_customers
from crm_loyalty.ledger.accounts import hold_accounts

from .standing import judge_all

BATCH = 200
"""Accounts in one transaction."""


async def judge_tiers(job: JobRun) -> None:
    """Judges accounts whose tier may be lost by now; with `program` in the payload, all of a programme's.

    It goes on after the last account that it judged.
    """
    program, last = job.payload.get("program"), job.payload.get("after")
    async with job.unit_of_work() as tx:
        condition, args = (
            ("tier_review_at <= ?", [tx.now]) if program is None else ("program_id = ?", [program])
        )
        if last is not None:
            condition, args = f"{condition} AND id > ?", [*args, last]
        rows = await tx.fetch(
            "SELECT id, customer_id FROM loyalty_account WHERE merged_into_id IS NULL"
            f" AND {condition} ORDER BY id LIMIT {BATCH}",
            args,
        )
        keys = {row["customer_id"] for row in rows if row["customer_id"] is not None}
        for customer in (await live_customers(tx, keys, Hold.ADD) if keys else {}).values():
            if isinstance(customer, CrmError):
                raise customer
        held = await hold_accounts(tx, [row["id"] for row in rows])
        await judge_all(tx, list(held.values()))
        more = len(rows) == BATCH
        then = (
            {"after": rows[-1]["id"], **({} if program is None else {"program": program})} if more else None
        )
        job.done(tx, then=then)
