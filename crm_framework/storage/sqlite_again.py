"""What a transaction of SQLite has done, to be done again when an interrupted change took all of it away."""

import sqlite3
from collections.abc import Callable
from typing import Any

from . import sqlite_steps as steps

Step = Callable[..., object]


class ChangedMeanwhile(Exception):
    """Another program changed the database between the interruption and the new beginning."""


class Done:
    """The steps of a transaction that stand, savepoints among them. Used by one thread after the other."""

    def __init__(self) -> None:
        self._steps: list[tuple[Step, tuple[Any, ...]]] = []
        self._version: int | None = None
        """As SQLite counts what others have committed; while the transaction lasts, nobody else can."""

    def note(self, step: Step, *args: Any) -> None:
        self._steps.append((step, args))

    def savepoint(self, connection: sqlite3.Connection, label: str, seek: str | None) -> bool:
        """Sets it; whether the SELECT `seek` then finds a row."""
        if self._version is None:
            self._version = _version(connection)
        steps.savepoint(connection, label)
        self.note(steps.savepoint, label)
        return seek is not None and connection.execute(seek).fetchone() is not None

    def release(self, connection: sqlite3.Connection, label: str) -> None:
        steps.release(connection, label)
        self.note(steps.release, label)

    def back_to(self, connection: sqlite3.Connection, label: str, interrupted: bool) -> None:
        """Undoes what came after the savepoint, and the savepoint.

        Where nothing is left of the transaction because a change of it was interrupted, it is done again:
        in the same order on the same database, so that it comes to the same.
        """
        begun = self._steps.index((steps.savepoint, (label,)))
        del self._steps[begun:]
        if connection.in_transaction or not interrupted:
            connection.execute(f"ROLLBACK TO SAVEPOINT {label}")
            steps.release(connection, label)
            return
        steps.begin(connection)
        if _version(connection) != self._version:
            raise ChangedMeanwhile
        for step, args in self._steps:
            step(connection, *args)


def _version(connection: sqlite3.Connection) -> int:
    number: int = connection.execute("PRAGMA data_version").fetchone()[0]
    return number
