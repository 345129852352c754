"""`crm serve` is killed while clerks write, and PostgreSQL too: what was acknowledged is there each time.

On PostgreSQL what is owed is done by a `crm worker` apart, which is killed with it.

The clerks ask again until they are answered, by the same reference or key, as any client would.
"""

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

import httpx2

from crm_framework.security.audit.verifying import verify
from crm_framework.storage.database import Database
from crm_framework.testing.templates import TestDatabases, run_statement

from . import books, office
from .clerks import RETRY, Clerk, Note, document
from .servers import CrmServer, StoppablePostgres, stoppable_postgres

KILLS = int(os.environ.get("TORTURE_KILLS", "4"))
SEED = os.environ["TORTURE_SEED"]
CLERKS = 4
WAIT_SECONDS = 120
"""Only a hang takes so long."""
BUDGETS_MS = (30_000, 30_000, 20)
"""Time for the plugins' handlers, by start of the server: with the shortest, they will owe some."""
TRY_AGAIN = {"UNAVAILABLE", "TIMEOUT"}
"""What an answer says that may be otherwise next time; the change may have been made, or not."""


@dataclass
class Counter:
    """Where clerks come to the server. While it is closed they wait; nobody is served meanwhile."""

    server: CrmServer
    http: httpx2.AsyncClient
    notes: list[Note] = field(default_factory=list)
    opened: asyncio.Event = field(default_factory=asyncio.Event)
    under_way: int = 0
    moved: asyncio.Event = field(default_factory=asyncio.Event)
    repeated: int = 0
    """Requests that had to be sent again."""

    async def ask(self, document: str, input_: dict[str, Any]) -> Mapping[str, Any]:
        while True:
            await self.opened.wait()
            self.under_way += 1
            try:
                answer = await self._answer(document, input_)
            finally:
                self.under_way -= 1
                self.moved.set()
            if answer is not None:
                return answer
            self.repeated += 1
            await asyncio.sleep(0.02)

    async def _answer(self, document: str, input_: dict[str, Any]) -> Mapping[str, Any] | None:
        """None: to be asked again."""
        body = {"query": document, "variables": {"input": input_}}
        headers = {"Authorization": f"Bearer {self.server.token}"}
        try:
            response = await self.http.post("/graphql", json=body, headers=headers)
        except httpx2.TransportError:
            return None
        if response.status_code == 503:
            return None
        answer = response.json()
        codes = {error["extensions"]["code"] for error in answer.get("errors", ())}
        if not codes and response.status_code == 200:
            payload: Mapping[str, Any] = answer["data"]["answer"]
            codes = {error["code"] for error in payload["errors"]}
            codes |= {row["error"]["code"] for row in payload.get("rows", ()) if row["error"]}
            if not codes:
                return payload
        assert codes, (response.status_code, answer)
        assert codes <= TRY_AGAIN, answer
        return None

    @property
    def acknowledged(self) -> int:
        return sum(note["done"] for note in self.notes)

    def note(self, note: Note) -> None:
        self.notes.append(note)
        self.moved.set()

    async def close(self) -> None:
        self.opened.clear()
        await self._until(lambda: self.under_way == 0)

    async def busy(self, more: int) -> None:
        """Waits until so many more changes were acknowledged."""
        wanted = self.acknowledged + more
        await self._until(lambda: self.acknowledged >= wanted)

    async def _until(self, it_is_so: Callable[[], bool]) -> None:
        async with asyncio.timeout(WAIT_SECONDS):
            while not it_is_so():
                self.moved.clear()
                await self.moved.wait()


@asynccontextmanager
async def counter_of(server: CrmServer) -> AsyncIterator[Counter]:
    async with httpx2.AsyncClient(trust_env=False, base_url=server.address, timeout=WAIT_SECONDS) as http:
        yield Counter(server, http)


@asynccontextmanager
async def clerks_at(counter: Counter, seed: str) -> AsyncIterator[None]:
    """Clerks who write until the block ends; what they have begun, they end."""
    over = asyncio.Event()

    async def work(name: str) -> None:
        clerk = Clerk(name, counter.ask, counter.note, Random(name))
        while not over.is_set():
            await clerk.one()

    async with asyncio.TaskGroup() as tasks:
        for number in range(CLERKS):
            tasks.create_task(work(f"{seed}{number}"))
        yield
        over.set()
        counter.opened.set()


async def examined(url: str, notes: list[Note]) -> list[str]:
    """What is wrong with the database, once nobody else is connected to it."""
    async with await Database.open(url, apps={}, pool_size=1, read_pool_size=1) as database:
        if database.dialect == "postgres":
            everybody = (
                "SELECT 1 FROM pg_stat_activity"
                " WHERE datname = current_database() AND backend_type = 'client backend'"
            )
            async with asyncio.timeout(WAIT_SECONDS):
                # beside these two connections; the killed client's last statement may still run
                while len(await database.fetch(everybody)) > 2:  # noqa: ASYNC110  # the server tells nobody
                    await asyncio.sleep(0.01)
        return await books.faults(database, notes)


async def all_is_delivered(url: str, counter: Counter) -> None:
    """Waits until the plugins owe nothing any more, and every audit entry is sealed.

    What failed before is tried at once.
    """
    async with await Database.open(url, apps={}, pool_size=1, read_pool_size=1) as database:
        async with asyncio.timeout(WAIT_SECONDS):
            while await database.fetch("SELECT 1 FROM crm_delivery"):
                for plugin in office.PLUGINS:
                    await counter.ask(document(RETRY), {"plugin": plugin})
                await asyncio.sleep(0.2)
            while (await verify(database, patience_seconds=books.SEALED_LATER)).unsealed:  # noqa: ASYNC110  # nobody tells
                await asyncio.sleep(0.2)


@dataclass
class Seen:
    kills: int = 0
    stops: int = 0
    """Of PostgreSQL."""
    acknowledged: int = 0
    repeated: int = 0
    faults: list[str] = field(default_factory=list)


async def torture(url: str, folder: Path, kills: int, seed: str, postgres: StoppablePostgres | None) -> Seen:
    """Kills the server so many times at random moments, and looks at the books after each."""
    rng, seen = Random(seed), Seen()
    server = CrmServer(url, folder, worker_apart=postgres is not None)
    await server.start(BUDGETS_MS[0])
    try:
        async with counter_of(server) as counter:
            async with clerks_at(counter, seed):
                for number in range(1, kills + 1):
                    counter.opened.set()
                    await counter.busy(rng.randint(1, 20))
                    await asyncio.sleep(rng.random() * 0.03)
                    if postgres is not None and number % 2 == 0:
                        await asyncio.to_thread(postgres.stop_at_once)
                        seen.stops += 1
                        await asyncio.to_thread(postgres.start)
                        if number % 4 == 0:  # the server lives on, and finds its database again
                            await counter.busy(5)
                    await server.kill()
                    seen.kills += 1
                    await counter.close()
                    found = await examined(url, counter.notes)
                    seen.faults += [f"TORTURE_SEED={seed}, kill {number}: {fault}" for fault in found[:5]]
                    await server.start(BUDGETS_MS[0] if number == kills else rng.choice(BUDGETS_MS))
                    if kills > 20 and number % 10 == 0:
                        sys.stderr.write(
                            f"\n{number} of {kills} kills, {counter.acknowledged} changes acknowledged,"
                            f" {counter.repeated} repeated, {len(seen.faults)} faults; TORTURE_SEED={seed}\n"
                        )
            await all_is_delivered(url, counter)
            await server.kill()
            found = await examined(url, counter.notes)
            seen.faults += [f"TORTURE_SEED={seed}, at the end: {fault}" for fault in found]
            seen.acknowledged, seen.repeated = counter.acknowledged, counter.repeated
            sys.stderr.write(
                f"\n{seen.kills} kills, {seen.stops} stops of PostgreSQL: {seen.acknowledged} changes"
                f" acknowledged, {seen.repeated} requests repeated, {len(seen.faults)} faults\n"
            )
            assert 2 * seen.acknowledged == len(counter.notes)  # in the end everything was
    finally:
        await server.kill()
    if postgres is None:  # whose absence is an error, and logged as one
        assert " ERROR " not in server.log, server.log
    return seen


async def test_killed_on_sqlite(test_databases: TestDatabases, tmp_path: Path) -> None:
    url = test_databases.copy("sqlite", "office", office.prepare)
    seen = await torture(url, tmp_path, KILLS, SEED, None)
    assert seen.faults == []
    assert (seen.kills, seen.stops) == (KILLS, 0)
    assert seen.acknowledged > KILLS


async def test_killed_on_postgres(tmp_path: Path) -> None:
    with stoppable_postgres() as postgres:
        await run_statement(postgres.url("postgres"), "CREATE DATABASE office")
        url = postgres.url("office")
        await office.prepare(url)
        seen = await torture(url, tmp_path, KILLS, SEED, postgres)
    assert seen.faults == []
    assert (seen.kills, seen.stops) == (KILLS, KILLS // 2)
    assert seen.acknowledged > KILLS
