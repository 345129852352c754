"""What tickets keep of their clocks is what the clocks say, whatever was done to them."""

from collections.abc import Sequence
from datetime import timedelta
from random import Random
from typing import Any

import pytest
from crm_ticketing.clocks.proof import verify

from crm_framework.testing import CrmClient, run_jobs

from .support import MONDAY, at, calendar, change, customer, open_ticket, policy, reply, staff, status

PROOF = "{ ticketClockProof { tickets differing overdue differences } }"


async def proof(client: CrmClient) -> Any:
    return (await client.data(PROOF))["ticketClockProof"]


async def test_due_times_that_are_kept_are_those_of_the_clocks(client: CrmClient) -> None:
    rng = Random(3)
    kinds = ("FIRST_RESPONSE", "NEXT_RESPONSE", "FIRST_RESOLUTION", "TOTAL_RESOLUTION")
    with at(hours=0):
        office = await calendar(client)
        ada = await customer(client)
        before = await open_ticket(client, ada)
        usual = await policy(client, office, dict.fromkeys(kinds, "PT4H"))
        steps = [{"clock": "TOTAL_RESOLUTION", "action": "RAISE_PRIORITY", "percent": 50}]
        urgent = await policy(
            client,
            office,
            dict.fromkeys(kinds, "PT1H"),
            name="Urgent",
            conditions={"priorities": ["HIGH", "URGENT"]},
            steps=steps,
        )
        await change(client, "reorderSlaPolicies", {"policies": [urgent, usual]}, "changed")
        grace = await staff(client, "Grace")
        tickets = [before, *[await open_ticket(client, ada, priority="LOW") for _ in range(4)]]
    hours = 0.0
    for _ in range(40):
        hours += rng.choice((0, 0.25, 1, 3, 20))
        ticket = rng.choice(tickets)
        with at(hours=hours):
            match rng.randrange(5):
                case 0:
                    to = rng.choice(("OPEN", "WAITING_ON_CUSTOMER", "ON_HOLD", "RESOLVED"))
                    await status(client, ticket, to)
                case 1:
                    await reply(client, ticket, rng.choice(("STAFF", "CUSTOMER")))
                case 2:
                    given = {"ticket": ticket, "priority": rng.choice(("LOW", "HIGH"))}
                    await change(client, "changeTicketPriority", given, "ticket { id }")
                case 3:
                    await change(
                        client, "assignTicket", {"ticket": ticket, "assignee": grace}, "ticket { id }"
                    )
                case _:
                    await change(client, "recalculateTickets", {"tickets": [ticket]}, "changed")
        if rng.random() < 0.3:
            await run_jobs(client, at=MONDAY + timedelta(hours=hours))
        found = await proof(client)
        assert (found["tickets"], found["differing"]) == (5, 0), found
    async with client.service.database.unit_of_work() as tx:
        await tx.execute("UPDATE ticketing_ticket SET due_at = created_at WHERE number = 1")
    found = await proof(client)
    assert found["differing"] == 1
    assert found["differences"][0].startswith("Ticket 1 keeps ")


class Meddling:
    """Reads as the database does; before the first histories are read, somebody answers."""

    def __init__(self, client: CrmClient, ticket: str) -> None:
        self._database = client.service.database
        self.dialect = self._database.dialect
        self._answer = [lambda: reply(client, ticket)]

    async def fetch(self, sql: str, args: Sequence[object] = ()) -> list[dict[str, Any]]:
        if "FROM ticketing_history" in sql and self._answer:
            await self._answer.pop()()
        return await self._database.fetch(sql, args)


async def test_tickets_that_change_meanwhile_are_looked_at_again(client: CrmClient) -> None:
    with at(hours=0):
        await policy(client, await calendar(client), {"FIRST_RESPONSE": "PT4H"})
        ada = await customer(client)
        first, _ = [await open_ticket(client, ada) for _ in range(2)]
    with at(hours=1):
        found = await verify(Meddling(client, first), MONDAY)
    assert (found.tickets, found.last, found.differing) == (2, 2, 0)


async def test_it_goes_on_where_it_was_stopped(client: CrmClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("crm_ticketing.clocks.proof.BATCH", 2)
    ada = await customer(client)
    for _ in range(4):
        await open_ticket(client, ada)
    told: list[tuple[int, int]] = []
    reader = client.service.database
    await verify(reader, MONDAY, tell=lambda proof: told.append((proof.tickets, proof.last)))
    assert told == [(2, 2), (4, 4)]
    query = "query ($after: Int!, $most: Int!) { ticketClockProof(after: $after, most: $most)"
    query += " { tickets last complete } }"
    portions = [
        (await client.data(query, after=after, most=most))["ticketClockProof"]
        for after, most in ((0, 3), (3, 1), (4, 1))
    ]
    assert portions == [
        {"tickets": 3, "last": 3, "complete": False},
        {"tickets": 1, "last": 4, "complete": True},
        {"tickets": 0, "last": 4, "complete": True},
    ]
    for after, most in ((-1, 1), (0, 0), (0, 10_001)):
        [error] = await client.errors(query, after=after, most=most)
        assert error["extensions"]["code"] == "BAD_INPUT"
    found = await client.command("ticketing", "verify", "--after", "3")
    assert found.output.startswith("1 tickets, 0 differ")
    for number, code in (("2147483647", 0), ("2147483648", 2)):
        assert (await client.command("ticketing", "verify", "--after", number)).code == code


async def test_the_command_says_what_differs(client: CrmClient) -> None:
    with at(hours=0):
        await policy(client, await calendar(client), {"FIRST_RESPONSE": "PT4H"})
        await open_ticket(client, await customer(client))
    found = await client.command("ticketing", "verify")
    assert (found.code, found.output) == (0, "1 tickets, 0 differ, 1 wait for a worker.\n")
    async with client.service.database.unit_of_work() as tx:
        await tx.execute("UPDATE ticketing_ticket SET clock_state = 'MET'")
    found = await client.command("ticketing", "verify")
    assert found.code == 1
    assert found.output.startswith("1 tickets, 1 differ, 1 wait for a worker.\nTicket 1 keeps ")
