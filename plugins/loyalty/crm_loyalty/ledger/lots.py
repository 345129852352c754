"""Reads of lots and pending points, as many as an entry needs and no more.

Open lots have an index of their own, in the order of spending: what was used up costs nothing.
"""

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from crm_framework import UnitOfWork, among, parse_time

from .accounts import Account
from .book import HeldPending, OpenLot
from .entries import Lot, Pending, Use

LOT = "id, account_id, origin_id, points, expires_at, earned_at, remaining, expired"
PENDING = "id, account_id, points, unlock_at, expires_at, earned_at, qualifies, remaining"
TURN = "expires_at, earned_at, id"
WALK = (
    f"WITH RECURSIVE way AS ((SELECT {LOT}, remaining AS total FROM loyalty_lot WHERE account_id = ?"
    f" AND remaining > 0 AND expires_at > ? ORDER BY {TURN} LIMIT 1)"
    f" UNION ALL SELECT n.*, way.total + n.remaining FROM way, LATERAL (SELECT {LOT} FROM loyalty_lot"
    " WHERE account_id = way.account_id AND remaining > 0"
    f" AND ({TURN}) > (way.expires_at, way.earned_at, way.id) ORDER BY {TURN} LIMIT 1) n"
    f" WHERE way.total < ?) SELECT {LOT} FROM way"
)
PAGE = 50
"""Lots that are read at once for one account."""


async def know_due(tx: UnitOfWork, accounts: Iterable[Account]) -> None:
    """Lots that are to expire by now, and pending points that are to unlock."""
    by_id = {account.id: account for account in accounts}
    if not by_id:
        return
    now = max(account.posted_at for account in by_id.values())
    where = among("account_id", sorted(by_id), tx.dialect)
    lots = await tx.fetch(
        f"SELECT {LOT} FROM loyalty_lot WHERE {where.sql} AND remaining > 0 AND expires_at <= ?",
        [*where.args, now],
    )
    pending = await tx.fetch(
        f"SELECT {PENDING} FROM loyalty_pending WHERE {where.sql} AND remaining > 0 AND unlock_at <= ?",
        [*where.args, now],
    )
    _know(by_id, lots, pending)


async def know_lots(tx: UnitOfWork, needs: Mapping[str, int], accounts: Mapping[str, Account]) -> None:
    """Of each account the first lots in the order of spending that have so many points, if there are."""
    wanted = {key: points for key, points in needs.items() if points > 0}
    if len(wanted) == 1:
        ((key, points),) = wanted.items()
        await (_walk if tx.dialect == "postgres" else _know_of_one)(tx, accounts[key], points)
    elif wanted:
        rows = await tx.fetch(
            f"SELECT {LOT} FROM (SELECT {LOT}, SUM(remaining) OVER (PARTITION BY account_id ORDER BY {TURN})"
            f" - remaining AS passed FROM loyalty_lot l WHERE {_among('account_id', tx)} AND remaining > 0"
            f" AND expires_at > ?) x WHERE passed < {_need(tx)}",
            [_keys(wanted, tx), _soonest(accounts, wanted), *_needs(wanted, tx)],
        )
        _know(accounts, rows, ())


async def know_all(tx: UnitOfWork, accounts: Mapping[str, Account]) -> None:
    """All that is open in these accounts."""
    where = among("account_id", sorted(accounts), tx.dialect)
    _know(
        accounts,
        await tx.fetch(f"SELECT {LOT} FROM loyalty_lot WHERE {where.sql} AND remaining > 0", where.args),
        await tx.fetch(
            f"SELECT {PENDING} FROM loyalty_pending WHERE {where.sql} AND remaining > 0", where.args
        ),
    )


async def know_origins(tx: UnitOfWork, origin_ids: Sequence[str], accounts: Mapping[str, Account]) -> None:
    """The lots and pending points of these earning entries, used up or not."""
    where = among("origin_id", origin_ids, tx.dialect)
    lots = await tx.fetch(f"SELECT {LOT} FROM loyalty_lot WHERE {where.sql}", where.args)
    ids = among("id", origin_ids, tx.dialect)
    pending = await tx.fetch(f"SELECT {PENDING} FROM loyalty_pending WHERE {ids.sql}", ids.args)
    _know(accounts, lots, pending)


async def know_used(
    tx: UnitOfWork, entry_ids: Sequence[str], accounts: Mapping[str, Account]
) -> dict[str, list[Use]]:
    """Of each entry what it used, with these lots."""
    where = among("a.entry_id", entry_ids, tx.dialect)
    rows = await tx.fetch(
        "SELECT a.entry_id, a.points AS used, l.id, l.account_id, l.origin_id, l.points, l.expires_at,"
        " l.earned_at, l.remaining, l.expired FROM loyalty_allocation a JOIN loyalty_lot l ON l.id = a.lot_id"
        f" WHERE {where.sql} ORDER BY a.id",
        where.args,
    )
    _know(accounts, rows, ())
    found: dict[str, list[Use]] = defaultdict(list)
    for row in rows:
        found[row["entry_id"]].append(Use(row["id"], row["used"]))
    return found


async def _walk(tx: UnitOfWork, account: Account, points: int) -> None:
    """One lot after the other in the order of the index, until there are enough.

    A limit alone does not do: PostgreSQL takes accounts to have few lots, and reads and sorts those of one
    that has thousands.
    """
    rows = await tx.fetch(WALK, [account.id, account.posted_at, points])
    account.book.know(lot_of(row) for row in rows)


async def _know_of_one(tx: UnitOfWork, account: Account, points: int) -> None:
    after: tuple[object, ...] = (account.posted_at,)
    beyond = "expires_at > ?"
    while points > 0:
        rows = await tx.fetch(
            f"SELECT {LOT} FROM loyalty_lot WHERE account_id = ? AND remaining > 0 AND {beyond}"
            f" ORDER BY {TURN} LIMIT {PAGE}",
            [account.id, *after],
        )
        account.book.know(lot_of(row) for row in rows)
        if len(rows) < PAGE:
            return
        points -= sum(row["remaining"] for row in rows)
        last = rows[-1]
        after = (parse_time(last["expires_at"]), parse_time(last["earned_at"]), last["id"])
        beyond = f"({TURN}) > (?, ?, ?)"


def _know(
    accounts: Mapping[str, Account], lots: Iterable[dict[str, Any]], pending: Iterable[dict[str, Any]]
) -> None:
    for row in lots:
        if row["account_id"] in accounts:
            accounts[row["account_id"]].book.know([lot_of(row)])
    for row in pending:
        if row["account_id"] in accounts:
            accounts[row["account_id"]].book.know((), [pending_of(row)])


def _among(column: str, tx: UnitOfWork) -> str:
    return among(column, [], tx.dialect).sql


def _keys(wanted: Mapping[str, int], tx: UnitOfWork) -> object:
    return among("account_id", sorted(wanted), tx.dialect).args[0]


def _soonest(accounts: Mapping[str, Account], wanted: Mapping[str, int]) -> datetime:
    return min(accounts[key].posted_at for key in wanted)


def _need(tx: UnitOfWork) -> str:
    if tx.dialect == "sqlite":
        return "(SELECT n.value FROM json_each(?) n WHERE n.key = x.account_id)"
    return (
        "(SELECT n.points FROM unnest(CAST(? AS uuid[]), CAST(? AS bigint[])) n (id, points)"
        " WHERE n.id = x.account_id)"
    )


def _needs(wanted: Mapping[str, int], tx: UnitOfWork) -> list[object]:
    if tx.dialect == "sqlite":
        return [json.dumps(dict(wanted))]
    return [list(wanted), list(wanted.values())]


def lot_of(row: dict[str, Any]) -> OpenLot:
    """From a row of `LOT`."""
    lot = Lot(
        id=row["id"],
        points=row["points"],
        expires_at=parse_time(row["expires_at"]),
        earned_at=parse_time(row["earned_at"]),
        origin_id=row["origin_id"],
    )
    return OpenLot(lot, row["remaining"], row["expired"])


def pending_of(row: dict[str, Any]) -> HeldPending:
    """From a row of `PENDING`."""
    pending = Pending(
        id=row["id"],
        points=row["points"],
        unlock_at=parse_time(row["unlock_at"]),
        expires_at=parse_time(row["expires_at"]),
        earned_at=parse_time(row["earned_at"]),
        qualifies=bool(row["qualifies"]),
    )
    return HeldPending(pending, row["remaining"])
