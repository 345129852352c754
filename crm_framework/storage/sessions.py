"""What a driver offers: reads outside a transaction, and sessions, each of which is one transaction."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any, Protocol, TypeVar

from crm_framework.errors import CrmError

from .copying import Feed
from .failures import unavailable
from .gathered import Gathered
from .sql import Dialect

T = TypeVar("T")
Rows = list[dict[str, Any]]
Tuples = Sequence[Sequence[Any]]
"""Rows by position, in the order of the SELECT list."""


Copy = Callable[[Feed], Awaitable[None]]
"""Inserts rows as they come."""


class Session(Protocol):
    """A transaction on a connection of its own; it begins with the first statement."""

    @property
    def copy(self) -> Copy | None:
        """None where it is of no use to begin before all rows are there."""
        ...

    async def query(self, sql: str, args: Sequence[object]) -> tuple[int, Rows]:
        """One statement in the dialect's own placeholders: rows affected or returned, and the rows."""
        ...

    async def execute_many(self, sql: str, rows: Sequence[Sequence[object]]) -> None: ...

    async def insert(self, sql: str, args: Sequence[object]) -> Any:
        """An INSERT of the ORM: the generated key on SQLite, the returned row on PostgreSQL."""
        ...

    async def script(self, sql: str) -> None:
        """Several statements without values, inside the transaction."""
        ...

    async def savepoint(self, label: str, seek: str | None = None) -> bool:
        """Sets it; whether the SELECT `seek`, without values, then finds a row."""
        ...

    async def release(self, label: str) -> None: ...

    async def back_to(self, label: str) -> None:
        """Undoes what came after the savepoint, and the savepoint itself."""
        ...

    async def write(self, gathered: Gathered) -> None:
        """Inserts these rows. Raises `Outdated`, with none of them inserted, if an assumption fails."""
        ...

    async def commit(self, gathered: Gathered) -> None:
        """Inserts these rows and returns once all changes are on disk; raises, with nothing kept, if they
        cannot be. What is under way is carried through even if the caller is cancelled."""
        ...

    async def alone(self, sql: str, args: Sequence[object]) -> Rows:
        """The rows of one statement that is the whole transaction, once its changes are on disk."""
        ...

    async def close(self) -> None:
        """Rolls back what is not committed and gives the connection back. Never raises."""
        ...


class Driver(Protocol):
    dialect: Dialect

    def begin(self) -> Session: ...

    async def read(self, sql: str, args: Sequence[object], *, bounded: bool) -> Rows: ...

    async def rows(self, sql: str, args: Sequence[object], *, bounded: bool) -> Tuples: ...

    def rows_at_once(self, sql: str, args: Sequence[object]) -> Tuples | None: ...

    async def close(self) -> None: ...


class Slots:
    """A limit on what runs at once. Waiting ends with CrmError UNAVAILABLE after `wait_seconds`."""

    def __init__(self, size: int, wait_seconds: float, busy: str) -> None:
        self.size = size
        self._free = asyncio.Semaphore(size)
        self._wait_seconds = wait_seconds
        self._busy = busy

    async def take(self) -> None:
        if not self._free.locked():
            await self._free.acquire()  # at once, and a deadline would cost more than that
            return
        try:
            async with asyncio.timeout(self._wait_seconds):
                await self._free.acquire()
        except TimeoutError:
            raise self.busy() from None

    def busy(self) -> CrmError:
        """The error for one who waited too long."""
        return unavailable(f"{self._busy} for more than {self._wait_seconds:g} seconds.", "Try again later.")

    def give_back(self) -> None:
        self._free.release()

    @asynccontextmanager
    async def one(self) -> AsyncIterator[None]:
        await self.take()
        try:
            yield
        finally:
            self.give_back()


async def to_the_end(work: Coroutine[Any, Any, T] | asyncio.Future[T]) -> T:
    """Runs `work` to its end even if the caller is cancelled; the cancellation is raised afterwards."""
    task = work if isinstance(work, asyncio.Future) else asyncio.ensure_future(work)
    ended: asyncio.Future[None] = task.get_loop().create_future()  # `shield` costs three times as much

    def end(_: object) -> None:
        if not ended.done():
            ended.set_result(None)

    task.add_done_callback(end)
    try:
        await ended
        return task.result()
    except asyncio.CancelledError:
        while not task.done():
            with suppress(asyncio.CancelledError):
                await asyncio.wait([task])
        if not task.cancelled():
            task.exception()  # marks it as seen: the cancellation stands for both
        raise
