"""Several processes on one database: every job takes effect once, also when processes are killed."""

import asyncio
import random
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

import pytest

from crm_framework.storage.clock import now
from crm_framework.storage.database import Database

PROCESSES = 4


def start(url: str, poll_seconds: float = 0.1) -> "subprocess.Popen[str]":
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.worker.crowd", url, str(poll_seconds)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n", process.communicate()[1]
    return process


@contextmanager
def processes(url: str) -> Iterator[list["subprocess.Popen[str]"]]:
    started: list[subprocess.Popen[str]] = []
    try:
        started.extend(start(url) for _ in range(PROCESSES))
        yield started
    finally:
        for process in started:
            process.kill()
            process.communicate()


async def defer(database: Database, numbers: range, **payload: object) -> None:
    async with database.unit_of_work() as tx:
        for number in numbers:
            tx.defer("crowd.count", {"number": number, **payload})


async def marks(database: Database) -> Counter[str]:
    rows = await database.fetch("SELECT subject_id FROM crm_audit WHERE action = 'counted'")
    return Counter(row["subject_id"] for row in rows)


async def left(database: Database) -> int:
    [row] = await database.fetch("SELECT COUNT(*) AS left_over FROM crm_job WHERE status <> 'DONE'")
    number: int = row["left_over"]
    return number


async def test_four_processes_do_every_job_once(database: Database, database_url: str) -> None:
    with processes(database_url) as started:
        await defer(database, range(400))
        async with asyncio.timeout(240):
            while await left(database):  # noqa: ASYNC110  # other processes do it
                await asyncio.sleep(0.1)
        for process in started:
            process.terminate()
            _, log = process.communicate(timeout=60)
            assert (process.returncode, log) == (0, "")
    assert await marks(database) == Counter({f"{number}/1": 1 for number in range(400)})
    runs = await database.fetch("SELECT attempts, COUNT(*) AS jobs FROM crm_job GROUP BY attempts")
    assert runs == [{"attempts": 1, "jobs": 400}]


async def test_jobs_take_effect_once_while_processes_are_killed(
    database: Database, database_url: str
) -> None:
    """Their leases are not waited out but set back, as if a minute had passed."""
    chance = random.Random(7)
    kills = interrupted = 0
    with processes(database_url) as started:
        async with asyncio.timeout(240):
            while kills < 10 or not interrupted:  # a job may end just before its process
                await defer(database, range(kills * 20, kills * 20 + 20), slow=True, batches=2)
                await asyncio.sleep(chance.uniform(0.02, 0.3))
                victim = started.pop(0)
                victim.kill()
                await asyncio.to_thread(victim.communicate)
                kills += 1
                interrupted += await running_in(database, victim.pid)
                started.append(await asyncio.to_thread(start, database_url))
                await set_back(database)
        async with asyncio.timeout(240):
            while await left(database):  # other processes do it
                await asyncio.sleep(0.1)
                await set_back(database)
    expected = {f"{number}/{batch}": 1 for number in range(20 * kills) for batch in (1, 2)}
    assert await marks(database) == Counter(expected)


@pytest.mark.parametrize("database_kind", ["postgres"])
async def test_a_worker_elsewhere_is_woken(database: Database, database_url: str) -> None:
    """It would look by itself after hours only."""
    process = start(database_url, 36_000)
    try:
        for number in range(3):
            await defer(database, range(number, number + 1))
            async with asyncio.timeout(60):
                while await left(database):  # noqa: ASYNC110  # another process does it
                    await asyncio.sleep(0.02)
    finally:
        process.kill()
        process.communicate()
    assert await marks(database) == Counter({f"{number}/1": 1 for number in range(3)})


async def running_in(database: Database, process: int) -> int:
    """How many jobs the process holds, which is dead by now."""
    rows = await database.fetch(
        "SELECT 1 FROM crm_job WHERE status = 'RUNNING' AND leased_by LIKE ?", (f"%:{process}",)
    )
    return len(rows)


async def set_back(database: Database) -> None:
    async with database.unit_of_work() as tx:
        past = now() - timedelta(seconds=1)
        await tx.execute("UPDATE crm_job SET leased_until = ? WHERE status = 'RUNNING'", (past,))
        await tx.execute("UPDATE crm_job SET run_at = ? WHERE status = 'WAITING'", (past,))
