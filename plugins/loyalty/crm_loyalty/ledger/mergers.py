"""Accounts that become one, as their customers do.

The entries of the account that goes stay in its own book, whose chain ends there: the entry with which the
other takes it over names it. So both can be replayed, the one out of the other.
"""

from collections.abc import Sequence

from crm_framework import UnitOfWork

from .accounts import Account, sealed
from .entries import Kind
from .lots import know_all
from .writing import Cause, begin

MOVED = ("loyalty_entry", "loyalty_lot", "loyalty_pending", "loyalty_tier_change")


async def merge_accounts(tx: UnitOfWork, pairs: Sequence[tuple[Account, Account]]) -> int:
    """Has the first of each pair take over the second; how many entries moved. All of them are held."""
    accounts = {account.id: account for pair in pairs for account in pair}
    writing = await begin(tx, accounts)
    await know_all(tx, accounts)
    for kept, gone in pairs:
        # from now on the one goes on where both are
        kept.posted_at = max(kept.posted_at, gone.posted_at)
        effect = kept.book.merge(gone.book, kept.posted_at)
        kept.lifetime += gone.lifetime
        cause = Cause(source_key=f"merger:{gone.id}", at=kept.posted_at, other_id=gone.id)
        writing.enter(kept, Kind.MERGED, effect, cause)
        gone.merged_into_id = kept.id
    # what the accounts that go had to settle stands in their books; the lots are the others' by now
    moved = 0
    await writing.flush()
    for kept, gone in pairs:
        gone.customer_id = None
        for table in MOVED:
            number = await tx.execute(
                f"UPDATE {table} SET account_id = ? WHERE account_id = ?", [kept.id, gone.id]
            )
            moved += number if table == "loyalty_entry" else 0
        await tx.execute(
            "UPDATE loyalty_account SET customer_id = NULL, merged_into_id = ?, balance = 0, pending = 0,"
            " deficit = 0, lifetime = 0, tier_id = NULL, tier_review_at = NULL, seal = ?, updated_at = ?"
            " WHERE id = ?",
            [kept.id, sealed(tx, gone), tx.now, gone.id],
        )
    await writing.judge()
    return moved
