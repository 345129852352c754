"""Changes of policies in the API."""

from collections.abc import Sequence

import strawberry
from strawberry import ID

from crm_framework import (
    SchemaParts,
    UnitOfWork,
    chosen,
    expected,
    fields_of,
    key_of,
    keys_of,
    mutation,
    optional,
    payload,
    reference,
    required,
    retry_key,
)
from crm_ticketing.calendars.graphql import BusinessCalendar
from crm_ticketing.permissions import CONFIGURE

from .graphql import Queries, SlaPolicy, SlaPolicyVersion
from .graphql_trial import try_sla_policy
from .inputs import SlaRulesInput, rules_of_input
from .store import create_policy, reorder, switch, update_policy


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


@payload
class SlaPolicyPayload:
    """The policy after the change."""

    policy_id: strawberry.Private[str | None] = None
    version_id: strawberry.Private[str | None] = None
    policy: SlaPolicy | None = reference(
        "policy_id", "The policy as it is now, which others may have changed since; null on failure."
    )
    version: SlaPolicyVersion | None = reference(
        "version_id", "What it says by this very change; null on failure."
    )


@payload
class SlaPoliciesPayload:
    """What became of the change."""

    changed: bool = strawberry.field(description="Whether it was made.", default=False)


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


def parts(categories: Sequence[str]) -> SchemaParts:
    """What policies add to the API, with the categories of the settings."""

    @mutation(permission=CONFIGURE, everyone=True)
    async def create_sla_policy(tx: UnitOfWork, input: CreateSlaPolicyInput) -> SlaPolicyPayload:
        """Makes a policy, the last in order and not switched on: `trySlaPolicy`, then `switchSlaPolicies`."""
        calendar = key_of(input.calendar, BusinessCalendar, path=("calendar",))
        rules = rules_of_input(input.rules)
        made = await create_policy(tx, input.name, rules, calendar, categories=categories)
        return SlaPolicyPayload(**made._asdict())

    @mutation(permission=CONFIGURE, everyone=True)
    async def update_sla_policy(tx: UnitOfWork, input: UpdateSlaPolicyInput) -> SlaPolicyPayload:
        """Changes a policy. Other rules are its next version, which waits to be switched on; tickets keep
        theirs until they are recalculated.
        """
        calendar = key_of(input.calendar, BusinessCalendar, path=("calendar",)) if input.calendar else None
        changed = await update_policy(
            tx,
            key_of(input.id, SlaPolicy),
            name=input.name,
            rules=rules_of_input(input.rules) if input.rules is not None else None,
            calendar_id=calendar,
            categories=categories,
            expected_version=chosen(input.expected_version),
        )
        return SlaPolicyPayload(**changed._asdict())

    return SchemaParts(
        query=fields_of(Queries),
        mutation=[
            create_sla_policy,
            update_sla_policy,
            switch_sla_policies,
            reorder_sla_policies,
            try_sla_policy,
        ],
    )
