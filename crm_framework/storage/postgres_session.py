"""One transaction on a connection of PostgreSQL, in as few round trips as it can.

BEGIN is sent before the first statement. Where all that there is to do is inserts that fit into one
statement, that one goes alone: a statement by itself is a transaction.
"""

from collections.abc import Awaitable, Callable, Coroutine, Sequence
from typing import Any, TypeVar

import asyncpg

from crm_framework.errors import CrmError

from .copying import MANY, Uncopied, copied_rows, copied_table, each
from .failures import postgres_failure, postgres_refused_it, unavailable
from .gathered import Gathered, Outdated
from .sessions import Rows, to_the_end
from .sql import leaves_nothing_behind, numbered, postgres_args, returns_rows
from .urls import PostgresTarget

T = TypeVar("T")

COMMIT_SECONDS = 30.0
"""How long the server may take to store a change."""


class PostgresSession:
    """A transaction on a connection of its own; `finish(settled, spotless)` gives the connection back."""

    def __init__(
        self,
        connection: Any,
        target: PostgresTarget,
        finish: Callable[[bool, bool], Coroutine[Any, Any, None]],
    ) -> None:
        self._connection = connection
        self._target = target
        self._finish = finish
        self._open = True
        self._settled = True
        """Whether there is nothing to roll back."""
        self._spotless = True
        """Whether the connection is certainly as it was before, as far as it outlives a transaction."""

    async def query(self, sql: str, args: Sequence[object]) -> tuple[int, Rows]:
        values = postgres_args(args)
        if not returns_rows(sql):
            return await self._change(sql, values), []
        await self._begin(sql)
        try:
            rows = [dict(record.items()) for record in await self._connection.fetch(sql, *values)]
        except Exception as error:
            raise postgres_failure(error, self._target) from None
        return len(rows), rows

    async def _change(self, sql: str, values: list[Any]) -> int:
        await self._begin(sql)
        try:
            status: str = await self._connection.execute(sql, *values)
        except Exception as error:
            raise postgres_failure(error, self._target) from None
        return _count(status)

    async def execute_many(self, sql: str, rows: Sequence[Sequence[object]]) -> None:
        into = copied_table(sql) if len(rows) >= MANY else None
        try:
            if into is None or not await self._copy(*into, rows):
                values = [postgres_args(row) for row in rows]
                await self._begin(sql)
                await self._connection.executemany(sql, values)
        except Exception as error:
            raise postgres_failure(error, self._target) from None

    async def _copy(self, table: str, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> bool:
        """Whether COPY could take the values."""
        try:
            blocks = await copied_rows(rows)
        except Uncopied:
            return False
        await self._begin("INSERT")
        await self._connection.copy_to_table(table, source=each(blocks), columns=columns)
        return True

    async def insert(self, sql: str, args: Sequence[object]) -> dict[str, Any] | None:
        rows = (await self.query(sql, args))[1]
        return rows[0] if rows else None

    async def script(self, sql: str) -> None:
        self._spotless = False
        await self._run(f"BEGIN; {sql}" if self._settled else sql)

    async def savepoint(self, label: str, seek: str | None = None) -> bool:
        begun = f"{'BEGIN; ' if self._settled else ''}SAVEPOINT {label}"
        # the answer to several statements is that of the last one, with the number of its rows
        return _count(await self._run(f"{begun}; {seek}" if seek else begun)) > 0

    async def release(self, label: str) -> None:
        await self._run(f"RELEASE SAVEPOINT {label}")

    async def back_to(self, label: str) -> None:
        await self._run(f"ROLLBACK TO SAVEPOINT {label}; RELEASE SAVEPOINT {label}")

    async def write(self, gathered: Gathered) -> None:
        one = gathered.in_one()
        if one is not None:
            if not await self._change(*one) and gathered.assumed:
                raise Outdated
            return
        for sql, args in gathered.assumed:
            if not (await self.query(numbered(sql), args))[0]:
                raise Outdated
        for insert in gathered.inserts:
            await self.execute_many(numbered(insert.sql), insert.rows)

    async def commit(self, gathered: Gathered) -> None:
        alone = gathered.in_one() if self._settled else None
        if alone is None:
            if gathered:
                await self.write(gathered)
            if self._settled:
                return  # there was nothing to do
        await to_the_end(self._commit(alone, assuming=bool(gathered.assumed)))

    async def alone(self, sql: str, args: Sequence[object]) -> Rows:
        if not leaves_nothing_behind(sql):
            self._spotless = False
        values = postgres_args(args)
        answer = self._settle(lambda: self._connection.fetch(sql, *values, timeout=COMMIT_SECONDS))
        return [dict(record) for record in await to_the_end(answer)]

    async def _commit(self, alone: tuple[str, list[Any]] | None, *, assuming: bool) -> None:
        if alone is not None:
            status = await self._settled_by(*alone)
            if assuming and not _count(status):
                raise Outdated
        elif not self._settled:
            status = await self._settled_by("COMMIT", [])
            if status != "COMMIT":
                # PostgreSQL answers COMMIT of a failed transaction with a rollback, and calls it a success
                raise asyncpg.InFailedSQLTransactionError("the transaction was already undone")
            self._settled = True
        await self._give_back()

    async def _settled_by(self, sql: str, values: list[Any]) -> str:
        """Runs the statement that makes the changes last; its status."""
        status: str = await self._settle(
            lambda: self._connection.execute(sql, *values, timeout=COMMIT_SECONDS)
        )
        return status

    async def _settle(self, ask: Callable[[], Awaitable[T]]) -> T:
        """The answer to a statement that makes changes last. Asking fails where the connection is gone."""
        spotless, self._spotless = self._spotless, False  # until it is known how it went
        try:
            answered = await ask()
        except TimeoutError:
            raise self._unknown_outcome() from None
        except Exception as error:
            failure = postgres_failure(error, self._target)
            if isinstance(failure, CrmError) and not postgres_refused_it(error):
                # the connection broke off, before or after it was stored
                raise self._unknown_outcome() from None
            raise failure from None
        self._spotless = spotless
        return answered

    async def _begin(self, sql: str) -> None:
        if not leaves_nothing_behind(sql):
            self._spotless = False
        if self._settled:
            await self._run("BEGIN")

    async def _run(self, sql: str) -> str:
        self._settled = False  # as soon as it may have begun
        try:
            status: str = await self._connection.execute(sql)
        except Exception as error:
            raise postgres_failure(error, self._target) from None
        return status

    async def close(self) -> None:
        if self._open:
            await to_the_end(self._give_back())

    async def _give_back(self) -> None:
        if self._open:
            self._open = False
            await self._finish(self._settled, self._spotless)

    def _unknown_outcome(self) -> CrmError:
        return unavailable(
            f"{self._target} did not confirm the change: it may be stored, or not.",
            "Look before you repeat it, or repeat it with the same idempotency key.",
        )


def _count(status: str) -> int:
    """Rows that a statement changed."""
    count = status.rpartition(" ")[2]
    return int(count) if count.isdigit() else 0
