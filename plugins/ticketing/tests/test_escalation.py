"""Breaches and steps of escalation: once each, at their moment, whenever the worker comes to it."""

import asyncio
from datetime import timedelta
from typing import Any

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
    refused,
    reply,
    staff,
    status,
    text,
)


async def history(client: CrmClient, ticket: str, *kinds: str) -> list[Any]:
    query = """query ($id: ID!) { ticket(id: $id) {
      history { nodes { kind at before after detail actorKind } } } }"""
    found = (await client.data(query, id=ticket))["ticket"]["history"]["nodes"]
    return [entry for entry in found if entry["kind"] in kinds]


async def test_a_breach_is_recorded_at_its_moment_however_late_the_worker_is(client: CrmClient) -> None:
    with at(hours=0):
        await policy(client, await calendar(client), {"FIRST_RESPONSE": "PT2H"})
        ticket = await open_ticket(client, await customer(client))
    with at(days=3):
        await reply(client, ticket)
        late = (await clocks(client, ticket))["FIRST_RESPONSE"]
        assert (late["state"], late["breachedAt"]) == ("BREACHED", text(MONDAY + timedelta(hours=2)))
        assert late["metAt"] is not None
    assert await run_jobs(client, at=MONDAY + timedelta(days=8)) == ["ticketing.alarm"]
    [entry] = await history(client, ticket, "BREACHED")
    assert (entry["at"], entry["after"], entry["actorKind"]) == (
        text(MONDAY + timedelta(hours=2)),
        "FIRST_RESPONSE",
        "SYSTEM",
    )
    assert await run_jobs(client, at=MONDAY + timedelta(days=80)) == []
    events = await client.service.database.fetch(
        "SELECT type FROM crm_event WHERE type = 'ticketing.clock_breached'"
    )
    assert len(events) == 1


async def test_steps_raise_reassign_and_tell(client: CrmClient) -> None:
    with at(hours=0):
        grace = await staff(client, "Grace")
        steps = [
            {"clock": "FIRST_RESPONSE", "action": "NOTIFY", "percent": 50, "notify": "lead@example.com"},
            {"clock": "FIRST_RESPONSE", "action": "REASSIGN", "minutes": -30, "staff": grace},
            {"clock": "FIRST_RESPONSE", "action": "RAISE_PRIORITY", "minutes": 60},
        ]
        await policy(client, await calendar(client), {"FIRST_RESPONSE": "PT2H"}, steps=steps)
        ticket = await open_ticket(client, await customer(client))
    query = "query ($id: ID!) { ticket(id: $id) { priority assignee { name } dueAt breachedAt clockState } }"
    await run_jobs(client, at=MONDAY + timedelta(hours=1))
    assert [entry["detail"]["action"] for entry in await history(client, ticket, "ESCALATED")] == ["NOTIFY"]
    sent = await client.service.database.fetch("SELECT recipient FROM crm_message")
    assert [row["recipient"] for row in sent] == ["lead@example.com"]
    await run_jobs(client, at=MONDAY + timedelta(hours=1, minutes=45))
    found = (await client.data(query, id=ticket))["ticket"]
    assert found["assignee"] == {"name": "Grace"}
    assert (found["priority"], found["clockState"]) == ("NORMAL", "PENDING")
    await run_jobs(client, at=MONDAY + timedelta(days=2))
    found = (await client.data(query, id=ticket))["ticket"]
    assert found["priority"] == "HIGH"
    assert (found["dueAt"], found["breachedAt"]) == (text(MONDAY + timedelta(hours=2)),) * 2
    details = [entry["detail"]["to"] for entry in await history(client, ticket, "ESCALATED")]
    assert details == ["lead@example.com", grace, None]
    assert [entry["after"] for entry in await history(client, ticket, "ASSIGNED")] == [grace]
    escalated = await history(client, ticket, "ESCALATED", "BREACHED")
    assert [(entry["kind"], entry["at"]) for entry in escalated] == [
        ("ESCALATED", text(MONDAY + timedelta(hours=1))),
        ("ESCALATED", text(MONDAY + timedelta(hours=1, minutes=30))),
        ("BREACHED", text(MONDAY + timedelta(hours=2))),
        ("ESCALATED", text(MONDAY + timedelta(hours=3))),
    ]


async def test_what_is_answered_in_time_is_not_escalated(client: CrmClient) -> None:
    with at(hours=0):
        steps = [{"clock": "FIRST_RESPONSE", "action": "NOTIFY", "percent": 80}]
        await policy(client, await calendar(client), {"FIRST_RESPONSE": "PT2H"}, steps=steps)
        ticket = await open_ticket(client, await customer(client))
    with at(hours=1):
        await reply(client, ticket)
    assert await run_jobs(client, at=MONDAY + timedelta(days=5)) == []
    assert await history(client, ticket, "ESCALATED", "BREACHED") == []


async def test_a_paused_ticket_is_escalated_when_it_goes_on(client: CrmClient) -> None:
    with at(hours=0):
        await policy(client, await calendar(client), {"TOTAL_RESOLUTION": "PT4H"})
        ticket = await open_ticket(client, await customer(client))
    with at(hours=1):
        await status(client, ticket, "WAITING_ON_CUSTOMER")
    assert await run_jobs(client, at=MONDAY + timedelta(days=1)) == []
    with at(days=1):
        await status(client, ticket, "OPEN")
    await run_jobs(client, at=MONDAY + timedelta(days=1, hours=3))
    [entry] = await history(client, ticket, "BREACHED")
    assert entry["at"] == text(MONDAY + timedelta(days=1, hours=3))


async def test_raising_the_priority_brings_another_policy(client: CrmClient) -> None:
    """The new policy's own steps are due from then on, and none of them twice."""
    with at(hours=0):
        office = await calendar(client)
        raising = [{"clock": "FIRST_RESPONSE", "action": "RAISE_PRIORITY", "percent": 50}]
        usual = await policy(client, office, {"FIRST_RESPONSE": "PT4H"}, steps=raising)
        high = await policy(
            client,
            office,
            {"FIRST_RESPONSE": "PT1H"},
            name="High",
            conditions={"priorities": ["HIGH", "URGENT"]},
            steps=raising,
        )
        await change(client, "reorderSlaPolicies", {"policies": [high, usual]}, "changed")
        ticket = await open_ticket(client, await customer(client))
    await run_jobs(client, at=MONDAY + timedelta(hours=2))
    await run_jobs(client, at=MONDAY + timedelta(hours=2, minutes=1))
    await run_jobs(client, at=MONDAY + timedelta(hours=3))
    query = "query ($id: ID!) { ticket(id: $id) { priority policy { policy { name } } } }"
    found = (await client.data(query, id=ticket))["ticket"]
    assert found == {"priority": "URGENT", "policy": {"policy": {"name": "High"}}}
    steps = await history(client, ticket, "ESCALATED", "BREACHED")
    assert sorted(entry["kind"] for entry in steps) == ["BREACHED", "ESCALATED", "ESCALATED"]


async def test_raising_the_priority_gives_no_time(client: CrmClient) -> None:
    """A policy for higher priorities that promises less is for those who choose it."""
    with at(hours=0):
        office = await calendar(client)
        raising = [{"clock": "FIRST_RESPONSE", "action": "RAISE_PRIORITY", "percent": 50}]
        await policy(client, office, {"FIRST_RESPONSE": "PT2H"}, steps=raising)
        lax = {"FIRST_RESPONSE": "PT8H", "TOTAL_RESOLUTION": "PT8H"}
        await policy(client, office, lax, name="High", conditions={"priorities": ["HIGH", "URGENT"]})
        ticket = await open_ticket(client, await customer(client))
    await run_jobs(client, at=MONDAY + timedelta(hours=1))
    query = "query ($id: ID!) { ticket(id: $id) { priority dueAt policy { policy { name } } } }"
    assert (await client.data(query, id=ticket))["ticket"] == {
        "priority": "HIGH",
        "dueAt": text(MONDAY + timedelta(hours=2)),
        "policy": {"policy": {"name": "Usual"}},
    }
    with at(hours=1, minutes=30):
        await change(
            client, "changeTicketPriority", {"ticket": ticket, "priority": "URGENT"}, "ticket { id }"
        )
    assert (await client.data(query, id=ticket))["ticket"]["policy"] == {"policy": {"name": "High"}}


async def test_followers_are_told_of_what_others_did(client: CrmClient) -> None:
    with at(hours=0):
        await policy(client, await calendar(client), {"FIRST_RESPONSE": "PT2H", "NEXT_RESPONSE": "PT2H"})
        ticket = await open_ticket(client, await customer(client))
        other = await open_ticket(client, await customer(client, "Bob"))
        made = [
            (await change(client, "createStaff", {"name": name, "email": email}, "staff { id }"))["staff"][
                "id"
            ]
            for name, email in (("Grace", "grace@example.com"), ("Hedy", "hedy@example.com"), ("Ida", None))
        ]
        await change(client, "followTicket", {"ticket": ticket, "add": made}, "ticket { id }")
        given = {"name": "g", "kind": "STAFF", "staff": made[0], "permissions": ["ticketing.*"]}
        secret = (await change(client, "createToken", given, "secret"))["secret"]
        grace = CrmClient(client.app, client.http, secret)
    query = 'subscription { ticketChanged(after: "", followed: true) { type ticket { number } } }'
    with at(hours=1):
        await reply(grace, ticket)
        await reply(client, other)
    with at(hours=2):
        await reply(client, ticket, "CUSTOMER")
        await change(grace, "addTicketNote", {"ticket": ticket, "body": "Secret."}, "ticket { id }")
        await reply(client, ticket, "AUTOMATIC")
    await run_jobs(client, at=MONDAY + timedelta(days=1), failing=True)
    sent = await client.service.database.fetch("SELECT recipient, subject, text FROM crm_message ORDER BY id")
    assert [(row["recipient"], row["text"].split("\n")[2:]) for row in sent] == [
        ("hedy@example.com", ["Grace answered.", "It is open."]),
        ("grace@example.com", ["The customer wrote."]),
        ("hedy@example.com", ["The customer wrote."]),
        ("hedy@example.com", ["Grace made a note."]),
        ("grace@example.com", ["The time for the next response ran out at 2026-03-02 12:00 UTC."]),
        ("hedy@example.com", ["The time for the next response ran out at 2026-03-02 12:00 UTC."]),
    ]
    assert sent[0]["subject"] == "[#1] Grace answered."
    async with grace.subscription(query) as answers, asyncio.timeout(30):
        told = [(await anext(answers))["data"]["ticketChanged"] for _ in range(3)]
    assert {one["ticket"]["number"] for one in told} == {1}


async def test_breaches_do_not_hold_up_other_tickets(client: CrmClient) -> None:
    with at(hours=0):
        await policy(client, await calendar(client), {"FIRST_RESPONSE": "PT2H"})
        ada = await customer(client)
        tickets = [await open_ticket(client, ada) for _ in range(5)]
    ran = await run_jobs(client, at=MONDAY + timedelta(days=1))
    assert ran == ["ticketing.alarm"] * 5
    for ticket in tickets:
        assert len(await history(client, ticket, "BREACHED")) == 1


async def test_changes_and_breaches_are_told_as_they_happen(client: CrmClient) -> None:
    query = """subscription { ticketChanged(after: "") { type clock at ticket { number breachedAt } } }"""
    async with client.subscription(query) as answers:
        with at(hours=0):
            await policy(client, await calendar(client), {"FIRST_RESPONSE": "PT2H"})
            await open_ticket(client, await customer(client))
        await run_jobs(client, at=MONDAY + timedelta(days=1))
        async with asyncio.timeout(30):
            told = [(await anext(answers))["data"]["ticketChanged"] for _ in range(3)]
    assert [one["type"] for one in told] == [
        "ticketing.ticket_opened",
        "ticketing.message_added",
        "ticketing.clock_breached",
    ]
    due = text(MONDAY + timedelta(hours=2))
    assert told[-1] == {
        "type": "ticketing.clock_breached",
        "clock": "FIRST_RESPONSE",
        "at": due,
        "ticket": {"number": 1, "breachedAt": due},
    }


async def test_a_step_that_would_tell_nobody_is_refused(client: CrmClient) -> None:
    office = await calendar(client)
    for wrong in ("the boss", "", "boss@", "a@example.com, b@example.com"):
        steps = [{"clock": "FIRST_RESPONSE", "action": "NOTIFY", "percent": 50, "notify": wrong}]
        rules = {"targets": [{"clock": "FIRST_RESPONSE", "target": "PT2H"}], "steps": steps}
        given = {"name": "Usual", "calendar": office, "rules": rules}
        [error] = await refused(client, "createSlaPolicy", given)
        assert (error["code"], "no e-mail address" in error["message"]) == ("BAD_INPUT", True)
