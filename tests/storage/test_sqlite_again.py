"""What is left of a transaction of SQLite whose change was interrupted, and how it is done again."""

import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from crm_framework.storage import sqlite_steps as steps
from crm_framework.storage.sqlite_again import ChangedMeanwhile, Done


@pytest.fixture
def connect(tmp_path: Path) -> Iterator[Callable[[], sqlite3.Connection]]:
    opened: list[sqlite3.Connection] = []

    def connect() -> sqlite3.Connection:
        opened.append(sqlite3.connect(tmp_path / "t.db", isolation_level=None))
        return opened[-1]

    first = connect()
    first.execute("PRAGMA journal_mode=WAL")
    first.execute("CREATE TABLE t (id INTEGER PRIMARY KEY AUTOINCREMENT, text TEXT)")
    yield connect
    for connection in opened:
        connection.close()


def interrupted(connection: sqlite3.Connection, done: Done, rows: int) -> None:
    """A transaction with a savepoint, gone after it."""
    steps.begin(connection)
    insert = ("INSERT INTO t (text) VALUES (?)", [["x" * 1000]] * rows)
    steps.execute_many(connection, *insert)
    done.note(steps.execute_many, *insert)
    done.savepoint(connection, "s", None)
    connection.set_progress_handler(lambda: 1, 1)
    with pytest.raises(sqlite3.OperationalError, match="interrupted"):
        connection.execute("UPDATE t SET text = text || 'y'")
    connection.set_progress_handler(None, 1)
    assert not connection.in_transaction


@pytest.mark.parametrize("rows", [1, 5000], ids=["in the cache", "more than the cache holds"])
def test_it_is_done_again_with_the_same_keys(connect: Callable[[], sqlite3.Connection], rows: int) -> None:
    connection, done = connect(), Done()
    connection.execute("PRAGMA cache_size=10")
    connection.execute("INSERT INTO t (text) VALUES ('before')")
    interrupted(connection, done, rows)
    done.back_to(connection, "s", interrupted=True)
    steps.commit(connection)
    assert connection.execute("SELECT min(id), max(id), count(*) FROM t").fetchone() == (
        1,
        rows + 1,
        rows + 1,
    )


def test_it_is_not_done_again_on_what_another_program_changed(
    connect: Callable[[], sqlite3.Connection],
) -> None:
    connection, done = connect(), Done()
    interrupted(connection, done, 1)
    connect().execute("INSERT INTO t (text) VALUES ('theirs')")
    with pytest.raises(ChangedMeanwhile):
        done.back_to(connection, "s", interrupted=True)
    steps.rollback(connection)
    assert connection.execute("SELECT id, text FROM t").fetchall() == [(1, "theirs")]


def test_it_is_not_done_again_if_it_is_gone_for_another_reason(
    connect: Callable[[], sqlite3.Connection],
) -> None:
    connection, done = connect(), Done()
    interrupted(connection, done, 1)
    with pytest.raises(sqlite3.OperationalError, match="no such savepoint"):
        done.back_to(connection, "s", interrupted=False)
    assert not connection.in_transaction
