"""Service-level policies in the API: what can be read."""

from datetime import datetime, timedelta

import strawberry
from strawberry import ID, Info

from crm_framework import (
    Batch,
    Connection,
    Fragment,
    Node,
    OrderField,
    Orders,
    batch,
    column,
    computed,
    connection,
    encode_id,
    load_groups,
    node,
    reference,
)
from crm_ticketing.calendars.graphql import BusinessCalendarVersion
from crm_ticketing.permissions import POLICIES
from crm_ticketing.vocabulary import ClockKind, StepAction, TicketPriority, TicketStatus

from .rules import Step, rules_of


@strawberry.type(description="Until when, in working time, something must have happened.")
class SlaTarget:
    clock: ClockKind = strawberry.field(description="Which clock.")
    target: timedelta = strawberry.field(description="Working time.")


@strawberry.type(
    description="Which tickets a policy is for: every list that is not empty must hold one that fits."
)
class SlaConditions:
    priorities: list[TicketPriority] = strawberry.field(description="Priorities.")
    categories: list[str] = strawberry.field(description="Categories.")
    segments: list[ID] = strawberry.field(description="Segments that the customer belongs to.")
    tags: list[str] = strawberry.field(description="Tags of the ticket or the customer.")
    channels: list[str] = strawberry.field(description="How the first message came.")


@strawberry.type(description="A step of escalation.")
class SlaStep:
    clock: ClockKind = strawberry.field(description="Which clock it goes by.")
    action: StepAction = strawberry.field(description="What it does.")
    percent: int | None = strawberry.field(
        description="At how many percent of the target, if it goes by that."
    )
    minutes: int | None = strawberry.field(
        description="How many minutes of working time after the target, before it if negative, if it "
        "goes by that."
    )
    notify: str | None = strawberry.field(
        description="The address that is told, besides whoever has the ticket."
    )
    staff: ID | None = strawberry.field(description="Who gets the ticket.")
    team: ID | None = strawberry.field(description="The team of which somebody gets it.")


@node(
    table="ticketing_policy_version",
    permission=POLICIES,
    shared=True,
    hidden={"rules": str, "calendar_version_id": str, "policy_id": str},
)
class SlaPolicyVersion(Node):
    """What a policy says; it never changes, so that clocks can be explained for as long as tickets are
    kept.
    """

    number: int = column("1, then 2 …")
    created_at: datetime = column("When it was made.")
    calendar: BusinessCalendarVersion = reference(
        "calendar_version_id", "The version of the calendar that it goes by."
    )
    policy: "SlaPolicy" = reference("policy_id", "The policy.")

    @computed()
    @staticmethod
    def targets(rules: str) -> list[SlaTarget]:
        """The targets."""
        return [
            SlaTarget(clock=kind, target=timedelta(seconds=seconds))
            for kind, seconds in rules_of(rules).targets.items()
        ]

    @computed()
    @staticmethod
    def conditions(rules: str) -> SlaConditions:
        """Which tickets it is for; all, if every list is empty."""
        found = rules_of(rules).conditions
        return SlaConditions(
            priorities=[TicketPriority(one) for one in found.priorities],
            categories=list(found.categories),
            segments=[ID(encode_id("Segment", key)) for key in found.segments],
            tags=list(found.tags),
            channels=list(found.channels),
        )

    @computed()
    @staticmethod
    def pauses(rules: str) -> list[TicketStatus]:
        """In which statuses the clocks of resolution pause."""
        return [TicketStatus(one) for one in rules_of(rules).pauses]

    @computed()
    @staticmethod
    def steps(rules: str) -> list[SlaStep]:
        """The steps of escalation."""
        return [_shown_step(one) for one in rules_of(rules).steps]


def _shown_step(one: Step) -> SlaStep:
    notify = one.action is StepAction.NOTIFY
    return SlaStep(
        clock=one.clock,
        action=one.action,
        percent=one.percent,
        minutes=one.minutes,
        notify=one.to if notify else None,
        staff=ID(encode_id("Staff", one.to)) if one.to is not None and not notify else None,
        team=ID(encode_id("TicketTeam", one.team)) if one.team is not None else None,
    )


POLICY_ORDERS = Orders(
    "SlaPolicyOrder",
    [
        OrderField("POSITION", "int", "In the order in which they are tried.", column="position"),
        OrderField("NAME", "string", "By name.", column="name"),
    ],
)
_LATEST = Fragment("t.number = (SELECT p.number FROM ticketing_policy p WHERE p.id = t.policy_id)")
_ACTIVE = Fragment("t.number = (SELECT p.active_number FROM ticketing_policy p WHERE p.id = t.policy_id)")


@node(table="ticketing_policy", permission=POLICIES, shared=True)
class SlaPolicy(Node):
    """Which tickets must be answered and resolved by when. The first that fits a ticket applies to it."""

    version: int = column("Grows by one with each change of the policy; not that of its rules.")
    name: str = column("Its name.")
    position: int = column("Its place in the order in which policies are tried.")
    created_at: datetime = column("When it was made.")
    updated_at: datetime = column("When it last changed.")

    @batch(needs=("id",), restricted=True)
    @staticmethod
    async def latest(each: Batch["SlaPolicy"], info: Info) -> list[SlaPolicyVersion]:
        """What it says, or will say once it is switched on."""
        groups = await load_groups(info, SlaPolicyVersion, "policy_id", each.ids, where=_LATEST, columns=())
        return [group[0] for group in groups]

    @batch(needs=("id",), restricted=True)
    @staticmethod
    async def active(each: Batch["SlaPolicy"], info: Info) -> list[SlaPolicyVersion | None]:
        """What holds for new tickets; null while the policy is not switched on."""
        groups = await load_groups(info, SlaPolicyVersion, "policy_id", each.ids, where=_ACTIVE, columns=())
        return [group[0] if group else None for group in groups]

    versions: Connection[SlaPolicyVersion] = connection(
        key="policy_id",
        orders=Orders("SlaPolicyVersionOrder", [OrderField("NUMBER", "int", "By number.", column="number")]),
        default_order=("-NUMBER",),
        description="What it says and said, the latest first.",
    )


class Queries:
    sla_policies: Connection[SlaPolicy] = connection(
        orders=POLICY_ORDERS,
        default_order=("POSITION",),
        permission=POLICIES,
        description="Service-level policies, in the order in which they are tried.",
    )
