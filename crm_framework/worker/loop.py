"""The loops of the worker: each looks for what is due, does it, and rests until it is woken or for a while.

Any number of processes run the same loops on one database. What is due is found by all of them; that only one
does it is for the chore to see to, by a row that it locks or leases.
"""

import asyncio
import logging
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass

from crm_framework.errors import CrmError, ErrorCode
from crm_framework.events import Event
from crm_framework.storage.database import Database
from crm_framework.storage.notices import EVERY_CHORE

log = logging.getLogger(__name__)

POLL_SECONDS = {"sqlite": 0.5, "postgres": 2.0}
"""How long a loop rests that nobody wakes, give or take a quarter, so that nodes drift apart. On SQLite,
where looking costs little, other processes wake nobody."""
FIRST_PAUSE = 1.0
LONGEST_PAUSE = 60.0
"""Seconds that a chore is left alone after it failed, doubled each time in a row up to the longest."""
LONGEST_AWAY = 5.0
"""The longest where the database was away: what waits for it goes on soon after it is back."""
EVENTS_SECONDS = 0.05
"""How often, at most, a chore looks again because of events of this process: each look is a read."""
CANCEL_SECONDS = 5.0
"""How long what was cancelled at the end is waited for."""

Piece = Callable[[], Awaitable[None]]
"""One piece of work that is due."""


@dataclass(frozen=True, kw_only=True)
class Chore:
    """A kind of owed work. `name` is also what `UnitOfWork.wake` knows it by.

    `due(room)` gives at most `room` pieces that are due now; each is then run in a task of its own, `width`
    at once. It reads first and changes only when there is something, as it is asked every few seconds. Fewer
    pieces than `room` mean that there are no more. With `on_events` it also looks soon after this process has
    committed events. A piece sees to it by itself that another process does not
    do it too, and that a failure is noted; what it raises is taken for a fault of the database, and the chore
    pauses.
    """

    name: str
    due: Callable[[int], Awaitable[Sequence[Piece]]]
    width: int = 1
    on_events: bool = False


class Worker:
    """Runs the chores of one process. See `working` for one that goes on until the block ends."""

    def __init__(self, chores: Sequence[Chore], *, poll_seconds: float = POLL_SECONDS["postgres"]) -> None:
        self._loops = {chore.name: _Loop(chore, poll_seconds) for chore in chores}

    def wake(self, names: Collection[str]) -> None:
        """Has these chores look for work now. Names that are not known are left out."""
        for name in self._loops if EVERY_CHORE in names else names:
            if name in self._loops:
                self._loops[name].stir()

    async def run(self) -> None:
        """Works until `stop` is called and what was begun is done. To cut that short, cancel it."""
        async with asyncio.TaskGroup() as group:
            for loop in self._loops.values():
                group.create_task(loop.run(), name=f"crm worker: {loop.chore.name}")

    def stop(self) -> None:
        """Begins nothing any more."""
        for loop in self._loops.values():
            loop.stop()

    async def drain(self) -> int:
        """Does all that is due now and what comes of it, and ends; the number of pieces done.

        Raises what a piece raises, after those beside it have ended.
        """
        done = 0
        found = True
        while found:
            found = False
            for loop in self._loops.values():
                pieces = [] if loop.stopping else await loop.chore.due(loop.chore.width)
                results = await asyncio.gather(*(piece() for piece in pieces), return_exceptions=True)
                for result in results:
                    if isinstance(result, BaseException):
                        raise result
                done += len(pieces)
                found = found or bool(pieces)
        return done


class _Loop:
    """One chore's."""

    def __init__(self, chore: Chore, poll_seconds: float) -> None:
        self.chore = chore
        self.stopping = False
        self._poll_seconds = poll_seconds
        self._stirred = asyncio.Event()
        self._running: set[asyncio.Task[None]] = set()
        self._full = False
        """Whether there may be more than there was room for when it last looked."""
        self._failures = 0
        self._pause_due = False
        self._longest_pause = LONGEST_PAUSE

    def stir(self) -> None:
        self._stirred.set()

    def stop(self) -> None:
        self.stopping = True
        self._stirred.set()

    async def run(self) -> None:
        try:
            while not self.stopping:
                self._stirred.clear()  # before looking: what comes meanwhile is looked for once more
                await self._begin_what_is_due()
                if self._pause_due:
                    await self._pause()
                else:
                    await self._rest(self._poll_seconds * random.uniform(0.75, 1.25))
            if self._running:
                await asyncio.wait(self._running)
        except asyncio.CancelledError:
            await self._cut_short()
            raise

    async def _begin_what_is_due(self) -> None:
        room = self.chore.width - len(self._running)
        if room <= 0:
            self._full = True
            return
        try:
            pieces = await self.chore.due(room)
        except Exception as error:
            self._failed("could not look for work", error)
            return
        self._full = len(pieces) >= room
        for piece in pieces:
            task = asyncio.create_task(self._do(piece), name=f"crm worker: {self.chore.name}")
            self._running.add(task)
            task.add_done_callback(self._ended)
        if not pieces and not self._running:
            self._failures = 0

    async def _do(self, piece: Piece) -> None:
        try:
            await piece()
        except Exception as error:
            self._failed("failed", error)
        else:
            self._failures = 0

    def _ended(self, task: "asyncio.Task[None]") -> None:
        self._running.discard(task)
        if self._full or self._pause_due:
            self._stirred.set()

    def _failed(self, what: str, error: Exception) -> None:
        if not self._pause_due:  # those that ran side by side failed for one reason
            self._failures += 1
        self._pause_due = True
        away = isinstance(error, CrmError) and error.code is ErrorCode.UNAVAILABLE
        self._longest_pause = LONGEST_AWAY if away else LONGEST_PAUSE
        told = (self.chore.name, what, self._failures)
        if away:
            log.warning("The worker's %s %s (%d in a row): %s", *told, error)
        else:
            log.error("The worker's %s %s (%d in a row)", *told, exc_info=error)

    async def _pause(self) -> None:
        """Rests longer with each failure; only the end of the worker wakes it."""
        self._pause_due = False
        clock = asyncio.get_running_loop()
        seconds = min(FIRST_PAUSE * 2 ** min(self._failures - 1, 10), self._longest_pause)
        until = clock.time() + seconds * random.uniform(0.75, 1.25)
        while not self.stopping and (left := until - clock.time()) > 0:
            self._stirred.clear()
            await self._rest(left)

    async def _rest(self, seconds: float) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._stirred.wait()

    async def _cut_short(self) -> None:
        for task in self._running:
            task.cancel()
        if self._running:
            await asyncio.wait(self._running, timeout=CANCEL_SECONDS)
            for _ in self._running:
                log.error("Work of %s ignores its cancellation and is left behind", self.chore.name)


class _Followers:
    """The chores that follow events: woken at once by the first one, and by those of a moment together."""

    def __init__(self, worker: Worker, names: Collection[str]) -> None:
        self._worker = worker
        self._names = names
        self._resting = False
        self._more = False

    def watch(self, events: Sequence[Event]) -> None:
        if not events:
            return
        if self._resting:
            self._more = True
        else:
            self._wake()

    def _wake(self) -> None:
        self._worker.wake(self._names)
        self._resting = True
        asyncio.get_running_loop().call_later(EVENTS_SECONDS, self._rested)

    def _rested(self) -> None:
        self._resting = False
        if self._more:
            self._more = False
            self._wake()


@asynccontextmanager
async def working(
    database: Database, chores: Sequence[Chore], *, grace_seconds: float
) -> AsyncIterator[Worker]:
    """A worker that goes on while the block runs, woken by the changes of this process and of others.

    At the end it begins nothing more, and what runs has `grace_seconds` to come to its end before it is
    cancelled.
    """
    worker = Worker(chores, poll_seconds=POLL_SECONDS[database.dialect])
    followers = _Followers(worker, [chore.name for chore in chores if chore.on_events])
    database.bells.append(worker.wake)
    database.notices.listen()
    database.watchers.append(followers.watch)
    running = asyncio.create_task(worker.run(), name="crm worker")
    try:
        yield worker
    finally:
        database.bells.remove(worker.wake)
        database.watchers.remove(followers.watch)
        await finish(worker, running, grace_seconds)


async def finish(worker: Worker, running: "asyncio.Task[None]", grace_seconds: float) -> None:
    """Stops `running`, the task of `worker.run()`: what it does may go on for so long and is cancelled."""
    worker.stop()
    await asyncio.wait([running], timeout=grace_seconds)
    if not running.done():
        log.warning("The worker is stopped with work under way; it will be done again")
        running.cancel()
        await asyncio.wait([running])
    if not running.cancelled() and (error := running.exception()) is not None:
        log.error("The worker ended by a fault", exc_info=error)
