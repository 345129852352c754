"""The proof of the clocks in the API."""

from typing import Annotated

import strawberry
from strawberry import Info

from crm_framework import CrmError, ErrorCode, SchemaParts, now, root
from crm_ticketing.models import LARGEST_NUMBER
from crm_ticketing.permissions import CONFIGURE

from .proof import verify

MOST = 10_000
"""Tickets that are looked at in one request: some thousands a second."""


@strawberry.type(description="Whether what tickets keep of their clocks is what the clocks say.")
class TicketClockProof:
    tickets: int = strawberry.field(description="How many tickets were looked at.")
    differing: int = strawberry.field(description="How many keep something else.")
    overdue: int = strawberry.field(
        description="Of how many a breach or a step is due and not dealt with: a worker does that."
    )
    differences: list[str] = strawberry.field(description="The first of those that differ, in words.")
    last: int = strawberry.field(
        description="The number of the last one that was looked at: `after`, to go on from there."
    )
    complete: bool = strawberry.field(description="Whether there are none beyond that one.")


After = Annotated[int, strawberry.argument(description="Looks at tickets with greater numbers alone.")]
Most = Annotated[
    int, strawberry.argument(description=f"How many tickets are looked at at most; {MOST:,} at most.")
]


@root(permission=CONFIGURE)
async def ticket_clock_proof(info: Info, after: After = 0, most: Most = MOST) -> TicketClockProof:
    """Computes the clocks of tickets anew, in the order of their numbers, and compares."""
    if not 0 <= after <= LARGEST_NUMBER:
        raise CrmError(ErrorCode.BAD_INPUT, f"after is a number from 0 to {LARGEST_NUMBER}.")
    if not 1 <= most <= MOST:
        raise CrmError(ErrorCode.BAD_INPUT, f"1 to {MOST:,} tickets are looked at at once.", path=("most",))
    found = await verify(info.context.reader, now(), after=after, most=most)
    return TicketClockProof(
        tickets=found.tickets,
        differing=found.differing,
        overdue=found.overdue,
        differences=found.differences,
        last=found.last,
        complete=found.complete,
    )


def parts() -> SchemaParts:
    """What the proof adds to the API."""
    return SchemaParts(query=[ticket_clock_proof])
