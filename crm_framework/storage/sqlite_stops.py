"""How a statement of SQLite's writer is stopped that nobody waits for any more.

Not by `interrupt()`: its flag stays until no statement of the connection is active, and FTS5 keeps one open
inside a transaction that has written to a full-text table. Then the ROLLBACK is interrupted too, and with it
all that comes later. What SQLite asks every so many steps is gone with the step that it was meant for.
"""

import sqlite3
from collections.abc import Callable
from typing import Any, TypeVar

T = TypeVar("T")

VM_STEPS = 200_000
"""Steps of SQLite's virtual machine between two looks: 2 to 20 ms. A look takes less than a microsecond, but
must wait for the interpreter if another thread computes."""


class Stop:
    """Asks one step to stop."""

    __slots__ = ("asked",)

    def __init__(self) -> None:
        self.asked = False


class Stopped(sqlite3.OperationalError):
    """The step was not begun, as it had been asked to stop before."""


class Stops:
    """Of one connection, and of the thread that has it."""

    def __init__(self) -> None:
        self._running: Stop | None = None

    def watch(self, connection: sqlite3.Connection) -> None:
        connection.set_progress_handler(self._is_asked, VM_STEPS)

    def run(self, stop: Stop, step: Callable[..., T], *args: Any) -> T:
        """Runs the step; once `stop` is asked, its statement fails as interrupted."""
        if stop.asked:
            raise Stopped("it was stopped before it began")
        self._running = stop
        try:
            return step(*args)
        finally:
            self._running = None

    def _is_asked(self) -> bool:
        return self._running is not None and self._running.asked
