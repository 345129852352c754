"""A unit of work cancelled at each of its awaits in turn: nothing hangs, leaks, or is half done."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from crm_framework.domain.models import Segment, Staff
from crm_framework.events import SettingChanged
from crm_framework.storage.database import Database
from crm_framework.storage.ids import new_id
from crm_framework.storage.unit_of_work import UnitOfWork
from crm_framework.testing.fixtures import CORE_APPS

from .cancelling import CancelledAt

LIMIT_SECONDS = 60
"""Only a hang takes so long."""


class Recorder:
    name = "recorder"

    async def __call__(self, events: Any, tx: UnitOfWork) -> None:
        for event in events:
            await Segment.create(
                name=f"handled {event.record_id}", condition={}, created_at=tx.now, updated_at=tx.now
            )


@pytest.fixture
async def narrow(database_url: str) -> AsyncIterator[Database]:
    """A database with a single connection for changes and one for reads: a leak of either shows at once."""
    async with await Database.open(database_url, apps=CORE_APPS, pool_size=1, read_pool_size=1) as opened:
        opened.handlers = [Recorder()]
        opened.handler_budget_ms = LIMIT_SECONDS * 1000
        yield opened


async def change(database: Database, key: str) -> None:
    async with database.unit_of_work() as tx:
        await Staff.create(name=f"{key} one", created_at=tx.now, updated_at=tx.now)
        await Staff.bulk_create(
            [Staff(name=f"{key} many {n}", created_at=tx.now, updated_at=tx.now) for n in range(3)]
        )
        async with tx.savepoint():
            await tx.execute("UPDATE crm_staff SET version = version + 1 WHERE name = ?", [f"{key} one"])
        await tx.fetch("SELECT count(*) AS n FROM crm_staff")
        tx.emit(SettingChanged(customer_id=None, kind="staff", record_id=key))


async def gathered_change(database: Database, key: str) -> None:
    """The same, all of it in one statement at the end; nothing handles it."""
    database.handlers = []
    async with database.unit_of_work(repeatable=True) as tx:
        assert tx.assume("SELECT 1")
        stamps = {"created_at": tx.now, "updated_at": tx.now}
        tx.insert(
            "crm_staff", *({"id": new_id(), "name": f"{key} {n}", "version": 1, **stamps} for n in (1, 2))
        )
        tx.emit(SettingChanged(customer_id=None, kind="staff", record_id=key))


async def found(database: Database, key: str) -> dict[str, int]:
    """How many rows of each kind the change `key` has left."""
    counted = {
        "staff": ("SELECT count(*) AS n FROM crm_staff WHERE name LIKE ?", f"{key} %"),
        "updated": ("SELECT count(*) AS n FROM crm_staff WHERE version = 2 AND name LIKE ?", f"{key} %"),
        "events": ("SELECT count(*) AS n FROM crm_event WHERE CAST(payload AS TEXT) LIKE ?", f"%{key}%"),
        "audit": ("SELECT count(*) AS n FROM crm_audit WHERE subject_id = ?", key),
        "handled": ("SELECT count(*) AS n FROM crm_segment WHERE name = ?", f"handled {key}"),
    }
    return {kind: (await database.fetch(sql, [value]))[0]["n"] for kind, (sql, value) in counted.items()}


ALL = {"staff": 4, "updated": 1, "events": 1, "audit": 1, "handled": 1}
NOTHING = dict.fromkeys(ALL, 0)


async def nothing_is_held(database: Database) -> None:
    """Another change gets through, and on PostgreSQL no transaction is open any more."""
    async with asyncio.timeout(LIMIT_SECONDS):
        async with database.unit_of_work() as tx:
            await tx.execute("UPDATE crm_staff SET version = version")
        if database.dialect == "postgres":
            rows = await database.fetch(
                "SELECT state FROM pg_stat_activity WHERE datname = current_database()"
                " AND state LIKE 'idle in transaction%'"
            )
            assert rows == []


@pytest.mark.parametrize("late", [False, True], ids=["waiting", "just answered"])
async def test_cancelled_at_every_await(narrow: Database, late: bool) -> None:
    whole = CancelledAt(change(narrow, new_id()), None, late=late)
    await whole
    assert whole.awaits > 10
    done: dict[str, bool] = {}
    for number in range(1, whole.awaits + 1):
        key = new_id()
        attempt = CancelledAt(change(narrow, key), number, late=late)
        async with asyncio.timeout(LIMIT_SECONDS):
            outcome = (await asyncio.gather(attempt, return_exceptions=True))[0]
        acknowledged = outcome is None
        assert acknowledged or isinstance(outcome, asyncio.CancelledError), outcome
        await nothing_is_held(narrow)
        left = await found(narrow, key)
        assert left in ((ALL,) if acknowledged else (ALL, NOTHING)), f"await {number}: {left}"
        done[key] = left == ALL
    assert not all(done.values())
    await narrow.close()
    again = await Database.open(narrow.url, apps=CORE_APPS)
    async with again:
        for key, whole_change in done.items():
            assert await found(again, key) == (ALL if whole_change else NOTHING)


@pytest.mark.parametrize("late", [False, True], ids=["waiting", "just answered"])
async def test_a_gathered_change_cancelled_at_every_await(narrow: Database, late: bool) -> None:
    await gathered_change(narrow, "warm")
    whole = CancelledAt(gathered_change(narrow, new_id()), None, late=late)
    await whole
    assert whole.awaits > 0
    all_of_it = {"staff": 2, "updated": 0, "events": 1, "audit": 1, "handled": 0}
    for number in range(1, whole.awaits + 1):
        key = new_id()
        attempt = CancelledAt(gathered_change(narrow, key), number, late=late)
        async with asyncio.timeout(LIMIT_SECONDS):
            outcome = (await asyncio.gather(attempt, return_exceptions=True))[0]
        assert outcome is None or isinstance(outcome, asyncio.CancelledError), outcome
        await nothing_is_held(narrow)
        left = await found(narrow, key)
        assert left in ((all_of_it,) if outcome is None else (all_of_it, NOTHING)), f"await {number}: {left}"


async def test_gathered_changes_dropped_while_they_wait_for_their_turn(narrow: Database) -> None:
    await gathered_change(narrow, "warm")
    tasks = [asyncio.create_task(gathered_change(narrow, f"d{number:02}")) for number in range(40)]
    for number, task in enumerate(tasks):
        if number % 3 == 0:
            await asyncio.sleep(0)
        if number % 2:
            task.cancel()
    outcomes = await asyncio.gather(*tasks, return_exceptions=True)
    await nothing_is_held(narrow)
    for number, outcome in enumerate(outcomes):
        left = await found(narrow, f"d{number:02}")
        assert (left["staff"], left["events"], left["audit"]) in ((2, 1, 1), (0, 0, 0))
        if outcome is None:
            assert left["staff"] == 2
        else:
            assert isinstance(outcome, asyncio.CancelledError)
            assert number % 2


@pytest.mark.parametrize("late", [False, True], ids=["waiting", "just answered"])
async def test_a_read_cancelled_at_every_await(narrow: Database, late: bool) -> None:
    await change(narrow, "x")
    sql = "SELECT count(*) AS n FROM crm_staff"
    whole = CancelledAt(narrow.fetch(sql), None, late=late)
    assert await whole == [{"n": 4}]
    for number in range(1, whole.awaits + 1):
        async with asyncio.timeout(LIMIT_SECONDS):
            await asyncio.gather(CancelledAt(narrow.fetch(sql), number, late=late), return_exceptions=True)
            assert await narrow.fetch(sql) == [{"n": 4}]


async def test_a_task_dropped_while_it_waits_for_its_turn(narrow: Database) -> None:
    async with narrow.unit_of_work() as tx:
        await tx.execute("DELETE FROM crm_staff")  # it excludes others from its first statement on
        waiting = [asyncio.create_task(change(narrow, "waiting")) for _ in range(20)]
        await asyncio.sleep(0.05)
        for task in waiting:
            task.cancel()
        outcomes = await asyncio.gather(*waiting, return_exceptions=True)
        assert [type(outcome) for outcome in outcomes] == [asyncio.CancelledError] * 20
    await nothing_is_held(narrow)
    assert await found(narrow, "waiting") == NOTHING


async def test_cancelled_again_and_again_while_it_cleans_up(narrow: Database) -> None:
    started = asyncio.Event()

    async def work() -> None:
        async with narrow.unit_of_work() as tx:
            await Staff.create(name="k one", created_at=tx.now, updated_at=tx.now)
            started.set()
            await asyncio.sleep(LIMIT_SECONDS)

    task = asyncio.create_task(work())
    await started.wait()
    while not task.done():
        task.cancel()
        await asyncio.sleep(0)
    assert task.cancelled()
    await nothing_is_held(narrow)
    assert await found(narrow, "k") == NOTHING


async def test_a_time_out_inside_leaves_nothing(narrow: Database) -> None:
    forever = {
        "sqlite": "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT max(i) FROM n",
        "postgres": "SELECT pg_sleep(600)",
    }[narrow.dialect]
    with pytest.raises(TimeoutError):
        async with narrow.unit_of_work() as tx:
            await tx.execute("INSERT INTO crm_segment (id, name, condition, created_at, updated_at)"
                             " VALUES (?, ?, ?, ?, ?)", [new_id(), "s", "{}", tx.now, tx.now])  # fmt: skip
            async with asyncio.timeout(0.05):
                # WITH is not known to be a read, so ask with SELECT in front
                await tx.fetch(f"SELECT * FROM ({forever}) AS f")
    await nothing_is_held(narrow)
    assert await narrow.fetch("SELECT name FROM crm_segment") == []
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05):
            await narrow.fetch(forever)
    async with asyncio.timeout(LIMIT_SECONDS):
        assert await narrow.fetch("SELECT name FROM crm_segment") == []


def test_the_loop_ends_in_the_middle(database_url: str) -> None:
    """asyncio.run cancels every task at its end, the inner ones too; what was acknowledged is there."""

    async def begin_and_leave(steps: int) -> None:
        database = await Database.open(database_url, apps=CORE_APPS, pool_size=1, read_pool_size=1)
        task = asyncio.create_task(change(database, f"r{steps}"))
        for _ in range(steps):
            await asyncio.sleep(0)
        for other in asyncio.all_tasks() - {asyncio.current_task()}:
            other.cancel()
        (outcome,) = await asyncio.gather(task, return_exceptions=True)
        assert outcome is None or isinstance(outcome, Exception | asyncio.CancelledError)
        await database.close()

    async def look(steps: int) -> dict[str, int]:
        async with await Database.open(database_url, apps=CORE_APPS) as database:
            await nothing_is_held(database)
            left = await found(database, f"r{steps}")
            left.pop("handled")  # no handler is set there
            return left

    for steps in range(0, 60, 3):
        asyncio.run(begin_and_leave(steps))
        left = asyncio.run(look(steps))
        assert len({bool(count) for count in left.values()}) == 1, left
