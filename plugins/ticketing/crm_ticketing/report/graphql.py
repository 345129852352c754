"""The report over the API."""

from datetime import datetime, timedelta
from typing import Annotated

import strawberry
from strawberry import UNSET, Info

from crm_framework import describe, now, required, root
from crm_ticketing.clocks.measures import KINDS
from crm_ticketing.permissions import READ
from crm_ticketing.surveys.rules import satisfaction

from .rules import AGES, BREACH_RATE, OVERDUE, Group, Share, breaches, first_contact, overdue
from .store import GroupBy, Span, groups, names_of, refuse_more

MOST_GROUPS = 1_000

describe(
    GroupBy,
    "What tickets are put together by.",
    name="TicketGroup",
    TEAM="The team that has it now.",
    AGENT="The member of staff who has it now.",
    CATEGORY="Its category.",
    POLICY="The service-level policy that applies to it.",
    PRIORITY="Its priority.",
)


@strawberry.input(description="From a moment to another.")
class TicketingWindow:
    start: datetime = required("From here on.", name="from")
    end: datetime = required("Up to here, this moment left out.", name="to")


@strawberry.type(description="A part of a whole.")
class TicketShare:
    value: float | None = strawberry.field(
        description="The part, from 0 to 1; null where the whole is empty."
    )
    part: int = strawberry.field(description="How many: the numerator.")
    whole: int = strawberry.field(description="Out of how many: the denominator.")

    @staticmethod
    def of(share: Share) -> "TicketShare":
        return TicketShare(value=share.value, part=share.part, whole=share.whole)


@strawberry.type(description="How long the clocks of one kind took, in working time, and how many were late.")
class TicketTimes:
    clock: str = strawberry.field(description="The kind of clock, as TicketClock.kind has it.")
    count: int = strawberry.field(description="How many were met, in time or late.")
    p50: timedelta | None = strawberry.field(description="Half of them took no longer; null of none.")
    p75: timedelta | None = strawberry.field(description="Three of four took no longer.")
    p90: timedelta | None = strawberry.field(description="Nine of ten took no longer.")
    p95: timedelta | None = strawberry.field(description="95 of 100 took no longer.")
    breached: TicketShare = strawberry.field(description=f"The breach rate. {BREACH_RATE}.")
    overdue: TicketShare = strawberry.field(description=f"{OVERDUE}.")


@strawberry.type(description="How many open tickets are how old.")
class TicketAge:
    age: str = strawberry.field(
        description=f"How long ago they were opened: {', '.join(name for name, _ in AGES)}."
    )
    count: int = strawberry.field(description="How many.")


@strawberry.type(description="The figures of a group of tickets. Merged ones are left out.")
class TicketingFigures:
    key: str | None = strawberry.field(description="What the group is put together by; null for none of it.")
    name: str | None = strawberry.field(description="Its name.")
    opened: int = strawberry.field(description="Tickets that were opened in the window.")
    resolved: int = strawberry.field(description="Those of them that are resolved now.")
    times: list[TicketTimes] = strawberry.field(description="Of the tickets opened in the window, by clock.")
    breached: TicketShare = strawberry.field(
        description=f"The breach rate of clocks of all kinds together. {BREACH_RATE}."
    )
    overdue: TicketShare = strawberry.field(description=f"{OVERDUE}; of all kinds together.")
    first_contact_resolution: TicketShare = strawberry.field(
        description="Resolved with one answer at most and not opened again, of those that are resolved."
    )
    owner_continuity: TicketShare = strawberry.field(
        description="Tickets that were with the person who had most of that customer's, of customers who have"
        " several."
    )
    backlog: list[TicketAge] = strawberry.field(description="Tickets that are open now, whenever opened.")
    satisfied: TicketShare = strawberry.field(
        description="CSAT: ratings of 4 and 5, of all that were given in the window."
    )
    average_rating: float | None = strawberry.field(description="Of these, from 1 to 5; null of none.")


@strawberry.type(description="What the tickets of a time come to.")
class TicketingReport:
    start: datetime = strawberry.field(description="The window: from here on.", name="from")
    end: datetime = strawberry.field(description="Up to here.", name="to")
    data_through: datetime = strawberry.field(description="The moment that the clocks are read at.")
    groups: list[TicketingFigures] = strawberry.field(
        description="One for each group, by name; one for all without groupBy."
    )


Window = Annotated[
    TicketingWindow, strawberry.argument(description="Tickets that were opened, and ratings given, in it.")
]
By = Annotated[GroupBy | None, strawberry.argument(description="What to put tickets together by.")]


def _most(**_: object) -> int:
    return 100


@root(permission=READ, most=_most)
async def ticketing_report(info: Info, window: Window, group_by: By = UNSET) -> TicketingReport:
    """How fast tickets were answered and resolved, how well, and how many are left."""
    moment = now()
    span = Span(window.start, window.end)
    by = group_by or None
    reader = info.context.reader
    await refuse_more(reader, span)
    found = await groups(reader, span, by, moment)
    names = await names_of(reader, by, list(found))
    figures = [figures_of(key, names.get(key), group) for key, group in found.items()]
    figures.sort(key=lambda one: (one.name is None, one.name or "", one.key or ""))
    return TicketingReport(
        start=window.start, end=window.end, data_through=moment, groups=figures[:MOST_GROUPS]
    )


def figures_of(key: str | None, name: str | None, group: Group) -> TicketingFigures:
    """A group's figures as the API shows them."""
    rated = satisfaction(group.ratings)
    return TicketingFigures(
        key=key,
        name=name,
        opened=group.opened,
        resolved=group.resolved,
        times=[_times(group, kind, name) for kind, name in enumerate(KINDS)],
        breached=TicketShare.of(breaches(group)),
        overdue=TicketShare.of(overdue(group)),
        first_contact_resolution=TicketShare.of(first_contact(group)),
        owner_continuity=TicketShare.of(group.continuity),
        backlog=[TicketAge(age=age, count=group.ages[age]) for age, _ in AGES],
        satisfied=TicketShare(value=rated.csat, part=rated.satisfied, whole=rated.answers),
        average_rating=rated.stars / rated.answers if rated.answers else None,
    )


def _times(group: Group, kind: int, name: str) -> TicketTimes:
    p50, p75, p90, p95 = (_duration(seconds) for seconds in group.percentiles[kind])
    return TicketTimes(
        clock=name,
        count=len(group.taken[kind]),
        p50=p50,
        p75=p75,
        p90=p90,
        p95=p95,
        breached=TicketShare.of(breaches(group, kind)),
        overdue=TicketShare.of(overdue(group, kind)),
    )


def _duration(seconds: int | None) -> timedelta | None:
    return None if seconds is None else timedelta(seconds=seconds)
