"""Who gets a ticket: the customer's owner or backup, otherwise whoever of a team has the least to do."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from crm_framework import CrmError, ErrorCode, UnitOfWork, among, parse_time, responsible


@dataclass(frozen=True)
class Assigned:
    """Keys of the member of staff and of the team, where there are such."""

    staff_id: str | None
    team_id: str | None


@dataclass(frozen=True)
class Load:
    """A member of a team: how many open tickets they have, and when they got the last one."""

    staff_id: str
    tickets: int
    last: str


async def assign_new(tx: UnitOfWork, customer_id: str, category: str) -> Assigned:
    """Who gets a new ticket. The team is named where one took it."""
    owner = await responsible(tx, customer_id, tx.now)
    if owner is not None:
        return Assigned(owner, None)
    team_id = await team_for(tx, category)
    if team_id is None:
        return Assigned(None, None)
    return Assigned(await least_busy(tx, team_id), team_id)


async def team_for(tx: UnitOfWork, category: str) -> str | None:
    """The team that takes a category: the first by name that lists it, or else that lists none."""
    rows = await tx.fetch("SELECT id, categories FROM ticketing_team ORDER BY name, id")
    lists = [(str(row["id"]), json.loads(row["categories"])) for row in rows]
    named = next((key for key, categories in lists if category in categories), None)
    return named or next((key for key, categories in lists if not categories), None)


async def least_busy(tx: UnitOfWork, team_id: str) -> str | None:
    """The member of the team who is there and has the fewest open tickets; of several, the one who waited
    longest for one. The team is held, so that two tickets at one moment do not go to the same person.
    """
    await tx.lock("ticketing_team", [team_id])
    [team] = await tx.fetch("SELECT members FROM ticketing_team WHERE id = ?", [team_id])
    where = among("s.id", json.loads(team["members"]), tx.dialect)
    rows = await tx.fetch(
        "SELECT s.id, s.away_from, s.away_until,"
        " (SELECT COUNT(*) FROM ticketing_ticket t WHERE t.assignee_id = s.id"
        " AND t.status NOT IN ('RESOLVED', 'CLOSED')) AS tickets,"
        " (SELECT MAX(t.created_at) FROM ticketing_ticket t WHERE t.assignee_id = s.id) AS last"
        f" FROM crm_staff s WHERE {where.sql} AND s.active",
        where.args,
    )
    present = [row for row in rows if not away(row, tx.now)]
    chosen = least([Load(str(row["id"]), row["tickets"], str(row["last"] or "")) for row in present])
    return None if chosen is None else chosen.staff_id


def least(loads: Sequence[Load]) -> Load | None:
    """The fewest open tickets, then the longest without a new one, then the key."""
    return min(loads, key=lambda one: (one.tickets, one.last, one.staff_id), default=None)


def away(member: dict[str, Any], at: datetime) -> bool:
    """Whether a member of staff is away at a moment, as the row says."""
    if member["away_from"] is None or at < parse_time(member["away_from"]):
        return False
    return member["away_until"] is None or at < parse_time(member["away_until"])


async def check_staff(tx: UnitOfWork, keys: Sequence[str], path: Sequence[str | int]) -> None:
    """BAD_INPUT unless all of them are active members of staff."""
    where = among("id", list(keys), tx.dialect)
    rows = await tx.fetch(f"SELECT id FROM crm_staff WHERE {where.sql} AND active", where.args)
    if {str(row["id"]) for row in rows} != set(keys):
        raise CrmError(
            ErrorCode.BAD_INPUT,
            "There is no such member of staff, or not any more.",
            path=tuple(path),
            hint="Name one who is active.",
        )


async def check_team(tx: UnitOfWork, team_id: str, path: Sequence[str | int]) -> None:
    """BAD_INPUT unless there is such a team."""
    if not await tx.fetch("SELECT 1 AS one FROM ticketing_team WHERE id = ?", [team_id]):
        raise CrmError(ErrorCode.BAD_INPUT, "There is no such team.", path=tuple(path))
