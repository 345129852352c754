"""Clients who write and read, and ask again with the same key until they are answered."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx2

CREATE = """mutation ($name: String!) { createCustomer(input: {name: $name, idempotencyKey: $name}) {
    customer { id } errors { code } } }"""
READ = "{ customers(first: 1) { totalCount nodes { name } } }"
PAUSE_SECONDS = 0.2
"""Of a client after each change: that many make the machine busy, and no more than busy."""
AWAY = {"UNAVAILABLE", "TIMEOUT"}


@dataclass
class Writers:
    """What so many clients asked and were told. `address` says where to go with the next request."""

    address: Callable[[], str]
    token: str
    acknowledged: list[str] = field(default_factory=list)
    outcomes: Counter[str] = field(default_factory=Counter)
    """Answers by status and code, and connections that broke, by the error."""
    stopped: bool = False

    async def one(self, number: int, keep_alive: bool) -> None:
        turn = 0
        limits = httpx2.Limits(max_keepalive_connections=None if keep_alive else 0)
        headers = {"Authorization": f"Bearer {self.token}"}
        async with httpx2.AsyncClient(trust_env=False, headers=headers, timeout=60, limits=limits) as http:
            while not self.stopped:
                turn += 1
                name = f"customer {number}/{turn}"
                while (made := await self._ask(http, CREATE, {"name": name})) is None:  # noqa: ASYNC110  # as clients do
                    await asyncio.sleep(0.05)
                assert made["createCustomer"]["customer"], made
                self.acknowledged.append(name)
                await self._ask(http, READ, {})
                await asyncio.sleep(PAUSE_SECONDS)

    async def _ask(
        self, http: httpx2.AsyncClient, query: str, variables: dict[str, Any]
    ) -> dict[str, Any] | None:
        """The data; None if it must be asked for again."""
        try:
            answer = await http.post(
                f"{self.address()}/graphql", json={"query": query, "variables": variables}
            )
        except httpx2.TransportError as error:
            self.outcomes[type(error).__name__] += 1
            return None
        found: dict[str, Any] = answer.json()
        codes = {error["extensions"]["code"] for error in found.get("errors", ())}
        for payload in (found.get("data") or {}).values():
            codes |= {error["code"] for error in (payload or {}).get("errors", ())}
        self.outcomes[" ".join([str(answer.status_code), *sorted(codes)])] += 1
        assert codes <= AWAY, found
        return None if codes or answer.status_code != 200 else found["data"]

    async def reach(self, more: int) -> None:
        """Waits until so many more changes were acknowledged."""
        wanted = len(self.acknowledged) + more
        async with asyncio.timeout(120):
            while len(self.acknowledged) < wanted:  # noqa: ASYNC110  # the clients are at it
                await asyncio.sleep(0.02)


@asynccontextmanager
async def writing(address: Callable[[], str], token: str, clients: int) -> AsyncIterator[Writers]:
    """Clients who write until the block ends; every second one makes a new connection for each request."""
    writers = Writers(address, token)
    async with asyncio.TaskGroup() as tasks:
        for number in range(clients):
            tasks.create_task(writers.one(number, number % 2 == 0))
        yield writers
        writers.stopped = True
