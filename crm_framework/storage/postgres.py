"""PostgreSQL through asyncpg: a pool for changes, and connections for reads.

Apart, so that a page is never kept waiting by changes that wait for each other's locks, and so that reads
can do without what a pool does around each of them. Rows carry keys as text and JSON as text, as they do on
SQLite; times are aware datetimes.
"""

import asyncio
import logging
from collections.abc import Coroutine, Sequence
from contextlib import suppress
from functools import partial
from typing import Any

import asyncpg

from .durability import POSTGRES_SETTINGS, check_postgres
from .failures import changing_read, postgres_failure, postgres_refusal
from .postgres_idle import Idle
from .postgres_reads import PostgresReads
from .postgres_session import PostgresSession
from .postgres_wholes import Wholes
from .sessions import Rows, Slots, Tuples
from .sql import Dialect, postgres_args
from .urls import PostgresTarget

log = logging.getLogger(__name__)

CLEANUP_SECONDS = 5.0
"""How long an interrupted transaction may take to roll back before its connection is dropped."""

READ_STATEMENTS = 200
"""Prepared statements that a reading connection keeps at most, those used last; both sides hold each."""

SERVER_SETTINGS = {"TimeZone": "UTC"}


class PostgresDriver:
    dialect: Dialect = "postgres"

    def __init__(
        self, target: PostgresTarget, writers: asyncpg.Pool, reads: PostgresReads, wait_seconds: float
    ) -> None:
        self.target = target
        self._writers = writers
        self._reads = reads
        self._write_slots = Slots(
            writers.get_max_size(), wait_seconds, "Other changes kept all connections busy"
        )
        self._wait_seconds = wait_seconds
        self._idle_writers = Idle(self._writers_back)
        waiters = Slots(
            max(1, writers.get_max_size() // 2), wait_seconds, "Other changes of the same records are waiting"
        )
        self.wholes = Wholes(lambda: PostgresSession(self), waiters)
        self._cleanups: set[asyncio.Task[None]] = set()

    @classmethod
    async def open(
        cls,
        target: PostgresTarget,
        *,
        pool_size: int,
        read_pool_size: int,
        wait_seconds: float,
        read_seconds: float | None,
    ) -> "PostgresDriver":
        writers = _pool(target, pool_size, wait_seconds)
        reads = PostgresReads(
            target,
            partial(_open_reader, target, wait_seconds, read_seconds),
            size=read_pool_size,
            wait_seconds=wait_seconds,
            read_seconds=read_seconds,
        )
        driver = cls(target, writers, reads, wait_seconds)
        try:
            await driver._connect(writers)
            await driver._check_durability()
            await reads.open()
        except BaseException:
            with suppress(asyncpg.InterfaceError):  # never connected
                writers.terminate()
            raise
        return driver

    async def _connect(self, pool: asyncpg.Pool) -> None:
        try:
            async with asyncio.timeout(self._wait_seconds):
                await pool
        except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
            raise postgres_refusal(error, self.target) from None

    async def _check_durability(self) -> None:
        async with self._writers.acquire() as connection:
            check_postgres(dict(await connection.fetchrow(POSTGRES_SETTINGS)), self.target)

    def begin(self) -> PostgresSession:
        return PostgresSession(self)

    async def connect(self) -> Any:
        """A connection for changes, which `keep` or `finish` gives back."""
        await self._write_slots.take()
        connection = self._idle_writers.take()
        if connection is not None:
            return connection
        opening = asyncio.ensure_future(self._acquire())
        try:
            await asyncio.wait([opening])
        except asyncio.CancelledError:
            # The one who was cancelled goes at once; the connection follows when it has answered
            self._later(self._abandon(opening))
            raise
        try:
            return opening.result()
        except BaseException:
            self._write_slots.give_back()
            raise

    async def _abandon(self, opening: asyncio.Future[Any]) -> None:
        await asyncio.wait([opening])
        if opening.cancelled() or opening.exception() is not None:
            self._write_slots.give_back()
        else:
            await self.finish(opening.result(), settled=True)

    async def read(self, sql: str, args: Sequence[object], *, bounded: bool) -> Rows:
        return [dict(record) for record in await self.rows(sql, args, bounded=bounded)]

    def rows_at_once(self, sql: str, args: Sequence[object]) -> Tuples | None:
        return None

    async def rows(self, sql: str, args: Sequence[object], *, bounded: bool) -> Tuples:
        try:
            return await self._reads.fetch(sql, postgres_args(args))
        except asyncpg.ReadOnlySQLTransactionError:
            raise changing_read() from None
        except Exception as error:
            raise postgres_failure(error, self.target) from None

    async def _acquire(self) -> Any:
        # The slots admit no more than the pool has connections: this may have to connect, never to queue
        try:
            return await self._writers.acquire(timeout=self._wait_seconds)
        except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
            raise postgres_refusal(error, self.target) from None

    def keep(self, connection: Any) -> bool:
        """Gives back a connection that is as it was, for the next change. If not, `finish` has to."""
        kept = self._idle_writers.keep(connection)
        if kept:
            self._write_slots.give_back()
        return kept

    async def finish(self, connection: Any, *, settled: bool) -> None:
        """Rolls back what is not `settled`, gives the connection back, and then the slot."""
        try:
            if not settled:
                await self._roll_back(connection)
            await self._release(self._writers, connection)
        finally:
            self._write_slots.give_back()

    async def _roll_back(self, connection: Any) -> None:
        try:
            async with asyncio.timeout(CLEANUP_SECONDS):
                await connection.execute("ROLLBACK")
        except BaseException:
            with suppress(asyncpg.InterfaceError):  # the pool took a broken connection back by itself
                connection.terminate()

    async def _release(self, pool: asyncpg.Pool, connection: Any) -> None:
        try:
            await pool.release(connection, timeout=CLEANUP_SECONDS)
        except Exception as error:
            # asyncpg has dropped the connection already; the next one who asks gets a new one
            log.warning("A connection to %s was dropped: %s", self.target, error)

    def _writers_back(self, connection: Any) -> None:
        self._later(self._release(self._writers, connection))

    def _later(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.ensure_future(work)
        self._cleanups.add(task)
        task.add_done_callback(self._cleanups.discard)

    def failure(self, error: BaseException) -> BaseException:
        return postgres_failure(error, self.target) if isinstance(error, Exception) else error

    async def close(self) -> None:
        await self.wholes.close()
        self._idle_writers.clear()
        if self._cleanups:
            await asyncio.wait(self._cleanups, timeout=2 * CLEANUP_SECONDS)
        await self._reads.close()
        try:
            async with asyncio.timeout(CLEANUP_SECONDS):
                await self._writers.close()
        except (TimeoutError, asyncpg.InterfaceError):
            self._writers.terminate()


def _pool(target: PostgresTarget, size: int, wait_seconds: float) -> asyncpg.Pool:
    return asyncpg.create_pool(
        target.dsn,
        init_size=1,
        min_size=0,  # those that are lost are made anew by whoever needs one, not by the pool without end
        max_size=size,
        timeout=wait_seconds,
        init=_prepare,
        server_settings={**SERVER_SETTINGS, "lock_timeout": str(int(wait_seconds * 1000))},
    )


async def _open_reader(target: PostgresTarget, wait_seconds: float, read_seconds: float | None) -> Any:
    settings = {**SERVER_SETTINGS, "default_transaction_read_only": "on"}
    if read_seconds is not None:
        settings["statement_timeout"] = str(max(1, int(read_seconds * 1000)))
    try:
        async with asyncio.timeout(wait_seconds):
            connection = await asyncpg.connect(
                target.dsn,
                statement_cache_size=READ_STATEMENTS,
                server_settings=settings,
            )
            try:
                await _prepare(connection)
            except BaseException:
                connection.terminate()
                raise
    except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        raise postgres_refusal(error, target) from None
    return connection


async def _prepare(connection: asyncpg.Connection) -> None:
    await connection.set_type_codec("uuid", encoder=str, decoder=str, schema="pg_catalog", format="text")
