"""What becomes of the clocks when tickets are merged."""

from datetime import timedelta
from typing import Any

import pytest

from crm_framework.testing import CrmClient, run_jobs

from .support import (
    MONDAY,
    at,
    calendar,
    change,
    clocks,
    customer,
    open_ticket,
    policy,
    reply,
    status,
    text,
)

TARGETS = {"FIRST_RESPONSE": "PT2H", "NEXT_RESPONSE": "PT2H", "TOTAL_RESOLUTION": "PT8H"}


async def merge(client: CrmClient, winner: str, *losers: str) -> None:
    await change(client, "mergeTickets", {"winner": winner, "losers": list(losers)}, "ticket { id }")


async def kept(client: CrmClient, ticket: str) -> Any:
    query = "query ($id: ID!) { ticket(id: $id) { status dueAt } ticketClockProof { differing } }"
    found = await client.data(query, id=ticket)
    assert found["ticketClockProof"]["differing"] == 0
    return found["ticket"]


async def answered(client: CrmClient) -> tuple[str, str]:
    """An answered ticket, and another of the same customer that came an hour later."""
    with at(hours=0):
        await policy(client, await calendar(client), TARGETS)
        ada = await customer(client)
        winner = await open_ticket(client, ada)
        await reply(client, winner)
    with at(hours=1):
        return winner, await open_ticket(client, ada)


async def test_who_waits_in_the_one_waits_in_the_other(client: CrmClient) -> None:
    """From the merge on: what the winner's clocks showed before stays true."""
    winner, loser = await answered(client)
    with at(hours=2):
        await merge(client, winner, loser)
        assert await kept(client, winner) == {"status": "OPEN", "dueAt": text(MONDAY + timedelta(hours=4))}
        assert await kept(client, loser) == {"status": "CLOSED", "dueAt": None}
    assert "NEXT_RESPONSE 1" not in await clocks(client, winner, MONDAY + timedelta(hours=1.5))
    await run_jobs(client, at=MONDAY + timedelta(hours=5))
    with at(hours=6):
        await reply(client, winner)
        waited = (await clocks(client, winner))["NEXT_RESPONSE 1"]
    assert (waited["startedAt"], waited["state"]) == (text(MONDAY + timedelta(hours=2)), "BREACHED")
    with at(hours=6):
        cancelled = (await clocks(client, loser))["FIRST_RESPONSE"]
    assert cancelled["state"] == "CANCELLED"


@pytest.mark.parametrize("stood", ["WAITING_ON_CUSTOMER", "RESOLVED"])
async def test_a_ticket_that_waited_or_was_resolved_is_open_again(client: CrmClient, stood: str) -> None:
    winner, loser = await answered(client)
    with at(hours=1.5):
        await status(client, winner, stood)
    with at(hours=2):
        await merge(client, winner, loser)
        assert await kept(client, winner) == {"status": "OPEN", "dueAt": text(MONDAY + timedelta(hours=4))}


@pytest.mark.parametrize("answer", [True, False])
async def test_nobody_waits_where_the_other_was_answered_or_resolved(client: CrmClient, answer: bool) -> None:
    winner, loser = await answered(client)
    with at(hours=1.5):
        await status(client, winner, "RESOLVED")
        if answer:
            await reply(client, loser)
        else:
            await status(client, loser, "RESOLVED")
    with at(hours=2):
        await merge(client, winner, loser)
        assert await kept(client, winner) == {"status": "RESOLVED", "dueAt": None}
        assert "NEXT_RESPONSE 1" not in await clocks(client, winner)


async def test_what_is_closed_for_good_stays_so(client: CrmClient) -> None:
    winner, loser = await answered(client)
    with at(hours=1.5):
        await status(client, winner, "CLOSED")
    with at(hours=2):
        await merge(client, winner, loser)
        assert await kept(client, winner) == {"status": "CLOSED", "dueAt": None}
