"""A database connection for changing tables: one at a time, each change a transaction behind the lock."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import count
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import asyncpg
from tortoise.backends.base.config_generator import expand_db_url
from tortoise.backends.base.executor import EXECUTOR_CACHE
from tortoise.backends.sqlite.client import SqliteTransactionWrapper
from tortoise.connection import ConnectionHandler
from tortoise.context import TortoiseContext
from tortoise.exceptions import BaseORMException

from crm_framework.errors import CrmError, ErrorCode
from crm_framework.storage.migration_editors import PostgresEditor, SqliteEditor

_numbers = count()
FAILURES = (BaseORMException, sqlite3.Error, asyncpg.PostgresError, asyncpg.InterfaceError, OSError)
"""Failures of the database, rather than of the program."""

_PASSING = ("locked", "busy", "full", "readonly", "unable to open", "disk I/O", "interrupted")
_LOCK = int.from_bytes(b"crm_migr", "big")
"""Key of the advisory lock on PostgreSQL."""


class SchemaConnection:
    """One connection. `transaction` waits for its turn: whoever is inside is the only one changing tables."""

    def __init__(self, client: Any, handler: ConnectionHandler, lock_seconds: float) -> None:
        self.client = client
        self.handler = handler
        self.alias: str = client.connection_name
        self.sqlite = client.capabilities.dialect == "sqlite"
        self._milliseconds = int(lock_seconds * 1000)

    def editor(self, client: Any) -> SqliteEditor | PostgresEditor:
        return SqliteEditor(client) if self.sqlite else PostgresEditor(client)

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Any]:
        """A client inside the one transaction that may change tables now. On SQLite foreign keys are off."""
        if self.sqlite:
            async with self._sqlite_transaction() as client:
                yield client
        else:
            async with self.client._in_transaction() as client:
                await client.execute_query(f"SET LOCAL lock_timeout = {self._milliseconds}")
                await client.execute_query("SET LOCAL statement_timeout = 0")
                await client.execute_query(f"SELECT pg_advisory_xact_lock({_LOCK})")
                yield client

    @asynccontextmanager
    async def _sqlite_transaction(self) -> AsyncIterator[Any]:
        await self.client.execute_query("BEGIN IMMEDIATE")
        inside = SqliteTransactionWrapper(self.client)
        token = self.handler.set(self.alias, inside)
        try:
            yield inside
            await inside.commit()
        except BaseException:
            # Closing rolls back too: this only spares the next one the wait.
            await asyncio.shield(self.client._connection.rollback())
            raise
        finally:
            self.handler.reset(token)


@asynccontextmanager
async def schema_connection(url: str, *, lock_seconds: float = 600.0) -> AsyncIterator[SchemaConnection]:
    """Connects to `url`; failures of the database become a CrmError that names it without its password."""
    config = _config(url, lock_seconds)
    context = TortoiseContext()
    # Tortoise keeps SQL by connection name and table, for the whole process: a name is used once.
    alias = f"crm_migrator_{next(_numbers)}"
    try:
        async with context:
            context.connections._init_config({alias: config})
            client: Any = context.connections.get(alias)
            await _open(client)
            try:
                yield SchemaConnection(client, context.connections, lock_seconds)
            finally:
                forget_sql(alias)
                await asyncio.shield(client.close())
    except FAILURES as error:
        raise explained(error, url) from error


def forget_sql(alias: str) -> None:
    """Drops the SQL that Tortoise keeps for the models of a connection, whose columns have changed."""
    for key in [key for key in EXECUTOR_CACHE if key[0] == alias]:
        del EXECUTOR_CACHE[key]


def sqlite_file(url: str) -> Path | None:
    """The file of an SQLite URL; None for another database."""
    config = _config(url, 0)
    path = config["credentials"].get("file_path")
    return Path(path) if path else None


def explained(error: BaseException, url: str) -> CrmError:
    """What a failure of the database means and what to do about it."""
    text = str(error) or type(error).__name__
    where = shown(url)
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, asyncpg.InsufficientPrivilegeError):
            return CrmError(
                ErrorCode.CONFIGURATION,
                f"The user of {where} may not change tables: {text}",
                hint="Grant it CREATE on the schema, or migrate as the owner of the database.",
            )
        if isinstance(cause, asyncpg.InvalidCatalogNameError):
            return CrmError(
                ErrorCode.CONFIGURATION, f"There is no database at {where}: {text}", hint="Create it first."
            )
        if isinstance(
            cause,
            OSError
            | asyncpg.PostgresConnectionError
            | asyncpg.InvalidAuthorizationSpecificationError
            | asyncpg.LockNotAvailableError
            | asyncpg.OperatorInterventionError
            | asyncpg.InsufficientResourcesError,
        ) or (isinstance(cause, sqlite3.OperationalError) and any(sign in str(cause) for sign in _PASSING)):
            return CrmError(
                ErrorCode.UNAVAILABLE,
                f"The database {where} cannot be used now: {text}",
                hint="Nothing of the last step was kept. See to the database and run the command again.",
            )
        cause = cause.__cause__ or cause.__context__
    return CrmError(ErrorCode.CONFIGURATION, f"The database {where} refused: {text}")


def shown(url: str) -> str:
    """The URL without user, password and options."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"


def _config(url: str, lock_seconds: float) -> dict[str, Any]:
    try:
        config: dict[str, Any] = expand_db_url(url)
    except Exception as error:
        raise CrmError(
            ErrorCode.CONFIGURATION,
            f"Not a database URL: {shown(url)} ({error}).",
            hint="Write sqlite:///folder/file.sqlite3 or postgres://user:password@host/database.",
        ) from error
    credentials = config["credentials"]
    if config["engine"].endswith("sqlite"):
        if ":memory:" in credentials["file_path"]:
            raise CrmError(
                ErrorCode.CONFIGURATION,
                "A database in memory ends with its connection and cannot be migrated.",
                hint="Name a file.",
            )
        # The order matters: the time-out first, so that the others wait for a busy file.
        config["credentials"] = {
            "file_path": credentials["file_path"],
            "busy_timeout": int(lock_seconds * 1000),
            "journal_mode": "WAL",
            "synchronous": "FULL",
            # Cannot be changed inside a transaction; what was changed is checked before its end instead.
            "foreign_keys": "OFF",
        }
    elif config["engine"].endswith("asyncpg"):
        credentials.update(minsize=1, maxsize=1)
    else:
        raise CrmError(
            ErrorCode.CONFIGURATION,
            f"Databases of the kind {urlsplit(url).scheme} are not supported.",
            hint="Use SQLite or PostgreSQL.",
        )
    return config


async def _open(client: Any) -> None:
    """Connects. Two processes that turn a new SQLite file to WAL at once lock each other out: try again."""
    for attempt in range(100):
        try:
            await client.create_connection(with_db=True)
            return
        except sqlite3.OperationalError as error:
            await client.close()
            if "locked" not in str(error) or attempt == 99:
                raise
            await asyncio.sleep(0.05)
