"""What accounts held at a moment, from their entries: also at one that the jobs have not come to yet."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from zoneinfo import ZoneInfo

from crm_framework import Reader, UnitOfWork, among, now, parse_time
from crm_loyalty.moments import NEVER

Source = UnitOfWork | Reader


@dataclass(frozen=True)
class Held:
    """Points that count and points that are pending, at a moment."""

    balance: int
    pending: int


async def held_at(source: Source, account_ids: Sequence[str], at: datetime) -> dict[str, Held]:
    """Of each account what its entries come to whose causes had happened by then.

    What was to expire or to unlock by then, and was not entered yet, is taken as done.
    """
    ids, keys = among("account_id", account_ids, source.dialect), list(account_ids)
    found = {key: [0, 0] for key in keys}
    deficits: dict[str, int] = {}
    for row in await source.fetch(
        "SELECT account_id, SUM(points) AS points, SUM(pending) AS pending, SUM(deficit) AS deficit"
        " FROM loyalty_entry"
        f" WHERE {ids.sql} AND at <= ? GROUP BY account_id",
        [*ids.args, at],
    ):
        found[str(row["account_id"])] = [int(row["points"]), int(row["pending"])]
        deficits[str(row["account_id"])] = int(row["deficit"])
    for row in await source.fetch(
        "SELECT account_id, SUM(remaining) AS points FROM loyalty_lot"
        f" WHERE {ids.sql} AND remaining > 0 AND expires_at <= ? GROUP BY account_id",
        [*ids.args, at],
    ):
        found[str(row["account_id"])][0] -= int(row["points"])
    for row in await source.fetch(
        "SELECT account_id, remaining, unlock_at, expires_at FROM loyalty_pending"
        f" WHERE {ids.sql} AND remaining > 0 AND unlock_at <= ? ORDER BY unlock_at, id",
        [*ids.args, at],
    ):
        key, points, expires_at = str(row["account_id"]), int(row["remaining"]), parse_time(row["expires_at"])
        lasts = expires_at > parse_time(row["unlock_at"])
        made_up = min(points, max(0, deficits.get(key, 0))) if lasts else 0
        deficits[key] = deficits.get(key, 0) - made_up
        found[key][0] += points if expires_at > at else made_up
        found[key][1] -= points
    return {key: Held(*sums) for key, sums in found.items()}


@dataclass(frozen=True)
class Owed:
    """Points that expire in a month (its first day; None: never), as they were owed."""

    month: date | None
    points: int


async def liability(source: Source, program_id: str, zone: ZoneInfo, at: datetime) -> list[Owed]:
    """The points of a programme that could be spent at a moment or later, by the month of their expiry.

    Deficits are not set off: those who have them may never come back.
    """
    rows = await source.fetch(*(_left(program_id, at) if at >= now() else _was_left(program_id, at)))
    months: dict[date | None, int] = {}
    for row in rows:
        month = _month(parse_time(row["expires_at"]), zone)
        months[month] = months.get(month, 0) + int(row["points"])
    ordered = sorted(months.items(), key=lambda pair: pair[0] or date.max)
    return [Owed(month, points) for month, points in ordered if points]


def _left(program_id: str, at: datetime) -> tuple[str, list[object]]:
    return (
        "SELECT l.expires_at, SUM(l.remaining) AS points FROM loyalty_lot l"
        " JOIN loyalty_account a ON a.id = l.account_id"
        " WHERE a.program_id = ? AND l.remaining > 0 AND l.expires_at > ? GROUP BY l.expires_at",
        [program_id, at],
    )


def _was_left(program_id: str, at: datetime) -> tuple[str, list[object]]:
    return (
        "SELECT l.expires_at, SUM(l.points + COALESCE((SELECT SUM(a.points) FROM loyalty_allocation a"
        " JOIN loyalty_entry e ON e.id = a.entry_id WHERE a.lot_id = l.id AND e.at <= ?), 0)) AS points"
        " FROM loyalty_lot l JOIN loyalty_entry o ON o.id = l.entry_id"
        " WHERE o.program_id = ? AND o.at <= ? AND l.expires_at > ? GROUP BY l.expires_at",
        [at, program_id, at, at],
    )


def _month(moment: datetime, zone: ZoneInfo) -> date | None:
    return None if moment >= NEVER else moment.astimezone(zone).date().replace(day=1)
