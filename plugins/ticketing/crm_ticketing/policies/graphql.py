"""Service-level policies in the API."""

from collections.abc import Sequence
from datetime import datetime, timedelta

import strawberry
from strawberry import ID, Info

from crm_framework import (
    Batch,
    Connection,
    CrmError,
    ErrorCode,
    Fragment,
    Node,
    OrderField,
    Orders,
    SchemaParts,
    Staff,
    UnitOfWork,
    batch,
    chosen,
    column,
    computed,
    connection,
    decode_key,
    encode_id,
    expected,
    fields_of,
    key_of,
    keys_of,
    load_groups,
    mutation,
    node,
    optional,
    payload,
    reference,
    required,
    retry_key,
)
from crm_ticketing.calendars.graphql import BusinessCalendar, BusinessCalendarVersion
from crm_ticketing.permissions import CONFIGURE, POLICIES
from crm_ticketing.teams.graphql import TicketTeam
from crm_ticketing.vocabulary import ClockKind, StepAction, TicketPriority, TicketStatus

from .rules import Conditions, PolicyRules, Step, rules_of
from .store import create_policy, reorder, switch, update_policy
from .trial import MOST_TRIED, try_policy


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


class _Queries:
    sla_policies: Connection[SlaPolicy] = connection(
        orders=POLICY_ORDERS,
        default_order=("POSITION",),
        permission=POLICIES,
        description="Service-level policies, in the order in which they are tried.",
    )


@strawberry.input(description="A target.")
class SlaTargetInput:
    clock: ClockKind = required("Which clock.")
    target: timedelta = required("Working time, such as PT4H.")


@strawberry.input(
    description="Which tickets a policy is for: every list that is not empty must hold one that fits."
)
class SlaConditionsInput:
    priorities: list[TicketPriority] = optional("Priorities.", default_factory=list)
    categories: list[str] = optional("Categories.", default_factory=list)
    segments: list[ID] = optional("Segments that the customer belongs to.", default_factory=list)
    tags: list[str] = optional("Tags of the ticket or the customer.", default_factory=list)
    channels: list[str] = optional("How the first message came.", default_factory=list)


@strawberry.input(description="A step of escalation: either `percent` or `minutes` says when it is due.")
class SlaStepInput:
    clock: ClockKind = required("Which clock it goes by.")
    action: StepAction = required("What it does.")
    percent: int | None = optional("At how many percent of the target.", default=None)
    minutes: int | None = optional(
        "How many minutes of working time after the target, before it if negative.", default=None
    )
    notify: str | None = optional(
        "For NOTIFY: an e-mail address that is told, besides whoever has the ticket.", default=None
    )
    staff: ID | None = optional("For REASSIGN: who gets the ticket.", default=None)
    team: ID | None = optional("For REASSIGN: the team of which somebody gets it.", default=None)


@strawberry.input(description="What a policy says.")
class SlaRulesInput:
    targets: list[SlaTargetInput] = required("Targets; a clock without one does not run.")
    conditions: SlaConditionsInput | None = optional(
        "Which tickets it is for; all, if left out.", default=None
    )
    pauses: list[TicketStatus] = optional(
        "In which statuses the clocks of resolution pause: WAITING_ON_CUSTOMER, ON_HOLD.",
        default_factory=lambda: [TicketStatus.WAITING_ON_CUSTOMER],
    )
    steps: list[SlaStepInput] = optional("Steps of escalation.", default_factory=list)


@strawberry.input(description="A new policy.")
class CreateSlaPolicyInput:
    name: str = required("Its name; no two share one.")
    calendar: ID = required("The business calendar that it goes by.")
    rules: SlaRulesInput = required("What it says.")
    idempotency_key: str | None = retry_key()


@strawberry.input(description="A change of a policy.")
class UpdateSlaPolicyInput:
    id: ID = required("Which policy.")
    name: str | None = optional("Another name.", default=None)
    calendar: ID | None = optional("Another calendar, or the newest version of the same.", default=None)
    rules: SlaRulesInput | None = optional("What it says, as a whole.", default=None)
    expected_version: int | None = expected()


@strawberry.input(description="Which policies are for new tickets.")
class SwitchSlaPoliciesInput:
    on: list[ID] = optional("To switch on, each in its latest version.", default_factory=list)
    off: list[ID] = optional("To switch off.", default_factory=list)


@strawberry.input(description="The order in which policies are tried.")
class ReorderSlaPoliciesInput:
    policies: list[ID] = required("All policies, the first to be tried first.")


@strawberry.input(description="A policy to try on tickets that are there.")
class TrySlaPolicyInput:
    policy: ID = required("Which policy; its latest version is tried, switched on or not.")
    since: datetime | None = optional("Tickets opened since then; all if left out.", default=None)
    most: int = optional(f"How many tickets at most, the latest first; {MOST_TRIED} at most.", default=500)


@payload
class SlaPolicyPayload:
    """The policy after the change."""

    policy_id: strawberry.Private[str | None] = None
    policy: SlaPolicy | None = reference("policy_id", "The policy; null on failure.")


@payload
class SlaPoliciesPayload:
    """What became of the change."""

    changed: bool = strawberry.field(description="Whether it was made.", default=False)


@strawberry.type(description="What a trial of a policy found out about one clock.")
class SlaClockTrial:
    clock: ClockKind = strawberry.field(description="Which clock.")
    clocks: int = strawberry.field(description="How many such clocks the tickets have now.")
    breached: int = strawberry.field(description="How many of these are breached.")
    would_be: int = strawberry.field(description="How many they would have under the policy.")
    would_be_breached: int = strawberry.field(description="How many of these would be breached.")


@payload
class SlaTrialPayload:
    """What the policy would have made of the tickets, had it applied from their start on."""

    looked_at: int = strawberry.field(description="How many tickets were looked at.", default=0)
    taken: int = strawberry.field(description="How many of them the policy would be for.", default=0)
    clocks: list[SlaClockTrial] = strawberry.field(
        description="What became of these, clock by clock.", default_factory=list
    )


def rules_of_input(given: SlaRulesInput) -> PolicyRules:
    """The rules as they were given, not yet checked as a whole."""
    targets: dict[ClockKind, int] = {}
    for one in given.targets:
        if one.clock in targets:
            raise CrmError(
                ErrorCode.BAD_INPUT, f"There are two targets for {one.clock}.", path=("rules", "targets")
            )
        targets[one.clock] = int(one.target.total_seconds())
    conditions = given.conditions or SlaConditionsInput()
    return PolicyRules(
        targets=targets,
        conditions=Conditions(
            priorities=tuple(one.value for one in conditions.priorities),
            categories=tuple(conditions.categories),
            segments=tuple(_segment(id, place) for place, id in enumerate(conditions.segments)),
            tags=tuple(conditions.tags),
            channels=tuple(conditions.channels),
        ),
        pauses=tuple(one.value for one in given.pauses),
        steps=tuple(_step(one, place) for place, one in enumerate(given.steps)),
    )


def _segment(id: str, place: int) -> str:
    try:
        return decode_key(id, "Segment")
    except Exception:
        raise CrmError(
            ErrorCode.BAD_INPUT,
            "This is not the id of a segment.",
            path=("rules", "conditions", "segments", place),
        ) from None


def _step(one: SlaStepInput, place: int) -> Step:
    path = ("rules", "steps", place)
    to = one.notify
    if one.staff is not None:
        if one.notify is not None:
            raise CrmError(ErrorCode.BAD_INPUT, "A step notifies or reassigns, not both.", path=path)
        to = key_of(one.staff, Staff, path=(*path, "staff"))
    team = key_of(one.team, TicketTeam, path=(*path, "team")) if one.team is not None else None
    if one.notify is not None and one.action is not StepAction.NOTIFY:
        raise CrmError(ErrorCode.BAD_INPUT, f"A step {one.action} notifies nobody.", path=path)
    if one.staff is not None and one.action is not StepAction.REASSIGN:
        raise CrmError(ErrorCode.BAD_INPUT, f"A step {one.action} takes no member of staff.", path=path)
    return Step(one.clock, one.action, one.percent, one.minutes, to, team)


def parts(categories: Sequence[str]) -> SchemaParts:
    """What policies add to the API, with the categories of the settings."""

    @mutation(permission=CONFIGURE, everyone=True)
    async def create_sla_policy(tx: UnitOfWork, input: CreateSlaPolicyInput) -> SlaPolicyPayload:
        """Makes a policy, the last in order and not switched on: `trySlaPolicy`, then `switchSlaPolicies`."""
        calendar = key_of(input.calendar, BusinessCalendar, path=("calendar",))
        rules = rules_of_input(input.rules)
        key = await create_policy(tx, input.name, rules, calendar, categories=categories)
        return SlaPolicyPayload(policy_id=key)

    @mutation(permission=CONFIGURE, everyone=True)
    async def update_sla_policy(tx: UnitOfWork, input: UpdateSlaPolicyInput) -> SlaPolicyPayload:
        """Changes a policy. Other rules are its next version, which waits to be switched on; tickets keep
        theirs until they are recalculated.
        """
        calendar = key_of(input.calendar, BusinessCalendar, path=("calendar",)) if input.calendar else None
        key = await update_policy(
            tx,
            key_of(input.id, SlaPolicy),
            name=input.name,
            rules=rules_of_input(input.rules) if input.rules is not None else None,
            calendar_id=calendar,
            categories=categories,
            expected_version=chosen(input.expected_version),
        )
        return SlaPolicyPayload(policy_id=key)

    return SchemaParts(
        query=fields_of(_Queries),
        mutation=[
            create_sla_policy,
            update_sla_policy,
            switch_sla_policies,
            reorder_sla_policies,
            try_sla_policy,
        ],
    )


@mutation(permission=CONFIGURE, everyone=True)
async def switch_sla_policies(tx: UnitOfWork, input: SwitchSlaPoliciesInput) -> SlaPoliciesPayload:
    """Has new tickets come under the latest versions of policies, or under none of theirs. Of those that are
    on exactly one has no conditions.
    """
    await switch(tx, keys_of(input.on, SlaPolicy, ("on",)), keys_of(input.off, SlaPolicy, ("off",)))
    return SlaPoliciesPayload(changed=True)


@mutation(permission=CONFIGURE, everyone=True)
async def reorder_sla_policies(tx: UnitOfWork, input: ReorderSlaPoliciesInput) -> SlaPoliciesPayload:
    """Puts the policies in another order."""
    await reorder(tx, keys_of(input.policies, SlaPolicy, ("policies",)))
    return SlaPoliciesPayload(changed=True)


@mutation(permission=CONFIGURE, everyone=True)
async def try_sla_policy(tx: UnitOfWork, input: TrySlaPolicyInput) -> SlaTrialPayload:
    """Tells what a policy would have made of the latest tickets. Changes nothing."""
    key = key_of(input.policy, SlaPolicy, path=("policy",))
    if not 1 <= input.most <= MOST_TRIED:
        raise CrmError(
            ErrorCode.BAD_INPUT, f"A policy is tried on 1 to {MOST_TRIED} tickets.", path=("most",)
        )
    found = await try_policy(tx, key, input.since, input.most)
    return SlaTrialPayload(
        looked_at=found.looked_at,
        taken=found.taken,
        clocks=[
            SlaClockTrial(
                clock=ClockKind(one.clock),
                clocks=one.present,
                breached=one.breached,
                would_be=one.would_be,
                would_be_breached=one.would_be_breached,
            )
            for one in found.clocks
        ],
    )
