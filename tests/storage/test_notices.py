"""Word of new events: at once here, from other processes on PostgreSQL, and nothing rests on it."""

import asyncio

import pytest

from crm_framework.events import CustomerUpdated
from crm_framework.storage.database import Database
from crm_framework.storage.ids import new_id
from crm_framework.testing.fixtures import CORE_APPS

LISTENERS = "SELECT pid FROM pg_stat_activity WHERE query LIKE 'LISTEN %' AND datname = current_database()"


async def change(database: Database) -> None:
    async with database.unit_of_work() as tx:
        tx.emit(CustomerUpdated(customer_id=new_id()))


async def heard(database: Database, seen: int) -> int:
    """The number of notices, once there are more than `seen`, however long that takes."""
    async with asyncio.timeout(30):
        while database.notices.count == seen:
            await database.notices.wait(seen, 30)
    return database.notices.count


async def listening(database: Database) -> int:
    """The server's process for the connection that listens."""
    async with asyncio.timeout(30):
        while True:
            await database.notices.wait(database.notices.count, 0.02)
            found = await database.fetch(LISTENERS)
            if len(found) == 1:
                pid: int = found[0]["pid"]
                return pid


async def test_the_process_that_wrote_knows_at_once(database: Database) -> None:
    # on PostgreSQL the listener counts too, once it is there
    seen = await heard(database, 0) if database.dialect == "postgres" else database.notices.count
    waiting = [asyncio.create_task(database.notices.wait(seen, 30)) for _ in range(3)]
    await change(database)
    assert database.notices.count == seen + 1
    async with asyncio.timeout(5):
        await asyncio.gather(*waiting)
        await database.notices.wait(seen, 30)  # what was said before the wait counts too


async def test_no_event_no_notice(database: Database) -> None:
    seen = database.notices.count
    async with database.unit_of_work() as tx:
        await tx.execute("DELETE FROM crm_staff")
    assert database.notices.count == seen


async def test_waiting_ends_without_a_notice(database: Database) -> None:
    seen = database.notices.count
    await database.notices.wait(seen, 0.01)
    assert database.notices.look_seconds <= 2


@pytest.mark.parametrize("database_kind", ["postgres"])
async def test_others_hear_of_it_and_again_after_the_connection_was_lost(database: Database) -> None:
    async with await Database.open(database.url, apps=CORE_APPS) as other:
        pid = await listening(database)
        seen = database.notices.count
        await change(other)
        seen = await heard(database, seen)
        await database.fetch("SELECT pg_terminate_backend(?)", (pid,))
        seen = await heard(database, seen)  # a new connection: something may have been said meanwhile
        assert await listening(database) != pid
        seen = database.notices.count
        await change(other)
        await heard(database, seen)


@pytest.mark.parametrize("database_kind", ["postgres"])
async def test_a_database_that_is_closed_has_said_it_all(database: Database) -> None:
    await listening(database)
    seen = database.notices.count
    async with await Database.open(database.url, apps=CORE_APPS) as other:
        for _ in range(3):
            await change(other)
    await heard(database, seen)
    rows = await database.fetch(LISTENERS)
    assert len(rows) == 1  # who only writes does not listen


@pytest.mark.parametrize("database_kind", ["postgres"])
async def test_many_commits_are_one_notice_and_no_statement_of_theirs(database: Database) -> None:
    with database.counting() as log:
        for _ in range(20):
            await change(database)
    assert len(log) == 40
    assert not [statement for statement in log if "notify" in statement]
