"""`crm serve` as processes of their own, on any database, and clients that change and read over HTTP."""

import asyncio
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2

CRM = [sys.executable, "-c", "from crm_framework.cli import main; main()"]
CREATE = (
    "mutation ($name: String!) { createCustomer(input: {name: $name}) { customer { id } errors { code } } }"
)
COUNT = "{ customers(first: 1) { totalCount } }"


@dataclass
class Node:
    """One `crm serve`, which may be several processes."""

    process: "subprocess.Popen[str]"
    printed: str
    log_file: Path

    @property
    def address(self) -> str:
        found = re.search(r"http://\S+:\d+", self.printed)
        assert found
        return found[0]

    @property
    def token(self) -> str | None:
        found = re.search(r"token is in (.+)", self.printed)
        return Path(found[1]).read_text().strip() if found else None

    @property
    def log(self) -> str:
        return self.log_file.read_text()

    def children(self) -> list[int]:
        """The processes that it keeps."""
        file = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        return [int(one) for one in file.read_text().split()]

    def stop(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout=60)


def begin(url: str, folder: Path, *options: str, **settings: str) -> Node:
    """Starts one; `greeted` waits until it serves."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("CRM_")}
    log = folder / f"{len(list(folder.iterdir()))}.log"
    with log.open("w") as stream:
        process = subprocess.Popen(
            [*CRM, "serve", "--port", "0", *options],
            cwd=folder,
            env={**kept, "CRM_DATABASE_URL": url, "PYTHONUNBUFFERED": "1", **settings},
            stdout=subprocess.PIPE,
            stderr=stream,
            text=True,
        )
    return Node(process, "", log)


def greeted(node: Node) -> Node:
    assert node.process.stdout is not None
    while "Stop it" not in node.printed:
        line = node.process.stdout.readline()
        assert line, node.log
        node.printed += line
    return node


@contextmanager
def serving(url: str, folder: Path, *options: str, **settings: str) -> Iterator[Node]:
    node = begin(url, folder, *options, **settings)
    try:
        yield greeted(node)
    finally:
        end(node)


def end(node: Node) -> None:
    """Whatever state it is in; its children end because it is gone."""
    node.process.kill()
    node.process.communicate()


@dataclass
class Clients:
    """Change and read until they are told to stop; they try again only where nothing listens."""

    addresses: list[str]
    token: str
    acknowledged: list[str] = field(default_factory=list)
    statuses: dict[int, int] = field(default_factory=dict)
    broken: list[str] = field(default_factory=list)
    """What was neither answered nor refused: connections that ended under a request."""
    stopped: bool = False

    async def one(self, number: int) -> None:
        headers = {"Authorization": f"Bearer {self.token}"}
        async with httpx2.AsyncClient(trust_env=False, headers=headers, timeout=60) as http:
            turn = 0
            while not self.stopped:
                turn += 1
                name = f"customer {number}/{turn}"
                answer = await self._ask(http, turn, CREATE, {"name": name})
                if answer is not None and answer["data"]["createCustomer"]["customer"]:
                    self.acknowledged.append(name)
                await self._ask(http, turn, COUNT, {})

    async def _ask(
        self, http: httpx2.AsyncClient, turn: int, query: str, variables: dict[str, Any]
    ) -> dict[str, Any] | None:
        for attempt in range(1000):
            address = self.addresses[(turn + attempt) % len(self.addresses)]
            try:
                answer = await http.post(f"{address}/graphql", json={"query": query, "variables": variables})
            except httpx2.ConnectError:
                await asyncio.sleep(0.02)
                continue
            except httpx2.TransportError as error:
                self.broken.append(f"{type(error).__name__}: {error}")
                return None
            self.statuses[answer.status_code] = self.statuses.get(answer.status_code, 0) + 1
            if answer.status_code == 200:
                found: dict[str, Any] = answer.json()
                return found
            return None
        raise AssertionError("nothing listens")

    async def reach(self, count: int) -> None:
        """Waits until so many more changes were acknowledged."""
        wanted = len(self.acknowledged) + count
        async with asyncio.timeout(120):
            while len(self.acknowledged) < wanted:  # noqa: ASYNC110  # the clients are at it
                await asyncio.sleep(0.02)
