"""Proof that what tickets keep of their clocks is what the clocks say."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from crm_framework import parse_time
from crm_ticketing.policies.versions import Fetching

from .store import NEVER, Kept, kept_of, pasts

BATCH = 500
SHOWN = 20
COLUMNS = "id, number, clock_at, due_at, breached_at, clock_state, alarms_until, alarm_at, created_at"


@dataclass
class Proof:
    """What was found: how many tickets there are, how many of them differ, and the first of these in words;
    and of how many an alarm was due and is not dealt with yet, which is a worker's business.
    """

    tickets: int = 0
    differing: int = 0
    overdue: int = 0
    differences: list[str] = field(default_factory=list)


async def verify(reading: Fetching, at: datetime) -> Proof:
    """Computes the clocks of every ticket anew, and compares."""
    proof = Proof()
    async for rows in _batches(reading):
        histories, versions = await pasts(reading, [str(row["id"]) for row in rows])
        for row in rows:
            proof.tickets += 1
            history = histories[str(row["id"])]
            kept = _kept(row)
            if kept.alarm_at is not None and kept.alarm_at <= at:
                proof.overdue += 1
            if not history:  # from before there were clocks
                wanted = Kept(NEVER, None, None, None)
            else:
                until = parse_time(row["alarms_until"] or row["created_at"])
                wanted = kept_of(history, versions, parse_time(row["clock_at"] or row["created_at"]), until)
            if kept != wanted:
                proof.differing += 1
                if len(proof.differences) < SHOWN:
                    proof.differences.append(f"Ticket {row['number']} keeps {kept}; its clocks say {wanted}.")
    return proof


async def _batches(reading: Fetching) -> AsyncIterator[list[dict[str, Any]]]:
    after: str | None = None
    while True:
        where, args = ("WHERE id > ?", [after]) if after is not None else ("", [])
        rows = await reading.fetch(
            f"SELECT {COLUMNS} FROM ticketing_ticket {where} ORDER BY id LIMIT ?", [*args, BATCH]
        )
        if rows:
            yield rows
        if len(rows) < BATCH:
            return
        after = str(rows[-1]["id"])


def _kept(row: dict[str, Any]) -> Kept:
    return Kept(
        due_at=parse_time(row["due_at"]),
        breached_at=_time(row["breached_at"]),
        clock_state=row["clock_state"],
        alarm_at=_time(row["alarm_at"]),
    )


def _time(value: str | datetime | None) -> datetime | None:
    return None if value is None else parse_time(value)
