"""Keeps who belongs to segments on a day, as nobody can tell later.

The job `analytics.freeze` does it for every segment once a month, in batches of customers that are each
committed. A segment counts as kept once all of it is.
"""

from collections.abc import Collection, Mapping, Sequence
from datetime import date

from crm_analytics.rollups.kept import as_day
from crm_analytics.rollups.state import state
from crm_analytics.windows import day_in, month_of
from crm_framework import JobRun, Reader, UnitOfWork, among, new_id, segment_members

CUSTOMERS = 500
SEGMENTS = 200
"""So many at once."""

_MARK = (
    "INSERT INTO analytics_freeze (id, segment_id, day) VALUES (?, ?, ?)"
    " ON CONFLICT (segment_id, day) DO NOTHING"
)
_KEEP = (
    "INSERT INTO analytics_membership (id, segment_id, day, customer_id) VALUES (?, ?, ?, ?)"
    " ON CONFLICT (segment_id, day, customer_id) DO NOTHING"
)


async def freeze_job(job: JobRun) -> None:
    """The next batch of customers for the segments that are not kept in this month yet."""
    async with job.unit_of_work() as tx:
        if "segments" in job.payload:
            day, segments = date.fromisoformat(job.payload["day"]), job.payload["segments"]
        else:
            day = day_in(tx.now, (await state(tx)).zone)
            segments = await _due(month_of(day), tx)
        if not segments:
            job.done(tx)
            return
        customers = await _next(job.payload.get("after"), tx)
        members = await segment_members(tx, segments, customers)
        await _keep(members, day, tx)
        if len(customers) == CUSTOMERS:
            job.done(tx, then={"day": day.isoformat(), "segments": segments, "after": customers[-1]})
        else:
            await mark(segments, day, tx)
            job.done(tx, then={})  # there may be more than SEGMENTS


async def mark(segments: Collection[str], day: date, tx: UnitOfWork) -> None:
    """Notes that the members of these segments are kept as they were on the day."""
    await tx.execute_many(_MARK, [(new_id(), segment, day) for segment in sorted(segments)])


async def latest(segments: Collection[str], until: date, reader: Reader) -> dict[str, date]:
    """The latest day on or before `until` on which each was kept, if there is one."""
    where = among("segment_id", sorted(segments), reader.dialect)
    rows = await reader.rows(
        "SELECT CAST(segment_id AS TEXT), MAX(day) FROM analytics_freeze"
        f" WHERE {where.sql} AND day <= ? GROUP BY segment_id",
        [*where.args, until],
    )
    return {key: as_day(day) for key, day in rows}


async def _due(month: date, tx: UnitOfWork) -> list[str]:
    rows = await tx.fetch(
        "SELECT s.id FROM crm_segment AS s WHERE NOT EXISTS (SELECT 1 FROM analytics_freeze AS f"
        f" WHERE f.segment_id = s.id AND f.day >= ?) ORDER BY s.id LIMIT {SEGMENTS}",
        [month],
    )
    return [str(row["id"]) for row in rows]


async def _next(after: str | None, tx: UnitOfWork) -> list[str]:
    more, args = ("AND id > ?", [after]) if after else ("", [])
    rows = await tx.fetch(
        "SELECT id FROM crm_customer WHERE merged_into_id IS NULL AND erased_at IS NULL"
        f" {more} ORDER BY id LIMIT {CUSTOMERS}",
        args,
    )
    return [str(row["id"]) for row in rows]


async def _keep(members: Mapping[str, Collection[str]], day: date, tx: UnitOfWork) -> None:
    rows: Sequence[tuple[str, str, date, str]] = [
        (new_id(), segment, day, customer)
        for segment, found in sorted(members.items())
        for customer in sorted(found)
    ]
    await tx.execute_many(_KEEP, rows)
