"""PostgreSQL only: the connections for reads, lost, frozen, cancelled and closed."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any
from urllib.parse import urlsplit

import pytest
from tortoise.exceptions import OperationalError

from crm_framework.errors import CrmError, ErrorCode
from crm_framework.storage import postgres_reads
from crm_framework.storage.database import Database

pytestmark = pytest.mark.parametrize("database_kind", ["postgres"], indirect=True)

LIMIT_SECONDS = 60
"""Only a hang takes so long."""

PID = "SELECT pg_backend_pid()"
SLEEP = "SELECT pg_sleep(600)"
SLEEPING = (
    "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
    " AND state = 'active' AND query = 'SELECT pg_sleep(600)'"
)


async def opened(url: str, **settings: Any) -> Database:
    return await Database.open(url, apps={}, pool_size=1, **settings)


@pytest.fixture
async def narrow(database_url: str) -> AsyncIterator[Database]:
    """A database with one connection for reads: a leak shows at once."""
    async with await opened(database_url, read_pool_size=1) as database:
        yield database


@pytest.fixture
async def onlooker(database_url: str) -> AsyncIterator[Database]:
    """The same database over connections of its own."""
    async with await opened(database_url, read_pool_size=1) as database:
        yield database


async def pid_of(database: Database) -> int:
    ((pid,),) = await database.rows(PID)
    return int(pid)


async def connections(onlooker: Database) -> int:
    """How many connections to the database others than the onlooker's reading one have."""
    ((count,),) = await onlooker.rows(
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
    )
    return int(count)


async def until(holds: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(LIMIT_SECONDS):
        while True:
            if await holds():
                return
            await asyncio.sleep(0.01)


async def connected(onlooker: Database, count: int) -> None:
    """Waits until at most so many connections are left: a dropped one ends a moment later."""

    async def few() -> bool:
        return await connections(onlooker) <= count

    await until(few)


async def asleep(onlooker: Database, count: int) -> None:
    """Waits until the server runs so many sleeping reads."""

    async def so_many() -> bool:
        return await onlooker.rows(SLEEPING) == [(count,)]

    await until(so_many)


async def kill(onlooker: Database, pid: int) -> None:
    await onlooker.rows("SELECT pg_terminate_backend(?)", [pid])


async def refusal(reading: Any) -> str:
    with pytest.raises(CrmError) as caught:
        async with asyncio.timeout(LIMIT_SECONDS):
            await reading
    assert caught.value.code == ErrorCode.UNAVAILABLE
    assert caught.value.hint
    return caught.value.message


async def test_one_connection_serves_reads_one_after_another(database_url: str) -> None:
    async with await opened(database_url, read_pool_size=4) as database:
        assert len({await pid_of(database) for _ in range(20)}) == 1


async def test_reads_at_once_share_as_many_connections_as_allowed(database_url: str) -> None:
    async with await opened(database_url, read_pool_size=3) as database:
        for _ in range(3):
            pids = await asyncio.gather(*(pid_of(database) for _ in range(50)))
            assert 1 <= len(set(pids)) <= 3
        for pid in set(pids):
            await database.rows("SELECT pg_terminate_backend(?) WHERE ? <> pg_backend_pid()", [pid, pid])
        await asyncio.gather(*(pid_of(database) for _ in range(50)))
        await connected(database, 3)  # two more for reads, and the one for changes


async def test_a_connection_killed_while_idle_is_not_noticed(
    narrow: Database, onlooker: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgres_reads, "STALE_SECONDS", LIMIT_SECONDS)
    pids = {await pid_of(narrow)}
    for number in range(1, 11):
        await kill(onlooker, await pid_of(narrow))
        if number % 2:
            await asyncio.sleep(0.02)  # until asyncpg knows it
        pids.add(await pid_of(narrow))
        assert len(pids) == number + 1
    await connected(onlooker, 3)  # for reads, for changes, and the onlooker's for changes


async def test_a_read_killed_at_its_start_is_tried_once_more(
    narrow: Database, onlooker: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgres_reads, "STALE_SECONDS", LIMIT_SECONDS)
    killed = await pid_of(narrow)
    reading = asyncio.create_task(narrow.rows(SLEEP))
    await asleep(onlooker, 1)
    await kill(onlooker, killed)
    second = 0

    async def elsewhere() -> bool:
        nonlocal second
        pids = await onlooker.rows(
            "SELECT pid FROM pg_stat_activity"
            " WHERE state = 'active' AND query = 'SELECT pg_sleep(600)' AND pid <> ?",
            [killed],
        )
        second = pids[0][0] if pids else 0
        return bool(pids)

    await until(elsewhere)
    await kill(onlooker, second)
    assert "was lost" in await refusal(reading)
    assert await narrow.rows("SELECT 1") == [(1,)]


async def test_a_read_killed_later_is_an_error(
    narrow: Database, onlooker: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgres_reads, "STALE_SECONDS", 0.0)
    killed = await pid_of(narrow)
    reading = asyncio.create_task(narrow.rows(SLEEP))
    await asleep(onlooker, 1)
    await kill(onlooker, killed)
    assert "was lost" in await refusal(reading)
    await asleep(onlooker, 0)
    assert await pid_of(narrow) != killed


async def test_a_cancelled_read_is_stopped_on_the_server(narrow: Database, onlooker: Database) -> None:
    pid = await pid_of(narrow)
    for _ in range(3):
        reading = asyncio.create_task(narrow.rows(SLEEP))
        await asleep(onlooker, 1)
        reading.cancel()
        with pytest.raises(asyncio.CancelledError):
            await reading
        async with asyncio.timeout(LIMIT_SECONDS):
            assert await narrow.rows("SELECT 1") == [(1,)]
        await asleep(onlooker, 0)
        assert await pid_of(narrow) == pid


async def test_cancelled_at_any_moment_of_a_first_read(database_url: str) -> None:
    async with await opened(database_url, read_pool_size=2) as database:
        for number in range(60):
            # A text of its own each: some are cancelled while they are prepared, and some while they connect
            readings = [
                asyncio.create_task(database.rows(f"SELECT {number} + {n} FROM pg_sleep(0.002)"))
                for n in range(3)
            ]
            await asyncio.sleep(number * 0.0002)
            for reading in readings:
                reading.cancel()
            await asyncio.gather(*readings, return_exceptions=True)
            async with asyncio.timeout(LIMIT_SECONDS):
                assert await database.rows("SELECT ?::int", [number]) == [(number,)]
        await connected(database, 2)


async def test_a_read_takes_so_long_at_most(database_url: str, onlooker: Database) -> None:
    async with await opened(database_url, read_pool_size=1, read_seconds=0.2) as database:
        pid = await pid_of(database)
        assert await refusal(database.rows(SLEEP)) == (
            f"{database.name} did not answer a read within 0.2 seconds."
        )
        assert await pid_of(database) == pid
        await asleep(onlooker, 0)


async def test_what_is_prepared_follows_the_tables(narrow: Database) -> None:
    async with narrow.unit_of_work() as tx:
        await tx.execute("CREATE TYPE mood AS (a int)")
        await tx.execute("CREATE TABLE changing (a int, m mood)")
        await tx.execute("INSERT INTO changing VALUES (1, ROW(1)::mood)")
    for _ in range(8):
        assert await narrow.fetch("SELECT * FROM changing") == [{"a": 1, "m": (1,)}]
    async with narrow.unit_of_work() as tx:
        await tx.execute("ALTER TABLE changing ADD COLUMN b text DEFAULT 'x'")
        await tx.execute("ALTER TABLE changing ALTER COLUMN a TYPE text")
    assert await narrow.fetch("SELECT * FROM changing") == [{"a": "1", "m": (1,), "b": "x"}]
    async with narrow.unit_of_work() as tx:
        await tx.execute("ALTER TYPE mood ADD ATTRIBUTE b int")
    assert await narrow.fetch("SELECT * FROM changing") == [{"a": "1", "m": (1, None), "b": "x"}]


async def test_faults_of_a_statement_keep_the_connection(narrow: Database) -> None:
    pid = await pid_of(narrow)
    for sql, args in (("SELECT nonsense", []), ("SELECT 1 / 0", []), ("SELECT ?::int", [1, 2])):
        with pytest.raises((OperationalError, CrmError)):
            await narrow.rows(sql, args)
        assert await pid_of(narrow) == pid


async def test_a_connection_unused_for_long_is_replaced(
    database_url: str, onlooker: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with await opened(database_url, read_pool_size=3) as database:
        await asyncio.gather(*(pid_of(database) for _ in range(3)))
        before = await connections(onlooker)
        monkeypatch.setattr(postgres_reads, "IDLE_SECONDS", 0.0)
        assert len({await pid_of(database) for _ in range(5)}) == 5
        await connected(onlooker, before - 2)


async def test_reads_that_run_or_wait_when_the_database_is_closed(
    database_url: str, onlooker: Database
) -> None:
    database = await opened(database_url, read_pool_size=1)
    readings = [asyncio.create_task(database.rows(SLEEP)) for _ in range(3)]
    await asleep(onlooker, 1)
    async with asyncio.timeout(LIMIT_SECONDS):
        await database.close()
    for reading in readings:
        assert database.name in await refusal(reading)


class Line:
    """What lies between program and server: it can be cut off so that neither notices."""

    def __init__(self) -> None:
        self.open = asyncio.Event()
        self.open.set()

    async def carry(self, source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while data := await source.read(65536):
                await self.open.wait()
                target.write(data)
            target.close()


@asynccontextmanager
async def line_to(url: str) -> AsyncIterator[tuple[str, Line]]:
    """A URL that leads to the same server over a line."""
    parts = urlsplit(url)
    line = Line()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        server_reader, server_writer = await asyncio.open_connection(parts.hostname, parts.port)
        await asyncio.gather(line.carry(reader, server_writer), line.carry(server_reader, writer))

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    try:
        yield url.replace(f":{parts.port}/", f":{port}/"), line
    finally:
        server.close()


async def test_a_server_that_answers_no_more(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(postgres_reads, "CLEANUP_SECONDS", 0.2)
    async with (
        line_to(database_url) as (url, line),
        await opened(url, read_pool_size=2, read_seconds=0.3, wait_seconds=2) as database,
    ):
        await asyncio.gather(*(database.rows("SELECT pg_sleep(0.1)") for _ in range(2)))
        line.open.clear()
        told = await asyncio.gather(*(refusal(database.rows("SELECT 1")) for _ in range(2)))
        assert told == [f"{database.name} did not answer a read within 0.3 seconds."] * 2
        # Both connections are gone by now, and there is no other to be had
        assert await refusal(database.rows("SELECT 1")) == f"{database.name} did not answer in time."
        cancelled = asyncio.create_task(database.rows("SELECT 1"))
        await asyncio.sleep(0.05)
        cancelled.cancel()
        with pytest.raises(asyncio.CancelledError):
            async with asyncio.timeout(1):  # at once, though the server has not heard of it
                await cancelled
        line.open.set()
        async with asyncio.timeout(LIMIT_SECONDS):
            assert await database.rows("SELECT 1") == [(1,)]
            assert await asyncio.gather(*(database.rows("SELECT 2") for _ in range(8))) == [[(2,)]] * 8
