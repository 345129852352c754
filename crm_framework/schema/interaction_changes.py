"""Interactions are logged, and corrected where need be."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import strawberry
from strawberry import UNSET

from crm_framework.domain.interactions import touches as interactions
from crm_framework.domain.models import Direction, Sentiment
from crm_framework.engine.parts import SchemaParts
from crm_framework.engine.relations import reference
from crm_framework.errors import CrmError, ErrorCode
from crm_framework.storage.unit_of_work import UnitOfWork

from .customers import Customer
from .inputs import chosen, expected, key_of, optional, optional_key, renamed, required, retry_key
from .interactions import Interaction
from .mutation import Own, mutation, payload
from .staff import Staff


@payload
class InteractionPayload:
    """The interaction after the change."""

    interaction_id: strawberry.Private[str | None] = None
    interaction: Interaction | None = reference("interaction_id", "The interaction; null on failure.")


@strawberry.input(description="What any touch may say, of whatever kind.")
class TouchInput:
    channel: str | None = optional("The way it took; where the kind has a usual one, that.")
    direction: Direction | None = optional("Who began it.")
    subject: str | None = optional("What it was about, in one line.")
    body: str | None = optional("What was said.")
    outcome: str | None = optional("What came of it.")
    sentiment: Sentiment | None = optional("How the customer felt about it.")
    occurred_at: datetime | None = optional("When it took place; now, if left out.")
    duration: timedelta | None = optional("How long it took.")
    staff: strawberry.ID | None = optional("The member of staff; who asks, if left out.")
    follow_up_at: datetime | None = optional("When to come back to it.")
    source: str | None = optional("The system that the record comes from.")
    reference: str | None = optional("Its key in that system; the same one again changes nothing.")


@strawberry.input(description="A touch with a customer.")
class LogInteractionInput(TouchInput):
    customer: strawberry.ID = required("With whom.")
    kind: str = required(
        "What it was, such as call or visit. Purchases and refunds have their own mutations."
    )
    reply_to: strawberry.ID | None = optional("The customer's message that it answers.")
    idempotency_key: str | None = retry_key()


@strawberry.input(description="A correction. What is left out stays; null removes.")
class UpdateInteractionInput:
    id: strawberry.ID = required("Which interaction.")
    kind: str | None = optional("What it was.")
    channel: str | None = optional("The way it took.")
    direction: Direction | None = optional("Who began it.")
    subject: str | None = optional("What it was about, in one line.")
    body: str | None = optional("What was said.")
    outcome: str | None = optional("What came of it.")
    sentiment: Sentiment | None = optional("How the customer felt about it.")
    occurred_at: datetime | None = optional("When it took place.")
    duration: timedelta | None = optional("How long it took.")
    staff: strawberry.ID | None = optional("The member of staff.")
    follow_up_at: datetime | None = optional("When to come back to it.")
    expected_version: int | None = expected()


MEMBERS = {
    "customerId": "customer",
    "staffId": "staff",
    "replyToId": "replyTo",
    "purchaseId": "purchase",
    "durationSeconds": "duration",
}
"""The domain's names of members of inputs, where they differ from the API's."""

TOUCH = (
    *("channel", "direction", "subject", "body", "outcome", "sentiment", "occurred_at", "follow_up_at"),
    *("kind", "source", "reference"),
)
_ITSELF: Mapping[str, str] = {name: name for name in TOUCH}


def touch_of(input: Any, *, names: Mapping[str, str] = _ITSELF) -> dict[str, Any]:
    """The members that every touch has, as the domain calls them. Raises `CrmError` for a wrong id.

    `names` are those that are taken as they are, with the domain's names for them.
    """
    values = {
        names[member]: value
        for member, value in vars(input).items()
        if value is not UNSET and member in names
    }
    if input.duration is not UNSET:
        seconds = None if input.duration is None else int(input.duration.total_seconds())
        values["duration_seconds"] = seconds
    if input.staff is not UNSET:
        values["staff_id"] = optional_key(input.staff, Staff, ("staff",))
    return values


OWN_KINDS = ("message", "self_service")


def _check_own(input: LogInteractionInput) -> None:
    """What customers log themselves is what they say or do, themselves."""
    if input.kind not in OWN_KINDS or input.direction is not Direction.INBOUND:
        raise CrmError(
            ErrorCode.FORBIDDEN,
            f"A customer's own token logs {' or '.join(OWN_KINDS)} with the direction INBOUND.",
            path=("kind",),
        )


@mutation(
    permission="interactions.write",
    own=Own(
        "customer", only=("customer", "kind", "channel", "direction", "subject", "body"), check=_check_own
    ),
    repeatable=True,
)
async def log_interaction(tx: UnitOfWork, input: LogInteractionInput) -> InteractionPayload:
    """Records a touch, or finds the one that has this source and reference already."""
    customer = key_of(input.customer, Customer, path=("customer",))
    reply_to = chosen(optional_key(input.reply_to, Interaction, ("replyTo",)))
    with renamed(**MEMBERS):
        key = await interactions.log_interaction(
            tx, interactions.NewInteraction(customer_id=customer, reply_to_id=reply_to, **touch_of(input))
        )
    return InteractionPayload(interaction_id=key)


@mutation(permission="interactions.write")
async def update_interaction(tx: UnitOfWork, input: UpdateInteractionInput) -> InteractionPayload:
    """Corrects an interaction. The amounts of purchases and refunds do not change."""
    with renamed(**MEMBERS):
        key = await interactions.update_interaction(
            tx,
            key_of(input.id, Interaction),
            touch_of(input),
            expected_version=chosen(input.expected_version),
        )
    return InteractionPayload(interaction_id=key)


parts = SchemaParts(mutation=[log_interaction, update_interaction])
