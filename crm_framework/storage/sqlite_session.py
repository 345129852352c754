"""One transaction of SQLite's writer, in as few visits to its thread as it can.

BEGIN goes with the first statement. Until then nothing is held: what only gathers rows to insert waits for
nobody, and all it does is one visit at the end.

A statement whose task is cancelled is stopped. If it changes something, SQLite then undoes the whole
transaction, not only the innermost savepoint. Hence the session keeps what it did: going back to a savepoint
begins again and repeats it up to there.
"""

import asyncio
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from . import sqlite_steps as steps
from .gathered import Gathered
from .sessions import Rows, to_the_end
from .sql import CONVERTERS, is_read, sqlite_args
from .sqlite_again import Done

if TYPE_CHECKING:
    from .sqlite import SqliteDriver

T = TypeVar("T")


class SqliteSession:
    """A transaction; it excludes all others from its first statement on."""

    copy = None
    """The writer's thread would ask for the interpreter at every row."""

    def __init__(self, driver: "SqliteDriver") -> None:
        self._driver = driver
        self._holds = False
        """Whether the writer is its own, until the end."""
        self._done = Done()
        self._stopped = False
        """Whether a step of it was asked to stop."""

    async def query(self, sql: str, args: Sequence[object]) -> tuple[int, Rows]:
        values = sqlite_args(args)
        if is_read(sql):
            return await self._do(steps.query, sql, values)
        return await self._change(steps.query, sql, values)

    async def execute_many(self, sql: str, rows: Sequence[Sequence[object]]) -> None:
        await self._change(steps.execute_many, sql, CONVERTERS["sqlite"].rows(rows))

    async def insert(self, sql: str, args: Sequence[object]) -> int | None:
        return await self._change(steps.insert, sql, sqlite_args(args))

    async def script(self, sql: str) -> None:
        for statement in steps.statements(sql):
            await self._change(steps.query, statement, [])

    async def savepoint(self, label: str, seek: str | None = None) -> bool:
        return await self._do(self._done.savepoint, label, seek)

    async def release(self, label: str) -> None:
        await self._do(self._done.release, label)

    async def back_to(self, label: str) -> None:
        await self._do(self._done.back_to, label, self._stopped)

    async def write(self, gathered: Gathered) -> None:
        await self._change(steps.write, gathered)

    async def commit(self, gathered: Gathered) -> None:
        if self._holds:
            await to_the_end(self._driver.write(steps.write_and_commit, gathered))
        elif gathered:
            await self._driver.write_whole(gathered)

    async def alone(self, sql: str, args: Sequence[object]) -> Rows:
        rows = (await self.query(sql, args))[1]
        await self.commit(Gathered())
        return rows

    async def close(self) -> None:
        if self._holds:
            self._holds = False
            self._driver.undo()

    async def _change(self, step: Callable[..., T], *args: Any) -> T:
        answer = await self._do(step, *args)
        self._done.note(step, *args)
        return answer

    async def _do(self, step: Callable[..., T], *args: Any) -> T:
        if not self._holds:
            await self._driver.take_writer()
            self._holds = True
            step, args = steps.first, (step, *args)
        try:
            return await self._driver.write(step, *args)
        except asyncio.CancelledError:
            self._stopped = True
            raise
