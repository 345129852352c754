"""Databases for tests: the tables are made once per session, each test gets a copy of its own."""

import asyncio
import os
import secrets
import shutil
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from .postgres import PostgresServer, running_postgres

if TYPE_CHECKING:
    import asyncpg

Kind = Literal["sqlite", "postgres"]
Prepare = Callable[[str], Coroutine[Any, Any, None]]
"""Makes the tables in the empty database at a URL."""


@dataclass
class TestDatabases:
    """Makes databases, and removes them at the end of the session.

    The PostgreSQL server starts when the first test asks for it.
    """

    __test__ = False

    folder: Path
    resources: ExitStack
    _server: "_Server | None" = None
    _templates: dict[tuple[Kind, str], str] = field(default_factory=dict)
    _numbers: "count[int]" = field(default_factory=lambda: count(1))

    @property
    def postgres(self) -> PostgresServer:
        return self._running.postgres

    @property
    def _running(self) -> "_Server":
        if self._server is None:
            self._server = _Server(self.resources.enter_context(running_postgres()))
            self.resources.callback(self._server.close)
        return self._server

    def empty(self, kind: Kind) -> str:
        """URL of a new database without tables."""
        if kind == "sqlite":
            return f"sqlite://{self._file()}"
        name = f"crm_test_{self._unique()}"
        self._running.run(f'CREATE DATABASE "{name}"')
        return self.postgres.url(name)

    def copy(self, kind: Kind, template: str, prepare: Prepare) -> str:
        """URL of a new database with the tables that `prepare` makes; it runs once per `template` name."""
        if (kind, template) not in self._templates:
            made = self.empty(kind)
            in_own_loop(prepare(made))
            self._templates[kind, template] = made
        original = self._templates[kind, template]
        if kind == "sqlite":
            target = self._file()
            for suffix in ("", "-wal", "-shm"):
                source = Path(original.removeprefix("sqlite://") + suffix)
                if source.exists():
                    shutil.copyfile(source, f"{target}{suffix}")
            return f"sqlite://{target}"
        name = f"crm_test_{self._unique()}"
        self._running.copy(database_name(original), name)
        return self.postgres.url(name)

    def drop(self, url: str) -> None:
        """Removes a database, whoever is still connected to it."""
        if url.startswith("sqlite://"):
            for suffix in ("", "-wal", "-shm"):
                Path(url.removeprefix("sqlite://") + suffix).unlink(missing_ok=True)
        else:
            self._running.run(f'DROP DATABASE IF EXISTS "{database_name(url)}" WITH (FORCE)')

    def _file(self) -> Path:
        return self.folder / f"{next(self._numbers)}.sqlite3"

    def _unique(self) -> str:
        return f"{os.getpid()}_{secrets.token_hex(4)}_{next(self._numbers)}"


class _Server:
    """Makes and drops databases of one server, all on one connection: opening one costs more than either."""

    def __init__(self, postgres: PostgresServer) -> None:
        self.postgres = postgres
        self._thread = ThreadPoolExecutor(1)
        self._loop = asyncio.Runner()
        self._connection: asyncpg.Connection | None = None
        self._strategy = ""

    def run(self, statement: str) -> None:
        """Runs one statement, apart from the loop of the test."""
        self._thread.submit(lambda: self._loop.run(self._run(statement))).result()

    def copy(self, original: str, name: str) -> None:
        self._thread.submit(lambda: self._loop.run(self._copy(original, name))).result()

    def close(self) -> None:
        async def hang_up() -> None:
            if self._connection is not None:
                await self._connection.close(timeout=5)

        self._thread.submit(lambda: self._loop.run(hang_up())).result()
        self._thread.submit(self._loop.close).result()
        self._thread.shutdown()

    async def _run(self, statement: str) -> None:
        await (await self._open()).execute(statement)

    async def _copy(self, original: str, name: str) -> None:
        connection = await self._open()
        await connection.execute(f'CREATE DATABASE "{name}" TEMPLATE "{original}"{self._strategy}')

    async def _open(self) -> "asyncpg.Connection":
        import asyncpg

        if self._connection is None or self._connection.is_closed():
            self._connection = await asyncpg.connect(self.postgres.url("postgres"))
            # Files as they are, with a checkpoint, not page by page through the log: a third of the time,
            # but where a checkpoint waits for the disk. It can be chosen since version 15.
            if await self._connection.fetchval(
                "SELECT current_setting('fsync') = 'off'"
                " AND current_setting('server_version_num')::int >= 150000"
            ):
                self._strategy = " STRATEGY file_copy"
        return self._connection


async def run_statement(url: str, statement: str) -> None:
    """Runs one statement outside of any transaction on a connection of its own."""
    import asyncpg

    connection = await asyncpg.connect(url)
    try:
        await connection.execute(statement)
    finally:
        await connection.close()


def database_name(url: str) -> str:
    return url.rsplit("/", 1)[1].split("?", 1)[0]


def in_own_loop(work: Coroutine[Any, Any, None]) -> None:
    """Runs `work` to its end in a thread with its own event loop, apart from the test's."""
    with ThreadPoolExecutor(1) as thread:
        thread.submit(asyncio.run, work).result()
