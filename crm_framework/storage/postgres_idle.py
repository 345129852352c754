"""Connections between two changes.

Giving a connection back to asyncpg's pool takes a round trip, which makes it as new, and half as much again
in Python. One that a change has left as it was is kept at hand instead.
"""

import asyncio
from collections.abc import Callable
from typing import Any

import asyncpg

KEPT_SECONDS = 60.0
"""How long one may lie idle. Firewalls forget connections, and a busy hour needs more than a quiet one."""


class Idle:
    """Connections of a pool that nobody uses, the last used one first; `release` gives one to the pool."""

    def __init__(self, release: Callable[[Any], None]) -> None:
        self._release = release
        self._kept: list[tuple[Any, float]] = []
        self._sweeper: asyncio.TimerHandle | None = None
        self._closed = False

    def take(self) -> Any | None:
        """A connection, or None if the pool is to be asked."""
        while self._kept:
            connection, _ = self._kept.pop()
            if _alive(connection):
                return connection
            self._release(connection)
        return None

    def keep(self, connection: Any) -> bool:
        """Whether it is kept; else it is to be given to the pool. `take` finds out whether it is alive."""
        if self._closed:
            return False
        loop = asyncio.get_running_loop()
        self._kept.append((connection, loop.time()))
        if self._sweeper is None:
            self._sweeper = loop.call_later(KEPT_SECONDS, self._sweep)
        return True

    def _sweep(self) -> None:
        loop = asyncio.get_running_loop()
        while self._kept and self._kept[0][1] <= loop.time() - KEPT_SECONDS:
            self._release(self._kept.pop(0)[0])
        self._sweeper = loop.call_at(self._kept[0][1] + KEPT_SECONDS, self._sweep) if self._kept else None

    def clear(self) -> None:
        """Gives all to the pool, and keeps no other."""
        self._closed = True
        if self._sweeper is not None:
            self._sweeper.cancel()
        while self._kept:
            self._release(self._kept.pop()[0])


def _alive(connection: Any) -> bool:
    try:
        return not connection.is_closed()
    except asyncpg.InterfaceError:  # the pool took it back by itself, since it broke
        return False
