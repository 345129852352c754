"""PostgreSQL is restarted beneath nodes at work: they wait or say so, and go on by themselves."""

import asyncio
import os
import sys
from itertools import cycle
from pathlib import Path
from secrets import token_urlsafe

import httpx2

from crm_framework.storage.database import Database
from crm_framework.testing.templates import run_statement
from tests.durability.servers import StoppablePostgres, stoppable_postgres

from .programs import CONNECTIONS, Cluster, cluster
from .verdict import all_is_done, each_once, positions
from .watchers import Watcher, watching
from .writers import READ, writing

RESTARTS = int(os.environ.get("TORTURE_RESTARTS", "2"))
NODES = 2
CLIENTS = 6


async def no_more_connections(postgres: StoppablePostgres, running: Cluster, database: Database) -> None:
    """Neither the server nor a program keeps one that was lost."""
    everybody = (
        "SELECT 1 FROM pg_stat_activity WHERE datname = current_database()"
        " AND backend_type = 'client backend'"
    )
    programs = len(running.nodes) + len(running.workers)
    async with asyncio.timeout(30):
        while True:
            known = len(await database.fetch(everybody)) - 2  # those of this look
            kept = running.connections(postgres.port)
            if known <= programs * CONNECTIONS and max(kept) <= CONNECTIONS and sum(kept) == known:
                return
            await asyncio.sleep(0.2)


async def refused(running: Cluster) -> list[int]:
    """What every node says to a token that it does not remember while it cannot ask for it."""
    headers = {"Authorization": f"Bearer crm_{token_urlsafe(32)}"}
    async with httpx2.AsyncClient(trust_env=False, headers=headers, timeout=60) as http:
        answers = [await http.post(f"{node.address}/graphql", json={"query": READ}) for node in running.nodes]
    return [answer.status_code for answer in answers]


async def test_restarted_beneath_them(tmp_path: Path) -> None:
    with stoppable_postgres() as postgres:
        await run_statement(postgres.url("postgres"), "CREATE DATABASE crm")
        url = postgres.url("crm")
        async with cluster(url, tmp_path, nodes=NODES, workers=1) as running:
            addresses = cycle([node.address for node in running.nodes])
            watchers = [
                Watcher(way, lambda address=node.address: address, running.token)  # type: ignore[misc]  # bound now
                for node in running.nodes
                for way in ("ws", "sse")
            ]
            async with watching(watchers) as watch:
                async with writing(lambda: next(addresses), running.token, CLIENTS) as writers:
                    await writers.reach(10)
                    for number in range(RESTARTS):
                        await asyncio.to_thread(postgres.stop, "immediate" if number % 2 else "fast")
                        await running.all_ready(False)
                        assert await refused(running) == [503] * NODES
                        await asyncio.sleep(0.3 * (number % 3))
                        await asyncio.to_thread(postgres.start)
                        await running.all_ready()
                        await writers.reach(20)
                async with await Database.open(url, apps={}, pool_size=1, read_pool_size=1) as database:
                    await all_is_done(database)
                    await watch.all_saw(await positions(database))
                    await no_more_connections(postgres, running, database)
                    await each_once(database, writers.acknowledged, 0)
            sys.stderr.write(
                f"\n{RESTARTS} restarts: {dict(writers.outcomes)}; {len(watchers[0].seen)} events;"
                f" subscribers came back for {[watcher.ends for watcher in watchers]}\n"
            )
            # a node that remembers their token says it in the answer, with 200
            assert sum(count for said, count in writers.outcomes.items() if said != "200") > 0
            assert {said.split()[0] for said in writers.outcomes} <= {"200", "503"}
            for program in (*running.nodes, *running.workers):
                await running.stop(program)
            assert running.tracebacks() == []
