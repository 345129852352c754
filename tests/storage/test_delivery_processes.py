"""Deliveries by several processes, some of which are killed: each event takes effect exactly once."""

import asyncio
import random
import subprocess
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from crm_framework.events import Event
from crm_framework.storage.database import Database
from crm_framework.storage.ids import new_id
from crm_framework.storage.unit_of_work import UnitOfWork

from .owing import Plugin, change, owed, renamed

ROOT = Path(__file__).resolve().parents[2]
CUSTOMERS, EACH = 40, 5
KILLS = 5
DEADLINE = 240.0


def start(url: str, seed: int) -> "subprocess.Popen[str]":
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.storage.delivery_worker", url, "careful", str(seed)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert process.stdout is not None
    return process


async def ready(process: "subprocess.Popen[str]") -> None:
    assert process.stdout is not None
    assert await asyncio.to_thread(process.stdout.readline) == "ready\n"


def end(process: "subprocess.Popen[str]") -> None:
    process.kill()
    process.wait()
    assert process.stdout is not None
    process.stdout.close()


async def fail(events: Sequence[Event], tx: UnitOfWork) -> None:
    raise ValueError("not now")


async def owe_many(database: Database) -> list[str]:
    database.handlers = [Plugin("careful", fail)]
    told = []
    customers = [new_id() for _ in range(CUSTOMERS)]
    for number in range(EACH):
        for index, customer in enumerate(customers):
            told.append(f"{index:02}-{number}")
            await change(database, renamed(customer, told[-1]))
    return told


async def until_done(database: Database) -> None:
    async with asyncio.timeout(DEADLINE):
        while await owed(database):  # noqa: ASYNC110  # other processes do it
            await asyncio.sleep(0.1)


async def check(database: Database, told: list[str]) -> None:
    """Each event had its effect once, and those of a customer in their order."""
    rows = await database.fetch("SELECT name FROM crm_staff ORDER BY id")  # keys tell the time
    handled = [row["name"] for row in rows]
    assert Counter(handled) == Counter(told)
    for index in range(CUSTOMERS):
        mine = [name for name in handled if name.startswith(f"{index:02}-")]
        assert mine == sorted(mine)


async def test_several_processes_deliver_each_once(database: Database) -> None:
    told = await owe_many(database)
    processes = [start(database.url, seed) for seed in range(3)]
    try:
        await until_done(database)
    finally:
        for process in processes:
            end(process)
    await check(database, told)


async def test_a_killed_process_loses_and_doubles_nothing(database: Database) -> None:
    chance = random.Random(20)
    told = await owe_many(database)
    kills = 0
    for number in range(KILLS):
        process = start(database.url, number)
        await ready(process)
        await asyncio.sleep(chance.random() * 0.4)
        kills += process.poll() is None
        end(process)
    assert kills == KILLS
    survivor = start(database.url, KILLS)
    try:
        await until_done(database)
    finally:
        end(survivor)
    await check(database, told)
