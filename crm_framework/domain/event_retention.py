"""Removes events that are older than the company keeps them, unless somebody still waits for one.

It goes along the stream from its beginning, a page in each transaction. What remains are events that a
handler owes, also parked ones, and those that the log of a webhook's deliveries names. Nothing after the
place up to which events were passed on to webhooks is removed, nor the last event, whose place is that of the
stream.

Who follows the stream keeps a position of its own, which nobody here knows. So the last place that an event
was removed from is written down with it, and a follower that comes from before it is told (`check_kept`).
"""

from collections.abc import Sequence
from datetime import timedelta
from typing import TYPE_CHECKING

from crm_framework.hooks.dispatch import DeclaredJob
from crm_framework.hooks.specs import Job
from crm_framework.storage.clock import parse_time
from crm_framework.storage.stream import FORGOTTEN, START, is_after, order_of, position_of, tail

from .rows import for_update, insert, marks
from .webhooks.passing import passed_on

if TYPE_CHECKING:
    from crm_framework.settings import Settings
    from crm_framework.storage.unit_of_work import UnitOfWork
    from crm_framework.worker.runs import JobRun

FORGET = "crm.forget_events"
AT_ONCE = 1_000
"""Events looked at in one transaction, so that others need not wait for it."""


def retention_job(settings: "Settings") -> DeclaredJob:
    """The job that removes old events; its runs find the days as their settings."""
    job = Job(
        FORGET,
        "Removes events that are older than `events_kept_days`, if that is set.",
        forget_events,
        cron="7 4 * * *",
    )
    return DeclaredJob(job, settings.events_kept_days)


async def forget_events(job: "JobRun") -> None:
    """One page; the next one is the same job's, until events are too young."""
    days: int = job.settings
    if days == 0:
        return
    async with job.unit_of_work() as tx:
        end = await tail(tx.database)
        passed = await passed_on(tx.database)
        rows = await tx.fetch(
            "SELECT horizon, position, id, created_at FROM crm_event WHERE position > ?"
            " ORDER BY position LIMIT ?",
            (job.payload.get("after", 0), AT_ONCE),
        )
        before = tx.now - timedelta(days=days)
        old = [row for row in rows if parse_time(row["created_at"]) < before]
        places = {row["id"]: position_of(row["horizon"], row["position"], row["id"]) for row in old}
        ready = [
            key
            for key, place in places.items()
            if is_after(end, place) and (passed is None or not is_after(place, passed))
        ]
        removed = await _remove(tx, ready)
        if removed:
            await _note(tx, max((places[key] for key in removed), key=order_of))
        job.done(tx, then={"after": rows[-1]["position"]} if old else None)


async def _remove(tx: "UnitOfWork", keys: Sequence[str]) -> list[str]:
    """Those of the events that nothing names. Who is about to name one holds it, or finds it gone."""
    if tx.dialect == "postgres" and keys:
        rows = await tx.fetch(
            f"SELECT id FROM crm_event WHERE id IN ({marks(len(keys))}) FOR UPDATE SKIP LOCKED", keys
        )
        keys = [row["id"] for row in rows]
    if not keys:
        return []
    rows = await tx.fetch(
        f"DELETE FROM crm_event AS e WHERE e.id IN ({marks(len(keys))})"
        " AND NOT EXISTS (SELECT 1 FROM crm_delivery d WHERE d.event_id = e.id)"
        " AND NOT EXISTS (SELECT 1 FROM crm_webhook_delivery w WHERE w.event_id = e.id) RETURNING id",
        keys,
    )
    return [row["id"] for row in rows]


async def _note(tx: "UnitOfWork", place: str) -> None:
    row = {"name": FORGOTTEN, "position": START, "updated_at": tx.now}
    await insert(tx, "crm_stream_reader", row, or_nothing=True)
    (known,) = await tx.fetch(
        f"SELECT position FROM crm_stream_reader WHERE name = ? {for_update(tx)}", (FORGOTTEN,)
    )
    if is_after(place, known["position"]):
        await tx.execute(
            "UPDATE crm_stream_reader SET position = ?, updated_at = ? WHERE name = ?",
            (place, tx.now, FORGOTTEN),
        )
