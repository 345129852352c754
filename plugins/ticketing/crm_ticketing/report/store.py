"""Adds up tickets for the figures: of each, what it keeps of its history, read in portions.

Others run between the portions, and a cancellation ends it there.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from crm_framework import CrmError, ErrorCode, Reader, among, parse_time
from crm_ticketing.calendars.calendar import micros
from crm_ticketing.clocks.history import SETTLED
from crm_ticketing.clocks.measures import measures_from

from .rules import AGES, NOBODY, PERCENTILES, Group, Share, percentiles

MOST = 2_000_000
"""Tickets that a request looks at; a command takes the time for any number."""

PORTION = 1_000


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


async def groups(
    reader: Reader,
    span: Span,
    by: GroupBy | None,
    now: datetime,
    *,
    tell: Callable[[int], None] | None = None,
) -> dict[str | None, Group]:
    """Key of the group → what is in it: tickets opened in the window, ratings given in it, what is open now.

    A statement for every thousand tickets; `tell` hears after each how many were read.
    """
    span.check()
    column = "NULL" if by is None else _COLUMN[by]
    found: dict[str | None, Group] = {} if by is not None else {None: Group()}
    await _add_tickets(reader, span, column, now, found, tell)
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
    for part, share in (await continuity(reader, span, by)).items():
        _group(found, part).continuity = share
    for group in found.values():
        await count(group)
    return found


async def count(group: Group) -> None:
    """Finds the percentiles of a group to which all is added, without holding anybody up."""
    for taken in group.taken:
        counting = percentiles(taken, PERCENTILES)
        while True:
            try:
                next(counting)
            except StopIteration as done:
                group.percentiles.append(done.value)
                break
            await asyncio.sleep(0)


async def continuity(reader: Reader, span: Span, by: GroupBy | None) -> dict[str | None, Share]:
    """Key of the group → its tickets with whoever has most of that customer's in it, of customers who have
    several in it."""
    column = "NULL" if by is None else _COLUMN[by]
    rows = await reader.fetch(
        "SELECT part, SUM(most) AS most, SUM(n) AS n FROM (SELECT part, customer_id, MAX(n) AS most,"
        f" SUM(n) AS n FROM (SELECT {column} AS part, t.customer_id, t.assignee_id, COUNT(*) AS n"
        " FROM ticketing_ticket AS t"
        " LEFT JOIN ticketing_policy_version AS v ON v.id = t.policy_version_id"
        " WHERE t.created_at >= ? AND t.created_at < ? AND t.merged_into_id IS NULL"
        " AND t.assignee_id IS NOT NULL GROUP BY 1, 2, 3) AS each_one GROUP BY part, customer_id"
        " HAVING SUM(n) > 1) AS each_customer GROUP BY part",
        [span.start, span.end],
    )
    found = {None if row["part"] is None else str(row["part"]): row for row in rows}
    shares = {key: Share(int(row["most"]), int(row["n"])) for key, row in found.items()}
    return shares if by is not None else {None: shares.get(None, NOBODY)}


async def refuse_more(reader: Reader, span: Span) -> None:
    """BAD_INPUT for a window with more tickets than a request has the time for."""
    span.check()
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
        hint="`crm ticketing report` takes any number. Or ask for a window that ends at"
        f" {until.isoformat().replace('+00:00', 'Z')}, and go on from there.",
    )


async def names_of(reader: Reader, by: GroupBy | None, keys: Sequence[str | None]) -> dict[str | None, str]:
    """What the groups are called."""
    known: list[str] = [key for key in keys if key is not None]
    if by is None or by not in _NAMES:
        return {key: key for key in known}
    where = among("id", known, reader.dialect)
    rows = await reader.fetch(f"SELECT id, name FROM {_NAMES[by]} WHERE {where.sql}", where.args)
    return {str(row["id"]): row["name"] for row in rows}


async def _add_tickets(
    reader: Reader,
    span: Span,
    column: str,
    now: datetime,
    found: dict[str | None, Group],
    tell: Callable[[int], None] | None,
) -> None:
    moment, last = span.start, ""
    at, read = micros(now), 0
    while True:
        after, given = ("t.created_at >= ?", [moment]) if not last else (_AFTER, [moment, last])
        rows = await reader.rows(
            "SELECT t.created_at, t.id, t.merged_into_id, t.status, t.measures,"
            f" {column} FROM ticketing_ticket AS t"
            " LEFT JOIN ticketing_policy_version AS v ON v.id = t.policy_version_id"
            f" WHERE {after} AND t.created_at < ? ORDER BY t.created_at, t.id LIMIT {PORTION}",
            [*given, span.end],
        )
        for _, _, merged_into, status, measures, part in rows:
            if merged_into is None:  # what was merged counts in the other ticket
                group = found.get(part) or _group(found, part)
                group.add(measures_from(measures), at, resolved=status in SETTLED)
        read += len(rows)
        if tell is not None:
            tell(read)
        if len(rows) < PORTION:
            return
        moment, last = parse_time(rows[-1][0]), str(rows[-1][1])
        await asyncio.sleep(0)


_AFTER = "(t.created_at, t.id) > (?, ?)"


def _group(found: dict[str | None, Group], part: Any) -> Group:
    return found.setdefault(None if part is None else str(part), Group())
