"""One transaction on a connection of PostgreSQL, in as few round trips as it can.

It has a connection from its first statement on, before which BEGIN is sent. Where all that there is to do is
inserts that fit into one statement, none is needed: that one is a transaction by itself, and goes together
with others.
"""

from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import asyncpg

from crm_framework.errors import CrmError

from .copying import MANY, Feed, copied_table
from .failures import postgres_failure, postgres_refused_it, unconfirmed
from .gathered import Gathered, Outdated, in_one, insert_sql
from .sessions import Rows, to_the_end
from .sql import leaves_nothing_behind, numbered, postgres_args, returns_rows
from .turns import parts_of

if TYPE_CHECKING:
    from .postgres import PostgresDriver

T = TypeVar("T")

COMMIT_SECONDS = 30.0
"""How long the server may take to store a change."""


class PostgresSession:
    """A transaction."""

    def __init__(self, driver: "PostgresDriver") -> None:
        self._driver = driver
        self._target = driver.target
        self._connection: Any = None
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
        if into is None:
            await self._begin(sql)
            await self._one_by_one(sql, rows)
            return
        feed = Feed(*into)
        async for part in parts_of(rows):
            feed.add(part)
        feed.end()
        await self.copy(feed)

    async def copy(self, feed: Feed) -> None:
        if self._settled:
            await self._run("BEGIN")
        # asyncpg quotes what it is given, and a name without quotes means the one in lower case
        table, columns = feed.table.lower(), tuple(map(str.lower, feed.columns))
        while True:
            try:
                await self._connection.copy_to_table(table, source=feed, columns=columns)
            except Exception as error:
                raise postgres_failure(error, self._target) from None
            if not feed.uncopied:
                return
            await self._one_by_one(numbered(insert_sql(feed.table, feed.columns)), feed.uncopied)

    async def _one_by_one(self, sql: str, rows: Sequence[Sequence[object]]) -> None:
        try:
            await self._connection.executemany(sql, [postgres_args(row) for row in rows])
        except Exception as error:
            raise postgres_failure(error, self._target) from None

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
        kind = gathered.kind
        if kind is not None:
            if not await self._change(in_one(kind), gathered.values) and gathered.assumed:
                raise Outdated
            return
        for sql, args in gathered.assumed:
            if not (await self.query(numbered(sql), args))[0]:
                raise Outdated
        for insert in gathered.inserts:
            await self.execute_many(numbered(insert.sql), insert.rows)

    async def commit(self, gathered: Gathered) -> None:
        kind = gathered.kind if self._settled else None
        if kind is not None:
            await to_the_end(self._driver.wholes.add(kind, gathered))
            return
        if gathered:
            await self.write(gathered)
        if not self._settled:
            await to_the_end(self._commit())

    async def _commit(self) -> None:
        status: str = await self._settle(lambda: self._connection.execute("COMMIT", timeout=COMMIT_SECONDS))
        if status != "COMMIT":
            # PostgreSQL answers COMMIT of a failed transaction with a rollback, and calls it a success
            raise asyncpg.InFailedSQLTransactionError("the transaction was already undone")
        self._settled = True

    async def alone(self, sql: str, args: Sequence[object]) -> Rows:
        if not leaves_nothing_behind(sql):
            self._spotless = False
        values = postgres_args(args)
        await self.connect()
        return [dict(record) for record in await to_the_end(self.returned(sql, values))]

    async def connect(self) -> None:
        """Takes a connection, if it has none yet. Raises what keeps it from getting one."""
        if self._connection is None:
            self._connection = await self._driver.connect()

    async def types_of(self, sql: str) -> Sequence[asyncpg.Type]:
        """The types of a statement's values."""
        types: Sequence[asyncpg.Type] = (await self._connection.prepare(sql)).get_parameters()
        return types

    async def changed(self, sql: str, values: Sequence[Any]) -> int:
        """Rows that a statement changed, which is the whole transaction."""
        status = await self._settle(lambda: self._connection.execute(sql, *values, timeout=COMMIT_SECONDS))
        return _count(status)

    async def returned(self, sql: str, values: Sequence[Any]) -> Sequence[asyncpg.Record]:
        """What a statement returned, which is the whole transaction."""
        return await self._settle(lambda: self._connection.fetch(sql, *values, timeout=COMMIT_SECONDS))

    async def _settle(self, ask: Callable[[], Awaitable[T]]) -> T:
        """The answer to a statement that makes changes last. Asking fails where the connection is gone."""
        spotless, self._spotless = self._spotless, False  # until it is known how it went
        try:
            answered = await ask()
        except TimeoutError:
            raise unconfirmed(self._target) from None
        except Exception as error:
            failure = postgres_failure(error, self._target)
            if isinstance(failure, CrmError) and not postgres_refused_it(error):
                # the connection broke off, before or after it was stored
                raise unconfirmed(self._target) from None
            raise failure from None
        self._spotless = spotless
        return answered

    async def _begin(self, sql: str) -> None:
        if not leaves_nothing_behind(sql):
            self._spotless = False
        if self._settled:
            await self._run("BEGIN")

    async def _run(self, sql: str) -> str:
        await self.connect()
        self._settled = False  # as soon as it may have begun
        try:
            status: str = await self._connection.execute(sql)
        except Exception as error:
            raise postgres_failure(error, self._target) from None
        return status

    async def close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is None:
            return
        if not (self._settled and self._spotless and self._driver.keep(connection)):
            await to_the_end(self._driver.finish(connection, settled=self._settled))


def _count(status: str) -> int:
    """Rows that a statement changed."""
    count = status.rpartition(" ")[2]
    return int(count) if count.isdigit() else 0
