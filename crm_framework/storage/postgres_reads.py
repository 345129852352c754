"""Reads on PostgreSQL: a few connections for nothing else, the one used last first.

asyncpg's pool is not used for them: taking and giving back, with a task for each so that a cancelled one
leaks nothing, costs as much as a read by key. Here a read that went well gives its connection back without
waiting for anything; all others leave that to a task that first makes sure that the connection is fit.
asyncpg keeps the prepared statements of a connection, and prepares one anew whose tables were changed.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from contextlib import suppress
from typing import Any

import asyncpg

from .failures import LOST, unavailable
from .sessions import Slots, Tuples
from .urls import PostgresTarget

log = logging.getLogger(__name__)

CLEANUP_SECONDS = 5.0
"""How long the server may take to stop a read before the connection is dropped."""

IDLE_SECONDS = 300.0
"""How long a connection is kept without use: what lies between may forget it without a word."""

STALE_SECONDS = 1.0
"""A connection that is lost so soon was so before the read, which is tried once more on a new one."""


class _Again(Exception):
    """The read has failed for what the connection was before, and may go well on a new one."""


class PostgresReads:
    def __init__(
        self,
        target: PostgresTarget,
        connect: Callable[[], Awaitable[Any]],
        *,
        size: int,
        wait_seconds: float,
        read_seconds: float | None,
    ) -> None:
        """`connect` opens a connection, or raises what the caller is to see.

        The server is to stop a read after `read_seconds` by itself, as its connection is set. Here the
        connection of one is dropped that gets no answer even then.
        """
        self._target = target
        self._connect = connect
        self._slots = Slots(size, wait_seconds, "Other reads kept all connections busy")
        self._read_seconds = read_seconds
        self._idle: list[tuple[Any, float]] = []
        """With the time of its last use; that of the last is the latest."""
        self._busy: dict[Any, float] = {}
        """With the time of the start of its read; the first is the earliest."""
        self._patience = None if read_seconds is None else read_seconds + CLEANUP_SECONDS
        self._look: asyncio.TimerHandle | None = None
        self._cleanups: set[asyncio.Task[None]] = set()
        self._loop = asyncio.get_running_loop()
        self._closed = False

    async def open(self) -> None:
        """Connects once, to find out now whether it can be done."""
        self._idle.append((await self._connect(), self._loop.time()))

    async def fetch(self, sql: str, values: Sequence[object]) -> Tuples:
        """The rows of a statement. Raises as asyncpg does; CrmError UNAVAILABLE where there is no connection.

        One who is cancelled goes at once; the connection is free when the server has stopped the statement.
        """
        try:
            return await self._fetch(sql, values, first=True)
        except _Again:
            return await self._fetch(sql, values, first=False)

    async def _fetch(self, sql: str, values: Sequence[object], *, first: bool) -> Tuples:
        await self._slots.take()
        try:
            connection, used = await (self._take() if first else self._take_new())
        except BaseException:
            self._slots.give_back()
            raise
        began = self._busy[connection] = self._loop.time()
        if self._look is None and self._patience is not None:
            # One timer for all: one for each read, as asyncpg makes for a time-out, costs a tenth of it
            self._look = self._loop.call_at(began + self._patience, self._drop_unanswered, self._patience)
        try:
            found: Tuples = await connection.fetch(sql, *values)
        except asyncpg.OutdatedSchemaCacheError:
            self._give_back(connection)
            if first:
                raise _Again from None
            raise
        except LOST:
            connection.terminate()
            self._give_back(connection)
            self._check_time(began)
            if first and used and self._loop.time() - began < STALE_SECONDS:
                raise _Again from None
            raise
        except asyncpg.PostgresError as error:
            self._give_back(connection)
            if isinstance(error, asyncpg.QueryCanceledError):
                self._check_time(began)
            raise
        except BaseException:
            self._later(self._settle(connection))
            raise
        self._give_back(connection)
        return found

    def _drop_unanswered(self, patience: float) -> None:
        self._look = None
        at = self._loop.time()
        for connection, began in self._busy.items():
            if began + patience > at:
                self._look = self._loop.call_at(began + patience, self._drop_unanswered, patience)
                break
            connection.terminate()

    def _check_time(self, began: float) -> None:
        if self._read_seconds is not None and self._loop.time() - began >= self._read_seconds:
            raise unavailable(
                f"{self._target} did not answer a read within {self._read_seconds:g} seconds.",
                "Ask for less at once, or check the server.",
            ) from None

    async def _take(self) -> tuple[Any, bool]:
        """A connection, and whether it was used before."""
        oldest = self._loop.time() - IDLE_SECONDS
        while self._idle:
            connection, since = self._idle.pop()
            if since > oldest and not connection.is_closed():
                return connection, True
            self._drop(connection)
        return await self._take_new()

    async def _take_new(self) -> tuple[Any, bool]:
        if self._closed:
            raise unavailable(f"{self._target} is closed.", "The program is ending; start it again.")
        if self._idle:
            self._drop(self._idle.pop(0)[0])  # there are as many as slots at most
        return await self._connect(), False

    def _give_back(self, connection: Any) -> None:
        self._busy.pop(connection, None)
        if self._closed or connection.is_closed():
            self._drop(connection)
        else:
            at = self._loop.time()
            self._idle.append((connection, at))
            if self._idle[0][1] < at - IDLE_SECONDS:
                self._drop(self._idle.pop(0)[0])
        self._slots.give_back()

    async def _settle(self, connection: Any) -> None:
        """Gives a connection back once it answers again, or drops it."""
        try:
            async with asyncio.timeout(CLEANUP_SECONDS):
                with suppress(asyncpg.QueryCanceledError):  # a cancellation that came too late for the read
                    await connection.execute("SELECT 1")
        except BaseException as error:
            connection.terminate()
            if not self._closed:
                log.warning("A connection to %s was dropped: %r", self._target, error)
        finally:
            self._give_back(connection)

    def _drop(self, connection: Any) -> None:
        if connection.is_closed():
            connection.terminate()  # which frees what belongs to it
        else:
            self._later(_close(connection))

    def _later(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.ensure_future(work)
        self._cleanups.add(task)
        task.add_done_callback(self._cleanups.discard)

    async def close(self) -> None:
        """Ends what runs, which fails as if the connection were lost, and closes all connections."""
        self._closed = True
        if self._look is not None:
            self._look.cancel()
        for connection in self._busy:
            connection.terminate()
        while self._idle:
            self._drop(self._idle.pop()[0])
        while self._cleanups:
            await asyncio.wait(self._cleanups)


async def _close(connection: Any) -> None:
    try:
        await connection.close(timeout=CLEANUP_SECONDS)
    except Exception:
        connection.terminate()
