"""Subscribers who come back, over a WebSocket or an event stream: each goes on after its last event."""

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Literal

import httpx2
import websockets
from websockets.asyncio.client import connect
from websockets.typing import Subprotocol

EVENTS = "subscription ($after: String) { events(after: $after) { position type customer { name } } }"
AWAY = {"UNAVAILABLE", "TIMEOUT"}
"""What a subscriber may be told when the database is away."""
WAIT_SECONDS = 120
GOING = {1001, 1006, 1012, 1013}
"""Close codes of a node that goes, or cannot reach its database."""


class Ended(Exception):
    """The stream ended for a reason that is none of the subscriber's."""


Payload = dict[str, Any]


async def over_socket(address: str, token: str, query: str, after: str) -> AsyncGenerator[Payload, None]:
    try:
        async with connect(
            f"ws://{address.removeprefix('http://')}/graphql",
            subprotocols=[Subprotocol("graphql-transport-ws")],
            proxy=None,
            max_size=None,
        ) as socket:
            init = {"type": "connection_init", "payload": {"Authorization": f"Bearer {token}"}}
            await socket.send(json.dumps(init))
            assert json.loads(await socket.recv()) == {"type": "connection_ack"}
            payload = {"query": query, "variables": {"after": after}}
            await socket.send(json.dumps({"type": "subscribe", "id": "1", "payload": payload}))
            while True:
                message = json.loads(await socket.recv())
                if message["type"] == "error":
                    yield {"errors": message["payload"]}
                elif message["type"] == "next":
                    yield message["payload"]
                else:
                    assert message == {"type": "complete", "id": "1"}, message
                    return
    except websockets.ConnectionClosed as closed:
        code = closed.rcvd.code if closed.rcvd else 1006
        if code not in GOING:
            raise
        raise Ended(str(code)) from None
    except websockets.InvalidHandshake as error:
        raise Ended(str(error)) from None


async def over_events(address: str, token: str, query: str, after: str) -> AsyncGenerator[Payload, None]:
    headers = {"Accept": "text/event-stream", "Authorization": f"Bearer {token}"}
    body = {"query": query, "variables": {"after": after}}
    try:
        async with (
            httpx2.AsyncClient(trust_env=False, timeout=60) as http,
            http.stream("POST", f"{address}/graphql", headers=headers, json=body) as response,
        ):
            if response.status_code == 503:
                raise Ended("503")
            assert response.status_code == 200, await response.aread()
            kind = ""
            async for line in response.aiter_lines():
                if line.startswith("event: "):
                    kind = line.removeprefix("event: ")
                elif line.startswith("data: ") and kind == "next":
                    yield json.loads(line.removeprefix("data: "))
                elif kind == "complete":
                    return
    except httpx2.TransportError as error:
        raise Ended(type(error).__name__) from None


WAYS = {"ws": over_socket, "sse": over_events}


@dataclass
class Watcher:
    """Follows all events from the first on."""

    way: Literal["ws", "sse"]
    address: Callable[[], str]
    token: str
    seen: list[str] = field(default_factory=list)
    """The positions of the events, as they came."""
    ends: list[str] = field(default_factory=list)
    """Why it had to come back."""

    async def run(self) -> None:
        while True:
            try:
                await self._follow()
            except (Ended, OSError) as error:
                self.ends.append(str(error) or type(error).__name__)
            await asyncio.sleep(0.05)

    async def _follow(self) -> None:
        after = self.seen[-1] if self.seen else ""
        async with aclosing(WAYS[self.way](self.address(), self.token, EVENTS, after)) as told:
            async for payload in told:
                if errors := payload.get("errors"):
                    codes = {error["extensions"]["code"] for error in errors}
                    assert codes <= AWAY, payload
                    raise Ended("/".join(sorted(codes)))
                self.seen.append(payload["data"]["events"]["position"])
        raise Ended("complete")


@asynccontextmanager
async def watching(watchers: list[Watcher]) -> AsyncIterator["Watching"]:
    """They follow as long as the block lasts."""
    tasks = [asyncio.create_task(watcher.run()) for watcher in watchers]
    try:
        yield Watching(watchers, tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)


@dataclass
class Watching:
    watchers: list[Watcher]
    tasks: list["asyncio.Task[None]"]

    async def all_saw(self, events: list[str]) -> None:
        """Waits until each has got so many, and compares: these, in this order, each once."""
        async with asyncio.timeout(WAIT_SECONDS):
            while any(len(watcher.seen) < len(events) for watcher in self.watchers):
                for task in self.tasks:
                    if task.done():
                        task.result()
                await asyncio.sleep(0.05)
        for watcher in self.watchers:
            assert watcher.seen == events, (watcher.way, watcher.ends)
