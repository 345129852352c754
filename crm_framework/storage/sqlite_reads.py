"""SQLite's two ways to read: at once on the event loop, or on a thread.

On the loop a read of one record takes a tenth of what the way to a thread and back costs, but everybody waits
for it. So nothing is believed there: SQLite counts the steps of its virtual machine, and a statement that
needs too many is stopped and goes to a thread, then and for a while after.
"""

import asyncio
import sqlite3
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from queue import SimpleQueue
from typing import Any, Generic, TypeVar

T = TypeVar("T")
Step = Callable[[sqlite3.Connection, str, list[Any]], T]
"""What is done with a connection, such as `steps.query`."""

STEPS_PER_CALL = 1_000
CALLS = 10
"""Calls of the progress handler, and steps between them, that a read may take on the loop: 0.4 to 4 ms where
the file is in memory. A page of 250 records takes 4,000 steps."""

SLOW_SECONDS = 0.01
"""A read within the steps may still be slow: it waits for the disk, or a full-text index is one long step.
Where that is seen, its next run shows whether that was its own doing or that of others on the processor."""

TURN_SECONDS = 0.01
"""How long reads one after another may keep the loop before everybody else has a turn."""

OVER_BUDGET_SECONDS = 60.0
SLOW_AGAIN_SECONDS = 1.0
"""How long a statement goes to a thread before it is tried on the loop again."""

REMEMBERED = 1_000
"""Statements that are remembered for a thread at most."""


class LoopReads:
    """Reads on the event loop's own thread, on a connection for nothing else that does not wait for locks."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self.connection = connection
        self.long_enough = False
        """Whether to await `turn` before the next read."""
        self._calls_left = 0
        self._spent = 0.0
        self._for_threads: OrderedDict[str, float] = OrderedDict()
        connection.execute("PRAGMA busy_timeout=0")
        # The steps of a cached statement go on counting from one run to the next: a handler that stopped
        # its first call would stop a short read as well, now and then. Hence several calls, counted anew.
        connection.set_progress_handler(self._count, STEPS_PER_CALL)

    def _count(self) -> int:
        self._calls_left -= 1
        return self._calls_left < 0

    async def turn(self) -> None:
        """Lets everybody else go on for once."""
        self._spent, self.long_enough = 0.0, False
        await asyncio.sleep(0)

    def read(self, step: Step[T], sql: str, args: list[Any]) -> T | None:
        """What `step` finds; None if it is for a thread to find. Raises sqlite3.Error as the step does."""
        began = time.perf_counter()
        suspect = sql in self._for_threads
        if suspect:
            if began < self._for_threads[sql]:
                return None
            del self._for_threads[sql]
        self._calls_left = CALLS
        before = _strain() if suspect else None
        try:
            found = step(self.connection, sql, args)
        except sqlite3.OperationalError as error:
            code = getattr(error, "sqlite_errorcode", 0) & 0xFF  # there is none if the module found it
            if code == sqlite3.SQLITE_INTERRUPT:
                self._leave_to_threads(sql, OVER_BUDGET_SECONDS)
            elif code not in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
                raise
            found = None
        seconds = time.perf_counter() - began
        self._spent += seconds
        self.long_enough = self._spent > TURN_SECONDS
        if seconds > SLOW_SECONDS and found is not None:
            at_fault = before is not None and _is_at_fault(before)
            self._leave_to_threads(sql, SLOW_AGAIN_SECONDS if at_fault else 0.0)
        return found

    def _leave_to_threads(self, sql: str, seconds: float) -> None:
        self._for_threads[sql] = time.perf_counter() + seconds
        if len(self._for_threads) > REMEMBERED:
            self._for_threads.popitem(last=False)


Strain = tuple[float, int]
"""Processor time of a thread, in seconds, and how often it has waited for the disk."""


def _strain() -> Strain:
    """That of this thread so far. Only Linux tells of waiting."""
    try:
        from resource import RUSAGE_THREAD, getrusage
    except ImportError:
        return time.thread_time(), 0
    used = getrusage(RUSAGE_THREAD)
    return time.thread_time(), used.ru_inblock + used.ru_majflt


def _is_at_fault(before: Strain) -> bool:
    """Whether a slow read took its time itself. One that waited until others let it go on would wait on a
    thread as well, after the way there."""
    after = _strain()
    return after[0] - before[0] > SLOW_SECONDS or after[1] > before[1]


@dataclass(eq=False)
class _Job(Generic[T]):
    step: Step[T]
    sql: str
    args: list[Any]
    answer: asyncio.Future[T]
    stopped: bool = False
    done: bool = False
    """Whether the thread has let go of the connection, as the loop knows it."""


class ThreadReader:
    """A connection on a thread of its own, for one read at a time; `on_idle` is called after each.

    The thread is a bare one with a queue: a ThreadPoolExecutor takes twice as long to hand a read over.
    """

    AGAIN_SECONDS = 0.05
    """An interruption between the start of the step and that of the statement is lost: hence another one."""

    def __init__(
        self, connection: sqlite3.Connection, name: str, on_idle: Callable[["ThreadReader"], None]
    ) -> None:
        self.connection = connection
        self._on_idle = on_idle
        self._loop = asyncio.get_running_loop()
        self._jobs: SimpleQueue[_Job[Any] | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._work, name=name, daemon=True)
        self._thread.start()

    async def read(self, step: Step[T], sql: str, args: list[Any], seconds: float | None) -> T:
        """What `step` finds; TimeoutError if it is not found in so many seconds.

        One who is cancelled goes at once; `on_idle` follows when the step has ended.
        """
        job: _Job[T] = _Job(step, sql, args, self._loop.create_future())
        limit = None if seconds is None else self._loop.call_later(seconds, self._give_up, job)
        self._jobs.put(job)
        try:
            return await job.answer
        except asyncio.CancelledError:
            self._stop(job)
            raise
        finally:
            if limit is not None:
                limit.cancel()

    def _give_up(self, job: _Job[Any]) -> None:
        if not job.answer.done():
            job.answer.set_exception(TimeoutError())
            self._stop(job)

    def _stop(self, job: _Job[Any]) -> None:
        if not job.done:
            job.stopped = True
            self.connection.interrupt()
            self._loop.call_later(self.AGAIN_SECONDS, self._stop, job)

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None:
            found, error = None, None
            try:
                if not job.stopped:
                    found = job.step(self.connection, job.sql, job.args)
            except BaseException as raised:
                error = raised
            with suppress(RuntimeError):  # the loop has ended, and nobody waits any more
                self._loop.call_soon_threadsafe(self._finish, job, found, error)
            del job, found, error

    def _finish(self, job: _Job[Any], found: Any, error: BaseException | None) -> None:
        job.done = True
        self._on_idle(self)
        if not job.answer.done():
            if error is None:
                job.answer.set_result(found)
            else:
                job.answer.set_exception(error)

    def close(self) -> None:
        """Stops what runs and waits for its end; to be called on another thread than the loop's."""
        self._jobs.put(None)
        while self._thread.is_alive():
            self.connection.interrupt()
            self._thread.join(self.AGAIN_SECONDS)
        self.connection.close()
