"""Events that happened, what plugins' handlers still owe to them, and how to have them handled again."""

from datetime import datetime
from typing import Annotated

import strawberry

from crm_framework.domain import deliveries
from crm_framework.domain.models import DeliveryStatus
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
from crm_framework.storage.unit_of_work import UnitOfWork

from . import enums  # noqa: F401  # makes DeliveryStatus an enumeration of the API
from .additions import fields_of
from .customers import Customer, customers_of
from .history import of_customer
from .inputs import chosen, keys_of, optional, optional_key, required
from .mutation import mutation, payload

JSON = strawberry.scalars.JSON

READ, MANAGE = "events.read", "events.manage"


@node(table="crm_event", permission=READ, hidden={"customer_id": str}, history=True)
class Event(Node):
    """Something that happened, as it was handed to the plugins. It may hold personal data."""

    type: str = column("What happened, such as customer.updated.")
    payload: JSON = column("All that it tells; what named an erased person is gone from it.")
    created_at: datetime = column("When the transaction of the change began.")

    @batch(needs=("customer_id",))
    @staticmethod
    async def customer(events: Batch["Event"], info: strawberry.Info) -> list[Customer | None]:
        """The customer that it is about, if any; for a merged one, the winner."""
        return await customers_of(events.column("customer_id"), info)


@node(
    table="crm_delivery",
    permission=READ,
    hidden={"customer_id": str, "event_id": str},
    history=True,  # what a replay owes has the event's customer
)
class EventDelivery(Node):
    """An event that a plugin's handler still owes: it failed, was late, or waits for an earlier one."""

    event: Event | None = reference("event_id", "The event.")
    plugin: str = column("Whose handler owes it.", sql="handler")
    status: DeliveryStatus = column("Whether it will be tried again.")
    attempts: int = column("How often it was tried.")
    tried_at: datetime | None = column("When the last attempt began; null where there was none.")
    next_at: datetime = column("When it is due, unless it comes behind an earlier event of the customer.")
    error: str | None = column("Why the last attempt failed; null where there was none.")

    @batch(needs=("customer_id",))
    @staticmethod
    async def customer(owed: Batch["EventDelivery"], info: strawberry.Info) -> list[Customer | None]:
        """The customer that it is about, if any; for a merged one, the winner."""
        return await customers_of(owed.column("customer_id"), info)


EVENT_FILTER = FilterSpec(
    "EventFilter",
    [
        Member("type", "string", "What happened, such as customer.updated.", column="type"),
        of_customer("The customer that it is about, also under the keys of those merged into it."),
        Member("createdAt", "datetime", "When the transaction of the change began.", column="created_at"),
    ],
)
# Positions grow with time, and the events of a customer have an index by them.
EVENT_ORDERS = Orders(
    "EventOrder", [OrderField("CREATED_AT", "int", "By the moment of the change.", column="position")]
)
DELIVERY_FILTER = FilterSpec(
    "EventDeliveryFilter",
    [
        Member("plugin", "string", "Whose handler owes it.", column="handler"),
        Member("status", "enum", "Whether it will be tried again.", column="status", enum=DeliveryStatus),
        Member("event", "id", "The event.", column="event_id", of="Event"),
        of_customer("The customer that it is about, also under the keys of those merged into it."),
        Member("attempts", "int", "How often it was tried.", column="attempts"),
        Member("nextAt", "datetime", "When it is due.", column="next_at"),
    ],
)
DELIVERY_ORDERS = Orders(
    "EventDeliveryOrder",
    [OrderField("CREATED_AT", "int", "By the moment it came to be owed.", column="position")],
)


@root(permission=READ, restricted=True)
async def event(
    info: strawberry.Info, id: Annotated[strawberry.ID, strawberry.argument(description="The event's id.")]
) -> Event | None:
    """An event by its id; null where there is none."""
    (found,) = await load(info, Event, [decode_key(id, "Event")], columns=())
    return found


class _Queries:
    events: Connection[Event] = connection(
        description="Events, the latest first.",
        filter=EVENT_FILTER,
        orders=EVENT_ORDERS,
        default_order=("-CREATED_AT",),
        permission=READ,
    )
    event_deliveries: Connection[EventDelivery] = connection(
        description="What plugins' handlers still owe, the oldest first. What is done is not listed.",
        filter=DELIVERY_FILTER,
        orders=DELIVERY_ORDERS,
        default_order=("CREATED_AT",),
        permission=READ,
    )


@payload
class RetryDeliveriesPayload:
    """What will be tried again."""

    count: int = strawberry.field(description="How many had failed and are due now.", default=0)


@payload
class ReplayEventsPayload:
    """What the plugin will see again."""

    count: int = strawberry.field(description="How many events.", default=0)
    dry_run: bool = strawberry.field(description="Whether nothing was changed.", default=False)


@strawberry.input(description="Which of the deliveries that failed; those that are all of this.")
class RetryDeliveriesInput:
    deliveries: list[strawberry.ID] = optional("These.", default_factory=list)
    plugin: str | None = optional("Those that this plugin owes.")


@strawberry.input(description="Which past events a plugin is to see again; those that are all of this.")
class ReplayEventsInput:
    plugin: str = required("Whose handler is to see them.")
    events: list[strawberry.ID] = optional("These.", default_factory=list)
    types: list[str] = optional("Those of these types, such as purchase.recorded.", default_factory=list)
    customer: strawberry.ID | None = optional("Those of this customer, also from before merges.")
    since: datetime | None = optional("Those from this moment on.")
    until: datetime | None = optional("Those before this moment.")
    dry_run: bool = optional("Only counts them.", default=False)


@mutation(permission=MANAGE, everyone=True)
async def retry_deliveries(tx: UnitOfWork, input: RetryDeliveriesInput) -> RetryDeliveriesPayload:
    """Has deliveries that failed tried again at once, with as many attempts as a new one.

    Those are the parked ones, and those that wait for their next attempt. The worker does it soon.
    """
    count = await deliveries.retry_deliveries(
        tx,
        deliveries=keys_of(input.deliveries, EventDelivery, ("deliveries",)),
        plugin=chosen(input.plugin),
    )
    return RetryDeliveriesPayload(count=count)


@mutation(permission=MANAGE, everyone=True)
async def replay_events(tx: UnitOfWork, input: ReplayEventsInput) -> ReplayEventsPayload:
    """Hands past events to a plugin's handler once more, whether it handled them or not; 100,000 at most.

    What it did before stays: a handler that adds up adds again. Those that it still owes are left as they
    are, and parked ones are tried again.
    """
    past = deliveries.Past(
        events=keys_of(input.events, Event, ("events",)),
        types=input.types,
        customer=chosen(optional_key(input.customer, Customer, ("customer",))),
        since=chosen(input.since),
        until=chosen(input.until),
    )
    if input.dry_run:
        deliveries.check_plugin(input.plugin, [handler.name for handler in tx.database.handlers])
        count = await deliveries.count_past(tx, input.plugin, past)
    else:
        count = await deliveries.replay_events(tx, input.plugin, past)
    return ReplayEventsPayload(count=count, dry_run=input.dry_run)


parts = SchemaParts(
    query=[event, *fields_of(_Queries)],
    mutation=[retry_deliveries, replay_events],
)
