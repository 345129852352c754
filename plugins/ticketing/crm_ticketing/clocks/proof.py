"""Proof that what tickets keep of their clocks is what the clocks say."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from crm_framework import among, parse_time
from crm_ticketing.policies.rules import PolicyVersion
from crm_ticketing.policies.versions import Fetching

from .history import Happened
from .store import NEVER, Kept, kept_of, pasts

BATCH = 500
SHOWN = 20
COLUMNS = (
    "id, number, clock_at, due_at, breached_at, clock_state, measures, alarms_until, alarm_at, created_at"
)
Row = Mapping[str, Any]


@dataclass
class Proof:
    """What was found: how many tickets were looked at, up to which number and whether that is the last, how
    many of them differ, and the first of these in words; and of how many an alarm was due and is not dealt
    with yet, which is a worker's business.
    """

    tickets: int = 0
    last: int = 0
    complete: bool = False
    differing: int = 0
    overdue: int = 0
    differences: list[str] = field(default_factory=list)


async def verify(
    reading: Fetching,
    at: datetime,
    *,
    after: int = 0,
    most: int | None = None,
    tell: Callable[[Proof], None] | None = None,
) -> Proof:
    """Computes the clocks of every ticket with a number beyond `after` anew, of `most` of them at most, and
    compares.

    A few hundred are held at once; `tell` hears of each portion. Tickets may change meanwhile.
    """
    proof = Proof(last=after)
    while not proof.complete and proof.tickets != most:
        portion = BATCH if most is None else min(BATCH, most - proof.tickets)
        rows = await reading.fetch(
            f"SELECT {COLUMNS} FROM ticketing_ticket WHERE number > ? ORDER BY number LIMIT ?",
            [proof.last, portion + 1],  # one more tells whether there are any
        )
        proof.complete = len(rows) <= portion
        rows = rows[:portion]
        differing = await _differing(reading, rows)
        for row in rows:
            alarm = _time(row["alarm_at"])
            proof.overdue += alarm is not None and alarm <= at
        proof.tickets += len(rows)
        proof.differing += len(differing)
        proof.differences += differing[: SHOWN - len(proof.differences)]
        if rows:
            proof.last = rows[-1]["number"]
            if tell is not None:
                tell(proof)
    return proof


async def _differing(reading: Fetching, rows: Sequence[Row]) -> list[str]:
    """Those of these tickets that keep something else, in words.

    A ticket is read in one statement and its history in another: one that changed in between is looked at
    again.
    """
    found: list[str] = []
    while rows:
        histories, versions = await pasts(reading, [str(row["id"]) for row in rows])
        suspects = []
        for row in rows:
            history = histories[str(row["id"])]
            kept = _kept(row)
            wanted = _wanted(row, history, versions)
            if kept != wanted:
                suspects.append((row, f"Ticket {row['number']} keeps {kept}; its clocks say {wanted}."))
        if not suspects:
            break
        where = among("id", [str(row["id"]) for row, _ in suspects], reading.dialect)
        fresh = await reading.fetch(f"SELECT {COLUMNS} FROM ticketing_ticket WHERE {where.sql}", where.args)
        now = {row["number"]: row for row in fresh}
        found += [text for row, text in suspects if now.get(row["number"]) == row]
        rows = [now[row["number"]] for row, _ in suspects if now.get(row["number"], row) != row]
    return found


def _wanted(row: Row, history: Sequence[Happened], versions: Mapping[str, PolicyVersion]) -> Kept:
    if not history:  # from before there were clocks
        return Kept(NEVER, None, None, None, None)
    until = parse_time(row["alarms_until"] or row["created_at"])
    return kept_of(history, versions, parse_time(row["clock_at"] or row["created_at"]), until)


def _kept(row: Row) -> Kept:
    return Kept(
        due_at=parse_time(row["due_at"]),
        breached_at=_time(row["breached_at"]),
        clock_state=row["clock_state"],
        alarm_at=_time(row["alarm_at"]),
        measures=row["measures"],
    )


def _time(value: str | datetime | None) -> datetime | None:
    return None if value is None else parse_time(value)
