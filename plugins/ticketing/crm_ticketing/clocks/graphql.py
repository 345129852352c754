"""Clocks and histories of tickets in the API."""

from datetime import datetime, timedelta
from typing import Annotated, Any

import strawberry
from strawberry import Info

from crm_framework import (
    INTERNAL,
    Batch,
    Node,
    OrderField,
    Orders,
    Staff,
    Through,
    batch,
    column,
    computed,
    node,
    now,
    parse_time,
    reference,
)
from crm_ticketing.calendars.calendar import SECOND, micros, moment_of
from crm_ticketing.permissions import READ
from crm_ticketing.vocabulary import ClockKind, ClockState, HappenedKind

from .naming import detail_told, told
from .rules import Clock, clocks
from .store import MOST, pasts

JSON = strawberry.scalars.JSON


@strawberry.type(description="A stretch of a clock's life.")
class ClockSegment:
    start: datetime = strawberry.field(name="from", description="When it began.")
    end: datetime = strawberry.field(name="to", description="When it ended, or the moment asked for.")
    state: ClockState = strawberry.field(
        description="PENDING, then BREACHED, while time passed; PAUSED, or MET while resolved, while "
        "none did."
    )
    reason: str = strawberry.field(description="Why, in words.")
    elapsed: timedelta = strawberry.field(
        description="Working time that passed in it; those of all segments add up to that of the clock."
    )


@strawberry.type(description="A clock of a ticket at a moment.")
class TicketClock:
    kind: ClockKind = strawberry.field(description="What it measures.")
    cycle: int = strawberry.field(
        description="Of NEXT_RESPONSE, which time it was that the customer waited: 1, then 2 …; 0 of "
        "the others."
    )
    state: ClockState = strawberry.field(description="How it stands.")
    target: timedelta = strawberry.field(description="The working time that it has.")
    started_at: datetime = strawberry.field(description="When it started.")
    due_at: datetime | None = strawberry.field(
        description="When its time runs out, or ran out; null while it is paused."
    )
    breached_at: datetime | None = strawberry.field(description="When it was breached, if it was.")
    met_at: datetime | None = strawberry.field(description="When what it waits for happened, in time or not.")
    elapsed: timedelta = strawberry.field(description="The working time that passed.")
    remaining: timedelta = strawberry.field(description="What is left of the target.")
    segments: list[ClockSegment] = strawberry.field(description="How that came about, in order.")


AHEAD = timedelta(days=3660)
"""As far as one may look: working time is added up day by day."""
AsOf = Annotated[
    datetime | None,
    strawberry.argument(description="At which moment, past or at most ten years to come; now if left out."),
]


@batch(needs=("id",), permission=READ, also=INTERNAL, name="clocks")
async def ticket_clocks(each: Batch[Any], info: Info, as_of: AsOf = None) -> list[list[TicketClock]]:
    """Its clocks under the policy that applied at that moment. Computed from the history each time; an asOf
    to come tells what will be if nothing else happens.
    """
    present = now()
    at = micros(min(parse_time(as_of or present), present + AHEAD))
    shown: dict[str, list[TicketClock]] = {}
    keys = list(each.ids)
    for first in range(0, len(keys), MOST):
        some = keys[first : first + MOST]
        histories, versions = await pasts(info.context.reader, some)
        for key in some:
            shown[key] = [shown_clock(clock) for clock in clocks(histories[key], versions, at)]
    return [shown[key] for key in keys]


def shown_clock(clock: Clock) -> TicketClock:
    """The clock as the API shows it: amounts in whole seconds, of which those of the segments still add
    up.
    """
    return TicketClock(
        kind=ClockKind(clock.kind),
        cycle=clock.cycle,
        state=ClockState(clock.state),
        target=_seconds(clock.target),
        started_at=moment_of(clock.started),
        due_at=_moment(clock.due),
        breached_at=_moment(clock.breached),
        met_at=_moment(clock.ended),
        elapsed=_seconds(clock.elapsed),
        remaining=_seconds(clock.target) - min(_seconds(clock.target), _seconds(clock.elapsed)),
        segments=shown_segments(clock),
    )


def shown_segments(clock: Clock) -> list[ClockSegment]:
    """Its segments; each shows the whole seconds that passed up to its end, less those up to its
    beginning.
    """
    found, passed = [], 0
    for one in clock.segments():
        before, passed = passed, passed + one.elapsed
        found.append(
            ClockSegment(
                start=moment_of(one.start),
                end=moment_of(one.end),
                state=ClockState(one.state),
                reason=one.reason,
                elapsed=_seconds(passed) - _seconds(before),
            )
        )
    return found


def _seconds(amount: int) -> timedelta:
    return timedelta(seconds=amount // SECOND)


def _moment(value: int | None) -> datetime | None:
    return None if value is None else moment_of(value)


@node(
    table="ticketing_history",
    permission=READ,
    hidden={"staff_id": str | None, "before": str | None, "after": str | None, "detail": JSON | None},
    owner=Through("ticket_id", "ticketing_ticket"),
    own_where="1 = 0",
)
class TicketHistoryEntry(Node):
    """Something that happened to a ticket. Entries are never changed or removed."""

    kind: HappenedKind = column("What it tells of.")
    at: datetime = column("When it happened.")
    actor_kind: str = column("Who did it: STAFF, CUSTOMER, PARTNER, INTEGRATION, or SYSTEM for the CRM.")
    actor: str | None = column("The name of the program, where one did it.")
    staff: Staff | None = reference("staff_id", "The member of staff who did it, where one did.")

    @computed(name="before")
    @staticmethod
    def told_before(kind: HappenedKind, before: str | None) -> str | None:
        """What was true before; of what is a record, its id."""
        return told(kind, before)

    @computed(name="after")
    @staticmethod
    def told_after(kind: HappenedKind, after: str | None) -> str | None:
        """What is true since; of what is a record, its id."""
        return told(kind, after)

    @computed(name="detail")
    @staticmethod
    def told_detail(detail: JSON | None) -> JSON | None:
        """Of a step of escalation, what it did and the ids of whom it names; of a link, its kind."""
        kept: Any = detail
        shown: JSON | None = None if kept is None else detail_told(kept)
        return shown


HISTORY_ORDERS = Orders(
    "TicketHistoryOrder", [OrderField("AT", "datetime", "By the moment at which it happened.", column="at")]
)
