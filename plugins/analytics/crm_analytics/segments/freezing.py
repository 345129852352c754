"""Keeps who belongs to segments on a day, as nobody can tell later.

The job `analytics.freeze` does it for every segment once a month, in batches of customers that are each
committed. A segment counts as kept once all of it is.

Beside each member it is kept when they bought last before, and first after. Who counts purchases holds their
customers: so members are held before their months are looked up, and what is counted at the same moment is
either among these, or comes after, and finds the member. All members' rows are added before anybody is held,
and by customer, so that two who freeze never wait for each other. The customers themselves are held before
that, in one order, so that who freezes and who merges never do.
"""

from collections.abc import Collection, Mapping, Sequence
from datetime import date

from crm_analytics.rollups import kept, membership
from crm_analytics.rollups.state import state
from crm_analytics.windows import day_in, month_of
from crm_framework import (
    CrmError,
    Fragment,
    Hold,
    JobRun,
    Reader,
    UnitOfWork,
    among,
    live_customers,
    new_id,
    segment_members,
)

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
_NEW_KEY = {
    "sqlite": (
        "LOWER(HEX(RANDOMBLOB(4)) || '-' || HEX(RANDOMBLOB(2)) || '-4' || SUBSTR(HEX(RANDOMBLOB(2)), 2)"
        " || '-8' || SUBSTR(HEX(RANDOMBLOB(2)), 2) || '-' || HEX(RANDOMBLOB(6)))"
    ),
    "postgres": "gen_random_uuid()",
}
_UUID = {"sqlite": "TEXT", "postgres": "uuid"}
_DATE = {"sqlite": "TEXT", "postgres": "date"}
_HOLD = {
    "sqlite": "SELECT t.id, {belongs} FROM crm_customer AS t WHERE {some}",
    "postgres": (
        "SELECT t.id, s.* FROM crm_customer AS t CROSS JOIN LATERAL (SELECT {belongs}) AS s"
        " WHERE {some} ORDER BY t.id FOR KEY SHARE OF t"
    ),
}
"""The customers who belong to some of the segments, and to which of them; held on PostgreSQL."""


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
        await freeze_some(segments, customers, day, tx)
        if len(customers) == CUSTOMERS:
            job.done(tx, then={"day": day.isoformat(), "segments": segments, "after": customers[-1]})
        else:
            await mark(segments, day, tx)
            job.done(tx, then={})  # there may be more than SEGMENTS


async def freeze_some(
    segments: Collection[str], customers: Collection[str], day: date, tx: UnitOfWork
) -> None:
    """Keeps which of these customers belong to the segments now, as of the day."""
    live = await live_customers(tx, customers, Hold.ADD)
    keys = {one.id for one in live.values() if not isinstance(one, CrmError)}
    members = await segment_members(tx, segments, keys)
    rows: Sequence[tuple[str, str, date, str]] = [
        (new_id(), segment, day, customer)
        for customer in sorted(keys)
        for segment, found in sorted(members.items())
        if customer in found
    ]
    await tx.execute_many(_KEEP, rows)
    if held := await kept.hold({customer for _, _, _, customer in rows}, tx):
        where, own = _frozen(segments, day, tx), among("b.customer_id", sorted(held), tx.dialect)
        await membership.number(Fragment(f"{where.sql} AND {own.sql}", (*where.args, *own.args)), tx)


async def freeze(segments: Mapping[str, Fragment], day: date, tx: UnitOfWork) -> int:
    """Keeps who belongs to the segments now, as of the day: by key, the condition on customers `t`. How many
    they are. Of one day the last time holds."""
    frozen = _frozen(segments, day, tx)
    await _add(segments, frozen, day, tx)
    await kept.hold_members(frozen, tx)
    for segment, where in sorted(segments.items()):
        await tx.execute(
            "DELETE FROM analytics_membership AS b WHERE b.segment_id = ? AND b.day = ? AND NOT EXISTS"
            " (SELECT 1 FROM crm_customer AS t WHERE t.id = b.customer_id AND t.erased_at IS NULL"
            f" AND ({where.sql}))",
            [segment, day, *where.args],
        )
    await membership.number(frozen, tx)
    await mark(segments, day, tx)
    [row] = await tx.fetch(
        f"SELECT COUNT(*) AS members FROM analytics_membership AS b WHERE {frozen.sql}", frozen.args
    )
    return int(row["members"])


async def _add(segments: Mapping[str, Fragment], frozen: Fragment, day: date, tx: UnitOfWork) -> None:
    """Rows for whoever belongs to them now. All customers are held first, also who will belong no more."""
    keys = sorted(segments)
    belongs = ", ".join(f"({segments[key].sql}) AS s{number}" for number, key in enumerate(keys))
    before = f"t.id IN (SELECT b.customer_id FROM analytics_membership AS b WHERE {frozen.sql})"
    some = " OR ".join([*(f"s{number}" for number in range(len(keys))), before])
    held = _HOLD[tx.dialect].format(belongs=belongs, some=f"t.erased_at IS NULL AND ({some})")
    members = " UNION ALL ".join(
        f"SELECT CAST(? AS {_UUID[tx.dialect]}) AS segment_id, held.id FROM held WHERE held.s{number}"
        for number in range(len(keys))
    )
    await tx.execute(
        f"WITH held AS MATERIALIZED ({held}) INSERT INTO analytics_membership (id, segment_id, day,"
        f" customer_id) SELECT {_NEW_KEY[tx.dialect]}, n.segment_id, CAST(? AS {_DATE[tx.dialect]}), n.id"
        f" FROM ({members}) AS n WHERE true ORDER BY n.id, n.segment_id"
        " ON CONFLICT (segment_id, day, customer_id) DO NOTHING",
        [*(arg for key in keys for arg in segments[key].args), *frozen.args, day, *keys],
    )


def _frozen(segments: Collection[str], day: date, tx: UnitOfWork) -> Fragment:
    """The condition on memberships `b` that they are these segments' of the day."""
    some = among("b.segment_id", sorted(segments), tx.dialect)
    return Fragment(f"{some.sql} AND b.day = ?", (*some.args, day))


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
    return {key: kept.as_day(day) for key, day in rows}


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
