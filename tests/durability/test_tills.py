"""Several processes at one account at once, and one that is killed."""

import asyncio
import sys
from asyncio.subprocess import PIPE, Process
from datetime import UTC, datetime
from random import Random
from typing import Any

import pytest
from crm_loyalty.ledger import Posting, post
from crm_loyalty.ledger.verify import verify
from crm_loyalty.programs import create_program

from crm_framework import NewCustomer, NewPurchase, create_customer, record_purchase
from crm_framework.testing import CrmClient

from . import till

TILLS, ATTEMPTS, ENOUGH_FOR, POINTS = 4, 250, 100, 7
DELIVERIES = 50
KILLS, PURCHASES = 5, 120


@pytest.fixture
def crm_plugins() -> tuple[str, ...]:
    return ("loyalty",)


async def tills(client: CrmClient, *commands: list[str]) -> list[str]:
    """What each of these processes says in the end. They all begin at once."""
    url = client.service.settings.database_url
    processes = [await start(url, command) for command in commands]
    outputs = await asyncio.gather(*(process.communicate(b"go\n") for process in processes))
    for process, (_, errors) in zip(processes, outputs, strict=True):
        assert process.returncode == 0, errors.decode()
    return [output.decode().strip() for output, _ in outputs]


async def start(url: str, command: list[str]) -> Process:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", till.__name__, url, *command, stdin=PIPE, stdout=PIPE, stderr=PIPE
    )
    assert process.stdout is not None
    if await process.stdout.readline() != b"ready\n":
        raise AssertionError((await process.communicate())[1].decode())
    return process


async def opened(client: CrmClient) -> tuple[str, str]:
    """A programme and a customer."""
    async with client.service.database.unit_of_work() as tx:
        program = await create_program(tx, "Stars", "EUR", 1)
        return program, (await create_customer(tx, NewCustomer(name="Ada"))).id


async def account(client: CrmClient) -> dict[str, Any]:
    async with client.service.database.unit_of_work() as tx:
        assert (await verify(tx)).differences == []
        [row] = await tx.fetch("SELECT balance, lifetime, entries_number FROM loyalty_account")
        return dict(row)


async def test_redemptions_at_once_never_overspend(client: CrmClient) -> None:
    program, customer = await opened(client)
    at = datetime(2026, 1, 1, tzinfo=UTC)
    async with client.service.database.unit_of_work() as tx:
        lots = [
            Posting(program_id=program, customer_id=customer, points=100, source_key=f"lot {n}", at=at)
            for n in range(ENOUGH_FOR * POINTS // 100)
        ]
        await post(tx, lots)
    said = await tills(
        client,
        *(
            ["redeem", customer, program, str(POINTS), str(ATTEMPTS), str(number * ATTEMPTS)]
            for number in range(TILLS)
        ),
    )
    assert sum(map(int, said)) == ENOUGH_FOR
    assert await account(client) == {
        "balance": 0,
        "lifetime": ENOUGH_FOR * POINTS,
        "entries_number": len(lots) + ENOUGH_FOR,
    }


async def test_a_purchase_that_is_told_many_times_at_once_earns_once(client: CrmClient) -> None:
    async with client.service.database.unit_of_work() as tx:
        customer = (await create_customer(tx, NewCustomer(name="Ada"))).id
        bought = await record_purchase(
            tx, NewPurchase(customer_id=customer, currency="EUR", total_minor=1_000)
        )
    async with client.service.database.unit_of_work() as tx:
        await create_program(tx, "Stars", "EUR", 1)
    each = str(DELIVERIES // TILLS + 1)
    said = await tills(client, *(["deliver", customer, bought, "1000", each] for _ in range(TILLS)))
    assert sum(map(int, said)) >= DELIVERIES
    assert await account(client) == {"balance": 10, "lifetime": 10, "entries_number": 1}


async def test_a_till_that_is_killed_loses_no_points_and_counts_none_twice(client: CrmClient) -> None:
    program, customer = await opened(client)
    url, chance = client.service.settings.database_url, Random(7)
    command = ["work", customer, program, str(PURCHASES)]
    acknowledged: set[str] = set()
    for kill in range(KILLS + 1):
        process = await start(url, command)
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(b"go\n")
        fatal = len(acknowledged) + chance.randint(1, 30) if kill < KILLS else None
        while line := (await process.stdout.readline()).decode().strip():
            acknowledged.add(line)
            if fatal is not None and len(acknowledged) >= fatal:
                await asyncio.sleep(chance.random() * 0.02)
                process.kill()
                fatal = None
        await process.communicate()
        async with client.service.database.unit_of_work() as tx:
            assert (await verify(tx)).differences == []
            keys = {row["source_key"] for row in await tx.fetch("SELECT source_key FROM loyalty_entry")}
            refs = {
                f"purchase:{row['id']}": row["reference"]
                for row in await tx.fetch("SELECT id, reference FROM crm_interaction")
            }
        there = {f"bought {refs[key]}" for key in keys if key in refs}
        there |= {f"redeemed {key.removeprefix('redemption:')}" for key in keys if key not in refs}
        assert acknowledged - {"done"} <= there
    assert "done" in acknowledged
    assert await account(client) == {
        "balance": PURCHASES * 3,
        "lifetime": PURCHASES * 10,
        "entries_number": PURCHASES * 2,
    }
