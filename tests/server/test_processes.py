"""Several processes behind one socket, and several programs that start on one empty database."""

import asyncio
import os
import signal
from pathlib import Path

import httpx2

from crm_framework.storage.database import Database

from .nodes import COUNT, Clients, Node, begin, end, greeted, serving

NAMES = "SELECT name FROM crm_customer WHERE name LIKE 'customer %'"


def ask(node: Node, token: str) -> httpx2.Response:
    with httpx2.Client(trust_env=False, base_url=node.address, timeout=60) as http:
        return http.post("/graphql", json={"query": COUNT}, headers={"Authorization": f"Bearer {token}"})


def alive(process: int) -> bool:
    """Whether it runs; one whose end nobody has asked for does not."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


async def gone(process: int) -> None:
    async with asyncio.timeout(60):
        while alive(process):  # noqa: ASYNC110  # it ends by itself
            await asyncio.sleep(0.02)


async def children(node: Node, *, without: set[int], count: int) -> list[int]:
    """Those that it keeps, once they are so many and none of `without` is left."""
    async with asyncio.timeout(120):
        while True:
            found = node.children()
            if len(found) == count and not without & set(found):
                return found
            await asyncio.sleep(0.05)


async def test_what_ends_is_replaced_and_all_end_in_order(empty_database_url: str, tmp_path: Path) -> None:
    with serving(empty_database_url, tmp_path, "--processes", "2") as node:
        assert node.token
        first = node.children()
        assert len(first) == 2
        assert ask(node, node.token).json() == {"data": {"customers": {"totalCount": 0}}}
        os.kill(first[0], signal.SIGKILL)
        second = await children(node, without={first[0]}, count=2)
        assert first[1] in second
        assert ask(node, node.token).status_code == 200
        assert node.stop() == 0
        for process in second:
            await gone(process)
        assert f"Process {first[0]} ended by SIGKILL" in node.log
        assert "Traceback" not in node.log


async def test_children_end_with_their_keeper(empty_database_url: str, tmp_path: Path) -> None:
    with serving(empty_database_url, tmp_path, CRM_PROCESSES="2") as node:
        left = node.children()
        node.process.kill()
        for process in left:
            await gone(process)
    assert "Traceback" not in node.log


async def test_a_rolling_restart_loses_nothing(empty_database_url: str, tmp_path: Path) -> None:
    with serving(empty_database_url, tmp_path, "--processes", "2") as node:
        assert node.token
        clients = Clients([node.address], node.token)
        async with asyncio.TaskGroup() as group:
            for number in range(4):
                group.create_task(clients.one(number))
            await clients.reach(20)
            for turn in range(2):
                old = set(node.children())
                node.process.send_signal(signal.SIGHUP)
                await children(node, without=old, count=2)
                async with asyncio.timeout(60):
                    while node.log.count("were replaced") <= turn:  # noqa: ASYNC110  # another process says it
                        await asyncio.sleep(0.02)
            await clients.reach(20)
            clients.stopped = True
        assert clients.broken == []
        assert set(clients.statuses) == {200}
        assert node.stop() == 0
    async with await Database.open(empty_database_url, apps={}) as database:
        stored = [row["name"] for row in await database.fetch(NAMES)]
    assert sorted(stored) == sorted(clients.acknowledged)
    assert "Traceback" not in node.log


async def test_a_restart_that_fails_leaves_the_present_ones(empty_database_url: str, tmp_path: Path) -> None:
    settings = tmp_path / "crm.toml"
    settings.write_text("processes = 2\n")
    with serving(empty_database_url, tmp_path) as node:
        assert node.token
        before = node.children()
        settings.write_text("processes = 2\nno_such_setting = 1\n")
        node.process.send_signal(signal.SIGHUP)
        async with asyncio.timeout(60):
            while "go on as they are" not in node.log:  # noqa: ASYNC110  # another process says it
                await asyncio.sleep(0.02)
        assert node.children() == before
        assert ask(node, node.token).status_code == 200


def test_children_that_cannot_serve_end_it(empty_database_url: str, tmp_path: Path) -> None:
    (tmp_path / "crm.toml").write_text("processes = 2\n")
    with serving(empty_database_url, tmp_path) as node:
        assert node.stop() == 0
    operations = tmp_path / "operations.json"
    node = begin(empty_database_url, tmp_path, CRM_PERSISTED_OPERATIONS=str(operations))
    try:
        assert node.process.wait(timeout=60) == 1
    finally:
        end(node)
    assert "crm: A process that should serve ended. It said why above." in node.log


async def test_several_start_on_an_empty_database(empty_database_url: str, tmp_path: Path) -> None:
    nodes = [begin(empty_database_url, tmp_path) for _ in range(4)]
    try:
        for node in nodes:
            await asyncio.to_thread(greeted, node)
        tokens = [node.token for node in nodes if node.token]
        assert len(tokens) == 1
        for node in nodes:
            assert ask(node, tokens[0]).status_code == 200
            assert node.stop() == 0
            assert node.log.count("Traceback") == 0
    finally:
        for node in nodes:
            end(node)
    async with await Database.open(empty_database_url, apps={}) as database:
        applied = await database.fetch("SELECT app, name FROM crm_migration")
        assert len(applied) == len({(row["app"], row["name"]) for row in applied}) > 0
        assert len(await database.fetch("SELECT id FROM crm_token")) == 1
