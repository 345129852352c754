"""A change: what is written, what happened, and who did it, in one transaction."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from datetime import UTC, datetime
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, Protocol, Self, TypeVar

from crm_framework.errors import CrmError, ErrorCode
from crm_framework.events import Event

from . import deferrals, outbox
from .audit import AUDIT_COLUMNS
from .clock import now
from .gathered import Insert
from .orm import Entered, current
from .sessions import Rows
from .sql import CONVERTERS, Dialect, controls_transaction, name, numbered
from .transaction import Transaction
from .turns import PART, parts_of

if TYPE_CHECKING:
    from crm_framework.security.scopes import Reach

    from .database import Database

T = TypeVar("T")


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

    def __init__(
        self,
        database: "Database",
        actor: ActorLike | None,
        request_id: str | None,
        *,
        repeatable: bool = False,
        reach: "Reach | None" = None,
    ) -> None:
        self.database = database
        self.dialect: Dialect = database.dialect
        self.actor = actor
        self.request_id = request_id
        self.reach = reach
        """The customers on whom the change may be; None for all. Whatever resolves or holds customers goes by
        it; those out of reach are as if they were not there. It ends with the block: handlers have their own
        business."""
        self.admitted: set[str] = set()
        """Keys of customers that were found within `reach`, where there is one."""
        self.now: datetime
        """When the transaction began; every row it writes carries the same moment."""
        self.transaction: Transaction = Transaction(database.note, database.dialect)
        """Below the unit of work: statements in the dialect's own placeholders, as the ORM sends them."""
        self._converter = CONVERTERS[database.dialect]
        self._repeatable = repeatable
        self._events: list[Event] = []
        self._emitted: list[Event] = []
        self._deferred: list[deferrals.Deferral] = []
        self._last: list[Callable[[UnitOfWork], Awaitable[None]]] = []
        self._woken: set[str] = set()
        self._entered: Entered | None = None

    async def __aenter__(self) -> Self:
        outer = current.get()
        if outer is not None and outer.transaction.mine:
            raise CrmError(
                ErrorCode.INTERNAL,
                "A unit of work was opened inside another one of the same task.",
                hint="Pass the open one on as `tx`; for an attempt that may fail use `tx.savepoint()`.",
            )
        if self._entered is not None:
            raise CrmError(
                ErrorCode.INTERNAL, "A unit of work is entered once; ask the database for a new one."
            )
        session = self.database.begin()
        self.now = now()
        self._entered = self.database.models.enter(self)
        self.transaction.open(session)
        return self

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None
    ) -> None:
        transaction = self.transaction
        try:
            if exc_type is None:
                self.reach = None
                await outbox.settle(self)
                if self._deferred:
                    await deferrals.settle(self, self._deferred)
                for work in self._last:
                    await work(self)
                try:
                    await transaction.commit()
                finally:
                    # after a failure too: the commit may have reached the disk and only its answer be lost
                    self.database.tell(self._emitted)
                    self.database.ring(self._woken)
                self.database.tell_audited(transaction.audited)
        finally:
            if self._entered is not None:
                self._entered.leave()
            await transaction.close()

    @property
    def inserted(self) -> Sequence[Insert]:
        """After the block: all rows that it inserted, if it did nothing else. They stand there as they were
        given, in the driver's values."""
        return self.transaction.inserted

    async def fetch(self, sql: str, args: Sequence[object] = ()) -> Rows:
        """The rows of a statement with `?` placeholders, as dicts, seen from inside the transaction."""
        return (await self.transaction.run(self._placed(sql), args))[1]

    async def execute(self, sql: str, args: Sequence[object] = ()) -> int:
        """Runs a statement with `?` placeholders; the number of rows that it changed."""
        return (await self.transaction.run(self._placed(sql), args))[0]

    async def execute_many(self, sql: str, rows: Sequence[Sequence[object]]) -> None:
        """Runs a statement with `?` placeholders once per row of values. Many plain rows go by COPY."""
        if rows:
            await self.transaction.run_many(self._placed(sql), rows)

    def insert(self, table: str, *rows: Mapping[str, object]) -> None:
        """Rows of one table to insert, each with the same columns. Nothing is sent yet.

        They go together with all others that are gathered so: before the next statement, so that whatever
        reads in this unit of work sees them, or at the end. That spares round trips. A broken constraint
        shows up there; to catch it, gather inside `savepoint()`, which sends them when its block ends.
        """
        if rows:
            columns = tuple(rows[0])
            self.insert_values(table, columns, [[row[name] for name in columns] for row in rows])

    def insert_values(self, table: str, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
        """The same for many rows: their values in the order of `columns`."""
        if rows:
            self.transaction.insert(name(table), tuple(columns), self._converter.rows(rows))

    async def insert_in_turns(
        self,
        table: str,
        columns: Sequence[str],
        make: Callable[[Sequence[T]], Sequence[Sequence[object]]],
        items: Sequence[T],
    ) -> None:
        """The same for thousands of rows, which `make` makes of some of the items at a time.

        Others go on in between, and PostgreSQL takes the first ones while more are made. `make` cannot use
        the unit of work. Where one cannot be made, some of the others may be there: like a statement that
        failed, only a savepoint around it lets the unit of work go on.
        """
        if len(items) <= PART:
            self.insert_values(table, columns, make(items))
            return
        with self.transaction.inserting(name(table), tuple(columns)) as insert:
            async for part in parts_of(items):
                insert(self._converter.rows(make(part)))

    def assume(self, sql: str, args: Sequence[object] = ()) -> bool:
        """Lets what is gathered be inserted only if this SELECT finds a row; whether it may be so assumed.

        It spares asking first. If it finds none, nothing is changed and `Outdated` is raised, for whoever
        opened the unit of work as `repeatable` to run it again. In others, and where plugins look at the
        events before they are stored, it does nothing and answers False: ask, then. May lock the row.
        """
        if not self._repeatable or self.database.guards:
            return False
        self.transaction.assume(sql, self._converter.args(args))
        return True

    def emit(self, *events: Event) -> None:
        """Says what happened: stored with the change, in the audit log too, and handed to the plugins."""
        self.transaction.check()
        self._events.extend(events)
        self._emitted.extend(events)

    def audit(self, rows: Sequence[tuple[Any, ...]]) -> None:
        """Entries of the audit log, each a row of `AUDIT_COLUMNS`."""
        self.insert_values("crm_audit", AUDIT_COLUMNS, self._audited(rows))

    async def audit_in_turns(
        self, make: Callable[[Sequence[T]], Sequence[tuple[Any, ...]]], items: Sequence[T]
    ) -> None:
        """The same for thousands of entries, as `insert_in_turns`."""
        await self.insert_in_turns("crm_audit", AUDIT_COLUMNS, lambda part: self._audited(make(part)), items)

    def _audited(self, rows: Sequence[tuple[Any, ...]]) -> Sequence[tuple[Any, ...]]:
        self.transaction.audited += [(row[0], row[-1]) for row in rows]
        return rows

    @property
    def events(self) -> Sequence[Event]:
        """What was emitted and not taken yet."""
        return self._events

    @contextmanager
    def dated(self, at: datetime) -> Iterator[None]:
        """Writes rows inside the block as of `at`: it is then `now`. For what happened before it is recorded.

        Events and the audit log keep the moment of the change itself.
        """
        if at.tzinfo is None:
            raise ValueError("dated() takes an aware datetime")
        before, self.now = self.now, at.astimezone(UTC)
        try:
            yield
        finally:
            self.now = before

    def take_events(self) -> list[Event]:
        """The events that were emitted since they were last taken."""
        events, self._events = self._events, []
        return events

    def defer(
        self,
        name: str,
        payload: Mapping[str, Any] | None = None,
        *,
        at: datetime | None = None,
        key: str | None = None,
    ) -> None:
        """Has the worker run a declared job once this is committed, at `at` or as soon as it can.

        `payload` is what the job finds in `job.payload`: JSON, 64 KiB at most. Of the jobs that wait under
        one `key` (200 characters at most) there is one: deferring it again moves it and replaces its payload,
        and two of them never run at once. Without a key this costs no round trip.
        """
        self.transaction.check()
        deferrals.check_declared(self, name)
        self._deferred.append(deferrals.deferral(name, payload or {}, at, key))

    def cancel_deferred(self, name: str, key: str) -> None:
        """Takes back the job that waits under this key, if there is one, once this is committed.

        One that runs already comes to its end, but is not run again, neither after a failure nor to go on.
        """
        self.transaction.check()
        self._deferred.append(deferrals.cancellation(name, key))

    def seal(self, said: str, *, purpose: str) -> str:
        """A seal on what is said, to keep beside it: who can write to the database, and does not know
        `audit_keys`, makes none. Empty where there are no such secrets.

        `purpose`, such as "parcels.receipt", is sealed too, so that a seal of the one thing fits no other.
        """
        return self.database.seals.seal(said, purpose)

    def is_sealed(self, said: str, seal: str, *, purpose: str) -> bool:
        """Whether `seal` made this seal on it, with one of the secrets. An empty one fits where there are
        none, and only there.
        """
        return self.database.seals.fits(said, seal, purpose)

    def finally_do(self, work: "Callable[[UnitOfWork], Awaitable[None]]") -> None:
        """Has this done after everything else and before the commit. What it raises rolls all back."""
        self.transaction.check()
        self._last.append(work)

    def wake(self, *chores: str) -> None:
        """Has these loops of the worker look for work as soon as this is committed.

        It is for whoever leaves them something to do.
        """
        self.transaction.check()
        self._woken.update(chores)

    @asynccontextmanager
    async def savepoint(self, seek: str | None = None) -> AsyncIterator[bool]:
        """An attempt: if the block raises, what it wrote, emitted and deferred is undone, and the exception
        goes on. Yields whether `seek`, a SELECT without values, finds a row: no round trip more."""
        gathered: list[list[Any]] = [self._events, self._emitted, self._deferred, self._last]
        lengths = [len(each) for each in gathered]
        try:
            async with self.transaction.savepoint(seek) as found:
                yield found
        except BaseException:
            # `take_events` puts another list in the place of the first
            for each, length in zip([self._events, *gathered[1:]], lengths, strict=True):
                del each[length:]
            raise

    async def lock(
        self,
        table: str,
        keys: Sequence[str],
        *,
        key: str = "id",
        strength: Literal["UPDATE", "NO KEY UPDATE"] = "UPDATE",
    ) -> None:
        """Holds these rows against other changes until the end, so that what is read next cannot change.

        Always in the order of their keys, so that two changes cannot wait for each other. What a change holds
        in several tables has an order too: see `crm_framework.domain.customers.locks`. With NO KEY UPDATE,
        others may add rows that refer to these. On SQLite the whole unit of work excludes others from its
        start on, and this does nothing.
        """
        self.transaction.check()
        if self.dialect == "postgres" and keys:
            places = ", ".join("?" * len(keys))
            column = name(key)
            await self.fetch(
                f"SELECT 1 FROM {name(table)} WHERE {column} IN ({places}) ORDER BY {column} FOR {strength}",
                list(keys),
            )

    def _placed(self, sql: str) -> str:
        if controls_transaction(sql):
            raise CrmError(
                ErrorCode.INTERNAL,
                f"{sql:.60} is not for a unit of work to run: leaving its block commits it.",
                hint="Raise an exception to roll back, and use `tx.savepoint()` for an attempt.",
            )
        return numbered(sql) if self.dialect == "postgres" else sql
