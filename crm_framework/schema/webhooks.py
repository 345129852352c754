"""Webhooks over the API: made, changed, tried out, and what was sent to them."""

from datetime import datetime
from typing import Annotated

import strawberry

from crm_framework.domain.deliveries import Past
from crm_framework.domain.models import WebhookDeliveryStatus, WebhookStatus
from crm_framework.domain.webhooks import changes, replaying, sending
from crm_framework.engine.connections import Connection, connection
from crm_framework.engine.fields import batch, column, root
from crm_framework.engine.filters import FilterSpec, Member
from crm_framework.engine.ids import decode_key
from crm_framework.engine.load import load
from crm_framework.engine.nodes import Node, node
from crm_framework.engine.orders import OrderField, Orders
from crm_framework.engine.parts import SchemaParts
from crm_framework.engine.relations import reference
from crm_framework.engine.rows import Batch
from crm_framework.outgoing.client import webhook_client, webhook_rules
from crm_framework.outgoing.signatures import signed_headers
from crm_framework.security.actors import ALL
from crm_framework.storage import stream
from crm_framework.storage.unit_of_work import UnitOfWork

from . import enums  # noqa: F401  # makes the statuses enumerations of the API
from .additions import fields_of
from .customer_filter import CUSTOMER_FILTER
from .customers import Customer, customers_of
from .event_deliveries import Event
from .history import of_customer
from .inputs import (
    chosen,
    expected,
    filter_member,
    given,
    key_of,
    keys_of,
    optional,
    renamed,
    required,
    retry_key,
)
from .mutation import errand, mutation, payload
from .stored_filters import check_of, stored, with_ids
from .webhook_filters import webhook_api

JSON = strawberry.scalars.JSON

READ, MANAGE = "webhooks.read", "webhooks.manage"
READ_ALL = f"{ALL}{READ}"
"""A webhook is sent what happens to any customer: who sees some of them only sees no webhooks."""


@node(table="crm_webhook", permission=READ_ALL, hidden={"condition": JSON}, shared=True)
class Webhook(Node):
    """An address that events are sent to. Its secret is nowhere to be read."""

    version: int = column("Grows by one with each change.")
    url: str = column("Where it is sent to.")
    description: str | None = column("What it is for.")
    types: list[str] = column("Which events, such as `customer.created` or `loyalty.*`; empty for all.")
    status: WebhookStatus = column("Whether it is sent to.")
    pause_reason: str | None = column("Why it is paused.")
    paused_at: datetime | None = column("When it was paused.")
    old_secret_until: datetime | None = column(
        "Until when the secret before this one is signed with as well."
    )
    failures: int = column("Attempts in a row that failed.")
    failing_since: datetime | None = column("When the first of these was; null where the last one succeeded.")
    created_at: datetime = column("When it was made.")
    updated_at: datetime = column("When it last changed.")

    @batch(needs=("condition",))
    @staticmethod
    def filter(each: Batch["Webhook"]) -> list[JSON | None]:
        """Events of which customers are sent, as a customer filter; null for all events."""
        return [None if one is None else with_ids(one) for one in each.column("condition")]


@node(
    table="crm_webhook_delivery",
    permission=READ,
    hidden={"webhook_id": str, "event_id": str, "customer_id": str},
    history=True,
)
class WebhookDelivery(Node):
    """An event that was, or is to be, sent to a webhook."""

    webhook: Webhook = reference("webhook_id", "Where to.")
    event: Event | None = reference("event_id", "The event; null for a test.")
    message_id: str = column("What the receiver is told as `webhook-id`, the same at each attempt.", sql="id")
    type: str = column("What happened.")
    status: WebhookDeliveryStatus = column("What has become of it.")
    attempts: int = column("How often it was tried.")
    next_at: datetime = column("When it is due, if it is pending.")
    tried_at: datetime | None = column("When the last attempt began.")
    finished_at: datetime | None = column("When it arrived, or was given up.")
    response_status: int | None = column("The HTTP status of the last answer; null where there was none.")
    response_text: str | None = column("How the last answer began.")
    duration_ms: int | None = column("How long the last attempt took, in milliseconds.")
    error: str | None = column("Why the last attempt failed.")
    created_at: datetime = column("When it came to be owed.")

    @batch(needs=("customer_id",))
    @staticmethod
    async def customer(deliveries: Batch["WebhookDelivery"], info: strawberry.Info) -> list[Customer | None]:
        """The customer that the event is about, if any; for a merged one, the winner."""
        return await customers_of(deliveries.column("customer_id"), info)


WEBHOOK_FILTER = FilterSpec(
    "WebhookFilter", [Member("status", "enum", "Whether it is sent to.", column="status", enum=WebhookStatus)]
)
# Keys grow with time.
WEBHOOK_ORDERS = Orders(
    "WebhookOrder", [OrderField("CREATED_AT", "id", "By the moment it was made.", column="id")]
)
DELIVERY_FILTER = FilterSpec(
    "WebhookDeliveryFilter",
    [
        Member("webhook", "id", "Where to.", column="webhook_id", of="Webhook"),
        Member("event", "id", "The event.", column="event_id", of="Event"),
        of_customer("The event's customer, also under the keys of those merged into it."),
        Member("type", "string", "What happened.", column="type"),
        Member("status", "enum", "What has become of it.", column="status", enum=WebhookDeliveryStatus),
        Member("responseStatus", "int", "The status of the last answer.", column="response_status"),
        Member("attempts", "int", "How often it was tried.", column="attempts"),
        Member("createdAt", "datetime", "When it came to be owed.", column="created_at"),
    ],
)
DELIVERY_ORDERS = Orders(
    "WebhookDeliveryOrder",
    [OrderField("CREATED_AT", "int", "By the moment it came to be owed.", column="position")],
)


@root(permission=READ)
async def webhook(
    info: strawberry.Info, id: Annotated[strawberry.ID, strawberry.argument(description="The webhook's id.")]
) -> Webhook | None:
    """A webhook by its id; null where there is none."""
    (found,) = await load(info, Webhook, [decode_key(id, "Webhook")], columns=())
    return found


class _Queries:
    webhooks: Connection[Webhook] = connection(
        description="Webhooks, the oldest first.",
        filter=WEBHOOK_FILTER,
        orders=WEBHOOK_ORDERS,
        default_order=("CREATED_AT",),
        permission=READ,
    )
    webhook_deliveries: Connection[WebhookDelivery] = connection(
        description="What was, or is to be, sent to webhooks, the latest first.",
        filter=DELIVERY_FILTER,
        orders=DELIVERY_ORDERS,
        default_order=("-CREATED_AT",),
        permission=READ,
    )


@payload
class WebhookPayload:
    """The webhook after the change."""

    webhook_key: strawberry.Private[str | None] = None
    webhook: Webhook | None = reference("webhook_key", "The webhook; null on failure, and when deleted.")


@payload
class WebhookSecretPayload:
    """The webhook and, this once, its secret."""

    webhook_key: strawberry.Private[str | None] = None
    webhook: Webhook | None = reference("webhook_key", "The webhook; null on failure.")
    secret: str | None = strawberry.field(
        description="What its receiver checks signatures with. It is shown this once: null on failure, and "
        "when an idempotency key is sent again. Who lost it rotates it.",
        default=None,
    )


@payload
class TestWebhookPayload:
    """What came of the test."""

    delivery_key: strawberry.Private[str | None] = None
    delivery: WebhookDelivery | None = reference(
        "delivery_key", "The delivery, with the receiver's answer; null on failure."
    )


@payload
class ReplayWebhookPayload:
    """What will be sent again."""

    count: int = strawberry.field(description="How many events.", default=0)


@strawberry.input(description="A new webhook.")
class CreateWebhookInput:
    url: str = required("Where to send to, such as https://example.com/crm.")
    types: list[str] = optional(
        "Which events, such as `customer.created` or `loyalty.*`; all, if left out.", default_factory=list
    )
    filter: JSON | None = filter_member(
        CUSTOMER_FILTER, "Only events whose customer passes; then events of no customer are not sent."
    )
    description: str | None = optional("What it is for.")
    idempotency_key: str | None = retry_key()


@strawberry.input(description="A change to a webhook. What is left out stays; null removes.")
class UpdateWebhookInput:
    id: strawberry.ID = required("Which webhook.")
    url: str | None = optional("Where to send to; also what is owed already.")
    types: list[str] | None = optional("Which events; empty for all.")
    filter: JSON | None = filter_member(CUSTOMER_FILTER, "Only events whose customer passes.")
    description: str | None = optional("What it is for.")
    expected_version: int | None = expected()


@strawberry.input(description="A webhook.")
class WebhookInput:
    id: strawberry.ID = required("Which webhook.")


@strawberry.input(description="Which past events to send again; those that are all of this.")
class ReplayWebhookInput:
    id: strawberry.ID = required("Which webhook.")
    events: list[strawberry.ID] = optional("These.", default_factory=list)
    since: datetime | None = optional("Those from this moment on.")
    until: datetime | None = optional("Those before this moment.")


@mutation(permission=MANAGE, everyone=True, confidential=True)
async def create_webhook(
    tx: UnitOfWork, info: strawberry.Info, input: CreateWebhookInput
) -> WebhookSecretPayload:
    """Has events sent to an address from now on. Shows the secret that they are signed with, this once."""
    with renamed(condition="filter"):
        new = changes.NewWebhook(
            url=input.url,
            types=input.types,
            condition=stored(chosen(input.filter)),
            description=chosen(input.description),
        )
        rules = webhook_rules(info.context.settings)
        begins = await stream.tail(info.context.database)
        key, secret = await changes.create_webhook(tx, new, check_of(info), rules, begins=begins)
    return WebhookSecretPayload(webhook_key=key, secret=secret)


@mutation(permission=MANAGE, everyone=True, confidential=True)
async def update_webhook(tx: UnitOfWork, info: strawberry.Info, input: UpdateWebhookInput) -> WebhookPayload:
    """Changes a webhook."""
    values = given(input, leave_out=("id", "filter", "expected_version"))
    key = key_of(input.id, Webhook)
    with renamed(condition="filter"):
        if input.filter is not strawberry.UNSET:
            values["condition"] = stored(input.filter)
        await changes.update_webhook(
            tx,
            key,
            changes.WebhookChange(**values),
            check_of(info),
            webhook_rules(info.context.settings),
            expected_version=chosen(input.expected_version),
        )
    return WebhookPayload(webhook_key=key)


@mutation(permission=MANAGE, everyone=True)
async def delete_webhook(tx: UnitOfWork, input: WebhookInput) -> WebhookPayload:
    """Deletes a webhook with the log of what was sent to it. What it is still owed is not sent."""
    await changes.delete_webhook(tx, key_of(input.id, Webhook))
    return WebhookPayload()


@mutation(permission=MANAGE, everyone=True)
async def rotate_webhook_secret(tx: UnitOfWork, input: WebhookInput) -> WebhookSecretPayload:
    """Makes a new secret. For 24 hours the old one is signed with as well."""
    key = key_of(input.id, Webhook)
    secret, _ = await changes.rotate_secret(tx, key)
    return WebhookSecretPayload(webhook_key=key, secret=secret)


@mutation(permission=MANAGE, everyone=True)
async def pause_webhook(tx: UnitOfWork, input: WebhookInput) -> WebhookPayload:
    """Sends nothing more. What is owed waits; what happens meanwhile is not sent later by itself."""
    key = key_of(input.id, Webhook)
    await changes.pause_webhook(tx, key, f"by {tx.actor.name if tx.actor else 'hand'}")
    return WebhookPayload(webhook_key=key)


@mutation(permission=MANAGE, everyone=True, confidential=True)
async def resume_webhook(tx: UnitOfWork, info: strawberry.Info, input: WebhookInput) -> WebhookPayload:
    """Sends again: what was owed is due now. For what happened meanwhile use `replayWebhook`."""
    key = key_of(input.id, Webhook)
    await changes.resume_webhook(tx, key, begins=await stream.tail(info.context.database))
    return WebhookPayload(webhook_key=key)


@mutation(permission=MANAGE, everyone=True, confidential=True)
async def replay_webhook(
    tx: UnitOfWork, info: strawberry.Info, input: ReplayWebhookInput
) -> ReplayWebhookPayload:
    """Sends past events once more, whether they arrived or not, under the ids that they had; 10,000 at most.

    The webhook's types and filter hold for them too. Those that still wait are left as they are.
    """
    past = Past(
        events=keys_of(input.events, Event, ("events",)),
        since=chosen(input.since),
        until=chosen(input.until),
    )
    api = webhook_api(info.context.database, info.schema, info.context.host)
    count = await replaying.replay_webhook(tx, key_of(input.id, Webhook), past, api)
    return ReplayWebhookPayload(count=count)


@errand(permission=MANAGE, confidential=True)
async def test_webhook(info: strawberry.Info, input: WebhookInput) -> TestWebhookPayload:
    """Sends a `webhook.test` at once, once, also to a webhook that is paused, and shows the answer."""
    context = info.context
    async with context.unit_of_work(permission=MANAGE) as tx:
        claim, message = await sending.begin_test(tx, key_of(input.id, Webhook))
    headers = signed_headers(message.id, tx.now, message.body, message.secrets)
    answer = await webhook_client(context.settings).post(message.url, message.body, headers)
    async with context.unit_of_work(permission=MANAGE) as tx:
        await sending.note_test(tx, claim, answer)
    return TestWebhookPayload(delivery_key=claim.id)


parts = SchemaParts(
    query=[webhook, *fields_of(_Queries)],
    mutation=[
        create_webhook,
        update_webhook,
        delete_webhook,
        rotate_webhook_secret,
        pause_webhook,
        resume_webhook,
        replay_webhook,
        test_webhook,
    ],
)
