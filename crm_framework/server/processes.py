"""Several processes that serve one listening socket, and the one that looks after them.

That one owns the socket and serves nothing itself. A child inherits the socket, and one end of a pair over
which it says once that it serves; where the other end closes, its keeper is gone and it stops too.
"""

import asyncio
import itertools
import logging
import signal
import socket
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress

log = logging.getLogger("crm_framework.server")

FIRST_PAUSE = 0.1
LONGEST_PAUSE = 30.0
"""Seconds before a process that ended is replaced, doubled each time in a row up to the longest."""
STEADY_SECONDS = 60.0
"""Who has lived so long did not end in a row with those before."""


class Child:
    """One process, from its start to its end."""

    def __init__(self, process: asyncio.subprocess.Process, control: socket.socket, number: int) -> None:
        self.process = process
        self.number = number
        self.since = time.monotonic()
        self._control = control

    @classmethod
    async def start(cls, command: Sequence[str], listener: socket.socket, number: int) -> "Child":
        """Starts `command` with the options that tell it what it inherits, and which of them it is."""
        ours, theirs = socket.socketpair()
        with theirs:
            inherited = (listener.fileno(), theirs.fileno())
            process = await asyncio.create_subprocess_exec(
                *command,
                f"--inherited={inherited[0]},{inherited[1]}",
                f"--number={number}",
                stdin=asyncio.subprocess.DEVNULL,
                pass_fds=inherited,
                start_new_session=True,  # Ctrl-C at the terminal is for the keeper alone
            )
        ours.setblocking(False)
        return cls(process, ours, number)

    async def serves(self) -> bool:
        """Waits until it serves; False if it ends before."""
        with suppress(OSError):
            return bool(await asyncio.get_running_loop().sock_recv(self._control, 1))
        return False

    async def ended(self) -> int:
        """Its exit status, once it has one."""
        return await self.process.wait()

    async def stop(self, grace_seconds: float) -> None:
        """Has it end in order, and ends it where that takes too long."""
        with suppress(ProcessLookupError):
            self.process.terminate()
        try:
            async with asyncio.timeout(grace_seconds):
                await self.process.wait()
        except TimeoutError:
            log.error("Process %d did not end within %g s and is killed", self.process.pid, grace_seconds)
            with suppress(ProcessLookupError):
                self.process.kill()
            await self.process.wait()
        self._control.close()


class Processes:
    """`count` of them. One that ends is replaced; `stop` ends all in order, `renew` replaces each in turn."""

    def __init__(
        self, command: Sequence[str], listener: socket.socket, count: int, *, grace_seconds: float
    ) -> None:
        self._command = command
        self._listener = listener
        self._count = count
        self._grace_seconds = grace_seconds
        self._slots: list[Child] = []
        self._alive: set[Child] = set()
        self._numbers: set[int] = set()
        self._stopping = asyncio.Event()
        self._renewing: asyncio.Task[None] | None = None
        self._again = False

    async def run(self, started: Callable[[], None]) -> bool:
        """Keeps them until `stop`, and calls `started` when all serve. False if they do not come so far."""
        tasks: list[asyncio.Task[None]] = []
        try:
            self._slots = [await self._start() for _ in range(self._count)]
            if not all(await asyncio.gather(*(child.serves() for child in self._slots))):
                return self._stopping.is_set()
            started()
            tasks += [asyncio.create_task(self._keep(slot)) for slot in range(self._count)]
            await self._stopping.wait()
            return True
        finally:
            self._stopping.set()
            if self._renewing is not None:
                tasks.append(self._renewing)
            await self._stop(self._alive)
            await asyncio.gather(*tasks)
            await self._stop(self._alive)  # one that was just being started

    def stop(self) -> None:
        """Ends all in order; called a second time, at once."""
        if self._stopping.is_set():
            for child in self._alive:
                with suppress(ProcessLookupError):
                    child.process.kill()
        self._stopping.set()
        for child in self._alive:
            with suppress(ProcessLookupError):
                child.process.terminate()

    def renew(self) -> None:
        """Replaces each, one after the other: the new one serves before the old one is told to stop."""
        if self._renewing is not None and not self._renewing.done():
            self._again = True  # what was changed meanwhile counts too
        elif self._slots and not self._stopping.is_set():
            self._renewing = asyncio.create_task(self._renew())

    async def _renew(self) -> None:
        self._again = True
        while self._again:
            self._again = False
            for slot in range(self._count):
                child = await self._start()
                if self._stopping.is_set():
                    return
                if not await child.serves():
                    await self._stop([child])
                    if not self._stopping.is_set():
                        log.error("A new process does not serve; the present ones go on as they are")
                    return
                old, self._slots[slot] = self._slots[slot], child
                await self._stop([old])
            log.warning("All %d processes were replaced", self._count)

    async def _keep(self, slot: int) -> None:
        in_a_row = 0
        while True:
            child = self._slots[slot]
            status = await child.ended()
            if self._slots[slot] is not child:
                continue
            if self._stopping.is_set():
                return
            in_a_row = 1 if time.monotonic() - child.since > STEADY_SECONDS else in_a_row + 1
            pause = min(FIRST_PAUSE * 2.0 ** min(in_a_row - 1, 20), LONGEST_PAUSE)
            log.error(
                "Process %d ended %s; another one starts in %.1f s", child.process.pid, _how(status), pause
            )
            await self._stop([child])
            with suppress(TimeoutError):
                async with asyncio.timeout(pause):
                    await self._stopping.wait()
            if self._slots[slot] is child and not self._stopping.is_set():
                try:
                    self._slots[slot] = await self._start()
                except OSError as error:
                    log.error("No process can be started: %s", error)

    async def _start(self) -> Child:
        # the least that no living one has: what an earlier one counted under it is counted on
        number = next(one for one in itertools.count() if one not in self._numbers)
        self._numbers.add(number)
        try:
            child = await Child.start(self._command, self._listener, number)
        except BaseException:
            self._numbers.discard(number)
            raise
        self._alive.add(child)
        if self._stopping.is_set():
            with suppress(ProcessLookupError):
                child.process.terminate()
        return child

    async def _stop(self, children: Iterable[Child]) -> None:
        stopped = list(children)
        await asyncio.gather(*(child.stop(self._grace_seconds) for child in stopped))
        self._alive.difference_update(stopped)
        self._numbers.difference_update(child.number for child in stopped)


def _how(status: int) -> str:
    if status >= 0:
        return f"with status {status}"
    try:
        return f"by {signal.Signals(-status).name}"
    except ValueError:
        return f"by signal {-status}"


def this_command() -> list[str]:
    """The command line of this process, to be run once more."""
    return [sys.executable, *sys.orig_argv[1:]]
