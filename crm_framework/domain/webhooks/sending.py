"""What is owed to webhooks: claimed for one process, sent by it outside of any transaction, and noted.

An attempt is counted and the next one planned before it is made. If its process dies, that next one comes
when the lease is over: the receiver then gets the same delivery once more, under the same id.
"""

import random
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import orjson

from crm_framework.domain.rows import for_update, insert, json_of, marks, time_of, time_text
from crm_framework.errors import CrmError
from crm_framework.outgoing.client import Answer
from crm_framework.security.sealed import unseal
from crm_framework.storage.clock import now
from crm_framework.storage.ids import new_id

from .changes import LEASE, SENDING, held, pause_by_itself
from .passing import Api

if TYPE_CHECKING:
    from crm_framework.settings import Settings
    from crm_framework.storage.database import Database
    from crm_framework.storage.unit_of_work import UnitOfWork

RETRIES = (
    timedelta(seconds=5),
    timedelta(minutes=5),
    timedelta(minutes=30),
    timedelta(hours=2),
    timedelta(hours=5),
    timedelta(hours=10),
    timedelta(hours=10),
)
"""Waits between the attempts, as the Standard Webhooks convention proposes: 27 h 35 min in all."""
MAX_ATTEMPTS = len(RETRIES) + 1
LONGEST_REST = timedelta(hours=24)
"""What a receiver may ask for with Retry-After."""
DEAD_AFTER = timedelta(days=1)
DEAD_ATTEMPTS = 5
"""A webhook is paused when nothing arrived for so long, and so many attempts at least."""
GONE = 410
TEST_TYPE = "webhook.test"

UNFINISHED = "the attempt did not end: its process was killed, or lost the database"


@dataclass(frozen=True, kw_only=True)
class Claim:
    """A delivery that this process is about to attempt, for the `attempts`-th time."""

    id: str
    webhook_id: str
    attempts: int


@dataclass(frozen=True, kw_only=True)
class Message:
    """What is sent: everything but the signature's time."""

    id: str
    url: str
    body: bytes
    secrets: Sequence[str]
    trace: str | None = None
    """The span that emitted the event."""

    def __repr__(self) -> str:
        return f"Message({self.id})"


async def due_webhooks(database: "Database") -> Mapping[str, int]:
    """Active webhooks to which something is due, and how often they failed in a row: a read."""
    rows = await database.fetch(
        "SELECT w.id, w.failures FROM crm_webhook w WHERE w.status = 'ACTIVE' AND EXISTS (SELECT 1 FROM"
        " crm_webhook_delivery d WHERE d.webhook_id = w.id AND d.status = 'PENDING' AND d.next_at <= ?)"
        " ORDER BY w.id",
        (now(),),
        bounded=True,
    )
    return {row["id"]: row["failures"] for row in rows}


async def claim(database: "Database", shares: Mapping[str, int]) -> list[Claim]:
    """Up to so many deliveries of each webhook that are due, the longest first."""
    claims: list[Claim] = []
    async with database.unit_of_work() as tx:
        lock = "FOR UPDATE SKIP LOCKED" if tx.dialect == "postgres" else ""
        for webhook_id, share in sorted(shares.items()):
            rows = await tx.fetch(
                "SELECT id, attempts FROM crm_webhook_delivery WHERE webhook_id = ? AND status = 'PENDING'"
                f" AND next_at <= ? ORDER BY next_at, position LIMIT ? {lock}",
                (webhook_id, tx.now, share),
            )
            lost = [row["id"] for row in rows if row["attempts"] >= MAX_ATTEMPTS]
            if lost:
                await tx.execute(
                    "UPDATE crm_webhook_delivery SET status = 'FAILED', finished_at = ?"
                    f" WHERE id IN ({marks(len(lost))})",
                    (tx.now, *lost),
                )
            found = [
                Claim(id=row["id"], webhook_id=webhook_id, attempts=row["attempts"] + 1)
                for row in rows
                if row["attempts"] < MAX_ATTEMPTS
            ]
            if found:
                await tx.execute(
                    "UPDATE crm_webhook_delivery SET attempts = attempts + 1, tried_at = ?, next_at = ?,"
                    f" error = ? WHERE id IN ({marks(len(found))})",
                    (tx.now, tx.now + LEASE, UNFINISHED, *(one.id for one in found)),
                )
            claims += found
    return claims


async def message(database: "Database", api: Api, claim: Claim) -> Message | None:
    """What to send, as it is known now: of an erased person nothing any more. None if it is not to be sent,
    as the webhook was paused or deleted, or another process has it. REFUSED if no key opens its secret."""
    rows = await database.fetch(
        "SELECT w.id, w.url, w.secret, w.old_secret, w.old_secret_until, e.type, e.payload, e.customer_id,"
        " e.created_at, e.trace FROM crm_webhook_delivery d JOIN crm_webhook w ON w.id = d.webhook_id"
        " JOIN crm_event e ON e.id = d.event_id"
        " WHERE d.id = ? AND d.attempts = ? AND d.status = 'PENDING' AND w.status = 'ACTIVE'",
        (claim.id, claim.attempts),
        bounded=True,
    )
    if not rows:
        return None
    row = rows[0]
    data = json_of(row["payload"])
    if row["customer_id"] is not None:
        data["customer"] = api.customer_id(row["customer_id"])
    body = _body(row["type"], time_of(row["created_at"]), data)
    return Message(
        id=claim.id, url=row["url"], body=body, secrets=_secrets(row, database.settings), trace=row["trace"]
    )


async def give_back(database: "Database", claim: Claim) -> None:
    """It was not sent, and does not count as an attempt."""
    async with database.unit_of_work() as tx:
        await tx.execute(
            "UPDATE crm_webhook_delivery SET attempts = attempts - 1, next_at = ?, error = NULL"
            " WHERE id = ? AND attempts = ? AND status = 'PENDING'",
            (tx.now, claim.id, claim.attempts),
        )


async def note(database: "Database", claim: Claim, answer: Answer) -> None:
    """Writes down what became of an attempt, unless it was given to another process meanwhile."""
    async with database.unit_of_work() as tx:
        rows = await tx.fetch(
            f"SELECT failures, failing_since FROM crm_webhook WHERE id = ? {for_update(tx, 'NO KEY UPDATE')}",
            (claim.webhook_id,),
        )
        if not rows:
            return  # it was deleted
        ended = answer.delivered or (claim.attempts >= MAX_ATTEMPTS and answer.status != GONE)
        status = "DELIVERED" if answer.delivered else "FAILED" if ended else "PENDING"
        noted = await _write(
            tx,
            claim,
            answer,
            status=status,
            finished_at=tx.now if ended else None,
            next_at=tx.now if ended else tx.now + rest(claim.attempts, answer.retry_after),
        )
        if noted:
            since = time_of(rows[0]["failing_since"])
            await _judge(tx, claim.webhook_id, answer, rows[0]["failures"], since)
        tx.wake(SENDING)  # there is room for another one


async def _judge(
    tx: "UnitOfWork", webhook_id: str, answer: Answer, failures: int, since: datetime | None
) -> None:
    if answer.delivered:
        if failures:
            await tx.execute(
                "UPDATE crm_webhook SET failures = 0, failing_since = NULL WHERE id = ?", (webhook_id,)
            )
        return
    begun = since or tx.now
    await tx.execute(
        "UPDATE crm_webhook SET failures = failures + 1, failing_since = ? WHERE id = ?", (begun, webhook_id)
    )
    if answer.status == GONE:
        await pause_by_itself(tx, webhook_id, "the receiver answered 410 Gone")
    elif failures + 1 >= DEAD_ATTEMPTS and begun <= tx.now - DEAD_AFTER:
        told = answer.error or f"it answered {answer.status}"
        reason = f"nothing has arrived since {time_text(begun)}, in {failures + 1} attempts; last: {told}"
        await pause_by_itself(tx, webhook_id, reason)


def rest(attempts: int, retry_after: int | None = None) -> timedelta:
    """How long after so many attempts the next one comes, give or take a tenth."""
    usual = RETRIES[min(attempts, len(RETRIES)) - 1] * random.uniform(0.9, 1.1)
    asked = min(timedelta(seconds=retry_after or 0), LONGEST_REST)
    return max(usual, asked)


async def begin_test(tx: "UnitOfWork", webhook_id: str) -> tuple[Claim, Message]:
    """A delivery without an event, also to a webhook that is paused: to be sent once, and noted."""
    webhook = await held(tx, webhook_id)
    (secrets,) = await tx.fetch(
        "SELECT id, secret, old_secret, old_secret_until FROM crm_webhook WHERE id = ?", (webhook.id,)
    )
    key = new_id()
    row = {
        "id": key,
        "webhook_id": webhook.id,
        "event_id": None,
        "type": TEST_TYPE,
        "status": "FAILED",
        "attempts": 1,
        "next_at": tx.now,
        "tried_at": tx.now,
        "finished_at": tx.now,
        "error": UNFINISHED,
        "created_at": tx.now,
    }
    await insert(tx, "crm_webhook_delivery", row)
    body = _body(TEST_TYPE, tx.now, {"message": "This is a test."})
    sent = Message(id=key, url=webhook.url, body=body, secrets=_secrets(secrets, tx.database.settings))
    return Claim(id=key, webhook_id=webhook.id, attempts=1), sent


async def note_test(tx: "UnitOfWork", claim: Claim, answer: Answer) -> None:
    """What became of a test. It says nothing about whether the webhook is of use."""
    await _write(
        tx,
        claim,
        answer,
        status="DELIVERED" if answer.delivered else "FAILED",
        finished_at=tx.now,
        was="FAILED",
    )


async def _write(
    tx: "UnitOfWork", claim: Claim, answer: Answer, *, was: str = "PENDING", **values: Any
) -> bool:
    told = answer.error
    if told is None and not answer.delivered:
        told = f"the receiver answered {answer.status}"
    columns = {
        **values,
        "response_status": answer.status,
        "response_text": answer.text,
        "duration_ms": answer.milliseconds,
        "error": None if told is None else told[:500],
    }
    changed = await tx.execute(
        f"UPDATE crm_webhook_delivery SET {', '.join(f'{name} = ?' for name in columns)}"
        " WHERE id = ? AND attempts = ? AND status = ?",
        (*columns.values(), claim.id, claim.attempts, was),
    )
    return changed == 1


def _body(type_: str, at: datetime | None, data: Mapping[str, Any]) -> bytes:
    return orjson.dumps({"type": type_, "timestamp": time_text(at), "data": data})


def _secrets(row: Mapping[str, Any], settings: "Settings") -> list[str]:
    keys, place = settings.webhook_keys, row["id"]
    found = [unseal(keys, row["secret"], place)]
    until = time_of(row["old_secret_until"])
    if until is not None and until > now():
        with suppress(CrmError):  # the new secret was made because the key is lost
            found.append(unseal(keys, row["old_secret"], place))
    return found
