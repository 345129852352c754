"""A client of graphql-transport-ws, and servers as processes to talk to."""

import asyncio
import itertools
import json
import os
import re
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import websockets
from websockets.asyncio.client import ClientConnection, connect
from websockets.typing import Subprotocol

CRM = [sys.executable, "-c", "from crm_framework.cli import main; main()"]
PROTOCOL = Subprotocol("graphql-transport-ws")
PATIENCE = 60.0


@dataclass
class Node:
    """A server: its process, its address, and an administrator's token."""

    process: asyncio.subprocess.Process
    address: str
    token: str

    async def kill(self) -> None:
        if self.process.returncode is None:
            self.process.kill()
        await self.process.wait()


@asynccontextmanager
async def serving(folder: Path, database_url: str, **settings: object) -> AsyncIterator[Node]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("CRM_")}
    given = {f"CRM_{name.upper()}": str(value) for name, value in settings.items()}
    with (folder / "server.log").open("ab") as log:
        process = await asyncio.create_subprocess_exec(
            *CRM, "serve", "--port", "0", "--token-file", "administrator.token",
            cwd=folder, stdout=asyncio.subprocess.PIPE, stderr=log,
            env={**kept, "CRM_DATABASE_URL": database_url, "PYTHONUNBUFFERED": "1", **given},
        )  # fmt: skip
    assert process.stdout is not None
    printed = ""
    node: Node | None = None
    try:
        while "Stop it" not in printed:
            line = await process.stdout.readline()
            assert line, (folder / "server.log").read_text()
            printed += line.decode()
        address = re.search(r"http://(\S+:\d+)", printed)
        assert address
        node = Node(process, address[1], (folder / "administrator.token").read_text().strip())
        yield node
    finally:
        if process.returncode is None:
            process.send_signal(signal.SIGKILL)
        await process.wait()


@dataclass
class Client:
    """One open WebSocket. Messages are sorted by the id of their operation as they are read."""

    socket: ClientConnection
    ids: "itertools.count[int]" = field(default_factory=itertools.count)
    read: dict[str, list[dict[str, Any]]] = field(default_factory=dict)

    async def send(self, **message: Any) -> None:
        await self.socket.send(json.dumps(message))

    async def receive(self) -> dict[str, Any]:
        async with asyncio.timeout(PATIENCE):
            message: dict[str, Any] = json.loads(await self.socket.recv())
        return message

    async def subscribe(self, query: str, **variables: Any) -> str:
        key = str(next(self.ids))
        await self.send(type="subscribe", id=key, payload={"query": query, "variables": variables})
        return key

    async def next(self, key: str) -> dict[str, Any]:
        """The next message of an operation."""
        while not self.read.get(key):
            message = await self.receive()
            self.read.setdefault(message.get("id", message["type"]), []).append(message)
        return self.read[key].pop(0)

    async def events(self, key: str, number: int) -> list[dict[str, Any]]:
        found = []
        for _ in range(number):
            message = await self.next(key)
            assert message["type"] == "next", message
            assert "errors" not in message["payload"], message
            found.append(message["payload"]["data"]["events"])
        return found

    async def ask(self, query: str, **variables: Any) -> dict[str, Any]:
        """The data of a query or a mutation."""
        key = await self.subscribe(query, **variables)
        message = await self.next(key)
        assert message["type"] == "next", message
        assert "errors" not in message["payload"], message
        assert (await self.next(key))["type"] == "complete"
        data: dict[str, Any] = message["payload"]["data"]
        return data

    async def closed(self) -> tuple[int | None, str | None]:
        """Code and reason once the server has closed it, whatever comes before."""
        try:
            async with asyncio.timeout(PATIENCE):
                while True:
                    await self.socket.recv()
        except websockets.ConnectionClosed:
            return self.socket.close_code, self.socket.close_reason


@asynccontextmanager
async def opened(node: Node, token: str | None = None, **options: Any) -> AsyncIterator[Client]:
    """A client whose token was acknowledged."""
    async with raw(node, **options) as client:
        await client.send(type="connection_init", payload={"Authorization": f"Bearer {token or node.token}"})
        assert await client.receive() == {"type": "connection_ack"}
        yield client


@asynccontextmanager
async def raw(node: Node, protocol: str = PROTOCOL, **options: Any) -> AsyncIterator[Client]:
    url = f"ws://{node.address}/graphql"
    spoken = [Subprotocol(protocol)]
    async with connect(url, subprotocols=spoken, proxy=None, max_size=None, **options) as socket:
        yield Client(socket)
