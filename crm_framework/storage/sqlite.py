"""SQLite: one writing connection on a thread of its own, and a few reading ones that never wait for it.

A read that says it is bounded runs on the event loop itself as long as it is (see `sqlite_reads`).

The writer's thread is a queue: whatever is handed to it happens in that order. A transaction whose task was
cancelled is therefore undone by queueing a rollback, without waiting, before the writer's slot is given on.
And a transaction that is a single step can wait in that queue behind others of its kind.
"""

import asyncio
import sqlite3
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from crm_framework.errors import CrmError

from . import sqlite_steps as steps
from .durability import check_sqlite, flush_sqlite
from .failures import changing_read, misconfigured, sqlite_failure, unavailable
from .gathered import Gathered
from .sessions import Rows, Slots, Tuples, to_the_end
from .sql import Dialect, sqlite_args
from .sqlite_again import ChangedMeanwhile
from .sqlite_reads import LoopReads, Step, ThreadReader
from .sqlite_session import SqliteSession
from .sqlite_stops import Stop, Stops
from .sqlite_wholes import Wholes
from .urls import SqliteTarget

T = TypeVar("T")


class SqliteDriver:
    dialect: Dialect = "sqlite"

    def __init__(
        self, target: SqliteTarget, *, read_pool_size: int, wait_seconds: float, read_seconds: float | None
    ) -> None:
        self._target = target
        self._read_seconds = read_seconds
        self._wait_seconds = wait_seconds
        self._writer_thread = ThreadPoolExecutor(1, "crm-writer")
        self._write_slot = Slots(1, wait_seconds, "Other changes kept the database busy")
        self._read_slots = Slots(read_pool_size, wait_seconds, "Other reads kept the database busy")
        self._readers: list[ThreadReader] = []
        self._idle_readers: list[ThreadReader] = []
        self._loop_reads: LoopReads
        self._writer: sqlite3.Connection
        self._wholes = Wholes(self._writer_thread)
        self._stops = Stops()
        self._closed = False

    @classmethod
    async def open(
        cls, target: SqliteTarget, *, read_pool_size: int, wait_seconds: float, read_seconds: float | None
    ) -> "SqliteDriver":
        driver = cls(
            target, read_pool_size=read_pool_size, wait_seconds=wait_seconds, read_seconds=read_seconds
        )
        try:
            await to_the_end(driver._connect())
        except BaseException:
            await to_the_end(driver.close())
            raise
        return driver

    async def _connect(self) -> None:
        folder = self._target.path.parent
        if not folder.is_dir():
            raise misconfigured(f"The folder {folder} does not exist.", f"Create it: mkdir -p {folder}")
        if self._target.path.is_dir():
            raise misconfigured(f"{self._target} is a folder.", "Name a file inside it.")
        self._target.make_private()
        self._writer = await self._on(self._writer_thread, self._open_writer)
        for number in range(self._read_slots.size):
            connection = await self._on(self._writer_thread, self._open_reader)
            self._readers.append(ThreadReader(connection, f"crm-reader-{number}", self._give_back_reader))
        self._idle_readers = list(self._readers)
        self._loop_reads = LoopReads(await self._on(self._writer_thread, self._open_reader))

    def _open_writer(self) -> sqlite3.Connection:
        connection = self._open()
        # Switching a new file to WAL needs it alone and does not heed the busy time-out
        deadline = time.monotonic() + self._wait_seconds
        while True:
            try:
                connection.execute("PRAGMA journal_mode=WAL").fetchone()
                break
            except sqlite3.OperationalError as error:
                if not str(error).startswith("database is locked") or time.monotonic() > deadline:
                    connection.close()
                    raise
                time.sleep(0.01)
        try:
            check_sqlite(connection, self._target)
            steps.check_writable(connection)
            self._stops.watch(connection)
        except (CrmError, sqlite3.Error):
            connection.close()
            raise
        return connection

    def _open_reader(self) -> sqlite3.Connection:
        connection = self._open()
        connection.execute("PRAGMA query_only=ON")
        return connection

    def _open(self) -> sqlite3.Connection:
        connection = sqlite3.connect(
            self._target.path, timeout=self._wait_seconds, isolation_level=None, check_same_thread=False
        )
        try:
            flush_sqlite(connection)
            connection.execute("PRAGMA foreign_keys=ON")
            connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()
        except sqlite3.Error:
            connection.close()
            raise
        return connection

    def begin(self) -> SqliteSession:
        if self._closed:
            raise self._ended()
        return SqliteSession(self)

    async def take_writer(self) -> None:
        """Waits until nobody else is in the middle of a transaction. `undo` must follow."""
        await self._write_slot.take()

    async def read(self, sql: str, args: Sequence[object], *, bounded: bool) -> Rows:
        return (await self._read(steps.query, sql, args, bounded))[1]

    async def rows(self, sql: str, args: Sequence[object], *, bounded: bool) -> Tuples:
        return await self._read(steps.tuples, sql, args, bounded)

    def rows_at_once(self, sql: str, args: Sequence[object]) -> Tuples | None:
        if self._loop_reads.long_enough or self._closed:
            return None
        try:
            return self._loop_reads.read(steps.tuples, sql, sqlite_args(args))
        except sqlite3.Error:
            return None  # it fails again where there are words for it

    async def _read(self, step: Step[T], sql: str, args: Sequence[object], bounded: bool) -> T:
        values = sqlite_args(args)
        try:
            if bounded:
                if self._loop_reads.long_enough:
                    await self._loop_reads.turn()
                found = self._loop_reads.read(step, sql, values)
                if found is not None:
                    return found
            await self._read_slots.take()
            if self._closed:
                self._read_slots.give_back()
                raise self._ended()
            return await self._idle_readers.pop().read(step, sql, values, self._read_seconds)
        except TimeoutError:
            raise unavailable(
                f"{self._target} did not answer a read within {self._read_seconds or 0:g} seconds.",
                "Ask for less at once.",
            ) from None
        except sqlite3.Error as error:
            if self._closed:
                raise self._ended() from None
            if getattr(error, "sqlite_errorname", None) == "SQLITE_READONLY":
                raise changing_read() from None
            raise sqlite_failure(error, self._target) from None

    def _give_back_reader(self, reader: ThreadReader) -> None:
        self._idle_readers.append(reader)
        self._read_slots.give_back()

    async def write(self, step: Callable[..., T], *args: Any) -> T:
        """Runs `step(connection, *args)` on the writer's thread. If the caller is cancelled it is stopped."""
        stop = Stop()
        try:
            return await self._on(self._writer_thread, self._stops.run, stop, step, self._writer, *args)
        except asyncio.CancelledError:
            stop.asked = True
            raise

    async def write_whole(self, gathered: Gathered) -> None:
        """A transaction in one step, to whose end it goes even if the caller is cancelled; with others of
        its kind that wait for the writer, where there are some.

        It needs its turn only to be put in the thread's queue: whoever comes next is behind it there.
        """
        deadline = time.monotonic() + self._wait_seconds
        await self._write_slot.take()
        try:
            if self._closed:
                raise self._ended()
            written = self._wholes.add(self._writer, gathered, deadline)
        finally:
            self._write_slot.give_back()
        try:
            await to_the_end(written)
        except steps.Late:
            raise self._write_slot.busy() from None
        except sqlite3.Error as error:
            raise sqlite_failure(error, self._target) from None

    def undo(self) -> None:
        """Queues a rollback behind whatever the writer is doing, and lets the next one begin after it."""
        if not self._closed:
            self._writer_thread.submit(steps.rollback, self._writer)
        self._write_slot.give_back()

    async def _on(self, threads: ThreadPoolExecutor, step: Callable[..., T], *args: Any) -> T:
        try:
            return await self._handed_over(threads, step, *args)
        except ChangedMeanwhile:
            raise unavailable(
                "Another program changed the database while a late statement was undone.", "Try again."
            ) from None
        except sqlite3.Error as error:
            raise sqlite_failure(error, self._target) from None

    def _handed_over(
        self, threads: ThreadPoolExecutor, step: Callable[..., T], *args: Any
    ) -> asyncio.Future[T]:
        if self._closed:
            raise self._ended()
        return asyncio.get_running_loop().run_in_executor(threads, step, *args)

    def _ended(self) -> CrmError:
        return unavailable(f"{self._target} is closed.", "The program is ending; start it again.")

    async def close(self) -> None:
        self._closed = True
        await asyncio.to_thread(self._close_readers)
        if hasattr(self, "_loop_reads"):
            self._loop_reads.connection.close()
        if hasattr(self, "_writer"):
            self._writer_thread.submit(self._writer.close)
        await asyncio.to_thread(self._writer_thread.shutdown)

    def _close_readers(self) -> None:
        for reader in self._readers:
            reader.close()
