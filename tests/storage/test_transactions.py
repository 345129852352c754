"""What goes wrong with transactions elsewhere, each thing with its own test, on both databases."""

import asyncio
import sys
from collections.abc import AsyncGenerator
from typing import Any

import pytest
from tortoise.exceptions import IntegrityError, OperationalError, TransactionManagementError
from tortoise.transactions import in_transaction

from crm_framework.domain.models import Staff
from crm_framework.errors import CrmError, ErrorCode
from crm_framework.storage import postgres
from crm_framework.storage.database import Database
from crm_framework.storage.ids import new_id
from crm_framework.storage.unit_of_work import UnitOfWork
from crm_framework.testing.fixtures import CORE_APPS

INSERT = "INSERT INTO crm_staff (id, name, email, created_at, updated_at) VALUES (?, ?, ?, ?, ?)"


async def add(tx: UnitOfWork, name: str, email: str | None = None) -> str:
    key = new_id()
    await tx.execute(INSERT, [key, name, email, tx.now, tx.now])
    return key


async def add_through_model(tx: UnitOfWork, name: str, email: str | None = None) -> None:
    await Staff.create(name=name, email=email, created_at=tx.now, updated_at=tx.now)


async def names(database: Database) -> list[str]:
    return [row["name"] for row in await database.fetch("SELECT name FROM crm_staff ORDER BY name")]


def one_task(error: BaseException | None) -> bool:
    return isinstance(error, CrmError) and "one task per unit of work" in error.message


async def test_tasks_dropped_while_begin_is_in_flight(database: Database) -> None:
    async def work(number: int) -> None:
        async with database.unit_of_work() as tx:
            await add(tx, f"dropped {number}")

    for number in range(40):
        task = asyncio.create_task(work(number))
        for _ in range(number % 5):
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    async with asyncio.timeout(60), database.unit_of_work() as tx:
        await tx.execute("DELETE FROM crm_staff")
        await add(tx, "after")
    assert await names(database) == ["after"]


async def test_a_task_that_outlives_its_transaction_can_do_nothing(database: Database) -> None:
    go_on = asyncio.Event()

    async def late(tx: UnitOfWork) -> None:
        await go_on.wait()
        await add(tx, "late")

    async def late_model(tx: UnitOfWork) -> None:
        await go_on.wait()
        await add_through_model(tx, "late")

    async with database.unit_of_work() as tx:
        await add(tx, "first")
        during = asyncio.create_task(add_through_model(tx, "during"))
        tasks = [asyncio.create_task(late(tx)), asyncio.create_task(late_model(tx))]
        (refused,) = await asyncio.gather(during, return_exceptions=True)
        assert one_task(refused)
    async with database.unit_of_work() as tx:
        await add(tx, "second")
        go_on.set()
        outcomes = await asyncio.gather(*tasks, return_exceptions=True)
        assert [getattr(outcome, "message", None) for outcome in outcomes] == [
            "The unit of work is not open."
        ] * 2
    assert await names(database) == ["first", "second"]


async def test_a_task_started_inside_may_open_its_own(database: Database) -> None:
    async def own() -> None:
        async with database.unit_of_work() as tx:
            await add_through_model(tx, "own")

    async with database.unit_of_work() as tx:
        await add(tx, "first")
        task = asyncio.create_task(own())
    await task
    assert await names(database) == ["first", "own"]


async def test_bulk_create_cancelled(database: Database) -> None:
    async def work() -> None:
        async with database.unit_of_work() as tx:
            stamps = {"created_at": tx.now, "updated_at": tx.now}
            await Staff.bulk_create([Staff(name=f"bulk {n}", **stamps) for n in range(2000)], batch_size=20)

    for steps in (3, 10, 30, 60):
        task = asyncio.create_task(work())
        for _ in range(steps):
            await asyncio.sleep(0.0005)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        # All or nothing; a commit that was under way when the cancellation came is carried through.
        assert len(await names(database)) in (0, 2000)
        async with asyncio.timeout(60), database.unit_of_work() as tx:
            await tx.execute("DELETE FROM crm_staff")


async def test_what_is_acknowledged_after_a_cancelled_bulk_create_is_kept(database: Database) -> None:
    with pytest.raises(asyncio.CancelledError):
        async with database.unit_of_work() as tx:
            await Staff.bulk_create([Staff(name="bulk", created_at=tx.now, updated_at=tx.now)])
            raise asyncio.CancelledError
    async with database.unit_of_work() as tx:
        await add(tx, "after")
    url = database.url
    await database.close()
    async with await Database.open(url, apps=CORE_APPS) as again:
        assert await names(again) == ["after"]


async def test_tortoises_own_transaction_error_rolls_back_too(database: Database) -> None:
    with pytest.raises(TransactionManagementError):
        async with database.unit_of_work() as tx:
            await add(tx, "left over")
            raise TransactionManagementError("as Tortoise raises it")
    async with database.unit_of_work() as tx:
        await add(tx, "next")
    assert await names(database) == ["next"]


async def test_gather_inside_a_transaction_is_refused_and_nothing_kept(database: Database) -> None:
    async def nested(tx: UnitOfWork, name: str) -> None:
        async with tx.savepoint():
            await add(tx, name)

    with pytest.raises(CrmError) as caught:
        async with database.unit_of_work() as tx:
            await add(tx, "before")
            await asyncio.gather(nested(tx, "a"), nested(tx, "b"))
    assert one_task(caught.value)
    assert caught.value.code == ErrorCode.INTERNAL
    assert await names(database) == []


async def test_gather_over_tortoise_is_refused(database: Database) -> None:
    async def nested(name: str) -> None:
        async with in_transaction():
            await Staff.create(name=name, created_at=tx.now, updated_at=tx.now)

    with pytest.raises(CrmError, match="one task per unit of work"):
        async with database.unit_of_work() as tx:
            await asyncio.gather(nested("a"), nested("b"))
    assert await names(database) == []


async def test_nested_tortoise_transactions_in_one_task_are_savepoints(database: Database) -> None:
    async with database.unit_of_work() as tx:
        async with in_transaction():
            await add_through_model(tx, "kept")
        with pytest.raises(ZeroDivisionError):
            async with in_transaction():
                await add_through_model(tx, "undone")
                raise ZeroDivisionError
    assert await names(database) == ["kept"]


async def test_no_update_is_lost_when_the_row_is_locked(database: Database) -> None:
    async with database.unit_of_work() as tx:
        key = await add(tx, "counted")

    async def increment() -> None:
        async with database.unit_of_work() as tx:
            await tx.lock("crm_staff", [key])
            (row,) = await tx.fetch("SELECT version FROM crm_staff WHERE id = ?", [key])
            await asyncio.sleep(0)
            await tx.execute("UPDATE crm_staff SET version = ? WHERE id = ?", [row["version"] + 1, key])

    await asyncio.gather(*(increment() for _ in range(20)))
    assert await database.fetch("SELECT version FROM crm_staff") == [{"version": 21}]


async def test_locks_in_opposite_order_do_not_block_each_other(database: Database) -> None:
    async with database.unit_of_work() as tx:
        keys = [await add(tx, name) for name in ("a", "b")]

    async def touch(ordered: list[str]) -> None:
        async with database.unit_of_work() as tx:
            await tx.lock("crm_staff", ordered)
            for key in ordered:
                await tx.execute("UPDATE crm_staff SET version = version + 1 WHERE id = ?", [key])

    async with asyncio.timeout(60):
        await asyncio.gather(*(touch(keys if n % 2 else keys[::-1]) for n in range(20)))
    assert await database.fetch("SELECT DISTINCT version FROM crm_staff") == [{"version": 21}]


async def test_lock_takes_names_only(database: Database) -> None:
    async with database.unit_of_work() as tx:
        await tx.lock("crm_staff", [])
        if database.dialect == "postgres":
            with pytest.raises(CrmError, match="not a plain table"):
                await tx.lock("crm_staff; DROP TABLE crm_staff", [new_id()])


@pytest.mark.parametrize("insert", [add, add_through_model], ids=["statement", "model"])
async def test_a_unique_violation_in_a_savepoint_lets_the_rest_go_on(database: Database, insert: Any) -> None:
    async with database.unit_of_work() as tx:
        await insert(tx, "first", "a@example.com")
        with pytest.raises(IntegrityError):
            async with tx.savepoint():
                await insert(tx, "undone")
                await insert(tx, "second", "a@example.com")
        await insert(tx, "third", "b@example.com")
    assert await names(database) == ["first", "third"]


@pytest.mark.parametrize("insert", [add, add_through_model], ids=["statement", "model"])
async def test_a_unique_violation_caught_without_a_savepoint_cannot_go_on(
    database: Database, insert: Any
) -> None:
    with pytest.raises(CrmError, match="A statement of this unit of work failed before") as caught:
        async with database.unit_of_work() as tx:
            await insert(tx, "first", "a@example.com")
            with pytest.raises(IntegrityError):
                await insert(tx, "second", "a@example.com")
            await insert(tx, "third", "b@example.com")
    assert caught.value.code == ErrorCode.INTERNAL
    assert await names(database) == []


async def test_a_failed_statement_is_not_committed_silently(database: Database) -> None:
    with pytest.raises(CrmError, match="failed before"):
        async with database.unit_of_work() as tx:
            await add(tx, "first", "a@example.com")
            with pytest.raises(IntegrityError):
                await add(tx, "second", "a@example.com")
    assert await names(database) == []


async def test_savepoints_nest(database: Database) -> None:
    async with database.unit_of_work() as tx, tx.savepoint():
        await add(tx, "outer")
        with pytest.raises(OperationalError):
            async with tx.savepoint():
                await add(tx, "inner")
                await tx.execute("SELECT nonsense FROM crm_staff")
        await add(tx, "outer again")
    assert await names(database) == ["outer", "outer again"]


INCREMENTS = """
import asyncio, sys
from crm_framework.storage.database import Database

async def main(url, rounds):
    async with await Database.open(url, apps={}, wait_seconds=60) as database:
        for _ in range(rounds):
            async with database.unit_of_work() as tx:
                (key,) = [row["id"] for row in await tx.fetch("SELECT id FROM crm_staff")]
                await tx.lock("crm_staff", [key])
                (row,) = await tx.fetch("SELECT version FROM crm_staff")
                await tx.execute("UPDATE crm_staff SET version = ?", [row["version"] + 1])

asyncio.run(main(sys.argv[1], int(sys.argv[2])))
"""


async def test_processes_read_then_write_900_of_900(database: Database) -> None:
    async with database.unit_of_work() as tx:
        await add(tx, "counted")
    processes = [
        await asyncio.create_subprocess_exec(
            sys.executable, "-c", INCREMENTS, database.url, "225", stderr=asyncio.subprocess.PIPE
        )
        for _ in range(4)
    ]
    outputs = await asyncio.gather(*(process.communicate() for process in processes))
    assert [process.returncode for process in processes] == [0] * 4, outputs
    assert await database.fetch("SELECT version FROM crm_staff") == [{"version": 901}]


async def test_a_transaction_held_across_yields_is_refused_not_deadlocked(database: Database) -> None:
    async def subscription() -> AsyncGenerator[str, None]:
        async with database.unit_of_work() as tx:
            await add(tx, "held")
            yield "first"
            yield "second"

    stream = subscription()
    assert await anext(stream) == "first"
    with pytest.raises(CrmError, match="inside another one of the same task"):
        async with asyncio.timeout(60), database.unit_of_work():
            pass
    await stream.aclose()
    async with asyncio.timeout(60):
        await asyncio.create_task(one_more(database))
    assert await names(database) == ["more"]


async def one_more(database: Database) -> None:
    async with database.unit_of_work() as tx:
        await add(tx, "more")


async def test_waiting_for_a_connection_ends_with_an_error(database_url: str) -> None:
    held = asyncio.Event()
    leave = asyncio.Event()

    async with await Database.open(
        database_url, apps=CORE_APPS, pool_size=1, read_pool_size=1, wait_seconds=0.2
    ) as database:

        async def hold() -> None:
            async with database.unit_of_work() as tx:
                await add(tx, "held")
                held.set()
                await leave.wait()

        task = asyncio.create_task(hold())
        await held.wait()
        with pytest.raises(CrmError, match="busy for more than") as caught:
            async with database.unit_of_work() as tx:
                await add(tx, "never")
        assert caught.value.code == ErrorCode.UNAVAILABLE
        with pytest.raises(CrmError, match="busy for more than"):
            async with database.unit_of_work() as tx:
                tx.insert(
                    "crm_staff", {"id": new_id(), "name": "n", "created_at": tx.now, "updated_at": tx.now}
                )
        assert await names(database) == []  # a reader does not wait
        leave.set()
        await task
        assert await names(database) == ["held"]


async def test_a_unit_of_work_inside_another_is_refused(database: Database) -> None:
    with pytest.raises(CrmError, match="inside another one of the same task") as caught:
        async with database.unit_of_work() as tx:
            await add(tx, "first")
            async with database.unit_of_work():
                pass
    assert caught.value.code == ErrorCode.INTERNAL
    assert await names(database) == []
    async with database.unit_of_work() as tx:
        await add(tx, "second")
    async with database.unit_of_work() as tx:
        await add(tx, "third")
    assert await names(database) == ["second", "third"]


async def test_a_unit_of_work_is_used_once(database: Database) -> None:
    async with database.unit_of_work() as tx:
        await add(tx, "once")
    with pytest.raises(CrmError, match="not open"):
        await add(tx, "again")
    with pytest.raises(CrmError, match="entered once"):
        async with tx:
            pass
    assert await names(database) == ["once"]


async def test_a_connection_lost_at_the_commit_leaves_the_outcome_open(database: Database) -> None:
    if database.dialect == "sqlite":
        return  # it has no connection to lose
    with pytest.raises(CrmError, match="may be stored, or not") as caught:
        async with database.unit_of_work() as tx:
            await add(tx, "lost")
            (row,) = await tx.fetch("SELECT pg_backend_pid() AS pid")
            await database.fetch("SELECT pg_terminate_backend(?)", [row["pid"]])
    assert caught.value.code == ErrorCode.UNAVAILABLE
    await one_more(database)
    assert await names(database) == ["more"]


async def test_closing_ends_what_is_open(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(postgres, "CLEANUP_SECONDS", 0.2)
    url = database.url
    with pytest.raises(CrmError) as caught:
        async with asyncio.timeout(60), database.unit_of_work() as tx:
            await add(tx, "unfinished")
            await database.close()
            await add(tx, "after the end")
    assert caught.value.code == ErrorCode.UNAVAILABLE
    async with await Database.open(url, apps=CORE_APPS) as again:
        assert await names(again) == []
        await one_more(again)
        assert await names(again) == ["more"]


async def test_a_lost_connection_is_an_error_and_the_next_change_goes_through(database: Database) -> None:
    if database.dialect == "sqlite":
        return  # it has no connection to lose
    with pytest.raises(CrmError, match=r"(connection to .* was lost|failed before)") as caught:
        async with database.unit_of_work() as tx:
            await add(tx, "lost")
            (row,) = await tx.fetch("SELECT pg_backend_pid() AS pid")
            await database.fetch("SELECT pg_terminate_backend(?)", [row["pid"]])
            await tx.fetch("SELECT pg_sleep(5)")
    assert caught.value.code == ErrorCode.UNAVAILABLE
    for _ in range(3):
        await one_more(database)
    assert await names(database) == ["more", "more", "more"]


@pytest.mark.parametrize("sql", ["COMMIT", " rollback", "Begin", "SAVEPOINT a", "RELEASE a", "END"])
async def test_a_unit_of_work_is_not_ended_by_a_statement(database: Database, sql: str) -> None:
    with pytest.raises(CrmError, match="is not for a unit of work to run"):
        async with database.unit_of_work() as tx:
            await Staff.create(name="first", created_at=tx.now, updated_at=tx.now)
            await tx.execute(sql)
    assert await names(database) == []
