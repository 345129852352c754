"""Jobs that wait: leased by one worker at a time, and ended by who holds the lease.

A lease is a key that is made anew for each run. Whoever ends a job, or changes anything in its name, must
find it in the job's row: one that was given on meanwhile is not found.
"""

import random
from collections.abc import Collection, Mapping
from contextlib import nullcontext, suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Any

import orjson
from tortoise.exceptions import IntegrityError

from crm_framework.errors import CrmError, ErrorCode

from .clock import now, parse_time
from .deferrals import CHORE
from .ids import new_id

if TYPE_CHECKING:
    from .database import Database
    from .unit_of_work import UnitOfWork

LEASE = timedelta(seconds=60)
"""How long a job is a worker's without a sign of life."""
FIRST_RETRY = timedelta(seconds=10)
LONGEST_RETRY = timedelta(hours=1)
ERROR_LIMIT = 2000
"""Characters of an error that are kept."""


class JobStatus(StrEnum):
    """What has become of a job."""

    WAITING = "WAITING"
    """It runs when its time has come."""
    RUNNING = "RUNNING"
    """A worker has it."""
    DONE = "DONE"
    FAILED = "FAILED"
    """It failed as often as it may, and is left until somebody has it run again."""
    CANCELLED = "CANCELLED"
    """It was cancelled while it ran, or another one under its key took its place."""


@dataclass(frozen=True, kw_only=True)
class Leased:
    """A job that is this worker's until `until`, or longer if it renews it."""

    id: str
    lease: str
    name: str
    key: str | None
    payload: Mapping[str, Any]
    attempts: int
    """The running one counts."""
    run_at: datetime
    trace: str | None = None
    """The span that asked for it."""


_DUE = """
    SELECT j.id FROM crm_job j
    WHERE j.status = 'WAITING' AND j.run_at <= ? AND j.name IN ({names}) {one}
    AND (j.key_text IS NULL OR NOT EXISTS (
        SELECT 1 FROM crm_job r WHERE r.status = 'RUNNING' AND r.name = j.name AND r.key_text = j.key_text))
    ORDER BY j.run_at, j.id LIMIT ?
"""
_ENDED = "lease = NULL, leased_until = NULL, leased_by = NULL"
_MINE = "WHERE id = ? AND lease = ? AND status = 'RUNNING'"
_FINISH = f"UPDATE crm_job SET status = 'DONE', finished_at = ?, error = NULL, {_ENDED} {_MINE}"


async def any_due(database: "Database", names: Collection[str]) -> bool:
    """Whether there is something to lease: a read, which waits for nobody."""
    found = await database.rows(_due(names), (now(), *sorted(names), 1))
    return bool(found)


async def lease(
    database: "Database", names: Collection[str], limit: int, *, by: str, only: str | None = None
) -> list[Leased]:
    """At most so many jobs of these names that are due, the longest first; `only` is the key of one of them.

    Each run counts as an attempt from here on, whatever becomes of it. Jobs of one name and key do not run at
    once.
    """
    at, key = now(), new_id()
    picked = _due(names, one="AND j.id = ?" if only else "")
    if database.dialect == "postgres":
        picked += " FOR UPDATE OF j SKIP LOCKED"
    rows = await database.change_alone(
        f"WITH picked AS MATERIALIZED ({picked}) "
        "UPDATE crm_job SET status = 'RUNNING', lease = ?, leased_by = ?, leased_until = ?, "
        "started_at = ?, attempts = attempts + 1, cancelled = FALSE WHERE id IN (SELECT id FROM picked) "
        "RETURNING id, lease, name, key_text, payload, attempts, run_at, trace",
        (
            *(at, *sorted(names), *((only,) if only else ()), limit),
            *(key, by[:200], at + LEASE, at),
        ),
    )
    found = [
        Leased(
            id=str(row["id"]),
            lease=str(row["lease"]),
            name=row["name"],
            key=row["key_text"],
            payload=orjson.loads(row["payload"]),
            attempts=row["attempts"],
            run_at=parse_time(row["run_at"]),
            trace=row["trace"],
        )
        for row in rows
    ]
    return sorted(found, key=lambda job: (job.run_at, job.id))


def _due(names: Collection[str], one: str = "") -> str:
    return _DUE.format(names=", ".join("?" * len(names)), one=one)


async def renew(database: "Database", job: Leased) -> bool:
    """Whether the job is still this worker's; then it is for another while."""
    async with database.unit_of_work() as tx:
        changed = await tx.execute(
            f"UPDATE crm_job SET leased_until = ? {_MINE}", (tx.now + LEASE, job.id, job.lease)
        )
    return changed == 1


async def hold(tx: "UnitOfWork", job: Leased) -> None:
    """Makes sure that the job is this worker's until the end of the transaction. Raises `lost` if not."""
    lock = "FOR NO KEY UPDATE" if tx.dialect == "postgres" else ""
    if not await tx.fetch(f"SELECT 1 FROM crm_job {_MINE} {lock}", (job.id, job.lease)):
        raise lost(job)


async def finish_alone(database: "Database", job: Leased) -> bool:
    """As `finish`, in a transaction of its own."""
    done = await database.change_alone(f"{_FINISH} RETURNING id", (now(), job.id, job.lease))
    return bool(done)


async def finish(tx: "UnitOfWork", job: Leased) -> bool:
    """Whether the job was this worker's still; then it is done."""
    return await tx.execute(_FINISH, (tx.now, job.id, job.lease)) == 1


async def go_on(tx: "UnitOfWork", job: Leased, payload: str) -> bool:
    """The same for one that goes on with another payload, as soon as a worker is free."""
    return await _wait_again(
        tx, job, "run_at = ?, attempts = 0, error = NULL, payload = ?", (tx.now, payload)
    )


async def give_back(database: "Database", job: Leased) -> None:
    """Lets others run it at once: it was cut short and is not to blame."""
    async with database.unit_of_work() as tx:
        await _wait_again(tx, job, "run_at = ?, attempts = attempts - 1", (tx.now,))


async def fail(database: "Database", job: Leased, error: str, *, attempts: int) -> JobStatus | None:
    """What becomes of a job whose run failed and that may be tried so often; None if it was another's."""
    async with database.unit_of_work() as tx:
        text = error[:ERROR_LIMIT]
        if job.attempts < attempts:
            at = tx.now + pause(job.attempts)
            again = await _wait_again(tx, job, "run_at = ?, error = ?", (at, text))
            return JobStatus.WAITING if again else None
        parked = await tx.execute(
            f"UPDATE crm_job SET status = 'FAILED', finished_at = ?, error = ?, {_ENDED} {_MINE}",
            (tx.now, text, job.id, job.lease),
        )
        return JobStatus.FAILED if parked else None


def pause(attempts: int) -> timedelta:
    """How long a job rests after so many attempts, give or take a fifth."""
    usual: timedelta = min(FIRST_RETRY * 4 ** min(attempts - 1, 10), LONGEST_RETRY)
    return usual * random.uniform(0.8, 1.2)


async def abandoned(database: "Database", names: Collection[str]) -> list[Leased]:
    """Jobs of these names whose worker has given no sign of life for too long."""
    rows = await database.fetch(
        "SELECT id, lease, name, key_text, attempts, run_at FROM crm_job "
        f"WHERE status = 'RUNNING' AND leased_until < ? AND name IN ({', '.join('?' * len(names))}) "
        "LIMIT 100",
        (now(), *sorted(names)),
    )
    return [
        Leased(
            id=str(row["id"]),
            lease=str(row["lease"]),
            name=row["name"],
            key=row["key_text"],
            payload={},
            attempts=row["attempts"],
            run_at=parse_time(row["run_at"]),
        )
        for row in rows
    ]


async def _wait_again(tx: "UnitOfWork", job: Leased, changes: str, values: tuple[object, ...]) -> bool:
    """Whether it was this worker's. It waits, unless it was cancelled or another waits under its key."""
    waits = f"UPDATE crm_job SET status = 'WAITING', {changes}, {_ENDED} {_MINE} AND NOT cancelled"
    attempt = tx.savepoint() if job.key is not None else nullcontext()
    with suppress(IntegrityError):  # the one that waits was deferred later, and so is the one that counts
        async with attempt:
            if await tx.execute(waits, (*values, job.id, job.lease)):
                tx.wake(CHORE)
                return True
    ended = await tx.execute(
        f"UPDATE crm_job SET status = 'CANCELLED', finished_at = ?, {_ENDED} {_MINE}",
        (tx.now, job.id, job.lease),
    )
    return ended == 1


def lost(job: Leased) -> CrmError:
    return CrmError(
        ErrorCode.UNAVAILABLE,
        f"The job {job.name} ({job.id}) is no longer this run's: it was ended, or given to another worker.",
        hint="Nothing was changed. Let the exception pass.",
    )
