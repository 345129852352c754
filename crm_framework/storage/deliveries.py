"""Delivers the events that handlers still owe, on any number of nodes at once, each exactly once in effect.

A delivery takes two transactions. The first claims it: the attempt is counted and the next one planned before
the handler is called, so that an event that kills the process is parked in the end. The second holds the
customer and the delivery, calls the handler and removes the row: what the handler does and that it is done
are one commit. Who finds that the delivery was claimed once more meanwhile, or is done, leaves it.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from . import outbox
from .clock import now
from .debts import ERROR_LENGTH, FIRST_RETRY, MAX_ATTEMPTS, Stored, retry_after
from .holding import Owed, held
from .outbox import EventHandler

if TYPE_CHECKING:
    from .database import Database
    from .unit_of_work import UnitOfWork

log = logging.getLogger(__name__)

CHORE = "deliveries"
"""What the worker's loop is called that delivers."""

BATCH = 50
"""Deliveries of one handler in one transaction, each of another customer."""
BATCHED_ATTEMPTS = 2
"""From so many attempts on an event goes alone: it may be the one that lets others fail, or die, with it."""
LEASE = timedelta(seconds=60)
"""How much later than after a failure a delivery is claimed again whose process may have died."""

UNFINISHED = "the attempt did not end: its process was killed, or lost the database"


@dataclass(frozen=True, kw_only=True)
class Claim:
    """Deliveries that this process is about to try, by key, with the number of the attempt."""

    handler: EventHandler
    attempts: dict[str, int]


async def deliver_due(database: "Database", limit: int = 1000) -> int:
    """Tries up to about `limit` deliveries that are due, one batch after the other; how many were done."""
    done = tried = 0
    while tried < limit and (claims := await claim_due(database, 1)):
        tried += len(claims[0].attempts)
        done += await deliver(database, claims[0])
    return done


async def claim_due(database: "Database", room: int) -> list[Claim]:
    """Up to `room` batches of deliveries that are due, now this process's to `deliver`.

    Changes nothing if there are none. Deliveries of plugins that are not on wait.
    """
    claims: list[Claim] = []
    for handler in database.handlers:
        if len(claims) < room and await _is_due(database, handler):
            async with database.unit_of_work() as tx:
                claimed = await _claim(tx, handler, room - len(claims))
            claims += claimed
    return claims


async def _is_due(database: "Database", handler: EventHandler) -> bool:
    rows = await database.fetch(
        "SELECT 1 FROM crm_delivery WHERE handler = ? AND status = 'PENDING' AND next_at <= ? LIMIT 1",
        [handler.name, now()],
        bounded=True,
    )
    return bool(rows)


async def _claim(tx: "UnitOfWork", handler: EventHandler, room: int) -> list[Claim]:
    lock = "" if tx.dialect == "sqlite" else " FOR UPDATE OF d SKIP LOCKED"
    rows = await tx.fetch(
        "SELECT d.id, d.attempts FROM crm_delivery d"
        " WHERE d.handler = ? AND d.status = 'PENDING' AND d.next_at <= ?"
        " AND NOT EXISTS (SELECT 1 FROM crm_delivery b WHERE b.customer_id = d.customer_id"
        " AND b.handler = d.handler AND b.status = 'PENDING' AND b.position < d.position)"
        f" ORDER BY d.next_at, d.position LIMIT {BATCH * room}{lock}",
        [handler.name, tx.now],
    )
    found = {row["id"]: row["attempts"] for row in rows}
    if lost := [key for key, attempts in found.items() if attempts >= MAX_ATTEMPTS]:
        await _set(tx, lost, status="PARKED", error=UNFINISHED)
    together = [key for key, attempts in found.items() if attempts < BATCHED_ATTEMPTS]
    parts = [together[start : start + BATCH] for start in range(0, len(together), BATCH)]
    parts += [[key] for key, attempts in found.items() if BATCHED_ATTEMPTS <= attempts < MAX_ATTEMPTS]
    claims = [Claim(handler=handler, attempts={key: found[key] + 1 for key in part}) for part in parts[:room]]
    taken = {key: attempts for claim in claims for key, attempts in claim.attempts.items()}
    for number in sorted(set(taken.values())):
        await _set(
            tx,
            [key for key, attempts in taken.items() if attempts == number],
            attempts=number,
            tried_at=tx.now,
            next_at=tx.now + LEASE + retry_after(number),
            error=UNFINISHED,
        )
    return claims


async def deliver(database: "Database", claim: Claim) -> int:
    """Tries what was claimed; the number of events that are done.

    A failure of the handler is noted. What the database fails in before the handler is called is raised, and
    does not count as an attempt.
    """
    begun = False
    failure: str | None = None
    owed: list[Owed] = []
    try:
        async with database.unit_of_work() as tx:
            owed = await held(tx, claim.attempts)
            if not owed:
                return 0
            begun = True
            failure = await _try(tx, claim.handler, owed)
    except Exception as error:
        await _note_undone(database, claim, owed, error if begun else None)
        if not begun:
            raise
        return 0
    if failure is None:
        return len(owed)
    done = 0
    if len(owed) > 1:  # one of them fails, or all do: each by itself, as the attempt that was counted
        for one in owed:
            done += await deliver(database, Claim(handler=claim.handler, attempts={one.id: one.attempts}))
    return done


async def _try(tx: "UnitOfWork", handler: EventHandler, owed: Sequence[Owed]) -> str | None:
    """Why the handler failed; None where it did not."""
    stored: list[Stored] = [(one.event_id, one.event) for one in owed]
    seconds = outbox.allowed(tx.database.delivery_budget_ms, stored)
    try:
        async with tx.savepoint():
            emitted = await outbox.attempt(tx, handler, stored, seconds, [one.trace for one in owed])
    except Exception as error:
        why = outbox.reason(error, seconds)
        log.warning("Plugin %s did not handle %d owed event(s): %s", handler.name, len(owed), why)
        if len(owed) == 1:
            await _note_failure(tx, owed[0], why)
        return why
    keys = [one.id for one in owed]
    await tx.execute(f"DELETE FROM crm_delivery WHERE id IN ({', '.join('?' * len(keys))})", keys)
    await outbox.hand_on(tx, emitted)
    tx.wake(CHORE)  # what came behind these is due now
    return None


async def _note_failure(tx: "UnitOfWork", one: Owed, why: str) -> None:
    """Plans the next attempt, if there is one; nothing if it was claimed for that already."""
    parked = one.attempts >= MAX_ATTEMPTS
    noted = await tx.execute(
        "UPDATE crm_delivery SET status = ?, next_at = ?, error = ?"
        " WHERE id = ? AND attempts = ? AND status = 'PENDING'",
        [
            *("PARKED" if parked else "PENDING", now() + retry_after(one.attempts), why[:ERROR_LENGTH]),
            *(one.id, one.attempts),
        ],
    )
    if parked and noted:
        log.error(
            "Event %s is parked after %d attempts of plugin %s: see `crm events show %s`.",
            one.event_id, one.attempts, one.handler, one.event_id,
        )  # fmt: skip


async def _note_undone(
    database: "Database", claim: Claim, owed: Sequence[Owed], error: Exception | None
) -> None:
    """After the whole transaction was lost: at its end or, without `error`, before the handler's turn."""
    if error is None:
        for key, attempts in claim.attempts.items():
            async with database.unit_of_work() as tx:
                await tx.execute(
                    "UPDATE crm_delivery SET attempts = ?, next_at = ?, error = NULL"
                    " WHERE id = ? AND attempts = ? AND status = 'PENDING'",
                    [attempts - 1, tx.now + FIRST_RETRY, key, attempts],
                )
        return
    stored: list[Stored] = [(one.event_id, one.event) for one in owed]
    why = outbox.kept(error, outbox.reason(error, 0), stored)
    name = claim.handler.name
    log.warning("What plugin %s did with %d owed event(s) was undone: %s", name, len(owed), why)
    for one in owed:
        async with database.unit_of_work() as tx:
            await _note_failure(tx, one, why)


async def _set(tx: "UnitOfWork", keys: Sequence[str], **values: Any) -> None:
    columns = ", ".join(f"{column} = ?" for column in values)
    await tx.execute(
        f"UPDATE crm_delivery SET {columns} WHERE id IN ({', '.join('?' * len(keys))})",
        [*values.values(), *keys],
    )
