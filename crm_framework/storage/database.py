"""The database: reads outside a transaction, units of work, and what the app hangs on them."""

from collections.abc import Awaitable, Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from crm_framework import tracing
from crm_framework.errors import CrmError, ErrorCode
from crm_framework.events import Event
from crm_framework.hooks.specs import AT_ONCE, Handling
from crm_framework.settings import Settings

from .audit import Written
from .events import EventTypes
from .feed import Feed
from .notices import CHANNEL, Notices
from .orm import Models
from .outbox import ChangeGuard, EventHandler
from .postgres import PostgresDriver
from .seals import Seals
from .sessions import Driver, Rows, Session, Tuples
from .sql import Dialect, numbered
from .sqlite import SqliteDriver
from .unit_of_work import ActorLike, UnitOfWork
from .urls import SqliteTarget, parse_url

if TYPE_CHECKING:
    from crm_framework.security.scopes import Reach


class Database:
    """An open database; make one with `Database.open`, and `close` it.

    `handlers` and `guards` are set by the app: see `EventHandler` and `ChangeGuard`. With `event_types`
    set, a unit of work refuses events that are not declared there.
    """

    def __init__(self, driver: Driver, models: Models, url: str, name: str) -> None:
        self.dialect: Dialect = driver.dialect
        self.models = models
        self.url = url
        """As it was given to `open`, with the password."""
        self.name = name
        """The database for messages, without the password."""
        self.handlers: Sequence[EventHandler] = ()
        self.handling: Mapping[str, Handling] = {}
        """Which events a handler gets, and when, by its name; all and at once where it is left out."""
        self.guards: Sequence[ChangeGuard] = ()
        self.watchers: list[Callable[[Sequence[Event]], None]] = []
        """Called at once after every commit of this process with what may have happened in it: for what is
        kept in memory. Must not raise."""
        self.bells: list[Callable[[Collection[str]], None]] = []
        """Called after a commit that left the worker something to do, with the names of the loops that are to
        look for it: of this process, and of others while `notices` listens. Must not raise."""
        self.auditors: list[Callable[[Sequence[Written]], None]] = []
        """Called at once after every commit of this process with the entries that it added to the audit log.
        Must not raise."""
        self.segments: Callable[[Sequence[str]], Awaitable[Mapping[str, Reach | None]]] | None = None
        """Whom segments mean now, by their keys; set by the app, as filters have members of plugins. Raises
        `CrmError` where nobody knows that now."""
        self.audit_key: bytes | None = None
        """The secret without which nobody can make an entry of the audit log that passes for one of ours."""
        self.seals = Seals()
        """Makes seals with this secret and former ones."""
        self.event_types: EventTypes | None = None
        self.job_names: Collection[str] | None = None
        """With it set, a unit of work refuses to defer other jobs."""
        self.settings = Settings()
        """For what changes go by: consent, time zones, whom e-mail comes from."""
        self.handler_budget_ms = 250
        self.delivery_budget_ms = 5_000
        self.labels: frozenset[str] = frozenset()
        """Labels of the apps that it was opened with: the core's, and those of the enabled plugins."""
        target = parse_url(url)
        dsn = None if isinstance(target, SqliteTarget) else target.dsn
        self.notices = Notices(driver.dialect, dsn, self._notify, self._ring_here)
        """Tells of new events; see `storage/stream.py` for the events themselves."""
        self.feed = Feed(self)
        """The events as they are committed, for all who follow them in this process."""
        self._driver: Driver | None = driver
        self._logs: list[list[str]] = []

    @classmethod
    async def open(
        cls,
        url: str,
        *,
        apps: Mapping[str, str],
        pool_size: int = 8,
        read_pool_size: int = 8,
        wait_seconds: float = 10.0,
        read_seconds: float | None = None,
        handler_budget_ms: int = 250,
        delivery_budget_ms: int = 5_000,
    ) -> "Database":
        """Opens the database that `url` names (see `parse_url`); it must have been migrated.

        `apps` maps an app's label to the module with its Tortoise models. `pool_size` is the number of
        changes at once on PostgreSQL (SQLite has one writer), `read_pool_size` the number of reads.
        `wait_seconds` is how long anything waits: for a connection, for a lock, for another program.
        `read_seconds` is how long one read may take, after which it is stopped, even if the server does not
        answer. Raises CrmError CONFIGURATION or UNAVAILABLE.
        """
        target = parse_url(url)
        models = await Models.load(target.dialect, apps)
        driver: Driver
        if isinstance(target, SqliteTarget):
            driver = await SqliteDriver.open(
                target, read_pool_size=read_pool_size, wait_seconds=wait_seconds, read_seconds=read_seconds
            )
        else:
            driver = await PostgresDriver.open(
                target,
                pool_size=pool_size,
                read_pool_size=read_pool_size,
                wait_seconds=wait_seconds,
                read_seconds=read_seconds,
            )
        database = cls(driver, models, url, str(target))
        database.handler_budget_ms = handler_budget_ms
        database.delivery_budget_ms = delivery_budget_ms
        database.labels = frozenset(apps)
        return database

    async def close(self) -> None:
        """Ends what runs and lets go of all connections. Closing again does nothing."""
        await self.feed.close()
        await self.notices.close()
        driver, self._driver = self._driver, None
        if driver is not None:
            await driver.close()

    async def __aenter__(self) -> "Database":
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def fetch(self, sql: str, args: Sequence[object] = (), *, bounded: bool = False) -> Rows:
        """The rows of a read, as dicts, outside any transaction; never waits for a writer.

        `?` placeholders on both dialects. Keys and JSON are text on both; times are text on SQLite
        (`parse_time` reads them) and aware datetimes on PostgreSQL, booleans 0 and 1 on SQLite.

        `bounded` says that the statement touches few rows whatever the database holds: by key, or a page
        along an index. SQLite then reads at once instead of on a thread; a statement that proves to be long
        is stopped and goes to a thread after all.
        """
        driver = self._open_driver()
        placed = numbered(sql) if self.dialect == "postgres" else sql
        self.note([placed])
        if tracing.spans is None:
            return await driver.read(placed, args, bounded=bounded)
        with tracing.spans.statement(self.dialect, placed):
            return await driver.read(placed, args, bounded=bounded)

    async def rows(self, sql: str, args: Sequence[object] = (), *, bounded: bool = False) -> Tuples:
        """The same by position instead of by name."""
        placed = numbered(sql) if self.dialect == "postgres" else sql
        self.note([placed])
        if tracing.spans is None:
            return await self._open_driver().rows(placed, args, bounded=bounded)
        with tracing.spans.statement(self.dialect, placed):
            return await self._open_driver().rows(placed, args, bounded=bounded)

    def rows_at_once(self, sql: str, args: Sequence[object]) -> Tuples | None:
        """The rows of a bounded read on SQLite that need no waiting; None where `rows` has to read them."""
        if tracing.spans is not None:
            return None  # which has a span for it
        found = self._open_driver().rows_at_once(sql, args)
        if found is not None:
            self.note([sql])
        return found

    async def fetch_aside(self, sql: str, args: Sequence[object] = ()) -> Rows:
        """As `fetch`, for work of the program's own beside the requests: `counting` does not see it."""
        placed = numbered(sql) if self.dialect == "postgres" else sql
        return await self._open_driver().read(placed, args, bounded=False)

    def unit_of_work(
        self,
        actor: ActorLike | None = None,
        *,
        request_id: str | None = None,
        repeatable: bool = False,
        reach: "Reach | None" = None,
    ) -> UnitOfWork:
        """A new transaction, for `async with`. Without an actor it is the system that acts.

        `repeatable` says that the caller does all of it once more, in one that is not, if `Outdated` gets
        out: see `UnitOfWork.assume`. `reach` are the customers on whom the change may be; None for all.
        """
        return UnitOfWork(self, actor, request_id, repeatable=repeatable, reach=reach)

    @contextmanager
    def counting(self) -> Iterator[list[str]]:
        """Collects the text of every statement, reads and writes, without BEGIN, COMMIT and savepoints.

        What is gathered by `UnitOfWork.insert` counts as one statement a table, although it goes together.
        """
        statements: list[str] = []
        self._logs.append(statements)
        try:
            yield statements
        finally:
            self._logs[:] = [log for log in self._logs if log is not statements]

    def note(self, statements: Iterable[str]) -> None:
        if self._logs:
            told = list(statements)
            for log in self._logs:
                log += told

    def tell(self, events: Sequence[Event]) -> None:
        """Passes the events of a commit on to the watchers, and says that there are some."""
        if events:
            self.notices.committed()
        for watcher in self.watchers:
            watcher(events)

    def ring(self, chores: Collection[str]) -> None:
        """Wakes these loops of the worker, in this process and, on PostgreSQL, in others that listen."""
        if chores:
            self._ring_here(chores)
            self.notices.left(chores)

    def _ring_here(self, chores: Collection[str]) -> None:
        for bell in self.bells:
            bell(chores)

    async def _notify(self, payload: str) -> None:
        await self._open_driver().rows(f"SELECT pg_notify('{CHANNEL}', $1)", (payload,), bounded=True)

    def tell_audited(self, entries: Sequence[Written]) -> None:
        """Passes the entries of the audit log that a commit added on to those who look after it."""
        if entries:
            for auditor in self.auditors:
                auditor(entries)

    async def change_alone(self, sql: str, args: Sequence[object] = ()) -> Rows:
        """The rows of one changing statement that is a transaction by itself, in one round trip.

        Nothing comes with it: no events, no audit. For the program's own bookkeeping.
        """
        placed = numbered(sql) if self.dialect == "postgres" else sql
        self.note([placed])
        session = self.begin()
        try:
            if tracing.spans is None:
                return await session.alone(placed, args)
            with tracing.spans.statement(self.dialect, placed):
                return await session.alone(placed, args)
        finally:
            await session.close()

    def handling_of(self, handler: EventHandler) -> Handling:
        """Which events this handler gets, and when."""
        return self.handling.get(handler.name, AT_ONCE)

    def begin(self) -> Session:
        """A transaction as the driver sees it; `unit_of_work` is the way to ask for one."""
        return self._open_driver().begin()

    def _open_driver(self) -> Driver:
        if self._driver is None:
            raise CrmError(ErrorCode.UNAVAILABLE, f"The database {self.name} is closed.")
        return self._driver

    def __repr__(self) -> str:
        return f"<Database {self.name}{'' if self._driver else ' closed'}>"


__all__: list[Any] = ["ChangeGuard", "Database", "EventHandler", "UnitOfWork"]
