"""Histories of tickets as they are kept, and what is kept of the clocks: the next due time, and the next
alarm.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from crm_framework import CrmError, UnitOfWork, among, new_id, parse_time
from crm_ticketing.calendars.calendar import micros, moment_of
from crm_ticketing.models import MessageAuthor
from crm_ticketing.policies.rules import PolicyVersion
from crm_ticketing.policies.versions import Fetching, versions_of

from .history import COUNTED, Happened, HappenedKind
from .measures import as_text, measures_of
from .rules import Alarm, Clock, alarms, clocks

NEVER = datetime(9999, 12, 31, tzinfo=UTC)
"""Stands for no due time: see the table of tickets."""
ALARM = "ticketing.alarm"
MOST = 500
"""Tickets whose histories are read at once."""


@dataclass
class HeldTicket:
    """A ticket that stays as it is until the end of the transaction, but for what this transaction does.

    `at` is the moment of what it does: later than everything that happened to the ticket before, whichever
    node's clock is slow, so that what was overdue cannot be made good by a late change.
    """

    row: dict[str, Any]
    at: datetime
    erased: CrmError | None = None
    """Why nothing more may be told of its customer, who was erased."""

    def __getitem__(self, name: str) -> Any:
        return self.row[name]

    @property
    def id(self) -> str:
        return str(self.row["id"])


def moment_for(now: datetime, clock_at: datetime | str | None) -> datetime:
    """The moment of a change: now, or just after the last one, should that be later."""
    if clock_at is None:
        return now
    return max(now, parse_time(clock_at) + timedelta(microseconds=1))


async def histories(reading: Fetching, ticket_ids: Sequence[str]) -> dict[str, list[Happened]]:
    """What clocks look at of these tickets' histories, in one statement."""
    found: dict[str, list[Happened]] = {key: [] for key in ticket_ids}
    if found:
        where = among("ticket_id", list(found), reading.dialect)
        kinds = ", ".join(f"'{kind}'" for kind in COUNTED)
        rows = await reading.fetch(
            f"SELECT ticket_id, at, kind, after FROM ticketing_history WHERE {where.sql}"
            f" AND kind IN ({kinds}) ORDER BY ticket_id, at, id",
            where.args,
        )
        for row in rows:
            happened = Happened(micros(parse_time(row["at"])), row["kind"], row["after"])
            found[str(row["ticket_id"])].append(happened)
    return found


async def pasts(
    reading: Fetching, ticket_ids: Sequence[str]
) -> tuple[dict[str, list[Happened]], Mapping[str, PolicyVersion]]:
    """The same, with the versions of policies that they name."""
    found = await histories(reading, ticket_ids)
    return found, await versions_of(reading, named_versions(found.values()))


def named_versions(found: Iterable[Sequence[Happened]]) -> list[str]:
    """Keys of the versions of policies in histories."""
    named = (one.after for history in found for one in history if one.kind == "POLICY" and one.after)
    return list(dict.fromkeys(named))


def record(
    tx: UnitOfWork,
    held: HeldTicket,
    kind: HappenedKind,
    after: str | None,
    *,
    before: str | None = None,
    reference: str | None = None,
    detail: str | None = None,
    at: datetime | None = None,
    once: str | None = None,
) -> None:
    """Adds an entry to the ticket's history, in the name of whoever makes the change."""
    actor = tx.actor
    kind_of_actor = actor.kind if actor is not None else "SYSTEM"
    named = actor is not None and kind_of_actor in ("INTEGRATION", "SYSTEM", "PARTNER")
    tx.insert(
        "ticketing_history",
        {
            "id": new_id(),
            "ticket_id": held.id,
            "at": at or held.at,
            "kind": kind,
            "before": before,
            "after": after,
            "reference": reference,
            "detail": detail,
            "actor_kind": str(kind_of_actor),
            "actor": actor.name[:200] if actor is not None and named else None,
            "staff_id": getattr(actor, "staff_id", None),
            "once": once,
        },
    )


def message_happened(author: MessageAuthor, internal: bool) -> tuple[HappenedKind, str]:
    """The kind of a message's entry and what is after it."""
    return (HappenedKind.NOTE if internal else HappenedKind.MESSAGE), author.value


@dataclass(frozen=True)
class Kept:
    """What a ticket keeps of its clocks."""

    due_at: datetime
    breached_at: datetime | None
    clock_state: str | None
    alarm_at: datetime | None
    measures: str | None


def kept_of(
    history: Sequence[Happened], versions: Mapping[str, PolicyVersion], clock_at: datetime, until: datetime
) -> Kept:
    """What is to be kept of a history as of `clock_at`, with the alarms before `until` dealt with."""
    present = clocks(history, versions, micros(clock_at))
    due = [clock.due for clock in present if clock.running and clock.due is not None]
    breached = [clock.breached for clock in present if clock.breached is not None]
    coming = alarms(history, versions)
    ahead = next_alarm(coming, micros(until))
    return Kept(
        due_at=moment_of(min(due)) if due else NEVER,
        breached_at=moment_of(min(breached)) if breached else None,
        clock_state=state_of(present),
        alarm_at=None if ahead is None else moment_of(ahead.at),
        measures=as_text(measures_of(history, present, coming)),
    )


_WEIGHT = ("BREACHED", "PENDING", "PAUSED", "CANCELLED", "MET")


def state_of(present: Sequence[Clock]) -> str | None:
    """One state for all clocks of a ticket: the gravest; None without clocks."""
    states = {clock.state for clock in present}
    return next((state for state in _WEIGHT if state in states), None)


def next_alarm(coming: Sequence[Alarm], until: int) -> Alarm | None:
    """The first alarm that is not dealt with."""
    return next((alarm for alarm in coming if alarm.at >= until), None)


async def settle(tx: UnitOfWork, held: HeldTicket, *, until: datetime | None = None) -> None:
    """Keeps anew what follows from the ticket's history, and asks for the alarm that comes next.

    Called once at the end of every change of a ticket, with `until` by what deals with alarms.
    """
    found, versions = await pasts(tx, [held.id])
    until = until or parse_time(held["alarms_until"] or held["created_at"])
    kept = kept_of(found[held.id], versions, held.at, until)
    await tx.execute(
        "UPDATE ticketing_ticket SET clock_at = ?, due_at = ?, breached_at = ?, clock_state = ?,"
        " measures = ?, alarm_at = ?, alarms_until = ? WHERE id = ?",
        [
            *(held.at, kept.due_at, kept.breached_at, kept.clock_state),
            *(kept.measures, kept.alarm_at, until, held.id),
        ],
    )
    defer_alarm(tx, held.id, kept.alarm_at, parse_time(held["alarm_at"]) if held["alarm_at"] else None)


def defer_alarm(tx: UnitOfWork, ticket_id: str, at: datetime | None, before: datetime | None) -> None:
    """Asks for the alarm of a ticket at a moment; of each ticket one waits at most."""
    if at is not None:
        tx.defer(ALARM, {"ticket": ticket_id}, at=at, key=ticket_id)
    elif before is not None:
        tx.cancel_deferred(ALARM, ticket_id)
