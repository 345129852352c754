"""Whole programs on one database: `crm serve` and `crm worker`, with a plugin that leaves traces."""

import asyncio
import os
import shutil
import signal
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx2
import psutil

from tests.server.nodes import CRM, Node, begin, end, greeted

from . import traces

POOL = 2
"""Connections for changes, and as many for reads, of each program."""
CONNECTIONS = 2 * POOL + 1
"""The most of one program: it listens, too."""
SETTINGS = {
    "CRM_PLUGINS": "traces",
    "CRM_PLUGIN_DIR": "plugins",
    "CRM_HANDLER_BUDGET_MS": "30000",
    "CRM_DATABASE_POOL_SIZE": str(POOL),
    "CRM_DATABASE_READ_POOL_SIZE": str(POOL),
}


@dataclass
class Cluster:
    """The programs that run, each with a log of its own."""

    url: str
    folder: Path
    settings: dict[str, str]
    token: str = ""
    nodes: list[Node] = field(default_factory=list)
    workers: list[Node] = field(default_factory=list)
    all: list[Node] = field(default_factory=list)

    async def serve(self) -> Node:
        """One more node, which serves."""
        node = begin(self.url, self.folder, **self.settings)
        self.all.append(node)
        await asyncio.to_thread(greeted, node)
        self.token = node.token or self.token
        self.nodes.append(node)
        return node

    async def work(self) -> Node:
        """One more worker, which works."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith("CRM_")}
        log = self.folder / f"{len(list(self.folder.iterdir()))}.log"
        with log.open("w") as stream:
            process = subprocess.Popen(  # noqa: ASYNC220  # as `begin` does
                [*CRM, "worker"],
                cwd=self.folder,
                env={**kept, "CRM_DATABASE_URL": self.url, "PYTHONUNBUFFERED": "1", **self.settings},
                stdout=subprocess.PIPE,
                stderr=stream,
                text=True,
            )
        worker = Node(process, "", log)
        self.all.append(worker)
        await asyncio.to_thread(greeted, worker)
        self.workers.append(worker)
        return worker

    async def stop(self, node: Node) -> None:
        """As a supervisor does: SIGTERM, and it ends in order."""
        node.process.send_signal(signal.SIGTERM)
        assert await asyncio.to_thread(node.process.wait, 60) == 0, node.log
        (self.nodes if node in self.nodes else self.workers).remove(node)

    async def ready(self, node: Node) -> bool:
        async with httpx2.AsyncClient(trust_env=False, timeout=30) as http:
            return (await http.get(f"{node.address}/readyz")).status_code == 200

    async def all_ready(self, ready: bool = True) -> None:
        async with asyncio.timeout(60):
            for node in self.nodes:
                while await self.ready(node) is not ready:  # noqa: ASYNC110  # another process tells
                    await asyncio.sleep(0.05)

    def tracebacks(self) -> list[str]:
        """What the programs logged with a traceback, but for what fails on purpose."""
        found = []
        for program in self.all:
            for entry in program.log.split("\n20")[1:]:
                if "Traceback" in entry and "a failure on purpose" not in entry:
                    found.append(entry)
        return found

    def connections(self, port: int) -> list[int]:
        """To the database, by program, also those that the server has forgotten."""
        return [
            sum(
                bool(each.raddr) and each.raddr.port == port
                for each in psutil.Process(program.process.pid).net_connections("tcp")
            )
            for program in (*self.nodes, *self.workers)
        ]


@asynccontextmanager
async def cluster(
    url: str, folder: Path, *, nodes: int, workers: int, **settings: str
) -> AsyncIterator[Cluster]:
    """So many programs. With workers apart, the nodes do not work themselves."""
    (folder / "plugins").mkdir()
    shutil.copy(traces.__file__, folder / "plugins" / "traces.py")
    made = Cluster(url, folder, SETTINGS | ({"CRM_WORKER": "false"} if workers else {}) | settings)
    try:
        for _ in range(nodes):
            await made.serve()
        for _ in range(workers):
            await made.work()
        yield made
    finally:
        for program in made.all:
            end(program)
