"""Adds a subscription of its own: customers, as they are made."""

from collections.abc import AsyncIterator
from typing import Annotated

import strawberry
from strawberry import Info

from crm_framework import Customer, Plugin, SchemaParts, hookimpl, load, root

plugin = Plugin(name="with_subscription", requires_api="1.0", summary="Tells of new customers.")


@root(permission="customers.read")
async def customer_arrived(
    info: Info,
    after: Annotated[
        str | None, strawberry.argument(description="A position in the stream of events to go on after.")
    ] = None,
) -> AsyncIterator[Customer]:
    """Each new customer."""
    async for told in info.context.events(types=["customer.created"], after=after):
        [customer] = await load(info, Customer, [told.event.customer_id], columns=())
        if customer is not None:
            yield customer


@hookimpl
def schema() -> SchemaParts:
    return SchemaParts(subscription=[customer_arrived])
