"""A step of SQLite's writer that is stopped leaves nothing behind that could stop another one."""

import asyncio
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from crm_framework.storage import sqlite_steps as steps
from crm_framework.storage.sqlite import SqliteDriver
from crm_framework.storage.sqlite_stops import Stop, Stopped, Stops
from crm_framework.storage.urls import SqliteTarget

ENDLESS = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n)"
NOTHING: list[object] = []


@pytest.fixture
def connection() -> Iterator[sqlite3.Connection]:
    opened = sqlite3.connect(":memory:", isolation_level=None)
    opened.execute("CREATE TABLE t (n INTEGER)")
    opened.execute("INSERT INTO t VALUES (0)")
    opened.execute("CREATE VIRTUAL TABLE words USING fts5(word)")
    opened.executemany("INSERT INTO words VALUES (?)", [["one"], ["two"]])
    yield opened
    opened.close()


def write_words(connection: sqlite3.Connection) -> None:
    """After it, FTS5 has a statement of its own open until the transaction ends."""
    steps.begin(connection)
    connection.execute("INSERT INTO words (words) VALUES ('optimize')")


def test_what_interrupt_would_leave_behind(connection: sqlite3.Connection) -> None:
    """Why it is not used. If this fails, SQLite or FTS5 has changed, and `sqlite_stops` could be simpler."""
    write_words(connection)
    connection.interrupt()
    with pytest.raises(sqlite3.OperationalError, match="interrupted"):
        connection.execute("ROLLBACK")
    with pytest.raises(sqlite3.OperationalError, match="interrupted"):
        connection.execute("SELECT n FROM t")


@pytest.mark.parametrize(
    "statement",
    [
        f"{ENDLESS} SELECT max(i) FROM n",
        f"{ENDLESS} INSERT INTO words SELECT 'x' FROM n",
        f"UPDATE t SET n = ({ENDLESS} SELECT max(i) FROM n)",
    ],
)
def test_the_next_step_goes_on(connection: sqlite3.Connection, statement: str) -> None:
    stops, stop = Stops(), Stop()
    stops.watch(connection)
    write_words(connection)
    connection.create_function("stop", 0, lambda: setattr(stop, "asked", True))

    def step(connection: sqlite3.Connection) -> None:
        connection.execute("SELECT stop()").fetchone()
        connection.execute(statement).fetchall()

    with pytest.raises(sqlite3.OperationalError, match="interrupted"):
        stops.run(stop, step, connection)
    steps.rollback(connection)
    assert not connection.in_transaction
    steps.begin(connection)
    connection.execute("UPDATE t SET n = 7")
    steps.commit(connection)
    assert connection.execute("SELECT n FROM t").fetchone() == (7,)
    assert connection.execute("SELECT count(*) FROM words WHERE words MATCH 'one'").fetchone() == (1,)


def test_a_step_that_was_stopped_before_does_nothing(connection: sqlite3.Connection) -> None:
    stops, stop = Stops(), Stop()
    stop.asked = True
    with pytest.raises(Stopped):
        stops.run(stop, steps.query, connection, "UPDATE t SET n = 7", NOTHING)
    assert connection.execute("SELECT n FROM t").fetchone() == (0,)


async def test_only_the_step_of_the_cancelled_is_stopped(tmp_path: Path) -> None:
    """Those that wait in the thread's queue behind it are run."""
    driver = await SqliteDriver.open(
        SqliteTarget(tmp_path / "t.db"), read_pool_size=1, wait_seconds=10, read_seconds=None
    )
    try:
        await driver.write(steps.query, "CREATE TABLE t (n INTEGER)", NOTHING)
        begun = asyncio.Event()
        loop = asyncio.get_running_loop()

        def hang(connection: sqlite3.Connection) -> None:
            loop.call_soon_threadsafe(begun.set)
            connection.execute(f"{ENDLESS} INSERT INTO t SELECT i FROM n")

        def insert(n: int) -> Callable[[sqlite3.Connection], object]:
            return lambda connection: connection.execute("INSERT INTO t VALUES (?)", [n])

        hanging = asyncio.create_task(driver.write(hang))
        await begun.wait()
        behind = [asyncio.create_task(driver.write(insert(n))) for n in range(3)]
        await asyncio.sleep(0)
        hanging.cancel()
        behind[1].cancel()
        async with asyncio.timeout(60):
            await asyncio.gather(hanging, *behind, return_exceptions=True)
        assert [task.cancelled() for task in (hanging, *behind)] == [True, False, True, False]
        _, rows = await driver.write(steps.query, "SELECT n FROM t ORDER BY n", NOTHING)
        assert rows == [{"n": 0}, {"n": 2}]
    finally:
        await driver.close()
