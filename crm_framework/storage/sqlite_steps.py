"""What SQLite's threads do with a connection, one step at a time; nothing here waits for the event loop."""

import sqlite3
import time
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from .gathered import Gathered, Outdated
from .sessions import Rows

T = TypeVar("T")


class Late(Exception):
    """The turn came too late."""


def check_writable(connection: sqlite3.Connection) -> None:
    """Raises now, not at the first change, if the file cannot be written."""
    (patience,) = connection.execute("PRAGMA busy_timeout").fetchone()
    connection.execute("PRAGMA busy_timeout=0")
    try:
        connection.execute("BEGIN IMMEDIATE")
        # BEGIN alone does not tell: on a read-only file it silently begins a read
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        connection.execute(f"PRAGMA user_version={version}")
        connection.execute("ROLLBACK")
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode != sqlite3.SQLITE_BUSY:  # whoever is writing proves that it can be written
            raise
    connection.execute(f"PRAGMA busy_timeout={patience}")


def begin(connection: sqlite3.Connection) -> None:
    rollback(connection)  # an earlier rollback that failed, say for a full disk
    connection.execute("BEGIN IMMEDIATE")


def commit(connection: sqlite3.Connection) -> None:
    if not connection.in_transaction:
        # SQLite ends a transaction by itself when the disk is full or fails
        raise sqlite3.OperationalError("the transaction was already undone")
    connection.execute("COMMIT")


def rollback(connection: sqlite3.Connection) -> None:
    if connection.in_transaction:
        connection.execute("ROLLBACK")


def first(connection: sqlite3.Connection, step: Callable[..., T], *args: Any) -> T:
    """The first step of a transaction."""
    begin(connection)
    return step(connection, *args)


def write(connection: sqlite3.Connection, gathered: Gathered) -> None:
    look(connection, gathered)
    insert_gathered(connection, gathered)


def look(connection: sqlite3.Connection, gathered: Gathered) -> None:
    """Raises `Outdated` where something is not as it was assumed."""
    for sql, args in gathered.assumed:
        if connection.execute(sql, args).fetchone() is None:
            raise Outdated


def insert_gathered(connection: sqlite3.Connection, gathered: Gathered) -> None:
    for insert in gathered.inserts:
        if len(insert.rows) == 1:
            connection.execute(insert.sql, insert.rows[0])
        else:
            connection.executemany(insert.sql, insert.rows)


def write_and_commit(connection: sqlite3.Connection, gathered: Gathered) -> None:
    write(connection, gathered)
    commit(connection)


def whole(connection: sqlite3.Connection, gathered: Gathered, deadline: float) -> None:
    """A transaction from its beginning to its end, unless it is later than `deadline` (monotonic)."""
    if time.monotonic() > deadline:
        raise Late
    begin(connection)
    try:
        write_and_commit(connection, gathered)
    except BaseException:
        rollback(connection)
        raise


def query(connection: sqlite3.Connection, sql: str, args: list[Any]) -> tuple[int, Rows]:
    before = connection.total_changes
    cursor = connection.execute(sql, args)
    if cursor.description is None:
        affected = cursor.rowcount
        return (affected if affected >= 0 else connection.total_changes - before), []
    names = [column[0] for column in cursor.description]
    rows = [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
    return len(rows), rows


def savepoint(connection: sqlite3.Connection, label: str) -> None:
    connection.execute(f"SAVEPOINT {label}")


def release(connection: sqlite3.Connection, label: str) -> None:
    connection.execute(f"RELEASE SAVEPOINT {label}")


def tuples(connection: sqlite3.Connection, sql: str, args: list[Any]) -> list[tuple[Any, ...]]:
    return connection.execute(sql, args).fetchall()


def execute_many(connection: sqlite3.Connection, sql: str, rows: Sequence[Sequence[Any]]) -> None:
    connection.executemany(sql, rows)


def insert(connection: sqlite3.Connection, sql: str, args: list[Any]) -> int | None:
    return connection.execute(sql, args).lastrowid


def statements(script: str) -> list[str]:
    """The script's statements; `sqlite3.executescript` would commit first."""
    statements, current = [], ""
    for piece in script.split(";"):
        current += piece + ";"
        if sqlite3.complete_statement(current):
            if current.strip(" \n\t;"):
                statements.append(current)
            current = ""
    return statements
