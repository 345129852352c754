"""The contact policy: its rules, and whether a customer may be contacted now."""

from datetime import datetime
from typing import Annotated

import strawberry

from crm_framework.domain.contacts import decisions as contact_decisions
from crm_framework.domain.contacts import rules as contact_rules
from crm_framework.domain.contacts.policy import ContactReason
from crm_framework.engine.fields import batch, column, root
from crm_framework.engine.ids import decode_key
from crm_framework.engine.load import load_where
from crm_framework.engine.nodes import Node, node
from crm_framework.engine.parts import SchemaParts
from crm_framework.engine.relations import reference
from crm_framework.engine.rows import Batch
from crm_framework.engine.sql import TRUE
from crm_framework.errors import CrmError
from crm_framework.security.actors import INTERNAL
from crm_framework.storage.clock import now
from crm_framework.storage.unit_of_work import UnitOfWork

from . import enums  # noqa: F401  # makes ContactReason an enumeration of the API
from .customers import Customer
from .inputs import chosen, expected, given, key_of, optional, required, retry_key
from .mutation import mutation, payload
from .user_errors import with_ids


@node(table="crm_contact_rule", permission="settings.read", shared=True)
class ContactRule(Node):
    """How often we may reach out, and when: on one channel, or over all of them together.

    A rule for one channel never lifts the one over all channels: both hold.
    """

    version: int = column("Grows by one with each change.")
    channel: str | None = column("The channel; null for the rule over all channels together.")
    max_touches: int | None = column("How many touches a window may hold; null: no limit, 0: none at all.")
    window_hours: int | None = column("How long the rolling window is, in hours.")
    quiet_from: str | None = column("When quiet hours begin, `HH:MM` where the customer lives.")
    quiet_until: str | None = column("When quiet hours end, `HH:MM`; on the next day, if that is earlier.")
    rest_hours: int | None = column("How long a customer is left alone after a support case, in hours.")
    created_at: datetime = column("When the rule was made.")
    updated_at: datetime = column("When it last changed.")


@strawberry.type(description="Whether a customer may be contacted, why, and when next.")
class ContactDecision:
    allowed: bool = strawberry.field(description="Whether we may reach out.")
    reason: ContactReason = strawberry.field(description="Why; of several reasons the weightiest.")
    explanation: str = strawberry.field(description="All reasons, for people.")
    next_allowed_at: datetime | None = strawberry.field(
        description="The earliest moment, from the one asked about on, at which we may, as far as is known "
        "now; null where it stays forbidden until something changes."
    )


@batch(permission=INTERNAL)
async def can_contact(
    customers: Batch[Customer],
    info: strawberry.Info,
    channel: Annotated[str, strawberry.argument(description="The channel, such as email or phone.")],
    at: Annotated[datetime | None, strawberry.argument(description="The moment; now, if left out.")] = None,
    reply_to: Annotated[
        strawberry.ID | None,
        strawberry.argument(description="The customer's own message that is to be answered, if it is that."),
    ] = None,
) -> list[ContactDecision]:
    """Whether we may reach out to the customer on a channel, by consent and by all rules."""
    settings = info.context.settings
    try:
        decisions = await contact_decisions.contact_decisions(
            info.context.reader,
            customers.ids,
            channel,
            at or now(),
            reply_to=None if reply_to is None else decode_key(reply_to, "Interaction"),
            unknown_consent_allows=settings.unknown_consent_allows,
            default_zone=settings.default_time_zone,
        )
    except CrmError as error:
        raise with_ids(error, reply_to) from None
    return [
        ContactDecision(
            allowed=decision.allowed,
            reason=decision.reason,
            explanation=decision.explanation,
            next_allowed_at=decision.next_allowed_at,
        )
        for decision in (decisions[key] for key in customers.ids)
    ]


@root(permission="settings.read", restricted=True, name="contactRules")
async def all_contact_rules(info: strawberry.Info) -> list[ContactRule]:
    """The rules by channel, the one over all channels last; there is one for each at most."""
    return await load_where(info, ContactRule, TRUE, order=("channel",))


@payload
class ContactRulePayload:
    """The rule after the change."""

    rule_id: strawberry.Private[str | None] = None
    contact_rule: ContactRule | None = reference(
        "rule_id", "The rule; null on failure, and when it was deleted."
    )


@strawberry.input(description="A new rule of the contact policy.")
class CreateContactRuleInput:
    channel: str | None = optional("The channel; left out, it is the rule over all channels together.")
    max_touches: int | None = optional("How many touches a window may hold; no limit, if left out.")
    window_hours: int | None = optional("How long the rolling window is; needed with a limit.")
    quiet_from: str | None = optional("When quiet hours begin, `HH:MM` where the customer lives.")
    quiet_until: str | None = optional("When quiet hours end, `HH:MM`.")
    rest_hours: int | None = optional("How long a customer is left alone after a support case.")
    idempotency_key: str | None = retry_key()


@strawberry.input(description="A change to a rule. What is left out stays; null removes.")
class UpdateContactRuleInput:
    id: strawberry.ID = required("Which rule.")
    channel: str | None = optional("The channel; null is all channels together.")
    max_touches: int | None = optional("How many touches a window may hold; null is no limit.")
    window_hours: int | None = optional("How long the rolling window is.")
    quiet_from: str | None = optional("When quiet hours begin, `HH:MM` where the customer lives.")
    quiet_until: str | None = optional("When quiet hours end, `HH:MM`.")
    rest_hours: int | None = optional("How long a customer is left alone after a support case.")
    expected_version: int | None = expected()


@strawberry.input(description="A rule to delete.")
class DeleteContactRuleInput:
    id: strawberry.ID = required("Which rule.")
    expected_version: int | None = expected()


@mutation(permission="settings.write", everyone=True)
async def create_contact_rule(tx: UnitOfWork, input: CreateContactRuleInput) -> ContactRulePayload:
    """Adds a rule, for a channel that has none or over all channels."""
    new = contact_rules.ContactRuleFields(**given(input, leave_out=("idempotency_key",)))
    return ContactRulePayload(rule_id=await contact_rules.create_contact_rule(tx, new))


@mutation(permission="settings.write", everyone=True)
async def update_contact_rule(tx: UnitOfWork, input: UpdateContactRuleInput) -> ContactRulePayload:
    """Changes a rule; it holds from now on."""
    key = await contact_rules.update_contact_rule(
        tx,
        key_of(input.id, ContactRule),
        given(input, leave_out=("id", "expected_version")),
        expected_version=chosen(input.expected_version),
    )
    return ContactRulePayload(rule_id=key)


@mutation(permission="settings.write", everyone=True)
async def delete_contact_rule(tx: UnitOfWork, input: DeleteContactRuleInput) -> ContactRulePayload:
    """Removes a rule; what it forbade is allowed from now on, if no other rule forbids it."""
    await contact_rules.delete_contact_rule(
        tx, key_of(input.id, ContactRule), expected_version=chosen(input.expected_version)
    )
    return ContactRulePayload()


parts = SchemaParts(
    extend={Customer: [can_contact]},
    query=[all_contact_rules],
    mutation=[create_contact_rule, update_contact_rule, delete_contact_rule],
)
