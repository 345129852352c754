"""Opens rows of its own and a change to customers with their own token."""

import strawberry
from strawberry import ID

from crm_framework import (
    INTERNAL,
    Connection,
    Customer,
    NewInteraction,
    Node,
    Own,
    Permission,
    Plugin,
    SchemaParts,
    Through,
    UnitOfWork,
    column,
    connection,
    fields_of,
    hookimpl,
    key_of,
    log_interaction,
    mutation,
    node,
    payload,
    required,
    without_controls,
)

plugin = Plugin(
    name="with_self_service",
    requires_api="1.0",
    summary="What was bought, line by line, and praise.",
    permissions=[
        Permission("with_self_service.read", "See what was bought.", self_service=True),
        Permission("with_self_service.praise", "Note praise."),
    ],
)


@node(
    table="crm_purchase_line",
    permission="with_self_service.read",
    owner=Through("interaction_id", "crm_interaction"),
    own_where="t.sku <> 'secret'",
)
class BoughtLine(Node):
    """A line of a purchase."""

    sku: str = column("The key of the goods.")
    category: str | None = column("Their category.", permission=INTERNAL)


class _Queries:
    bought_lines: Connection[BoughtLine] = connection(
        description="What was bought.", permission="with_self_service.read"
    )


@strawberry.input(description="Praise.")
class PraiseInput:
    customer: ID = required("Who praises.")
    text: str = required("What is said.")
    staff_only: str | None = strawberry.field(description="For staff.", default=None)


@payload
class PraisePayload:
    """Nothing but errors."""

    noted: bool = strawberry.field(description="Whether it was noted.", default=False)


@mutation(permission="with_self_service.praise", own=Own("customer", only=("customer", "text")))
async def praise(tx: UnitOfWork, input: PraiseInput) -> PraisePayload:
    """Notes praise."""
    key = key_of(input.customer, Customer, path=("customer",))
    said = without_controls(input.text)
    await log_interaction(tx, NewInteraction(customer_id=key, kind="message", direction="INBOUND", body=said))
    return PraisePayload(noted=True)


@hookimpl
def schema() -> SchemaParts:
    return SchemaParts(query=fields_of(_Queries), mutation=[praise])
