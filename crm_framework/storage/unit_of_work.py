"""One transaction: what is written in it, what happened in it, and whether it may be committed.

A statement that fails or is cancelled leaves a transaction that PostgreSQL refuses to go on with and SQLite
does not; here it is refused on both, unless it is rolled back to a savepoint. So code that runs on one
database runs on the other, and nothing is acknowledged that was not stored.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Coroutine, Sequence
from contextlib import asynccontextmanager, suppress
from contextvars import ContextVar, Token
from datetime import datetime
from types import TracebackType
from typing import TYPE_CHECKING, Any, Protocol, Self

from crm_framework.domain.events import Event
from crm_framework.errors import CrmError, ErrorCode

from . import outbox
from .clock import now
from .orm import Entered
from .sessions import Rows, Session, to_the_end
from .sql import Dialect, name, numbered

if TYPE_CHECKING:
    from .database import Database

log = logging.getLogger(__name__)

_current: ContextVar["UnitOfWork | None"] = ContextVar("crm_unit_of_work", default=None)


class ActorLike(Protocol):
    """Who makes the change, for the audit log."""

    @property
    def kind(self) -> str: ...
    @property
    def id(self) -> str | None: ...
    @property
    def name(self) -> str: ...
    @property
    def token_id(self) -> str | None: ...


class UnitOfWork:
    """A transaction of one task. Enter it with `async with database.unit_of_work(actor) as tx:`.

    Leaving the block commits, and returns once the changes are on disk; an exception, or a cancellation,
    rolls everything back. Tortoise's models run on it inside the block. A broken constraint raises
    `tortoise.exceptions.IntegrityError`; to go on after it, make the attempt inside `savepoint()`.
    """

    def __init__(self, database: "Database", actor: ActorLike | None, request_id: str | None) -> None:
        self.database = database
        self.dialect: Dialect = database.dialect
        self.actor = actor
        self.request_id = request_id
        self.now: datetime = now()
        """When the transaction began; every row it writes carries the same moment."""
        self._owner: asyncio.Task[Any] | None = None
        self._session: Session | None = None
        self._failure: BaseException | None = None
        self._savepoints = 0
        self._events: list[Event] = []
        self._entered: Entered | None = None
        self._token: Token[UnitOfWork | None] | None = None

    async def __aenter__(self) -> Self:
        outer = _current.get()
        task = asyncio.current_task()
        if outer is not None and outer._session is not None and outer._owner is task:
            raise CrmError(
                ErrorCode.INTERNAL,
                "A unit of work was opened inside another one of the same task.",
                hint="Pass the open one on as `tx`; for an attempt that may fail use `tx.savepoint()`.",
            )
        if self._owner is not None:
            raise CrmError(
                ErrorCode.INTERNAL, "A unit of work is entered once; ask the database for a new one."
            )
        self._owner = task
        session = await self.database.begin()
        try:
            self.now = now()
            self._entered = self.database.models.enter(self)
        except BaseException:
            await session.close()
            raise
        self._session = session
        self._token = _current.set(self)
        return self

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None
    ) -> None:
        assert self._session is not None
        session = self._session
        try:
            if exc_type is None:
                await outbox.settle(self)
                self._check()
                await to_the_end(session.commit())
        finally:
            self._session = None
            if self._entered is not None:
                self._entered.leave()
            if self._token is not None:
                with suppress(ValueError):  # left in another context than entered, which is gone by now
                    _current.reset(self._token)
            await session.close()

    async def fetch(self, sql: str, args: Sequence[object] = ()) -> Rows:
        """The rows of a statement with `?` placeholders, as dicts, seen from inside the transaction."""
        return (await self.run(self._placed(sql), args))[1]

    async def execute(self, sql: str, args: Sequence[object] = ()) -> int:
        """Runs a statement with `?` placeholders; the number of rows that it changed."""
        return (await self.run(self._placed(sql), args))[0]

    async def execute_many(self, sql: str, rows: Sequence[Sequence[object]]) -> None:
        """Runs a statement with `?` placeholders once per row of values."""
        if rows:
            await self.run_many(self._placed(sql), rows)

    def emit(self, *events: Event) -> None:
        """Says what happened: stored with the change, in the audit log too, and handed to the plugins."""
        self._check()
        self._events.extend(events)

    def take_events(self) -> list[Event]:
        """The events that were emitted since they were last taken."""
        events, self._events = self._events, []
        return events

    async def lend(self, work: Coroutine[Any, Any, None], seconds: float) -> None:
        """Lets `work` use the unit of work in a task of its own, for so long; raises TimeoutError after it.

        A task of its own, because one that ignores its cancellation is then left behind without any hold on
        the transaction.
        """
        self._check()
        owner, self._owner = self._owner, None
        borrower = asyncio.ensure_future(work)
        self._owner = borrower
        try:
            await asyncio.wait([borrower], timeout=seconds)
        finally:
            self._owner = owner
            if not borrower.done():
                borrower.cancel()
                await to_the_end(_gone(borrower, seconds))
        if borrower.cancelled() or not borrower.done():
            raise TimeoutError
        borrower.result()

    async def lock(self, table: str, keys: Sequence[str], *, key: str = "id") -> None:
        """Holds these rows against other changes until the end, so that what is read next cannot change.

        Always in the order of their keys, so that two changes cannot wait for each other. On SQLite the whole
        unit of work excludes others from its start on, and this does nothing.
        """
        self._check()
        if self.dialect == "postgres" and keys:
            places = ", ".join("?" * len(keys))
            column = name(key)
            await self.fetch(
                f"SELECT 1 FROM {name(table)} WHERE {column} IN ({places}) ORDER BY {column} FOR UPDATE",
                list(keys),
            )

    @asynccontextmanager
    async def savepoint(self) -> AsyncIterator[None]:
        """An attempt: if the block raises, what it wrote and emitted is undone, and the exception goes on."""
        self._check()
        self._savepoints += 1
        label = f"crm_{self._savepoints}"
        events = len(self._events)
        await self._control(f"SAVEPOINT {label}")
        try:
            yield
            await self._control(f"RELEASE SAVEPOINT {label}")
        except BaseException:
            del self._events[events:]
            await to_the_end(self._back_to(label))
            raise

    async def _back_to(self, label: str) -> None:
        if self._session is None:
            return
        try:
            await self._session.query(f"ROLLBACK TO SAVEPOINT {label}", ())
            await self._session.query(f"RELEASE SAVEPOINT {label}", ())
        except Exception as error:
            # The transaction is gone, say with the connection; the exception on its way says why
            self._failed(error)
        else:
            self._failure = None

    async def run(self, sql: str, args: Sequence[object]) -> tuple[int, Rows]:
        """A statement in the dialect's own placeholders: rows affected (or returned), and rows returned."""
        session = self._ready(sql)
        try:
            return await session.query(sql, args)
        except BaseException as error:
            self._failed(error)
            raise

    async def run_insert(self, sql: str, args: Sequence[object]) -> Any:
        session = self._ready(sql)
        try:
            return await session.insert(sql, args)
        except BaseException as error:
            self._failed(error)
            raise

    async def run_many(self, sql: str, rows: Sequence[Sequence[object]]) -> None:
        session = self._ready(sql)
        try:
            await session.execute_many(sql, rows)
        except BaseException as error:
            self._failed(error)
            raise

    async def run_script(self, sql: str) -> None:
        session = self._ready(sql)
        try:
            await session.script(sql)
        except BaseException as error:
            self._failed(error)
            raise

    async def _control(self, sql: str) -> None:
        session = self._check()
        try:
            await session.query(sql, ())
        except BaseException as error:
            self._failed(error)
            raise

    def _ready(self, sql: str) -> Session:
        session = self._check()
        self.database.note(sql)
        return session

    def _check(self) -> Session:
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
            failure = self._failure
            if isinstance(failure, CrmError) and failure.code == ErrorCode.UNAVAILABLE:
                raise CrmError(failure.code, failure.message, hint=failure.hint)
            what = f"{type(failure).__name__}: {failure}".rstrip(": ")
            raise CrmError(
                ErrorCode.INTERNAL,
                f"A statement of this unit of work failed before ({what}), so it cannot go on.",
                hint="Let the exception pass, or make the attempt inside `async with tx.savepoint():`.",
            )
        return self._session

    def _failed(self, error: BaseException) -> None:
        self._failure = error

    def _placed(self, sql: str) -> str:
        return numbered(sql) if self.dialect == "postgres" else sql


async def _gone(task: "asyncio.Task[None]", seconds: float) -> None:
    """Waits until a cancelled task has ended, but not for ever."""
    await asyncio.wait([task], timeout=max(seconds, 1.0))
    if not task.done():
        log.error("An event handler ignores its cancellation and was left behind: %r", task)
    elif not task.cancelled():
        task.exception()  # marks it as seen
