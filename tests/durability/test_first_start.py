"""Several programs start on one empty database, and some are killed before it has its tables: the others come
up, and so do those when they are started again. Nobody has to mend anything."""

import asyncio
import os
import sys
from pathlib import Path
from random import Random

import asyncpg
import httpx2

from crm_framework.storage.database import Database
from crm_framework.testing.templates import Kind, TestDatabases
from tests.server.nodes import COUNT, Node, begin, end, greeted

ROUNDS = int(os.environ.get("TORTURE_KILLS", "1"))
SEED = os.environ["TORTURE_SEED"]
NODES = 3
KILLED = 2
LONGEST_SECONDS = 1.0
"""Of the pause before each kill, from the moment on when the first program is at the database."""


def start(url: str, folder: Path, number: int) -> Node:
    return begin(url, folder, "--token-file", f"{number}.token", CRM_PLUGINS="loyalty,ticketing")


async def reached(url: str) -> bool:
    """Whether anybody is at the database."""
    if url.startswith("sqlite://"):
        return os.path.exists(url.removeprefix("sqlite://"))  # noqa: ASYNC240  # a file nearby
    connection = await asyncpg.connect(url)
    try:
        found = await connection.fetchval(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
            " AND backend_type = 'client backend' AND pid <> pg_backend_pid()"
        )
        return bool(found)
    finally:
        await connection.close()


async def migrations(url: str) -> list[tuple[str, str]]:
    async with await Database.open(url, apps={}, pool_size=1, read_pool_size=1) as database:
        if database.dialect == "sqlite":
            tables = await database.fetch("SELECT 1 FROM sqlite_master WHERE name = 'crm_migration'")
        else:
            tables = await database.fetch("SELECT 1 FROM pg_tables WHERE tablename = 'crm_migration'")
        rows = await database.fetch("SELECT app, name FROM crm_migration") if tables else []
    return [(row["app"], row["name"]) for row in rows]


async def test_killed_before_there_are_tables(
    test_databases: TestDatabases, database_kind: Kind, tmp_path: Path
) -> None:
    rng = Random(SEED)
    for number in range(ROUNDS):
        url, folder = test_databases.empty(database_kind), tmp_path / str(number)
        folder.mkdir()
        nodes = [start(url, folder, place) for place in range(NODES)]
        try:
            async with asyncio.timeout(120):
                while not await reached(url):  # noqa: ASYNC110  # other processes come
                    await asyncio.sleep(0.01)
            places = rng.sample(range(NODES), KILLED)
            for place in places:
                await asyncio.sleep(rng.random() * LONGEST_SECONDS)
                end(nodes[place])
            found = len(await migrations(url))
            for place in places:
                nodes[place] = start(url, folder, place)
            for node in nodes:
                await asyncio.to_thread(greeted, node)
            async with httpx2.AsyncClient(trust_env=False, timeout=60) as http:
                for place, node in enumerate(nodes):
                    token = (folder / f"{place}.token").read_text().strip()
                    answer = await http.post(
                        f"{node.address}/graphql",
                        json={"query": COUNT},
                        headers={"Authorization": f"Bearer {token}"},
                    )
                    assert answer.json() == {"data": {"customers": {"totalCount": 0}}}
                    assert (await http.get(f"{node.address}/readyz")).status_code == 200
            for node in nodes:
                assert node.stop() == 0
            applied = await migrations(url)
            assert len(applied) == len(set(applied)) >= 3  # one of the core and of each plugin at least
            logs = "".join(file.read_text() for file in folder.glob("*.log"))
            assert "Traceback" not in logs, logs
        finally:
            for node in nodes:
                end(node)
        test_databases.drop(url)
        sys.stderr.write(
            f"\nTORTURE_SEED={SEED}, round {number}: {KILLED} of {NODES} killed, {found} of {len(applied)}"
            " migrations were there\n"
        )
