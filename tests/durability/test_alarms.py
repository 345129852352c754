"""A worker that is killed before and while it escalates tickets: each step is taken once, at its moment."""

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

import pytest
from crm_ticketing.calendars.rules import CalendarRules
from crm_ticketing.calendars.store import create_calendar
from crm_ticketing.models import TicketPriority
from crm_ticketing.policies.rules import ClockKind, PolicyRules, Step, StepAction
from crm_ticketing.policies.store import create_policy, switch
from crm_ticketing.tickets import NewTicket, open_ticket

from crm_framework import NewCustomer, create_customer, parse_time
from crm_framework.testing import CrmClient, frozen

from .workers import let_time_pass, worker

TICKETS, KILLS = 60, 4
OPENED = datetime(2026, 3, 2, 8, tzinfo=UTC)
CATEGORIES = ("question",)
STEPS = (
    Step(ClockKind.FIRST_RESPONSE, StepAction.NOTIFY, percent=50),
    Step(ClockKind.FIRST_RESPONSE, StepAction.RAISE_PRIORITY, minutes=30),
)


@pytest.fixture
def crm_plugins() -> tuple[str, ...]:
    return ("ticketing",)


async def overdue(client: CrmClient) -> None:
    """Tickets that were opened long ago, while no worker was there."""
    with frozen(OPENED):
        async with client.service.database.unit_of_work() as tx:
            calendar, _ = await create_calendar(tx, "Always", CalendarRules("UTC", always=True))
            rules = PolicyRules({ClockKind.FIRST_RESPONSE: 3600}, steps=STEPS)
            policy, _ = await create_policy(tx, "Usual", rules, calendar, categories=CATEGORIES)
            await switch(tx, [policy], [])
            customer = (await create_customer(tx, NewCustomer(name="Ada"))).id
        for number in range(TICKETS):
            async with client.service.database.unit_of_work() as tx:
                await open_ticket(
                    tx, NewTicket(customer_id=customer, subject=f"{number}", body="?"), CATEGORIES
                )


async def breaches(client: CrmClient) -> int:
    [row] = await client.service.database.fetch(
        "SELECT COUNT(*) AS number FROM ticketing_history WHERE kind = 'BREACHED'"
    )
    return int(row["number"])


async def test_each_step_is_taken_once_whenever_the_worker_is_killed(
    client: CrmClient, tmp_path: Path
) -> None:
    await overdue(client)
    chance, during = Random(5), 0
    for kill in range(KILLS):
        process = await worker(client, tmp_path, "ticketing")
        before = await breaches(client)
        wanted = before + (0 if kill == 0 else chance.randint(3, 12))
        for _ in range(3000):  # the first one is killed before it comes to anything
            if await breaches(client) >= wanted:
                break
            await asyncio.sleep(0.01)
        process.kill()
        await process.communicate()
        during += 0 < await breaches(client) < TICKETS
        await let_time_pass(client)
    assert during >= 2
    for _ in range(3):  # first those of the worker that was killed are found, then they are run
        process = await worker(client, tmp_path, "ticketing", "--once")
        _, errors = await asyncio.wait_for(process.communicate(), 120)
        assert process.returncode == 0, errors.decode()
        await let_time_pass(client)
    await check(client)


async def check(client: CrmClient) -> None:
    fetch = client.service.database.fetch
    history = await fetch(
        "SELECT ticket_id, kind, at, once FROM ticketing_history WHERE once IS NOT NULL ORDER BY at, id"
    )
    found: dict[str, list[Any]] = {}
    for row in history:
        found.setdefault(str(row["ticket_id"]), []).append((row["kind"], parse_time(row["at"])))
    tickets = await fetch("SELECT id, created_at, priority FROM ticketing_ticket")
    assert len(tickets) == len(found) == TICKETS
    for ticket in tickets:
        opened = parse_time(ticket["created_at"])
        assert found[str(ticket["id"])] == [
            ("ESCALATED", opened + timedelta(minutes=30)),
            ("BREACHED", opened + timedelta(minutes=60)),
            ("ESCALATED", opened + timedelta(minutes=90)),
        ]
        assert ticket["priority"] == TicketPriority.HIGH
    for type_, number in (("clock_breached", 1), ("escalated", 2), ("priority_changed", 1)):
        rows = await fetch("SELECT COUNT(*) AS n FROM crm_event WHERE type = ?", [f"ticketing.{type_}"])
        assert rows[0]["n"] == number * TICKETS
    waiting = await fetch(
        "SELECT COUNT(*) AS n FROM crm_job WHERE name = 'ticketing.alarm' AND status <> 'DONE'"
    )
    assert waiting[0]["n"] == 0
