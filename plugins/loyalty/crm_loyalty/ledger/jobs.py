"""What happens to points as time goes by: they expire, unlock, and are about to expire.

Each run takes a small batch in a transaction of its own and goes on with the next, so that others need not
wait, and whatever stops it loses nothing. An account that is changed meanwhile is brought up to date by that
change itself: see `writing`.
"""

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from crm_framework import CrmError, Hold, JobRun, UnitOfWork, among, live_customers, parse_time
from crm_loyalty.events import PointsExpiring

from .earning import settle

BATCH = 50
"""Lots or pending points in one transaction: as long as it lasts, SQLite lets nobody else write."""

DUE = (
    "SELECT x.account_id, a.customer_id FROM ("
    "SELECT account_id FROM (SELECT account_id FROM loyalty_lot WHERE remaining > 0 AND expires_at <= ?"
    f" ORDER BY expires_at LIMIT {BATCH}) l"
    " UNION SELECT account_id FROM (SELECT account_id FROM loyalty_pending WHERE remaining > 0"
    f" AND unlock_at <= ? ORDER BY unlock_at LIMIT {BATCH}) p"
    ") x JOIN loyalty_account a ON a.id = x.account_id ORDER BY x.account_id"
)


async def settle_due(job: JobRun) -> None:
    """Lets lots expire and pending points unlock, the longest due first."""
    async with job.unit_of_work() as tx:
        rows = await tx.fetch(DUE, [tx.now, tx.now])
        await _held(tx, rows)
        await settle(tx, [row["account_id"] for row in rows])
        job.done(tx, then={} if rows else None)


async def tell_expiring(job: JobRun) -> None:
    """Says of lots that they are about to expire, each once: what is left of them, by account."""
    ahead = timedelta(days=job.settings.expiring_notice_days)
    async with job.unit_of_work() as tx:
        window = [tx.now, tx.now + ahead]
        rows = await tx.fetch(
            "SELECT l.account_id, a.customer_id FROM loyalty_lot l"
            " JOIN loyalty_account a ON a.id = l.account_id WHERE l.remaining > 0 AND l.told_at IS NULL"
            f" AND l.expires_at > ? AND l.expires_at <= ? ORDER BY l.expires_at LIMIT {BATCH}",
            window,
        )
        # the first lot of an account decides when: its others that are due to be told of go with it
        await _held(tx, rows)
        accounts = sorted({row["account_id"] for row in rows})
        await tx.lock("loyalty_account", accounts)
        lots = await _untold(tx, accounts, window)
        await tx.execute_many(
            "UPDATE loyalty_lot SET told_at = ? WHERE id = ?", [(tx.now, lot["id"]) for lot in lots]
        )
        by_account: dict[str, list[dict[str, Any]]] = defaultdict(list)
        for lot in lots:
            by_account[lot["account_id"]].append(lot)
        for account_id, own in by_account.items():
            tx.emit(
                PointsExpiring(
                    customer_id=own[0]["customer_id"],
                    account_id=account_id,
                    program_id=own[0]["program_id"],
                    points=sum(lot["remaining"] for lot in own),
                    expires_at=min(parse_time(lot["expires_at"]) for lot in own).isoformat(),
                )
            )
        job.done(tx, then={} if rows else None)


async def _untold(
    tx: UnitOfWork, account_ids: Sequence[str], window: Sequence[datetime]
) -> list[dict[str, Any]]:
    where = among("l.account_id", account_ids, tx.dialect)
    rows: list[dict[str, Any]] = await tx.fetch(
        "SELECT l.id, l.account_id, a.customer_id, a.program_id, l.remaining, l.expires_at FROM loyalty_lot l"
        f" JOIN loyalty_account a ON a.id = l.account_id WHERE {where.sql} AND l.remaining > 0"
        " AND l.told_at IS NULL AND l.expires_at > ? AND l.expires_at <= ? ORDER BY l.expires_at, l.id",
        [*where.args, *window],
    )
    return rows


async def _held(tx: UnitOfWork, rows: Sequence[dict[str, Any]]) -> None:
    """Holds the customers of these accounts, as whoever changes an account does, before the accounts."""
    keys = {row["customer_id"] for row in rows if row["customer_id"] is not None}
    found = await live_customers(tx, keys, Hold.ADD) if keys else {}
    for customer in found.values():
        if isinstance(customer, CrmError):
            raise customer
