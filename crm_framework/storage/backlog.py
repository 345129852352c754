"""How much work is owed after changes that are committed: for those who watch over it."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from .clock import now, parse_time

if TYPE_CHECKING:
    from .database import Database

MAX_COUNTED = 100_000
"""Counting stops there: who asks wants to know that it is too much, not how much."""


@dataclass(frozen=True, kw_only=True)
class Backlog:
    """Deliveries to handlers and jobs, by number, `MAX_COUNTED` at most each.

    `lag_seconds` is the time since the oldest event happened that a delivery waits for, 0 if none waits.
    """

    deliveries: int
    parked: int
    lag_seconds: float
    jobs_due: int
    jobs_failed: int


async def backlog(database: "Database") -> Backlog:
    """What is owed now. It takes time in proportion to that up to `MAX_COUNTED` of each, along indexes."""
    at = now()
    (row,) = await database.fetch(
        "SELECT"
        f" (SELECT COUNT(*) FROM (SELECT 1 FROM crm_delivery WHERE status = 'PENDING' LIMIT {MAX_COUNTED}) w)"
        " AS deliveries,"
        f" (SELECT COUNT(*) FROM (SELECT 1 FROM crm_delivery WHERE status = 'PARKED' LIMIT {MAX_COUNTED}) p)"
        " AS parked,"
        " (SELECT e.created_at FROM crm_delivery d JOIN crm_event e ON e.id = d.event_id"
        " WHERE d.status = 'PENDING' ORDER BY d.position LIMIT 1) AS oldest,"
        " (SELECT COUNT(*) FROM (SELECT 1 FROM crm_job WHERE status = 'WAITING' AND run_at <= ?"
        f" LIMIT {MAX_COUNTED}) j) AS jobs_due,"
        f" (SELECT COUNT(*) FROM (SELECT 1 FROM crm_job WHERE status = 'FAILED' LIMIT {MAX_COUNTED}) f)"
        " AS jobs_failed",
        (at,),
    )
    oldest = row["oldest"]
    return Backlog(
        deliveries=row["deliveries"],
        parked=row["parked"],
        lag_seconds=0.0 if oldest is None else max(0.0, (at - parse_time(oldest)).total_seconds()),
        jobs_due=row["jobs_due"],
        jobs_failed=row["jobs_failed"],
    )
