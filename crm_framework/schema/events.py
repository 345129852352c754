"""The stream of events as a subscription: what happens, as it happens, and what was missed."""

from collections.abc import AsyncIterator
from datetime import datetime
from typing import Annotated, cast

import strawberry

from crm_framework.engine.declarations import PUBLIC
from crm_framework.engine.errors import RequestError
from crm_framework.engine.fields import batch, root
from crm_framework.engine.ids import decode_key, encode_id
from crm_framework.engine.parts import SchemaParts
from crm_framework.engine.rows import Batch
from crm_framework.errors import cut
from crm_framework.events import Event
from crm_framework.security.actors import INTERNAL
from crm_framework.settings import nearest

from .audit import AuditSubject
from .context import RequestContext
from .customers import Customer, customers_of

JSON = strawberry.scalars.JSON


@strawberry.type(
    description="Something that happened. Events come in the order in which they were committed."
)
class StreamedEvent:
    id: strawberry.ID = strawberry.field(
        description="The event's id, also for `event(id:)`; the same however often it is sent."
    )
    position: str = strawberry.field(
        description="Its place in the stream. Keep the last one: `after` goes on behind it."
    )
    type: str = strawberry.field(description="What happened, such as customer.updated.")
    at: datetime = strawberry.field(description="When the transaction of the change began.")
    changes: JSON = strawberry.field(
        description="By field, the value before and the value after: `{name: [before, after]}`."
    )
    subject: AuditSubject = strawberry.field(description="The record that changed.")
    customer_id: strawberry.Private[str | None]

    @batch(needs=("customer_id",))
    @staticmethod
    async def customer(events: Batch["StreamedEvent"], info: strawberry.Info) -> list[Customer | None]:
        """The customer that it is about, if any, as it is now; for a merged one, the winner."""
        return await customers_of(events.column("customer_id"), info)


# what changed is told by all its fields, of which customers see some only
@root(permission=PUBLIC, also=INTERNAL, restricted=True)
async def events(
    info: strawberry.Info,
    types: Annotated[
        list[str] | None, strawberry.argument(description="Only events of these types; all, if left out.")
    ] = None,
    customer: Annotated[
        strawberry.ID | None,
        strawberry.argument(
            description="Only events about this customer, also under the keys of those merged into it."
        ),
    ] = None,
    after: Annotated[
        str | None,
        strawberry.argument(
            description="The `position` of the last event seen: all that came after it is sent first. Without"
            " it, only what happens from now on."
        ),
    ] = None,
) -> AsyncIterator[StreamedEvent]:
    """What happens, in order, each event once. With `events.read`, events of all types; otherwise those of
    records whose type one may read. What concerns a record that one may not see is left out."""
    context: RequestContext = info.context
    _check(context, types)
    key = None if customer is None else decode_key(customer, "Customer")
    every = context.may("events.read")
    stream = context.events(types=types, customer=key, after=after)
    try:
        async for told in stream:
            happened = told.event
            if not every and not _may_read(context, happened):
                continue
            type_, subject = happened.audit_subject
            yield StreamedEvent(
                id=strawberry.ID(encode_id("Event", told.id)),
                position=told.position,
                type=happened.type,
                at=told.row.at,
                changes=cast("JSON", happened.changes),
                subject=AuditSubject(type=type_, id=strawberry.ID(encode_id(type_, subject))),
                customer_id=happened.customer_id,
            )
    finally:
        await stream.aclose()


def _may_read(context: RequestContext, happened: Event) -> bool:
    source = context.subjects.get(happened.audit_subject[0])
    return source is not None and context.may(source.permission)


def _check(context: RequestContext, types: list[str] | None) -> None:
    declared = context.database.event_types
    if declared is None:
        return
    for wanted in types or ():
        if wanted not in declared:
            names = [each.type for each in declared]
            close = nearest(wanted, names)
            hint = f"Did you mean {close!r}?" if close else f"Known are: {', '.join(names)}."
            raise RequestError("BAD_INPUT", f"types: there are no events of type {cut(wanted)}. {hint}")


parts = SchemaParts(subscription=[events])
