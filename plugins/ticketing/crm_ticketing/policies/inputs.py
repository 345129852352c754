"""What a policy says, as clients write it."""

from datetime import timedelta

import strawberry
from strawberry import ID

from crm_framework import CrmError, ErrorCode, Staff, decode_key, key_of, optional, required
from crm_ticketing.links.tags import tag_of
from crm_ticketing.teams.graphql import TicketTeam
from crm_ticketing.vocabulary import ClockKind, StepAction, TicketPriority, TicketStatus

from .rules import Conditions, PolicyRules, Step


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
            tags=tuple(tag_of(one) for one in conditions.tags),
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
