"""Several nodes and a worker on one PostgreSQL: each thing happens once, everybody sees all, and nodes are
replaced under load without a client noticing."""

import asyncio
import os
import sys
from collections import Counter
from datetime import timedelta
from itertools import cycle
from pathlib import Path

import pytest

from crm_framework.storage.clock import now
from crm_framework.storage.database import Database

from .balancer import balancing
from .programs import cluster
from .verdict import all_is_done, each_once, positions
from .watchers import Watcher, watching
from .writers import writing

CHANGES = int(os.environ.get("TORTURE_CHANGES", "40"))
ROUNDS = int(os.environ.get("TORTURE_ROUNDS", "1"))
"""How often every node is replaced."""
NODES = (2, 4) if "TORTURE_ROUNDS" in os.environ else (2,)
TICKS = 5
CLIENTS = 4


async def tick(database: Database) -> None:
    """The clock comes to the moment of the schedule, and all programs look at once."""
    async with database.unit_of_work() as tx:
        await tx.execute(
            "UPDATE crm_schedule SET next_at = ? WHERE name = 'traces.tick'", (now() - timedelta(seconds=1),)
        )
        tx.wake("schedules")
    async with asyncio.timeout(60):
        while await database.fetch(  # noqa: ASYNC110  # other processes do it
            "SELECT 1 FROM crm_schedule WHERE name = 'traces.tick' AND next_at <= ?"
            " UNION ALL SELECT 1 FROM crm_job WHERE name = 'traces.tick' AND status <> 'DONE'",
            (now(),),
        ):
            await asyncio.sleep(0.02)


@pytest.mark.parametrize("number", NODES)
@pytest.mark.parametrize("database_kind", ["postgres"])
async def test_replaced_under_load(tmp_path: Path, empty_database_url: str, number: int) -> None:
    """All nodes work, and so does a worker beside them."""
    async with (
        cluster(empty_database_url, tmp_path, nodes=number, workers=1, CRM_WORKER="true") as running,
        await Database.open(empty_database_url, apps={}, pool_size=1, read_pool_size=1) as database,
        balancing() as balancer,
    ):
        for node in running.nodes:
            balancer.nodes[node.address] = True
        turns = cycle(range(1000))
        watchers = [
            Watcher(
                way,
                lambda at=place: running.nodes[(at + next(turns)) % len(running.nodes)].address,  # type: ignore[misc]  # bound now
                running.token,
            )
            for place in range(number)
            for way in ("ws", "sse")
        ]
        async with watching(watchers) as watch:
            async with writing(lambda: balancer.address, running.token, CLIENTS) as writers:
                await writers.reach(CHANGES)
                for _ in range(TICKS):
                    await tick(database)
                for _ in range(ROUNDS):
                    for node in list(running.nodes):
                        await running.stop(node)
                        del balancer.nodes[node.address]
                        fresh = await running.serve()
                        balancer.nodes[fresh.address] = False
                        await writers.reach(5)
                    if "TORTURE_ROUNDS" in os.environ:
                        await running.stop(running.workers[0])
                        await running.work()
                await writers.reach(5)
            await all_is_done(database)
            await watch.all_saw(await positions(database))
            await each_once(database, writers.acknowledged, TICKS)
        came_back = Counter(end for each in watchers for end in each.ends)
        sys.stderr.write(
            f"\n{number} nodes replaced {ROUNDS} time(s): {dict(writers.outcomes)},"
            f" {len(watchers[0].seen)} events; subscribers came back for {dict(came_back)}\n"
        )
        assert set(writers.outcomes) == {"200"}
        assert balancer.unserved == 0
        for program in (*running.nodes, *running.workers):
            await running.stop(program)
        assert running.tracebacks() == []
