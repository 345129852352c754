"""The order in which all changes take their locks, and how they hold the customers that they are about.

On PostgreSQL two changes that take locks in different orders can wait for each other, and the server ends one
of them. So every change waits for what it needs in this order:

1. its idempotency key,
2. the definitions of attributes,
3. staff, in the order of their keys,
4. customers, in the order of their keys, all in one call,
5. references of customers that it creates or changes, in the order of the references,
6. interactions, in the order of their keys, and then references of new ones, in their order,
7. the tables of plugins: each in an order of its own, and always after the customer,
8. keys of messages to send, in their order.

What belongs to a customer (contact points, tags, tokens, events that are owed) is changed only by those who
hold the customer, so it needs no order. Staff and interactions are held with NO KEY UPDATE: a row that names
them, which takes a lock on them too, then waits for nobody.

Customers can be merged into others while one waits for them. A change that finds such a loser gives up all
that it took in that call before it goes on to the winner, which may come earlier in the order. Losers of
earlier mergers come last: who holds the winner takes them without waiting, and gives way if it cannot.

Giving up is a rollback to the savepoint in which the locks were taken. It must be that very one: whoever
waits for a lock of a savepoint that was released waits for the whole transaction, also when an outer
savepoint is rolled back later.
"""

from collections.abc import Awaitable, Callable, Collection, Iterable, Sequence
from contextlib import nullcontext
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from crm_framework.domain.rows import among
from crm_framework.errors import CrmError, ErrorCode
from crm_framework.security.scopes import JUDGED
from crm_framework.storage.ids import is_key
from crm_framework.storage.turns import Turn

if TYPE_CHECKING:
    from crm_framework.storage.unit_of_work import UnitOfWork

Row = dict[str, Any]


class Hold(StrEnum):
    """What the transaction is about to do with the customer, and so which others have to wait."""

    ADD = "FOR KEY SHARE"
    """Records are added to it: only merge and erasure wait."""
    CHANGE = "FOR NO KEY UPDATE"
    """The row itself may change: whoever may change it too waits."""
    ALONE = "FOR UPDATE"
    """Its reference changes, or what belongs to it moves: everybody waits."""


More = Callable[[], Awaitable[Iterable[str]]]
"""Something that is to be done once customers are held; it tells whom it would have needed held too."""


class _Anew(Exception):
    """Customers were losers (key → winner's key), or there is more to be held."""

    def __init__(self, into: dict[str, str], more: Iterable[str] = ()) -> None:
        self.into = into
        self.more = more


class _GiveWay(Exception):
    """Something changed, or these losers of earlier mergers are held by others."""

    def __init__(self, busy: Sequence[str] = ()) -> None:
        self.busy = busy


async def hold_customers(
    tx: "UnitOfWork", keys: Iterable[str], hold: Hold, columns: Sequence[str], *, then: More | None = None
) -> dict[str, Row]:
    """Key → row of the customer that it stands for now, held until the end. Unknown keys are left out, and
    those of customers out of the change's reach.

    `columns` include `id` and `merged_into_id`. One statement where no customer was merged. `then` follows;
    if it tells keys, what it did is undone, and all begins anew with these keys too.
    """
    at = {key: key for key in keys if is_key(key)}
    if tx.reach is not None:
        columns = list(dict.fromkeys([*columns, *JUDGED]))
    select = f"SELECT {', '.join(columns)} FROM crm_customer"
    if tx.dialect == "postgres" and len(at) == 1 and then is None:
        (key,) = at
        row = await _at_once(tx, key, hold, select)
        if row is not None:
            return {key: row} if await reached(tx, [str(row["id"])], held=[row]) else {}
    while at or then:
        try:
            async with tx.savepoint() if tx.dialect == "postgres" else nullcontext():
                rows = await _in_order(tx, set(at.values()), hold, select) if at else {}
                into = {now: row["merged_into_id"] for now, row in rows.items() if row["merged_into_id"]}
                if into:
                    raise _Anew(into)
                if then is not None and (more := list(await then())):
                    raise _Anew({}, more)
                seen = await reached(tx, rows, held=rows.values())
                return {key: rows[now] for key, now in at.items() if now in rows and now in seen}
        except _Anew as anew:
            at = {key: anew.into.get(now, now) for key, now in at.items()} | {key: key for key in anew.more}
    return {}


async def reached(tx: "UnitOfWork", keys: Iterable[str], *, held: Iterable[Row] = ()) -> Collection[str]:
    """Those of these customers on whom the change may be: its actor may not see the others.

    All of them, and no statement, where nothing limits it; none either for those that are `held`, and those
    whose rows the change has yet to insert, where these rows tell.
    """
    wanted = dict.fromkeys(keys)
    if tx.reach is None or not wanted:
        return wanted.keys()
    seen: set[str] = set()
    if tx.reach.judge is not None:
        seen.update(str(row["id"]) for row in held if tx.reach.includes(row))
        turn = Turn()
        for columns, values in tx.transaction.unsent("crm_customer"):
            if turn.is_over:
                await turn.end()
            row = dict(zip(columns, values, strict=True))
            if row["id"] in wanted and tx.reach.includes(row):
                seen.add(row["id"])
    asked = [key for key in wanted if key not in seen]
    if asked:
        condition, args = tx.reach.of_row("t")
        chosen, arg = among(tx.dialect, "t.id", asked)
        sql = f"SELECT t.id FROM crm_customer AS t WHERE {chosen} AND ({condition})"
        seen |= {str(row["id"]) for row in await tx.fetch(sql, [arg, *args])}
    tx.admitted |= seen
    return seen


async def hold_with_losers(
    tx: "UnitOfWork", named: Callable[[], Awaitable[Sequence[str]]]
) -> tuple[list[str], list[str]]:
    """Holds customers alone, and the losers that lead to them: keys of both, in this order.

    `named` tells the customers' keys as they are now. It is asked again once they are held, and all begins
    anew if it tells others; what it raises goes on.
    """
    while True:
        keys = list(await named())
        try:
            async with tx.savepoint():
                await tx.lock("crm_customer", keys)
                if list(await named()) != keys:
                    raise _GiveWay
                return keys, await _losers(tx, keys)
        except _GiveWay as gave:
            busy = gave.busy
        if busy:
            await _await_one(tx, busy[0])


async def _at_once(tx: "UnitOfWork", key: str, hold: Hold, select: str) -> Row | None:
    """The customer's row, if it can be held without waiting. It spares the usual case the savepoint."""
    at = key
    while True:
        rows = await tx.fetch(
            f"{select} WHERE id = (SELECT COALESCE(merged_into_id, id) FROM crm_customer WHERE id = ?)"
            f" {hold} SKIP LOCKED",
            [at],
        )
        if rows and rows[0]["merged_into_id"] is None:
            return rows[0]
        if not rows and at == key:
            return None
        if not rows:  # A loser is held by now, and cannot be given back.
            raise CrmError(ErrorCode.CONFLICT, f"The customer {at} is being changed.", hint="Try again.")
        at = rows[0]["merged_into_id"]


async def _in_order(tx: "UnitOfWork", keys: Iterable[str], hold: Hold, select: str) -> dict[str, Row]:
    condition, arg = among(tx.dialect, "id", keys)
    lock = f" ORDER BY id {hold}" if tx.dialect == "postgres" else ""
    rows = await tx.fetch(f"{select} WHERE {condition}{lock}", [arg])
    return {str(row["id"]): row for row in rows}


async def _losers(tx: "UnitOfWork", keys: Sequence[str]) -> list[str]:
    condition, arg = among(tx.dialect, "merged_into_id", keys)
    select = f"SELECT id FROM crm_customer WHERE {condition} ORDER BY id"
    there = [str(row["id"]) for row in await tx.fetch(select, [arg])]
    if there and tx.dialect == "postgres":
        held = {str(row["id"]) for row in await tx.fetch(f"{select} {Hold.ALONE} SKIP LOCKED", [arg])}
        busy = [key for key in there if key not in held]
        if busy:
            raise _GiveWay(busy)
    return there


async def _await_one(tx: "UnitOfWork", key: str) -> None:
    """Waits until the customer is free, without keeping it."""
    try:
        async with tx.savepoint():
            await tx.lock("crm_customer", [key])
            raise _GiveWay
    except _GiveWay:
        pass
