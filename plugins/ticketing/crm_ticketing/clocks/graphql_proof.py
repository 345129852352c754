"""The proof of the clocks in the API."""

import strawberry
from strawberry import Info

from crm_framework import SchemaParts, now, root
from crm_ticketing.permissions import CONFIGURE

from .proof import verify


@strawberry.type(description="Whether what tickets keep of their clocks is what the clocks say.")
class TicketClockProof:
    tickets: int = strawberry.field(description="How many tickets there are.")
    differing: int = strawberry.field(description="How many keep something else.")
    overdue: int = strawberry.field(
        description="Of how many a breach or a step is due and not dealt with: a worker does that."
    )
    differences: list[str] = strawberry.field(description="The first of those that differ, in words.")


@root(permission=CONFIGURE)
async def ticket_clock_proof(info: Info) -> TicketClockProof:
    """Computes the clocks of every ticket anew, and compares. With many tickets it takes long."""
    found = await verify(info.context.reader, now())
    return TicketClockProof(
        tickets=found.tickets,
        differing=found.differing,
        overdue=found.overdue,
        differences=found.differences,
    )


def parts() -> SchemaParts:
    """What the proof adds to the API."""
    return SchemaParts(query=[ticket_clock_proof])
