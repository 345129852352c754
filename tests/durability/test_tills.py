"""Several processes at one account at once, and one that is killed."""

import asyncio
import sys
from asyncio.subprocess import PIPE, Process
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

import pytest
from crm_loyalty.ledger import Posting, post
from crm_loyalty.ledger.verify import verify
from crm_loyalty.models import RewardKind
from crm_loyalty.programs import create_program
from crm_loyalty.programs.changes import update_program
from crm_loyalty.replays.changes import apply_replay, begin_replay
from crm_loyalty.rewards.changes import NewReward, create_reward

from crm_framework import NewCustomer, NewPurchase, create_customer, record_purchase
from crm_framework.testing import CrmClient, run_jobs

from . import till

TILLS, ATTEMPTS, ENOUGH_FOR, POINTS = 4, 250, 100, 7
DELIVERIES = 50
KILLS, PURCHASES = 5, 120
COUNTERS, ROUNDS, STOCK, COST = 3, 6, 1_000, 5
BUYERS, TOGETHER = 24, 2


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


async def until_killed(process: Process, fatal: int | None, chance: Random) -> list[str]:
    """What it said; after so many lines it is killed, within what it does next."""
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(b"go\n")
    said: list[str] = []
    while line := (await process.stdout.readline()).decode().strip():
        said.append(line)
        if len(said) == fatal:
            await asyncio.sleep(chance.random() * 0.02)
            process.kill()
    await process.communicate()
    return said


async def test_a_counter_that_is_killed_gives_out_what_was_paid_for(client: CrmClient) -> None:
    program, customer = await opened(client)
    async with client.service.database.unit_of_work() as tx:
        cup = NewReward(
            program_id=program, name="Cup", kind=RewardKind.PRODUCT, sku="cup", cost_points=COST, stock=STOCK
        )
        reward = await create_reward(tx, cup)
        gift = Posting(
            program_id=program, customer_id=customer, points=10_000, source_key="gift",
            at=datetime(2026, 1, 1, tzinfo=UTC),
        )  # fmt: skip
        await post(tx, [gift])
    url, chance, said = client.service.settings.database_url, Random(11), list[str]()
    for counter in range(COUNTERS):
        process = await start(url, ["reward", customer, reward, str(ROUNDS)])
        fatal = None if counter == COUNTERS - 1 else chance.randint(2, 12)
        said += await until_killed(process, fatal, chance)
        rows = await client.service.database.fetch("SELECT id, status FROM loyalty_redemption")
        states = {str(row["id"]): row["status"] for row in rows}
        last = dict(line.split(" ")[::-1] for line in said if line != "done")
        # what was answered is so, or what was begun next was done and its answer lost
        for key, status in last.items():
            later = {"RESERVED": {"REDEEMED", "CANCELLED"}, "REDEEMED": {"REVERSED"}}.get(status, set())
            assert states[key] in {status} | later
        taken = sum(status in ("RESERVED", "REDEEMED") for status in states.values())
        [left] = await client.service.database.fetch("SELECT stock FROM loyalty_reward")
        assert left["stock"] == STOCK - taken
        assert (await account(client))["balance"] == 10_000 - taken * COST
    assert said[-1] == "done"


async def test_a_replay_whose_worker_is_killed_corrects_each_account_once(client: CrmClient) -> None:
    database = client.service.database
    async with database.unit_of_work() as tx:
        program = await create_program(tx, "Stars", "EUR", 1)
    at = datetime(2026, 5, 2, tzinfo=UTC)
    for number in range(BUYERS):
        async with database.unit_of_work() as tx:
            buyer = (await create_customer(tx, NewCustomer(name=f"B{number}"))).id
            await record_purchase(
                tx, NewPurchase(customer_id=buyer, currency="EUR", total_minor=1_000, occurred_at=at)
            )
    async with database.unit_of_work() as tx:
        await update_program(tx, program, {"points_per_unit": 3})
        replay = await begin_replay(tx, program, at - timedelta(days=1), at + timedelta(days=1))
    during = 0
    for seen in ("SELECT causes AS n FROM loyalty_replay", "SELECT COUNT(*) AS n FROM loyalty_entry"):
        before = int((await database.fetch(seen))[0]["n"])
        process = await start(client.service.settings.database_url, ["replay", str(TOGETHER)])
        assert process.stdin is not None
        process.stdin.write(b"go\n")
        for _ in range(3_000):
            if int((await database.fetch(seen))[0]["n"]) > before or process.returncode is not None:
                break
            await asyncio.sleep(0.005)
        process.kill()
        await process.communicate()
        during += before < int((await database.fetch(seen))[0]["n"]) < before + BUYERS
        for _ in range(10):
            async with database.unit_of_work() as tx:  # as time goes by: the job is free again
                await tx.execute(
                    "UPDATE crm_job SET leased_until = ? WHERE leased_until IS NOT NULL", [tx.now]
                )
                await tx.execute("UPDATE crm_job SET run_at = ? WHERE status = 'WAITING'", [tx.now])
                [row] = await tx.fetch("SELECT status FROM loyalty_replay")
            if row["status"] in ("COMPARED", "CORRECTED"):
                break
            await run_jobs(client)
        if row["status"] == "COMPARED":
            async with database.unit_of_work() as tx:
                await apply_replay(tx, replay)
    assert during >= 1
    differences = await database.fetch("SELECT before, after, corrected FROM loyalty_replay_difference")
    assert [(row["before"], row["after"], bool(row["corrected"])) for row in differences] == [
        (10, 30, True)
    ] * BUYERS
    async with database.unit_of_work() as tx:
        assert (await verify(tx)).differences == []
        rows = await tx.fetch("SELECT balance, entries_number FROM loyalty_account")
    assert [(row["balance"], row["entries_number"]) for row in rows] == [(30, 2)] * BUYERS
