"""One transaction on a connection of PostgreSQL."""

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

import asyncpg

from crm_framework.errors import CrmError

from .failures import postgres_failure, unavailable
from .sessions import Rows, to_the_end
from .sql import postgres_args, returns_rows
from .urls import PostgresTarget

COMMIT_SECONDS = 30.0
"""How long the server may take to store a change."""


class PostgresSession:
    """A transaction on a connection of its own; `finish(settled)` gives the connection back."""

    def __init__(
        self,
        connection: Any,
        target: PostgresTarget,
        finish: Callable[[bool], Coroutine[Any, Any, None]],
    ) -> None:
        self._connection = connection
        self._target = target
        self._finish = finish
        self._open = True
        self._settled = False

    async def query(self, sql: str, args: Sequence[object]) -> tuple[int, Rows]:
        values = postgres_args(args)
        try:
            if returns_rows(sql):
                rows = [dict(record) for record in await self._connection.fetch(sql, *values)]
                return len(rows), rows
            status: str = await self._connection.execute(sql, *values)
        except Exception as error:
            raise postgres_failure(error, self._target) from None
        count = status.rpartition(" ")[2]
        return (int(count) if count.isdigit() else 0), []

    async def execute_many(self, sql: str, rows: Sequence[Sequence[object]]) -> None:
        values = [postgres_args(row) for row in rows]
        try:
            await self._connection.executemany(sql, values)
        except Exception as error:
            raise postgres_failure(error, self._target) from None

    async def insert(self, sql: str, args: Sequence[object]) -> dict[str, Any] | None:
        rows = (await self.query(sql, args))[1]
        return rows[0] if rows else None

    async def script(self, sql: str) -> None:
        try:
            await self._connection.execute(sql)
        except Exception as error:
            raise postgres_failure(error, self._target) from None

    async def commit(self) -> None:
        try:
            async with asyncio.timeout(COMMIT_SECONDS):
                status = await self._connection.execute("COMMIT")
        except TimeoutError:
            raise self._unknown_outcome() from None
        except Exception as error:
            failure = postgres_failure(error, self._target)
            if isinstance(failure, CrmError):  # the connection broke off, before or after it was stored
                raise self._unknown_outcome() from None
            raise failure from None
        if status != "COMMIT":
            # PostgreSQL answers COMMIT of a failed transaction with a rollback, and calls it a success
            raise asyncpg.InFailedSQLTransactionError("the transaction was already undone")
        self._settled = True

    async def close(self) -> None:
        if self._open:
            self._open = False
            await to_the_end(self._finish(self._settled))

    def _unknown_outcome(self) -> CrmError:
        return unavailable(
            f"{self._target} did not confirm the change: it may be stored, or not.",
            "Look before you repeat it, or repeat it with the same idempotency key.",
        )
