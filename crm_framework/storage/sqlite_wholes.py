"""Transactions of a single step, on their way to SQLite's writer: those that wait there are stored together.

A commit waits for the disk, which takes longer than all that comes before it. Whatever came meanwhile shares
the next one. Each is still a transaction of its own: where one of them fails, nothing of any is kept, and
each is stored by itself. Nobody hears of it before the disk has it.
"""

import asyncio
import sqlite3
import time
from collections import deque
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from . import sqlite_steps as steps
from .gathered import Gathered, Outdated

MOST = 64
"""Transactions in one commit at most, so that the first of them need not wait for very many."""


@dataclass(slots=True)
class _Whole:
    gathered: Gathered
    deadline: float
    stored: asyncio.Future[None]
    error: BaseException | None = None


class Wholes:
    """Those of one writer. `add` is for the event loop; the writer's thread takes what it finds."""

    def __init__(self, threads: ThreadPoolExecutor) -> None:
        self._threads = threads
        self._waiting: deque[_Whole] = deque()
        self._called = False
        """Whether the thread will look and has not begun to."""

    def add(
        self, connection: sqlite3.Connection, gathered: Gathered, deadline: float
    ) -> asyncio.Future[None]:
        """Done when it is on the disk. It fails with `Late` where it is not begun before `deadline`."""
        loop = asyncio.get_running_loop()
        stored: asyncio.Future[None] = loop.create_future()
        self._waiting.append(_Whole(gathered, deadline, stored))
        if not self._called:
            self._called = True
            self._threads.submit(self._store, connection, loop)
        return stored

    def _store(self, connection: sqlite3.Connection, loop: asyncio.AbstractEventLoop) -> None:
        self._called = False  # before looking: what comes meanwhile is looked for once more
        while self._waiting:
            group = [self._waiting.popleft() for _ in range(min(len(self._waiting), MOST))]
            try:
                _store_together(connection, group)
            finally:
                loop.call_soon_threadsafe(_tell, group)


def _store_together(connection: sqlite3.Connection, group: Sequence[_Whole]) -> None:
    """Leaves with each what it failed with."""
    if len(group) > 1 and _share(connection, group):
        return
    for one in group:
        try:
            steps.whole(connection, one.gathered, one.deadline)
        except BaseException as error:
            one.error = error


def _share(connection: sqlite3.Connection, group: Sequence[_Whole]) -> bool:
    """Whether all are settled by one commit: stored, or refused before they had written anything."""
    refused: list[tuple[_Whole, BaseException]] = []
    try:
        if time.monotonic() > min(one.deadline for one in group):
            return False
        steps.begin(connection)
        for one in group:
            try:
                steps.look(connection, one.gathered)
            except Outdated as error:
                refused.append((one, error))
            else:
                steps.insert_gathered(connection, one.gathered)
        steps.commit(connection)
    except BaseException:  # not SQLite's alone: a value may be one that cannot be bound
        steps.rollback(connection)
        return False
    for one, why in refused:
        one.error = why
    return True


def _tell(group: Sequence[_Whole]) -> None:
    for one in group:
        if one.stored.cancelled():
            continue
        if one.error is None:
            one.stored.set_result(None)
        else:
            one.stored.set_exception(one.error)
