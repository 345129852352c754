"""The trial of a policy in the API."""

from datetime import datetime

import strawberry
from strawberry import ID

from crm_framework import CrmError, ErrorCode, UnitOfWork, key_of, mutation, optional, payload, required
from crm_ticketing.permissions import CONFIGURE
from crm_ticketing.vocabulary import ClockKind

from .graphql import SlaPolicy
from .trial import MOST_TRIED, try_policy


@strawberry.input(description="A policy to try on tickets that are there.")
class TrySlaPolicyInput:
    policy: ID = required("Which policy; its latest version is tried, switched on or not.")
    since: datetime | None = optional("Tickets opened since then; all if left out.", default=None)
    most: int = optional(f"How many tickets at most, the latest first; {MOST_TRIED} at most.", default=500)


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
