"""How often the most usual changes go to the database: counted on the wire, and at the writer's thread."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import pytest

from crm_framework.domain.customers.changes import create_customer
from crm_framework.domain.customers.draft import NewCustomer
from crm_framework.domain.interactions.touches import NewInteraction, log_interaction
from crm_framework.storage.database import Database
from crm_framework.storage.sqlite import SqliteDriver
from crm_framework.storage.unit_of_work import UnitOfWork
from crm_framework.testing.fixtures import CORE_APPS


class Wire:
    """Between client and server; counts what the server is asked: simple queries, and extended ones."""

    def __init__(self, host: str, port: int) -> None:
        self.round_trips = 0
        self._target = (host, port)
        self._tasks: set[asyncio.Task[None]] = set()

    async def connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        back, forth = await asyncio.open_connection(*self._target)
        answers = asyncio.create_task(_copy(back, writer))
        self._tasks.add(answers)
        try:
            started = False
            while True:
                kind = await reader.readexactly(1) if started else b""
                length = await reader.readexactly(4)
                body = await reader.readexactly(int.from_bytes(length, "big") - 4)
                started = started or body[:4] != (80877103).to_bytes(4, "big")  # which asks for TLS
                self.round_trips += kind in (b"Q", b"S")
                forth.write(kind + length + body)
        except asyncio.IncompleteReadError:
            pass
        finally:
            forth.close()
            await answers
            self._tasks.discard(answers)


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(65536):
        writer.write(data)
    writer.close()


@asynccontextmanager
async def watched(url: str) -> AsyncIterator[tuple[Database, Any]]:
    """A database, and what counts the round trips to it."""
    parts = urlsplit(url)
    if parts.scheme.startswith("sqlite"):
        async with await Database.open(url, apps=CORE_APPS) as database:
            driver = database._driver
            assert isinstance(driver, SqliteDriver)
            with visits(driver) as counter:
                yield database, counter
        return
    assert parts.hostname is not None
    assert parts.port is not None
    wire = Wire(parts.hostname, parts.port)
    async with await asyncio.start_server(wire.connected, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        who = parts.netloc.rpartition("@")[0]
        through = urlunsplit(parts._replace(netloc=f"{who}@127.0.0.1:{port}"))
        async with await Database.open(through, apps=CORE_APPS) as database:
            # The news of commits goes out for several together, a moment later: it is no part of a change
            database.notices._have_said = lambda: None  # type: ignore[method-assign]  # to count the rest
            yield database, wire


class Visits:
    round_trips = 0


@contextmanager
def visits(driver: SqliteDriver) -> Iterator[Visits]:
    counter = Visits()
    submit = driver._writer_thread.submit

    def counted(*args: Any, **more: Any) -> Any:
        counter.round_trips += 1
        return submit(*args, **more)

    driver._writer_thread.submit = counted  # type: ignore[method-assign]  # to look at what is handed over
    yield counter
    driver._writer_thread.submit = submit  # type: ignore[method-assign]  # as it was


async def create(tx: UnitOfWork, customer_id: str) -> None:
    await create_customer(tx, NewCustomer(name="Anna", email="anna@example.com"))


async def log(tx: UnitOfWork, customer_id: str) -> None:
    await log_interaction(tx, NewInteraction(customer_id=customer_id, kind="call", subject="Offer"))


@pytest.mark.parametrize("change", [create, log])
@pytest.mark.parametrize(
    ("repeatable", "trips"), [(True, {"sqlite": 1, "postgres": 1}), (False, {"sqlite": 3, "postgres": 4})]
)
async def test_a_usual_change(
    database_url: str, change: Any, repeatable: bool, trips: dict[str, int]
) -> None:
    async with watched(database_url) as (database, counter):
        async with database.unit_of_work() as tx:
            made = await create_customer(tx, NewCustomer(name="Ben"))
        async with database.unit_of_work(repeatable=repeatable) as tx:
            await change(tx, made.id)  # its statements are prepared
        before = counter.round_trips
        async with database.unit_of_work(repeatable=repeatable) as tx:
            await change(tx, made.id)
        assert counter.round_trips - before == trips[database.dialect]
        assert len(await database.fetch("SELECT id FROM crm_audit")) == 3
