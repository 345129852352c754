"""Jobs on their way out of a unit of work: gathered while it goes on, stored at its end.

The rows of jobs are the last that a transaction takes, so that whoever defers or cancels holds no job while
it waits for something else.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

import orjson

from crm_framework import tracing
from crm_framework.errors import CrmError, ErrorCode, cut

from .ids import new_id

if TYPE_CHECKING:
    from .unit_of_work import UnitOfWork

CHORE = "jobs"
"""The worker's loop that runs them."""
KEY_LIMIT = 200
PAYLOAD_LIMIT = 64 * 1024
"""Bytes of a payload: it names what is to be done, and is no place for the content."""

COLUMNS = ("id", "name", "key_text", "payload", "status", "run_at", "attempts", "created_at", "trace")
_INSERT = f"INSERT INTO crm_job ({', '.join(COLUMNS)}) VALUES ({', '.join('?' * len(COLUMNS))})"
_WAITS = "ON CONFLICT (name, key_text) WHERE status = 'WAITING' AND key_text IS NOT NULL"
_MOVE = (
    "DO UPDATE SET payload = excluded.payload, run_at = excluded.run_at, attempts = 0, error = NULL,"
    " trace = excluded.trace"
)


@dataclass(frozen=True, slots=True)
class Deferral:
    """A job to come. Without a payload: the one under that key is not to come."""

    name: str
    key: str | None
    payload: str | None
    at: datetime | None
    trace: str | None = None
    """The span that asked for it."""


def deferral(name: str, payload: Mapping[str, Any], at: datetime | None, key: str | None) -> Deferral:
    """A job to come. Raises CrmError INTERNAL for what cannot be stored."""
    if at is not None and at.tzinfo is None:
        raise _unfit(name, f"the time {at.isoformat()} carries no zone", "Pass an aware datetime.")
    return Deferral(name, checked_key(name, key), encoded(name, payload), at, tracing.cause())


def cancellation(name: str, key: str) -> Deferral:
    return Deferral(name, checked_key(name, key), None, None)


def encoded(name: str, payload: Mapping[str, Any]) -> str:
    """The payload as it is stored."""
    if not isinstance(payload, Mapping):
        raise _unfit(name, "its payload is no mapping", "Pass names with values that JSON knows.")
    try:
        text = orjson.dumps(dict(payload)).decode()
    except TypeError as error:
        raise _unfit(
            name, f"its payload is no JSON ({error})", "Pass text, numbers, lists and mappings."
        ) from None
    if len(text.encode()) > PAYLOAD_LIMIT:
        raise _unfit(
            name,
            f"its payload has more than {PAYLOAD_LIMIT} bytes",
            "Pass keys of rows instead of their content.",
        )
    return text


def checked_key(name: str, key: str | None) -> str | None:
    if key is None or (isinstance(key, str) and 0 < len(key) <= KEY_LIMIT):
        return key
    raise _unfit(name, f"its key is {cut(key)}", f"Pass text of 1 to {KEY_LIMIT} characters.")


def check_declared(tx: "UnitOfWork", name: str) -> None:
    known = tx.database.job_names
    if known is not None and name not in known:
        raise _unfit(name, "no enabled plugin declares it", "List it in the plugin's `Plugin(jobs=[...])`.")


async def settle(tx: "UnitOfWork", gathered: Sequence[Deferral]) -> None:
    """Stores what was deferred and takes back what was cancelled. Called once, before the commit."""
    plain = [one for one in gathered if one.key is None]
    tx.insert_values("crm_job", COLUMNS, [_row(tx, one) for one in plain])
    keyed = {(one.name, one.key): one for one in gathered if one.key is not None}  # the last word holds
    for _, one in sorted(keyed.items()):
        if one.payload is None:
            await _cancel(tx, one)
        else:
            await tx.execute(f"{_INSERT} {_WAITS} {_MOVE}", _row(tx, one))
    tx.wake(CHORE)


async def store_unless_waiting(tx: "UnitOfWork", name: str, key: str, at: datetime) -> None:
    """Stores a job without a payload, unless one waits under that key."""
    await tx.execute(f"{_INSERT} {_WAITS} DO NOTHING", _row(tx, Deferral(name, key, "{}", at)))
    tx.wake(CHORE)


async def _cancel(tx: "UnitOfWork", one: Deferral) -> None:
    """What runs is left to its end, but not run again: neither after a failure nor to go on."""
    lock = "ORDER BY id FOR UPDATE" if tx.dialect == "postgres" else ""
    found = await tx.fetch(
        "SELECT id, status FROM crm_job WHERE name = ? AND key_text = ? AND status IN ('WAITING', 'RUNNING') "
        + lock,
        (one.name, one.key),
    )
    for row in found:
        if row["status"] == "WAITING":
            await tx.execute("DELETE FROM crm_job WHERE id = ?", (row["id"],))
        else:
            await tx.execute("UPDATE crm_job SET cancelled = TRUE WHERE id = ?", (row["id"],))


def _row(tx: "UnitOfWork", one: Deferral) -> tuple[Any, ...]:
    return new_id(), one.name, one.key, one.payload, "WAITING", one.at or tx.now, 0, tx.now, one.trace


def _unfit(name: str, what: str, hint: str) -> CrmError:
    return CrmError(ErrorCode.INTERNAL, f"The job {cut(name, 80)} cannot be deferred: {what}.", hint=hint)
