"""Jobs by the clock: each run once, whoever is there, and those that were missed once for all."""

import asyncio
from datetime import UTC, datetime, timedelta

from crm_framework.storage.clock import frozen, parse_time
from crm_framework.worker.loop import Worker
from crm_framework.worker.runs import JobRun
from crm_framework.worker.schedules import Schedules

from .conftest import Bench

DAY = timedelta(days=1)
START = datetime(2025, 3, 28, 12, tzinfo=UTC)
"""The night from the 29th to the 30th has no 02:30 in Berlin."""


class Clock:
    """A job at 02:30 in Berlin, and the moments at which it ran."""

    def __init__(self, bench: Bench, cron: str | None = "30 2 * * *", **more: object) -> None:
        self.bench = bench
        self.ran: list[datetime] = []
        bench.job("t.nightly", self.run, cron=cron, time_zone="Europe/Berlin", **more)
        self.schedules = self.node()

    def node(self) -> Schedules:
        return Schedules(self.bench.database, self.bench.declared.values())

    async def run(self, job: JobRun) -> None:
        self.ran.append(job.now)

    async def at(self, moment: datetime) -> int:
        """How many pieces of work a worker found at that moment."""
        with frozen(moment):
            return await Worker([self.schedules.chore(), self.bench.jobs.chore(4)]).drain()

    async def row(self) -> tuple[datetime, datetime | None]:
        [row] = await self.bench.database.fetch("SELECT next_at, last_at FROM crm_schedule")
        return parse_time(row["next_at"]), row["last_at"] and parse_time(row["last_at"])


async def test_each_run_comes_once_also_over_a_change_of_clocks(bench: Bench) -> None:
    clock = Clock(bench)
    moment = START
    while moment < START + 3 * DAY:
        await clock.at(moment)
        moment += timedelta(minutes=30)
    assert clock.ran == [
        datetime(2025, 3, 29, 1, 30, tzinfo=UTC),
        datetime(2025, 3, 30, 1, 0, tzinfo=UTC),
        datetime(2025, 3, 31, 0, 30, tzinfo=UTC),
    ]
    assert await bench.statuses() == ["DONE"] * 3


async def test_runs_that_were_missed_are_caught_up_with_once(bench: Bench) -> None:
    clock = Clock(bench)
    assert await clock.at(START) == 0
    assert await clock.at(START + 10 * DAY) == 2
    assert await clock.at(START + 10 * DAY) == 0
    assert clock.ran == [START + 10 * DAY]
    assert await clock.row() == (datetime(2025, 4, 8, 0, 30, tzinfo=UTC), START + 10 * DAY)


async def test_of_many_nodes_one_hands_it_over(bench: Bench) -> None:
    clock = Clock(bench)
    await clock.at(START)
    with frozen(START + DAY):
        nodes = [clock.node() for _ in range(8)]
        pieces = [piece for node in nodes for piece in await node.due(1)]
        assert len(pieces) == 8
        await asyncio.gather(*(piece() for piece in pieces))
        assert await bench.statuses() == ["WAITING"]
        await bench.work()
        await asyncio.gather(*(piece() for piece in pieces))
    assert (clock.ran, await bench.statuses()) == ([START + DAY], ["DONE"])


async def test_one_that_still_waits_is_not_handed_over_twice(bench: Bench) -> None:
    """It failed and is to run again: the next moment must not give it all its attempts anew."""
    clock = Clock(bench)

    async def fail(job: JobRun) -> None:
        raise ValueError

    bench.job("t.nightly", fail, cron="30 2 * * *", time_zone="Europe/Berlin", attempts=2)
    clock.schedules = clock.node()
    await clock.at(START)
    assert await clock.at(START + DAY) == 2
    async with bench.database.unit_of_work() as tx:
        await tx.execute("UPDATE crm_job SET run_at = ?", (START + 5 * DAY,))
    assert await clock.at(START + 2 * DAY) == 1  # the schedule moves on, the job waits
    assert await bench.statuses() == ["WAITING"]
    assert await clock.at(START + 5 * DAY) == 2
    assert await bench.statuses() == ["FAILED"]


async def test_a_new_node_keeps_the_schedule_and_a_changed_one_counts_from_now(bench: Bench) -> None:
    clock = Clock(bench)
    await clock.at(START)
    before = await clock.row()
    clock.schedules = clock.node()
    await clock.at(START + timedelta(hours=1))
    assert await clock.row() == before
    changed = Clock(bench, "0 14 * * *")
    await changed.at(START + timedelta(hours=1))
    assert await changed.row() == (START + timedelta(hours=1) + DAY, None)
    await Clock(bench, None).at(START + timedelta(hours=1))
    assert await bench.database.fetch("SELECT 1 FROM crm_schedule") == []


async def test_the_schedule_of_a_plugin_that_is_not_there_waits_for_it(bench: Bench) -> None:
    clock = Clock(bench)
    await clock.at(START)
    away = Schedules(bench.database, [])
    with frozen(START + 3 * DAY):
        assert await away.due(1) == []
    assert await clock.at(START + 3 * DAY) == 2
    assert clock.ran == [START + 3 * DAY]
