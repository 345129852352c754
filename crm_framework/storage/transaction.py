"""Who may use an open session, and whether it may still be committed.

One task at a time: statements of two tasks on one connection mix their changes. And none after a statement
that failed or was cancelled: PostgreSQL refuses to go on then and SQLite does not; here it is refused on
both, unless it is rolled back to a savepoint. So code that runs on one database runs on the other, and
nothing is acknowledged that was not stored.
"""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from functools import partial
from typing import Any, TypeVar

from crm_framework import tracing
from crm_framework.errors import CrmError, ErrorCode, contained

from .audit import Written
from .copying import Feed
from .gathered import Gathered, Insert, Outdated, insert_sql
from .own_time import OwnTime
from .sessions import Copy, Rows, Session, to_the_end
from .sql import Dialect

log = logging.getLogger(__name__)

T = TypeVar("T")

PARTS = 5
"""A borrower's time is given in so many parts. In each counts, of what others do on the event loop, no more
than the part: it is not to blame for somebody else's stall.
"""

GRACE_SECONDS = 1.0
"""How long a borrower that was cancelled is waited for before it is left behind."""


class Transaction:
    """A session that belongs to the task that opened it. Statements are in the dialect's own placeholders."""

    def __init__(self, note: Callable[[Iterable[str]], None], dialect: Dialect) -> None:
        self._session: Session | None = None
        self._dialect = dialect
        self._note = note
        self._owner: asyncio.Task[Any] | None = None
        self._failure: BaseException | None = None
        self._savepoints = 0
        self._gathered = Gathered()
        self._ahead: asyncio.Task[None] | None = None
        """What is being sent while its owner makes more ready."""
        self.audited: list[Written] = []
        """Entries of the audit log that it writes; those of a savepoint that is undone are taken out."""
        self._ran = False
        self.inserted: Sequence[Insert] = ()
        """After the commit: what was inserted, if no other statement ran; what ran might have changed it."""

    def open(self, session: Session) -> None:
        """Lets the current task use it, until `close`."""
        self._session, self._owner = session, asyncio.current_task()

    @property
    def mine(self) -> bool:
        """Whether it is open and the current task's."""
        return self._session is not None and self._owner is asyncio.current_task()

    async def run(self, sql: str, args: Sequence[object]) -> tuple[int, Rows]:
        """Rows affected (or returned), and rows returned."""
        return await self._statement(sql, lambda session: session.query(sql, args))

    async def run_insert(self, sql: str, args: Sequence[object]) -> Any:
        return await self._statement(sql, lambda session: session.insert(sql, args))

    async def run_many(self, sql: str, rows: Sequence[Sequence[object]]) -> None:
        await self._statement(sql, lambda session: session.execute_many(sql, rows))

    async def run_script(self, sql: str) -> None:
        await self._statement(sql, lambda session: session.script(sql))

    def insert(self, table: str, columns: tuple[str, ...], rows: list[Sequence[Any]]) -> None:
        """Rows that go before the next statement, or with the commit; values as the driver takes them."""
        self.check()
        self._gathered.add(table, columns, rows)

    def assume(self, sql: str, args: list[Any]) -> None:
        """A SELECT, with `?` placeholders, that must find a row for what is gathered to be inserted."""
        self.check()
        self._gathered.assumed.append((sql, args))

    def unsent(self, table: str) -> Iterator[tuple[tuple[str, ...], Sequence[Any]]]:
        """Columns and values of each row of the table that is gathered still, and so is as it was given."""
        for insert in self._gathered.inserts:
            if insert.table == table:
                for row in insert.rows:
                    yield insert.columns, row

    async def flush(self) -> None:
        """Sends what was gathered, and waits for what is being sent."""
        if self._gathered or self._ahead is not None:
            await self._statement(None, _nothing)

    @contextmanager
    def inserting(
        self, table: str, columns: tuple[str, ...]
    ) -> Iterator[Callable[[list[Sequence[Any]]], None]]:
        """For rows of one table that are made in turns: those handed in are sent while more are made.

        What was gathered goes before them. More can be gathered meanwhile, and other tables follow; all else
        waits for them, and fails if they do. Where sending them ahead is of no use, they are gathered.
        Nothing can follow a block that did not come to its end: some of the rows may be there.
        """
        session = self.check()
        try:
            if session.copy is None:
                yield partial(self.insert, table, columns)
            else:
                feed = Feed(table, columns)
                sent = self._fed(session, session.copy, self._ahead, self._taken(), feed)
                self._ran, self._ahead = True, asyncio.ensure_future(sent)
                yield feed.add
                feed.end()
        except BaseException as error:
            self._failure = error
            raise

    async def _fed(
        self, session: Session, copy: Copy, before: Awaitable[None] | None, gathered: Gathered, feed: Feed
    ) -> None:
        if before is not None:
            await before
        if gathered:
            await self._write(session, gathered)
        sql = insert_sql(feed.table, feed.columns)
        self._note([sql])
        if tracing.spans is None:
            await copy(feed)
        else:
            with tracing.spans.statement(self._dialect, sql):
                await copy(feed)

    async def _sent(self) -> None:
        """Waits for what is being sent."""
        ahead, self._ahead = self._ahead, None
        if ahead is not None:
            try:
                await ahead
            except BaseException as error:
                self._failure = error
                raise

    async def _write(self, session: Session, gathered: Gathered) -> None:
        if tracing.spans is None:
            await session.write(gathered)
        else:
            with tracing.spans.statement(self._dialect, _text(gathered)):
                await session.write(gathered)

    async def _statement(self, sql: str | None, send: Callable[[Session], Awaitable[T]]) -> T:
        session = self.check()
        self._ran = True
        try:
            if self._ahead is not None:
                await self._sent()
            if self._gathered:
                await self._write(session, self._taken())
            if sql is not None:
                self._note([sql])
                if tracing.spans is not None:
                    with tracing.spans.statement(self._dialect, sql):
                        return await send(session)
            return await send(session)
        except BaseException as error:
            self._failure = error
            raise

    def _taken(self) -> Gathered:
        """What was gathered, which is about to be sent."""
        gathered, self._gathered = self._gathered, Gathered()
        self._note(insert.sql for insert in gathered.inserts)
        return gathered

    @asynccontextmanager
    async def savepoint(self, seek: str | None = None) -> AsyncIterator[bool]:
        """Yields whether `seek` finds a row: a SELECT without values, which costs no round trip here."""
        self._savepoints += 1
        label = f"crm_{self._savepoints}"
        audited = len(self.audited)
        found = await self._statement(None, lambda session: session.savepoint(label, seek))
        try:
            yield found
            await self._statement(None, lambda session: session.release(label))
        except BaseException:
            del self.audited[audited:]
            await to_the_end(self._back_to(label))
            raise

    async def _back_to(self, label: str) -> None:
        self._gathered = Gathered()
        await self._stop_sending()
        if self._session is None:
            return
        try:
            await self._session.back_to(label)
        except Exception as error:
            # The transaction is gone, say with the connection; the exception on its way says why
            self._failure = error
        else:
            self._failure = None

    async def lend(self, work: OwnTime, seconds: float) -> None:
        """Lets `work` use the transaction in a task of its own, for so long; raises TimeoutError after it.

        A task of its own, because one that ignores its cancellation is then left behind without any hold on
        the transaction. See `PARTS` for how the time is counted.
        """
        self.check()
        owner = self._owner
        borrower = self._owner = asyncio.ensure_future(_contained(work))
        try:
            await _for_its_time(borrower, work, seconds)
        finally:
            self._owner = owner
            if not borrower.done():
                borrower.cancel()
                await to_the_end(_gone(borrower))
        if borrower.cancelled() or not borrower.done():
            raise TimeoutError
        borrower.result()

    async def commit(self) -> None:
        session = self.check()
        if self._ahead is not None:
            await self._sent()
        gathered = self._taken()
        if tracing.spans is None or not (gathered or self._ran):
            await session.commit(gathered)
        else:
            with tracing.spans.statement(self._dialect, _text(gathered, "COMMIT")):
                await session.commit(gathered)
        if not self._ran:
            self.inserted = gathered.inserts

    async def close(self) -> None:
        """Rolls back what is not committed; nobody can use it any more."""
        session, self._session = self._session, None
        if self._ahead is not None:
            await to_the_end(self._stop_sending())
        if session is not None:
            await session.close()

    async def _stop_sending(self) -> None:
        """Nobody waits for it any more: it is to be undone."""
        ahead, self._ahead = self._ahead, None
        if ahead is not None:
            ahead.cancel()
            await asyncio.wait([ahead])
            if not ahead.cancelled():
                ahead.exception()  # marks it as seen

    def check(self) -> Session:
        """The session, if this task may use it now."""
        if self._session is None:
            raise CrmError(
                ErrorCode.INTERNAL,
                "The unit of work is not open.",
                hint="Use it inside its `async with` block only; nothing may outlive the block.",
            )
        if asyncio.current_task() is not self._owner:
            raise CrmError(
                ErrorCode.INTERNAL,
                "The unit of work belongs to another task; there is one task per unit of work.",
                hint="Await one call after the other instead of asyncio.gather or create_task.",
            )
        if self._failure is not None:
            raise _gone_wrong(self._failure)
        return self._session


async def _for_its_time(borrower: "asyncio.Task[None]", work: OwnTime, seconds: float) -> None:
    """Waits until the borrower is done, or has had its time."""
    left = seconds
    while left > 0 and not borrower.done():
        began, spent = time.perf_counter(), work.spent
        part = min(left, seconds / PARTS)
        await asyncio.wait([borrower], timeout=part)
        left -= min(time.perf_counter() - began, part + work.spent - spent)


async def _contained(work: OwnTime) -> None:
    try:
        with contained():
            await work
    except GeneratorExit as error:
        raise RuntimeError("it raised GeneratorExit") from error


def _text(gathered: Gathered, *more: str) -> str:
    """What goes to the database in one step, as text without values."""
    assumed = (sql for sql, _ in gathered.assumed)
    return "; ".join([*(insert.sql for insert in gathered.inserts), *assumed, *more])


async def _nothing(session: Session) -> None: ...


def _gone_wrong(failure: BaseException) -> Exception:
    if isinstance(failure, Outdated):
        return failure
    if isinstance(failure, CrmError) and failure.code == ErrorCode.UNAVAILABLE:
        return CrmError(failure.code, failure.message, hint=failure.hint)
    what = f"{type(failure).__name__}: {failure}".rstrip(": ")
    return CrmError(
        ErrorCode.INTERNAL,
        f"A statement of this unit of work failed before ({what}), so it cannot go on.",
        hint="Let the exception pass, or make the attempt inside `async with tx.savepoint():`.",
    )


async def _gone(task: "asyncio.Task[None]") -> None:
    """Waits until a cancelled task has ended, but not for ever."""
    await asyncio.wait([task], timeout=GRACE_SECONDS)
    if not task.done():
        log.error("An event handler ignores its cancellation and was left behind: %r", task)
    elif not task.cancelled():
        task.exception()  # marks it as seen
