"""Word of new events and of owed work, for whoever waits for them; without a promise that none is lost.

In the process that wrote they are known at once. On PostgreSQL the others hear of them by LISTEN/NOTIFY.
NOTIFY in the transaction of the change would make all commits of the server wait for each other (it takes a
lock for the whole of it); so a process says it after its commits, once for all of a moment. On SQLite, and
where a notice is lost, waiting ends after a while for another look.
"""

import asyncio
import logging
from collections.abc import Callable, Collection, Coroutine
from contextlib import suppress
from typing import Any
from uuid import uuid4

import asyncpg

log = logging.getLogger(__name__)

CHANNEL = "crm_event"

EVERY_CHORE = "*"
"""Stands for all that workers do: something may have been left to them that was not heard of."""

PAUSE_SECONDS = 0.05
"""What is committed in so much time after a notice goes into one more."""

LOOK_SECONDS = {"sqlite": 0.25, "postgres": 2.0}
"""How often to look for events without a notice: on SQLite other processes give none."""

FIRST_RETRY_SECONDS = 0.1
LAST_RETRY_SECONDS = 5.0
"""Pauses between attempts to connect, doubled each time."""

CONNECT_SECONDS = 10.0
CLOSE_SECONDS = 2.0


class Notices:
    """Those of one open database. `say` sends a notice to other processes, where `dsn` says how to hear them;
    `ring` is called with the chores that another process has left to the workers.

    A notice is the name of who says it, whether there are events, and the chores.
    """

    def __init__(
        self,
        dialect: str,
        dsn: str | None,
        say: Callable[[str], Coroutine[Any, Any, None]],
        ring: Callable[[Collection[str]], None],
    ) -> None:
        self.look_seconds = LOOK_SECONDS[dialect]
        self._dsn = dsn
        self._say = say
        self._ring = ring
        self._name = uuid4().hex
        self._count = 0
        self._waiting: set[asyncio.Future[None]] = set()
        self._unsaid = False
        self._events = False
        self._chores: set[str] = set()
        self._saying: asyncio.Task[None] | None = None
        self._listening: asyncio.Task[None] | None = None
        self._closed = False

    @property
    def count(self) -> int:
        """Notices so far; to be taken before looking for events, and given to `wait` afterwards."""
        return self._count

    async def wait(self, seen: int, seconds: float | None = None) -> None:
        """Waits for a notice after the first `seen`, but no longer than `seconds` or `look_seconds`.

        The first one who waits begins to listen to other processes.
        """
        self.listen()
        if self._count != seen:
            return
        waiter = asyncio.get_running_loop().create_future()
        self._waiting.add(waiter)
        try:
            await asyncio.wait([waiter], timeout=self.look_seconds if seconds is None else seconds)
        finally:
            self._waiting.discard(waiter)

    def committed(self) -> None:
        """There are new events of this process."""
        self._wake()
        self._events = True
        self._have_said()

    def left(self, chores: Collection[str]) -> None:
        """This process has left these chores to the workers, and has woken its own."""
        self._chores.update(chores)
        self._have_said()

    def _have_said(self) -> None:
        if self._dsn is None or self._closed:
            return
        self._unsaid = True
        if self._saying is None:
            self._saying = asyncio.ensure_future(self._say_all())

    def _wake(self) -> None:
        self._count += 1
        waiting, self._waiting = self._waiting, set()
        for waiter in waiting:
            if not waiter.done():
                waiter.set_result(None)

    async def _say_all(self) -> None:
        try:
            while self._unsaid:
                self._unsaid = False
                events, self._events = self._events, False
                chores, self._chores = self._chores, set()
                try:
                    await self._say(f"{self._name} {'events' if events else '-'} {','.join(sorted(chores))}")
                except Exception as error:
                    log.debug("other processes could not be told of new events: %s", error)
                if not self._closed:
                    await asyncio.sleep(PAUSE_SECONDS)
        finally:
            self._saying = None

    def listen(self) -> None:
        """Begins to listen to other processes, where they say something."""
        if self._dsn is not None and self._listening is None and not self._closed:
            self._listening = asyncio.ensure_future(self._keep_listening(self._dsn))

    async def _keep_listening(self, dsn: str) -> None:
        pause = FIRST_RETRY_SECONDS
        while True:
            try:
                connection = await asyncpg.connect(dsn, timeout=CONNECT_SECONDS, statement_cache_size=0)
            except Exception as error:
                log.warning(
                    "cannot listen for events, trying again in %.1f s: %s", pause, type(error).__name__
                )
                await asyncio.sleep(pause)
                pause = min(2 * pause, LAST_RETRY_SECONDS)
                continue
            try:
                lost = asyncio.Event()
                connection.add_termination_listener(lambda _, lost=lost: lost.set())
                await connection.add_listener(CHANNEL, self._heard)
                pause = FIRST_RETRY_SECONDS
                self._wake()  # for what was said while nobody listened
                self._ring([EVERY_CHORE])
                await lost.wait()
                log.warning("the connection that listens for events was lost")
            except Exception as error:
                log.warning("cannot listen for events: %s", type(error).__name__)
            finally:
                connection.terminate()
            await asyncio.sleep(pause)
            pause = min(2 * pause, LAST_RETRY_SECONDS)

    def _heard(self, connection: Any, pid: int, channel: str, payload: Any) -> None:
        said_by, _, rest = str(payload).partition(" ")
        if said_by == self._name:
            return
        events, _, chores = rest.partition(" ")
        if events != "-":
            self._wake()
        if chores:
            self._ring(chores.split(","))

    async def close(self) -> None:
        """Says what is still to be said, and stops listening."""
        self._closed = True
        if self._saying is not None:
            with suppress(TimeoutError):
                async with asyncio.timeout(CLOSE_SECONDS):
                    await asyncio.shield(self._saying)
        if self._listening is not None:
            self._listening.cancel()
            await asyncio.wait([self._listening])
        self._wake()
