"""A small load balancer for TCP: connections go in turn to the nodes that say that they are ready."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import httpx2

ASK_SECONDS = 0.2


@dataclass
class Balancer:
    """`nodes` by their address, and whether each may get connections."""

    port: int = 0
    nodes: dict[str, bool] = field(default_factory=dict)
    turn: int = 0
    tasks: "set[asyncio.Task[None]]" = field(default_factory=set)
    unserved: int = 0
    """Connections for which there was no node."""

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def ask(self) -> None:
        """Asks each node whether it is ready, for ever."""
        async with httpx2.AsyncClient(trust_env=False, timeout=10) as http:
            while True:
                for address in list(self.nodes):
                    try:
                        ready = (await http.get(f"{address}/readyz")).status_code == 200
                    except httpx2.TransportError:
                        ready = False
                    if address in self.nodes:
                        self.nodes[address] = ready
                await asyncio.sleep(ASK_SECONDS)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)
        try:
            node = await self._connect()
            if node is None:
                self.unserved += 1
                return
            there = asyncio.ensure_future(_pass(reader, node[1]))
            try:
                await _pass(node[0], writer)
            finally:
                there.cancel()
                await asyncio.wait([there])
                node[1].close()
        except asyncio.CancelledError:
            pass  # the test is over; asyncio's streams would make an error of it
        finally:
            writer.close()

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter] | None:
        for _ in range(2 * len(self.nodes)):
            ready = [address for address, fit in self.nodes.items() if fit]
            if not ready:
                return None
            self.turn += 1
            address = ready[self.turn % len(ready)]
            where = urlsplit(address)
            try:
                return await asyncio.open_connection(where.hostname, where.port)
            except OSError:
                self.nodes[address] = False  # nobody listens there: the next one gets it
        return None


async def _pass(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while chunk := await reader.read(1 << 16):
            writer.write(chunk)
            await writer.drain()
        if writer.can_write_eof():
            writer.write_eof()


@asynccontextmanager
async def balancing() -> AsyncIterator[Balancer]:
    balancer = Balancer()
    server = await asyncio.start_server(balancer.serve, "127.0.0.1", 0)
    balancer.port = server.sockets[0].getsockname()[1]
    asking = asyncio.create_task(balancer.ask())
    try:
        yield balancer
    finally:
        server.close()
        for task in (*balancer.tasks, asking):
            task.cancel()
        await asyncio.wait([*balancer.tasks, asking])
