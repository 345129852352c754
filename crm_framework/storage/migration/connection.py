"""A database connection for changing tables: one at a time, each change a transaction behind the lock."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import count
from typing import Any

import asyncpg
from tortoise.backends.asyncpg.client import AsyncpgDBClient
from tortoise.backends.base.executor import EXECUTOR_CACHE
from tortoise.backends.sqlite.client import SqliteClient, SqliteTransactionWrapper
from tortoise.connection import ConnectionHandler
from tortoise.context import TortoiseContext
from tortoise.exceptions import BaseORMException

from crm_framework.errors import CrmError, ErrorCode
from crm_framework.storage.failures import postgres_failure, postgres_refusal, sqlite_failure
from crm_framework.storage.migration.editors import PostgresEditor, SqliteEditor
from crm_framework.storage.urls import PostgresTarget, SqliteTarget, parse_url

_FAILURES = (BaseORMException, sqlite3.Error, asyncpg.PostgresError, asyncpg.InterfaceError, OSError)
_LOCK = int.from_bytes(b"crm_migr", "big")
"""Key of the advisory lock on PostgreSQL."""

_numbers = count()


class SchemaConnection:
    """One connection. `transaction` waits for its turn: whoever is inside is the only one changing tables."""

    def __init__(
        self,
        client: Any,
        handler: ConnectionHandler,
        target: SqliteTarget | PostgresTarget,
        lock_seconds: float,
    ) -> None:
        self.client = client
        self.handler = handler
        self.target = target
        self.alias: str = client.connection_name
        self.sqlite = isinstance(target, SqliteTarget)
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
    target = parse_url(url)
    # Tortoise keeps SQL by connection name and table, for the whole process: a name is used once.
    alias = f"crm_migrator_{next(_numbers)}"
    context = TortoiseContext()
    context.connections._init_config({alias: {}})
    client = _client(target, alias, lock_seconds)
    token = context.connections.set(alias, client)
    try:
        await _open(client, target)
        # Historical models find their connection through the context.
        with context:
            try:
                yield SchemaConnection(client, context.connections, target, lock_seconds)
            except _FAILURES as error:
                raise explained(error, target) from error
    finally:
        forget_sql(alias)
        context.connections.reset(token)
        await asyncio.shield(client.close())


def forget_sql(alias: str) -> None:
    """Drops the SQL that Tortoise keeps for the models of a connection, whose columns have changed."""
    for key in [key for key in EXECUTOR_CACHE if key[0] == alias]:
        del EXECUTOR_CACHE[key]


def explained(error: BaseException, target: SqliteTarget | PostgresTarget) -> CrmError:
    """What a failure of the database means and what to do about it."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, CrmError):
            return cause
        if isinstance(cause, asyncpg.InsufficientPrivilegeError):
            return CrmError(
                ErrorCode.CONFIGURATION,
                f"{target} does not let this user change tables: {cause}",
                hint="Grant it CREATE on the schema, or migrate as the owner of the database.",
            )
        found: BaseException | None = None
        if isinstance(cause, sqlite3.Error) and isinstance(target, SqliteTarget):
            found = sqlite_failure(cause, target)
        elif isinstance(cause, Exception) and isinstance(target, PostgresTarget):
            found = postgres_failure(cause, target)
        if isinstance(found, CrmError):
            return found
        cause = cause.__cause__ or cause.__context__
    return CrmError(ErrorCode.CONFIGURATION, f"{target} refused: {error or type(error).__name__}")


class _Postgres(AsyncpgDBClient):
    """Tortoise's client for a whole URL, with one connection."""

    dsn = ""

    async def create_pool(self, **settings: Any) -> Any:
        return await asyncpg.create_pool(self.dsn, min_size=1, max_size=1)


def _client(target: SqliteTarget | PostgresTarget, alias: str, lock_seconds: float) -> Any:
    if isinstance(target, PostgresTarget):
        client = _Postgres(connection_name=alias)
        client.dsn = target.dsn
        return client
    # The order matters: the time-out first, so that the others wait for a busy file.
    return SqliteClient(
        str(target.path),
        connection_name=alias,
        busy_timeout=int(lock_seconds * 1000),
        journal_mode="WAL",
        synchronous="FULL",
        # Cannot be changed inside a transaction; what was changed is checked before its end instead.
        foreign_keys="OFF",
    )


async def _open(client: Any, target: SqliteTarget | PostgresTarget) -> None:
    """Connects. Two processes that turn a new SQLite file to WAL at once lock each other out: try again."""
    for attempt in range(100):
        try:
            await client.create_connection(with_db=True)
            return
        except (*_FAILURES, TimeoutError) as error:
            await client.close()
            if isinstance(target, PostgresTarget):
                raise postgres_refusal(_first(error), target) from error
            failure = explained(error, target)
            if failure.code is not ErrorCode.UNAVAILABLE or "locked" not in str(error) or attempt == 99:
                raise failure from error
            await asyncio.sleep(0.05)


def _first(error: Exception) -> Exception:
    cause = error.__cause__
    return cause if isinstance(error, BaseORMException) and isinstance(cause, Exception) else error
