"""SQLite: one writing connection on a thread of its own, and a few reading ones that never wait for it.

The writer's thread is a queue: whatever is handed to it happens in that order. A transaction whose task was
cancelled is therefore undone by queueing a rollback, without waiting, before the writer's slot is given on.
"""

import asyncio
import sqlite3
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from . import sqlite_steps as steps
from .failures import changing_read, misconfigured, sqlite_failure, unavailable
from .sessions import Rows, Slots, Tuples, to_the_end
from .sql import Dialect, is_read, sqlite_args
from .urls import SqliteTarget

T = TypeVar("T")


class SqliteDriver:
    dialect: Dialect = "sqlite"

    def __init__(self, target: SqliteTarget, *, read_pool_size: int, wait_seconds: float) -> None:
        self._target = target
        self._wait_seconds = wait_seconds
        self._writer_thread = ThreadPoolExecutor(1, "crm-writer")
        self._reader_threads = ThreadPoolExecutor(read_pool_size, "crm-reader")
        self._write_slot = Slots(1, wait_seconds, "Other changes kept the database busy")
        self._read_slots = Slots(read_pool_size, wait_seconds, "Other reads kept the database busy")
        self._readers: list[sqlite3.Connection] = []
        self._idle_readers: list[sqlite3.Connection] = []
        self._writer: sqlite3.Connection
        self._closed = False

    @classmethod
    async def open(cls, target: SqliteTarget, *, read_pool_size: int, wait_seconds: float) -> "SqliteDriver":
        driver = cls(target, read_pool_size=read_pool_size, wait_seconds=wait_seconds)
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
        self._writer = await self._on(self._writer_thread, self._open_writer)
        for _ in range(self._read_slots.size):
            self._readers.append(await self._on(self._reader_threads, self._open_reader))
        self._idle_readers = list(self._readers)

    def _open_writer(self) -> sqlite3.Connection:
        connection = self._open()
        # Switching a new file to WAL needs it alone and does not heed the busy time-out
        deadline = time.monotonic() + self._wait_seconds
        while True:
            try:
                mode = connection.execute("PRAGMA journal_mode=WAL").fetchone()[0]
                break
            except sqlite3.OperationalError as error:
                if not str(error).startswith("database is locked") or time.monotonic() > deadline:
                    connection.close()
                    raise
                time.sleep(0.01)
        if mode != "wal":
            connection.close()
            raise misconfigured(
                f"{self._target} cannot use a write-ahead log (its journal mode stays {mode!r}).",
                "Put it on a local disk: network folders do not share memory between programs.",
            )
        try:
            steps.check_writable(connection)
        except sqlite3.Error:
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
            connection.execute("PRAGMA synchronous=FULL")
            connection.execute("PRAGMA foreign_keys=ON")
            connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()
        except sqlite3.Error:
            connection.close()
            raise
        return connection

    async def begin(self) -> "SqliteSession":
        await self._write_slot.take()
        session = SqliteSession(self)
        try:
            await self.write(steps.begin)
        except BaseException:
            await session.close()
            raise
        return session

    async def read(self, sql: str, args: Sequence[object]) -> Rows:
        return (await self._read(steps.query, sql, args))[1]

    async def rows(self, sql: str, args: Sequence[object], *, bounded: bool) -> Tuples:
        return await self._read(steps.tuples, sql, args)

    async def _read(self, step: Callable[..., T], sql: str, args: Sequence[object]) -> T:
        values = sqlite_args(args)
        await self._read_slots.take()
        connection = self._idle_readers.pop()
        loop = asyncio.get_running_loop()
        work = self._reader_threads.submit(step, connection, sql, values)
        # A cancelled caller goes at once; the connection is free only when the statement has stopped
        work.add_done_callback(lambda _: loop.call_soon_threadsafe(self._give_back_reader, connection))
        try:
            return await asyncio.wrap_future(work)
        except asyncio.CancelledError:
            connection.interrupt()
            raise
        except sqlite3.Error as error:
            if error.sqlite_errorname == "SQLITE_READONLY":
                raise changing_read() from None
            raise sqlite_failure(error, self._target) from None

    def _give_back_reader(self, connection: sqlite3.Connection) -> None:
        self._idle_readers.append(connection)
        self._read_slots.give_back()

    async def write(self, step: Callable[..., T], *args: Any) -> T:
        """Runs `step(connection, *args)` on the writer's thread."""
        return await self._on(self._writer_thread, step, self._writer, *args)

    def interrupt_writer(self) -> None:
        self._writer.interrupt()

    def undo(self) -> None:
        """Queues a rollback behind whatever the writer is doing, and lets the next one begin after it."""
        if not self._closed:
            self._writer_thread.submit(steps.rollback, self._writer)
        self._write_slot.give_back()

    async def _on(self, threads: ThreadPoolExecutor, step: Callable[..., T], *args: Any) -> T:
        if self._closed:
            raise unavailable(f"{self._target} is closed.", "The program is ending; start it again.")
        try:
            return await asyncio.get_running_loop().run_in_executor(threads, step, *args)
        except sqlite3.Error as error:
            raise sqlite_failure(error, self._target) from None

    async def close(self) -> None:
        self._closed = True
        for connection in self._readers:
            connection.interrupt()
        await asyncio.to_thread(self._reader_threads.shutdown)
        for connection in self._readers:
            connection.close()
        self._readers.clear()
        self._idle_readers.clear()
        if hasattr(self, "_writer"):
            self._writer_thread.submit(self._writer.close)
        await asyncio.to_thread(self._writer_thread.shutdown)


class SqliteSession:
    """The one write transaction."""

    def __init__(self, driver: SqliteDriver) -> None:
        self._driver = driver
        self._open = True

    async def query(self, sql: str, args: Sequence[object]) -> tuple[int, Rows]:
        try:
            return await self._driver.write(steps.query, sql, sqlite_args(args))
        except asyncio.CancelledError:
            if is_read(sql):
                # Interrupting a change would undo the whole transaction, not only the innermost savepoint
                self._driver.interrupt_writer()
            raise

    async def execute_many(self, sql: str, rows: Sequence[Sequence[object]]) -> None:
        await self._driver.write(steps.execute_many, sql, [sqlite_args(row) for row in rows])

    async def insert(self, sql: str, args: Sequence[object]) -> int | None:
        return await self._driver.write(steps.insert, sql, sqlite_args(args))

    async def script(self, sql: str) -> None:
        for statement in steps.statements(sql):
            await self._driver.write(steps.query, statement, [])

    async def commit(self) -> None:
        await self._driver.write(steps.commit)

    async def close(self) -> None:
        if self._open:
            self._open = False
            self._driver.undo()
