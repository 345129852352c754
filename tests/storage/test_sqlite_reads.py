"""SQLite only: which reads run on the event loop and which on a thread, and what ends them."""

import asyncio
import sqlite3
import threading
import time
from collections.abc import AsyncIterator
from typing import Any

import pytest
from tortoise.exceptions import OperationalError

from crm_framework.errors import CrmError, ErrorCode
from crm_framework.storage import sqlite_reads, sqlite_steps
from crm_framework.storage.database import Database

pytestmark = pytest.mark.parametrize("database_kind", ["sqlite"], indirect=True)

LOOP = "MainThread"
SCAN_ROWS = 30_000
SCAN = "SELECT max(n), min(text) FROM scanned WHERE text >= ?"
BY_KEY = "SELECT n, text FROM scanned WHERE n = ?"
PAGE = "SELECT n, text FROM scanned WHERE n > ? ORDER BY n LIMIT 250"
FOREVER = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT max(i) FROM n"


async def fill(database: Database, rows: int) -> None:
    async with database.unit_of_work() as tx:
        await tx.execute("CREATE TABLE scanned (n INTEGER PRIMARY KEY, text TEXT)")
        await tx.execute(
            "WITH RECURSIVE r(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM r WHERE i < ?)"
            " INSERT INTO scanned SELECT i, 'row ' || i FROM r",
            [rows],
        )


@pytest.fixture
async def scanned(database: Database) -> Database:
    await fill(database, SCAN_ROWS)
    return database


@pytest.fixture
async def narrow(database_url: str) -> AsyncIterator[Database]:
    async with await Database.open(database_url, apps={}, read_pool_size=1) as opened:
        yield opened


@pytest.fixture
def where(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the threads on which reads by position ran, in order."""
    ran: list[str] = []
    tuples = sqlite_steps.tuples

    def noting(connection: sqlite3.Connection, sql: str, args: list[Any]) -> list[tuple[Any, ...]]:
        ran.append(threading.current_thread().name.partition("-")[0])
        return tuples(connection, sql, args)

    monkeypatch.setattr(sqlite_steps, "tuples", noting)
    monkeypatch.setattr(sqlite_reads, "SLOW_SECONDS", 60.0)  # a busy machine is no fault of a statement's
    return ran


THREAD = "crm"


def wait() -> None:
    """Lets the clock go on while the thread does not."""
    time.sleep(0.02)


def work() -> None:
    """Takes the processor for a while."""
    end = time.thread_time() + 0.02
    while time.thread_time() < end:
        pass


async def test_a_bounded_read_runs_on_the_loop_and_another_on_a_thread(
    scanned: Database, where: list[str]
) -> None:
    assert await scanned.rows(BY_KEY, [7], bounded=True) == [(7, "row 7")]
    assert await scanned.rows(BY_KEY, [7]) == [(7, "row 7")]
    assert await scanned.rows(BY_KEY, [0], bounded=True) == []
    assert await scanned.rows(PAGE, [9], bounded=True) == [(n, f"row {n}") for n in range(10, 260)]
    assert where == [LOOP, THREAD, LOOP, LOOP]
    assert await scanned.fetch(BY_KEY, [7], bounded=True) == [{"n": 7, "text": "row 7"}]


async def test_a_read_beyond_the_budget_goes_to_a_thread_and_is_remembered(
    scanned: Database, where: list[str]
) -> None:
    expected = await scanned.rows(SCAN, ["row 5"])
    assert expected == [(9_999, "row 5")]
    assert await scanned.rows(SCAN, ["row 5"], bounded=True) == expected
    assert where == [THREAD, LOOP, THREAD]
    assert await scanned.rows(SCAN, ["row 5"], bounded=True) == expected
    assert where == [THREAD, LOOP, THREAD, THREAD]
    everything = await scanned.rows("SELECT n FROM scanned ORDER BY n", bounded=True)
    assert everything == [(n,) for n in range(1, SCAN_ROWS + 1)]
    assert await scanned.rows(BY_KEY, [7], bounded=True) == [(7, "row 7")]
    assert where[-1] == LOOP


async def test_what_is_remembered_is_tried_again_later(
    scanned: Database, where: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite_reads, "OVER_BUDGET_SECONDS", 0.0)
    for _ in range(2):
        assert await scanned.rows(SCAN, ["row 5"], bounded=True) == [(9_999, "row 5")]
    assert where == [LOOP, THREAD, LOOP, THREAD]
    assert await scanned.rows(SCAN, ["s"], bounded=True) == [(None, None)]


async def test_what_is_remembered_has_a_limit(
    scanned: Database, where: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite_reads, "REMEMBERED", 3)
    scans = [f"{SCAN} AND n <> {number}" for number in range(4)]
    for sql in scans:
        await scanned.rows(sql, [""], bounded=True)
    del where[:]
    for sql in (scans[1], scans[3], scans[0]):
        await scanned.rows(sql, [""], bounded=True)
    assert where == [THREAD, THREAD, LOOP, THREAD]


async def test_the_loop_is_held_for_a_few_steps_only(database: Database) -> None:
    await fill(database, 300_000)
    began = time.perf_counter()
    await database.rows(SCAN, [""])
    whole = time.perf_counter() - began
    stopped = []
    for number in range(20):
        began = time.perf_counter()
        reading = database.rows(f"{SCAN} AND n <> {number}", [""], bounded=True)
        reading.send(None)  # as far as it goes without waiting: to its hand-over to the thread
        stopped.append(time.perf_counter() - began)
        reading.close()
    # 10,000 of 2,400,000 steps
    assert min(stopped) < whole / 20
    assert min(stopped) < 0.01


async def test_a_short_statement_is_never_stopped_however_often_it_runs(
    scanned: Database, where: list[str]
) -> None:
    # SQLite goes on counting the steps of a cached statement: this takes 50 budgets
    for _ in range(120):
        assert len(await scanned.rows(PAGE, [9], bounded=True)) == 250
    assert set(where) == {LOOP}


async def test_a_slow_statement_goes_to_a_thread_for_a_moment(
    scanned: Database, where: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite_reads, "SLOW_SECONDS", 0.0)
    monkeypatch.setattr(sqlite_reads, "SLOW_AGAIN_SECONDS", 0.2)
    for _ in range(3):
        assert await scanned.rows(BY_KEY, [7], bounded=True) == [(7, "row 7")]
    assert where == [LOOP, LOOP, THREAD]
    await asyncio.sleep(0.3)
    assert await scanned.rows(BY_KEY, [7], bounded=True) == [(7, "row 7")]
    assert where[3:] == [LOOP]


async def test_a_statement_that_only_waited_for_its_turn_on_the_processor_stays_on_the_loop(
    scanned: Database, where: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite_reads, "SLOW_SECONDS", 0.01)
    tuples = sqlite_steps.tuples
    hold = wait

    def slow(connection: sqlite3.Connection, sql: str, args: list[Any]) -> list[tuple[Any, ...]]:
        hold()
        return tuples(connection, sql, args)

    monkeypatch.setattr(sqlite_steps, "tuples", slow)
    for _ in range(4):
        await scanned.rows(BY_KEY, [7], bounded=True)
    assert where == [LOOP] * 4
    hold = work
    for _ in range(2):
        await scanned.rows(BY_KEY, [7], bounded=True)
    assert where[4:] == [LOOP, THREAD]


async def test_a_statement_that_was_slow_once_stays_on_the_loop(
    scanned: Database, where: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for slow in (0.0, 60.0, 0.0, 60.0):
        monkeypatch.setattr(sqlite_reads, "SLOW_SECONDS", slow)
        assert await scanned.rows(BY_KEY, [7], bounded=True) == [(7, "row 7")]
    assert where == [LOOP] * 4


async def test_reads_one_after_another_leave_others_their_turn(
    scanned: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite_reads, "TURN_SECONDS", 0.0)
    turns = 0

    async def other() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    task = asyncio.create_task(other())
    for _ in range(101):
        await scanned.rows(BY_KEY, [7], bounded=True)
    task.cancel()
    assert turns == 100


@pytest.mark.parametrize("code", ["SQLITE_BUSY", "SQLITE_BUSY_RECOVERY", "SQLITE_LOCKED"])
async def test_a_lock_is_waited_for_on_a_thread(
    scanned: Database, where: list[str], monkeypatch: pytest.MonkeyPatch, code: str
) -> None:
    noting = sqlite_steps.tuples

    def locked(connection: sqlite3.Connection, sql: str, args: list[Any]) -> list[tuple[Any, ...]]:
        if threading.current_thread().name == LOOP:
            assert connection.execute("PRAGMA busy_timeout").fetchall() == [(0,)]
            error = sqlite3.OperationalError("database is locked")
            error.sqlite_errorcode = getattr(sqlite3, code)
            raise error
        return noting(connection, sql, args)

    monkeypatch.setattr(sqlite_steps, "tuples", locked)
    assert await scanned.rows(BY_KEY, [7], bounded=True) == [(7, "row 7")]
    assert where == [THREAD]


@pytest.mark.parametrize("bounded", [True, False])
async def test_faults_of_a_statement(scanned: Database, bounded: bool) -> None:
    with pytest.raises(CrmError, match="A read tried to change the database"):
        await scanned.rows("DELETE FROM scanned WHERE n = ?", [1], bounded=bounded)
    with pytest.raises(OperationalError, match="no such column"):
        await scanned.rows("SELECT nonsense FROM scanned", bounded=bounded)
    with pytest.raises(OperationalError, match="Incorrect number of bindings"):
        await scanned.rows(BY_KEY, [1, 2], bounded=bounded)
    with pytest.raises(OperationalError, match="Could not decode"):
        await scanned.rows("SELECT CAST(x'ff' AS text)", bounded=bounded)
    assert await scanned.rows("SELECT count(*) FROM scanned") == [(SCAN_ROWS,)]


@pytest.mark.parametrize("bounded", [True, False])
async def test_what_was_committed_is_seen_at_once(database: Database, bounded: bool) -> None:
    async with database.unit_of_work() as tx:
        await tx.execute("CREATE TABLE seen (n INTEGER)")
    for number in range(5):
        async with database.unit_of_work() as tx:
            await tx.execute("INSERT INTO seen VALUES (?)", [number])
            assert await database.rows("SELECT count(*) FROM seen", bounded=bounded) == [(number,)]
        assert await database.rows("SELECT count(*) FROM seen", bounded=bounded) == [(number + 1,)]
    async with database.unit_of_work() as tx:
        await tx.execute("ALTER TABLE seen ADD COLUMN more TEXT DEFAULT 'x'")
    assert (await database.rows("SELECT * FROM seen", bounded=bounded))[0] == (0, "x")


async def test_a_read_cancelled_before_or_after_its_thread_has_begun(narrow: Database) -> None:
    for number in range(60):
        reading = asyncio.create_task(narrow.rows(FOREVER))
        await asyncio.sleep(0)
        if number % 3:
            await asyncio.sleep(number / 60 * 0.003)
        reading.cancel()
        with pytest.raises(asyncio.CancelledError):
            await reading
        async with asyncio.timeout(30):
            assert await narrow.rows("SELECT 1") == [(1,)]


async def test_a_read_takes_so_long_at_most(database_url: str) -> None:
    async with await Database.open(database_url, apps={}, read_pool_size=1, read_seconds=0.2) as database:
        for _ in range(2):
            with pytest.raises(CrmError) as caught:
                await database.rows(FOREVER)
            assert (caught.value.code, caught.value.message) == (
                ErrorCode.UNAVAILABLE,
                f"{database.name} did not answer a read within 0.2 seconds.",
            )
        assert await database.rows("SELECT 1") == [(1,)]


async def test_reads_that_run_or_wait_when_the_database_is_closed(database_url: str) -> None:
    database = await Database.open(database_url, apps={}, read_pool_size=1)
    reads = [asyncio.create_task(database.rows(FOREVER)) for _ in range(3)]
    await asyncio.sleep(0.05)
    async with asyncio.timeout(30):
        await database.close()
        outcomes = await asyncio.gather(*reads, return_exceptions=True)
    for outcome in outcomes:
        assert isinstance(outcome, CrmError)
        assert (outcome.code, outcome.message) == (
            ErrorCode.UNAVAILABLE,
            f"{database.name} is closed.",
        )
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("crm-reader")]
