"""What the figures need to know of tickets, read in portions: the history, as the clocks see it."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from crm_framework import CrmError, ErrorCode, Reader, among, parse_time
from crm_ticketing.calendars.calendar import micros
from crm_ticketing.clocks.history import SETTLED, Happened
from crm_ticketing.clocks.rules import clocks
from crm_ticketing.clocks.store import pasts
from crm_ticketing.policies.rules import PolicyVersion

from .rules import AGES, Case, Group, Measured

MOST = 100_000
"""Tickets that one report looks at: their clocks are computed, which takes its time."""

PORTION = 500


class GroupBy(StrEnum):
    TEAM = "TEAM"
    AGENT = "AGENT"
    CATEGORY = "CATEGORY"
    POLICY = "POLICY"
    PRIORITY = "PRIORITY"


_COLUMN = {
    GroupBy.TEAM: "t.team_id",
    GroupBy.AGENT: "t.assignee_id",
    GroupBy.CATEGORY: "t.category",
    GroupBy.POLICY: "v.policy_id",
    GroupBy.PRIORITY: "t.priority",
}
_NAMES = {
    GroupBy.TEAM: "ticketing_team",
    GroupBy.AGENT: "crm_staff",
    GroupBy.POLICY: "ticketing_policy",
}


@dataclass(frozen=True)
class Span:
    """From a moment to another, the end excluded."""

    start: datetime
    end: datetime

    def check(self) -> None:
        """BAD_INPUT for one that ends before it begins."""
        if self.start >= self.end:
            raise CrmError(ErrorCode.BAD_INPUT, "The window ends before it begins.", path=("window", "to"))


async def groups(reader: Reader, span: Span, by: GroupBy | None, now: datetime) -> dict[str | None, Group]:
    """Key of the group → what is in it: tickets opened in the window, ratings given in it, what is open now.

    One statement for every few hundred tickets.
    """
    span.check()
    await _refuse_more(reader, span)
    column = "NULL" if by is None else _COLUMN[by]
    found: dict[str | None, Group] = {} if by is not None else {None: Group()}
    await _cases(reader, span, column, now, found)
    rows = await reader.fetch(
        f"SELECT {column} AS part, s.rating, COUNT(*) AS n FROM ticketing_survey AS s JOIN ticketing_ticket"
        " AS t ON t.id = s.ticket_id LEFT JOIN ticketing_policy_version AS v ON v.id = t.policy_version_id"
        " WHERE s.answered_at >= ? AND s.answered_at < ? GROUP BY 1, 2",
        [span.start, span.end],
    )
    for row in rows:
        _group(found, row["part"]).ratings[row["rating"]] += row["n"]
    limits = [(name, limit) for name, limit in AGES if limit is not None]
    cases = " ".join(f"WHEN t.created_at > ? THEN '{name}'" for name, _ in limits)
    rows = await reader.fetch(
        f"SELECT {column} AS part, CASE {cases} ELSE '{AGES[-1][0]}' END AS age, COUNT(*) AS n"
        " FROM ticketing_ticket AS t LEFT JOIN ticketing_policy_version AS v ON v.id = t.policy_version_id"
        " WHERE t.status NOT IN ('RESOLVED', 'CLOSED') AND t.merged_into_id IS NULL GROUP BY 1, 2",
        [now - limit for _, limit in limits],
    )
    for row in rows:
        _group(found, row["part"]).ages[row["age"]] += row["n"]
    return found


async def _refuse_more(reader: Reader, span: Span) -> None:
    """BAD_INPUT for a window with more tickets than a request has the time for: it says up to when it would
    do.
    """
    rows = await reader.fetch(
        "SELECT created_at FROM ticketing_ticket WHERE created_at >= ? AND created_at < ?"
        " ORDER BY created_at, id LIMIT 1 OFFSET ?",
        [span.start, span.end, MOST],
    )
    if not rows:
        return
    until = parse_time(rows[0]["created_at"])
    raise CrmError(
        ErrorCode.BAD_INPUT,
        f"More than {MOST:,} tickets were opened in this window.",
        path=("window",),
        hint=f"Ask for one that ends at {until.isoformat().replace('+00:00', 'Z')}, and go on from there.",
    )


async def names_of(reader: Reader, by: GroupBy | None, keys: Sequence[str | None]) -> dict[str | None, str]:
    """What the groups are called."""
    known: list[str] = [key for key in keys if key is not None]
    if by is None or by not in _NAMES:
        return {key: key for key in known}
    where = among("id", known, reader.dialect)
    rows = await reader.fetch(f"SELECT id, name FROM {_NAMES[by]} WHERE {where.sql}", where.args)
    return {str(row["id"]): row["name"] for row in rows}


async def _cases(
    reader: Reader,
    span: Span,
    column: str,
    now: datetime,
    found: dict[str | None, Group],
) -> None:
    moment, last = span.start, ""
    at = micros(now)
    while True:
        after, given = ("t.created_at >= ?", [moment]) if not last else (_AFTER, [moment, last])
        rows = await reader.fetch(
            f"SELECT t.id, t.customer_id, t.assignee_id, t.status, t.merged_into_id, t.created_at,"
            f" {column} AS part FROM ticketing_ticket AS t"
            " LEFT JOIN ticketing_policy_version AS v ON v.id = t.policy_version_id"
            f" WHERE {after} AND t.created_at < ? ORDER BY t.created_at, t.id LIMIT {PORTION}",
            [*given, span.end],
        )
        if rows:
            histories, versions = await pasts(reader, [str(row["id"]) for row in rows])
            for row in rows:
                case = _case(row, histories[str(row["id"])], versions, at)
                _group(found, row["part"]).add(case)
            moment, last = parse_time(rows[-1]["created_at"]), str(rows[-1]["id"])
        if len(rows) < PORTION:
            return
        await asyncio.sleep(0)


_AFTER = "(t.created_at, t.id) > (?, ?)"


def _case(
    row: Mapping[str, Any], history: Sequence[Happened], versions: Mapping[str, PolicyVersion], at: int
) -> Case:
    settled = reopened = 0
    was = False
    for one in history:
        if one.kind == "STATUS":
            now = one.after in SETTLED
            settled += now and not was
            reopened += was and not now
            was = now
    return Case(
        customer_id=str(row["customer_id"]),
        staff_id=None if row["assignee_id"] is None else str(row["assignee_id"]),
        resolved=row["status"] in SETTLED,
        answers=sum(1 for one in history if one.kind == "MESSAGE" and one.after == "STAFF"),
        reopened=reopened,
        merged=row["merged_into_id"] is not None,
        clocks=[
            Measured(
                clock.kind, clock.elapsed, clock.ended is not None, clock.settled, clock.breached is not None
            )
            for clock in clocks(history, versions, at)
            if clock.state != "CANCELLED"
        ],
    )


def _group(found: dict[str | None, Group], part: Any) -> Group:
    return found.setdefault(None if part is None else str(part), Group())
