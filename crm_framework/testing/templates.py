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
from typing import Any, Literal

from .postgres import PostgresServer, running_postgres

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
    _server: PostgresServer | None = None
    _templates: dict[tuple[Kind, str], str] = field(default_factory=dict)
    _numbers: "count[int]" = field(default_factory=lambda: count(1))

    @property
    def postgres(self) -> PostgresServer:
        if self._server is None:
            self._server = self.resources.enter_context(running_postgres())
        return self._server

    def empty(self, kind: Kind) -> str:
        """URL of a new database without tables."""
        if kind == "sqlite":
            return f"sqlite://{self._file()}"
        name = f"crm_test_{self._unique()}"
        self._administer(f'CREATE DATABASE "{name}"')
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
        self._administer(f'CREATE DATABASE "{name}" TEMPLATE "{database_name(original)}"')
        return self.postgres.url(name)

    def drop(self, url: str) -> None:
        """Removes a database, whoever is still connected to it."""
        if url.startswith("sqlite://"):
            for suffix in ("", "-wal", "-shm"):
                Path(url.removeprefix("sqlite://") + suffix).unlink(missing_ok=True)
        else:
            self._administer(f'DROP DATABASE IF EXISTS "{database_name(url)}" WITH (FORCE)')

    def _file(self) -> Path:
        return self.folder / f"{next(self._numbers)}.sqlite3"

    def _unique(self) -> str:
        return f"{os.getpid()}_{secrets.token_hex(4)}_{next(self._numbers)}"

    def _administer(self, statement: str) -> None:
        in_own_loop(run_statement(self.postgres.url("postgres"), statement))


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
