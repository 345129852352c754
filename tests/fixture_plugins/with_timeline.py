"""Adds entries of its own to the timelines of customers."""

from collections.abc import Sequence
from datetime import datetime

from crm_framework import Plugin, Reader, TimelineEntry, among, hookimpl, parse_time

plugin = Plugin(name="with_timeline", requires_api="1.0", summary="Shows when prospects were won.")

KIND = "conversion"


@hookimpl
async def timeline(
    customer_ids: Sequence[str],
    before: datetime | None,
    limit: int,
    kinds: Sequence[str] | None,
    reader: Reader,
) -> Sequence[TimelineEntry]:
    if limit < 1 or (kinds is not None and KIND not in kinds):
        return []
    where = among("id", customer_ids, reader.dialect)
    rows = await reader.fetch(
        f"SELECT id, converted_at FROM crm_customer WHERE converted_at IS NOT NULL AND {where.sql}",
        where.args,
    )
    entries = [
        TimelineEntry(
            id=row["id"],
            customer_id=row["id"],
            at=parse_time(row["converted_at"]),
            kind=KIND,
            title="Became a customer",
        )
        for row in rows
    ]
    return [entry for entry in entries if before is None or entry.at <= before]
