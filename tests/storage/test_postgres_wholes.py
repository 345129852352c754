"""PostgreSQL only: transactions of a single statement that are stored together."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import Any

import asyncpg
import pytest
from tortoise.exceptions import IntegrityError

from crm_framework.errors import CrmError, ErrorCode
from crm_framework.storage.database import Database
from crm_framework.storage.gathered import Outdated
from crm_framework.storage.ids import new_id
from crm_framework.storage.postgres import PostgresDriver
from crm_framework.storage.postgres_wholes import MOST, PATIENCE_SECONDS
from crm_framework.storage.unit_of_work import UnitOfWork

pytestmark = pytest.mark.parametrize("database_kind", ["postgres"], indirect=True)

Change = asyncio.Task[None]
SO = "SELECT 1 WHERE 1 = ?"
THERE = "SELECT 1 FROM crm_staff WHERE id = ? AND active FOR KEY SHARE"


@asynccontextmanager
async def another(database_url: str) -> AsyncIterator[Any]:
    """A connection that is none of the driver's."""
    connection = await asyncpg.connect(database_url)
    try:
        yield connection
    finally:
        await connection.close()


def row(tx: UnitOfWork, name: str, key: str | None = None) -> dict[str, object]:
    return {"id": key or new_id(), "name": name, "created_at": tx.now, "updated_at": tx.now}


async def add(
    database: Database, name: str, key: str | None = None, *, sql: str = SO, given: object = 1
) -> None:
    async with database.unit_of_work(repeatable=True) as tx:
        assert tx.assume(sql, [given])
        tx.insert("crm_staff", row(tx, name, key))


def change(database: Database, name: str, key: str | None = None, **more: Any) -> Change:
    return asyncio.create_task(add(database, name, key, **more))


async def together(*changes: Change) -> Sequence[BaseException | None]:
    return await asyncio.gather(*changes, return_exceptions=True)


async def names(database: Database) -> list[str]:
    return [row["name"] for row in await database.fetch("SELECT name FROM crm_staff ORDER BY name")]


async def transactions(database: Database) -> dict[str, str]:
    """By name: what stored it."""
    rows = await database.fetch("SELECT name, xmin::text AS stored_by FROM crm_staff")
    return {row["name"]: row["stored_by"] for row in rows}


async def waits_for_a_lock(connection: Any, count: int = 1) -> None:
    waiting = (
        "SELECT count(*) FROM pg_stat_activity"
        " WHERE datname = current_database() AND wait_event_type = 'Lock'"
    )
    async with asyncio.timeout(20):
        while await connection.fetchval(waiting) != count:  # noqa: ASYNC110  # the server tells nobody
            await asyncio.sleep(0.005)


@pytest.mark.parametrize(
    ("count", "by"), [(1, [1]), (2, [2]), (3, [1, 2]), (MOST, [MOST]), (MOST + 7, [1, 2, 4, MOST])]
)
async def test_those_that_come_together_are_stored_by_one_transaction(
    database: Database, count: int, by: list[int]
) -> None:
    everybody = [f"{number:03}" for number in range(count)]
    assert await together(*(change(database, name) for name in everybody)) == [None] * count
    stored = await transactions(database)
    assert sorted(stored) == everybody
    assert sorted(Counter(stored.values()).values()) == by


@pytest.mark.parametrize(("rows", "by"), [(16, [2, 2, 2, 2]), (24, [1] * 8)])
async def test_those_of_many_values_go_with_fewer_others(
    database: Database, rows: int, by: list[int]
) -> None:
    """25 values a row."""
    names = [f"c{number}" for number in range(25)]
    async with database.unit_of_work() as tx:
        await tx.execute(f"CREATE TABLE crm_wide ({', '.join(f'{name} text' for name in names)})")

    async def keep(number: int) -> None:
        async with database.unit_of_work() as tx:
            tx.insert("crm_wide", *(dict.fromkeys(names, f"{number}") for _ in range(rows)))

    await asyncio.gather(*map(keep, range(8)))
    found = await database.fetch(
        "SELECT c24, xmin::text AS stored_by, count(*) AS n FROM crm_wide GROUP BY 1, 2"
    )
    assert {row["c24"]: row["n"] for row in found} == {f"{number}": rows for number in range(8)}
    assert sorted(Counter(row["stored_by"] for row in found).values()) == by


async def test_one_that_fails_takes_nothing_from_the_others(database: Database) -> None:
    key = new_id()
    several = [change(database, "a"), change(database, "b", key), change(database, "c", key)]
    outcomes = await together(*several, change(database, "\0"), change(database, "x" * 1000))
    assert outcomes[0] is None
    assert sorted(map(type, outcomes[1:3]), key=str) == [type(None), IntegrityError] or (
        [type(one) for one in outcomes[1:3]] == [type(None), IntegrityError]
    )
    assert isinstance(outcomes[3], CrmError)
    assert outcomes[3].code is ErrorCode.BAD_INPUT
    assert isinstance(outcomes[4], Exception)
    assert len(await names(database)) == 2


async def test_one_whose_assumption_fails_changes_nothing(database: Database) -> None:
    several = [change(database, name, given=2 if name == "b" else 1) for name in "abcd"]
    assert [type(one) for one in await together(*several)] == [type(None), Outdated, type(None), type(None)]
    stored = await transactions(database)
    assert sorted(stored) == ["a", "c", "d"]
    assert len(set(stored.values())) == 1


async def test_who_is_cancelled_is_stored_all_the_same(database: Database) -> None:
    first, second = change(database, "a"), change(database, "b")
    while not driver(database).wholes._lanes:
        await asyncio.wait([first, second], timeout=0)
    first.cancel()
    await second
    with pytest.raises(asyncio.CancelledError):
        await first
    assert await names(database) == ["a", "b"]


async def test_one_that_waits_for_a_lock_keeps_nobody_else_waiting(
    database: Database, database_url: str
) -> None:
    held, free = new_id(), new_id()
    await together(change(database, "held", held), change(database, "free", free))
    async with another(database_url) as other, another(database_url) as looker:
        async with other.transaction():
            await other.execute("SELECT 1 FROM crm_staff WHERE id = $1 FOR UPDATE", held)
            await other.execute("UPDATE crm_staff SET active = false WHERE id = $1", held)
            waiting = [change(database, "w", sql=THERE, given=held) for _ in range(3)]
            others = [change(database, name, sql=THERE, given=free) for name in "ab"]
            assert await together(*others) == [None, None]
            await waits_for_a_lock(looker, 3)
            assert [one.done() for one in waiting] == [False] * 3
            await asyncio.sleep(2 * PATIENCE_SECONDS)
            await add(database, "c", sql=THERE, given=free)
        assert [type(one) for one in await together(*waiting)] == [Outdated] * 3
    assert await names(database) == ["a", "b", "c", "free", "held"]


async def test_many_that_wait_for_one_record_leave_connections_to_the_others(database_url: str) -> None:
    held, free = new_id(), new_id()
    async with (
        await Database.open(
            database_url, apps={}, pool_size=4, read_pool_size=1, wait_seconds=20
        ) as database,
        another(database_url) as other,
        another(database_url) as looker,
    ):
        await together(change(database, "held", held), change(database, "free", free))
        async with other.transaction():
            await other.execute("SELECT 1 FROM crm_staff WHERE id = $1 FOR UPDATE", held)
            waiting = [change(database, f"{number:02}", sql=THERE, given=held) for number in range(16)]
            await waits_for_a_lock(looker, 2)
            for number in range(16, 24):
                waiting.append(change(database, f"{number:02}", sql=THERE, given=held))
                await asyncio.sleep(2 * PATIENCE_SECONDS)  # so that it goes alone
            await waits_for_a_lock(looker, 3)
            others = [change(database, name, sql=THERE, given=free) for name in "abcd"]
            assert await together(*others) == [None] * 4
            await add(database, "e", sql=THERE, given=free)
            assert not any(one.done() for one in waiting)
        assert await together(*waiting) == [None] * 24
        assert len(await names(database)) == 2 + 5 + 24


async def test_a_lock_on_the_table_is_waited_for_by_more_than_one_statement(
    database: Database, database_url: str
) -> None:
    """Those that come later than the patience of the first are sent beside it."""
    async with another(database_url) as other, another(database_url) as looker:
        async with other.transaction():
            await other.execute("LOCK TABLE crm_staff IN EXCLUSIVE MODE")
            first = change(database, "a")
            await waits_for_a_lock(looker, 1)
            second = change(database, "b")
            await waits_for_a_lock(looker, 2)
        assert await together(first, second) == [None, None]
    assert await names(database) == ["a", "b"]


@pytest.mark.parametrize("count", [1, 2])
async def test_a_connection_lost_under_way_leaves_the_outcome_open(
    database: Database, database_url: str, count: int
) -> None:
    assert await together(*(change(database, "before") for _ in range(2))) == [None, None]
    async with another(database_url) as other, another(database_url) as looker, other.transaction():
        await other.execute("LOCK TABLE crm_staff IN EXCLUSIVE MODE")
        changes = [change(database, f"{number}") for number in range(count)]
        await waits_for_a_lock(looker, 1)
        killed = await looker.fetch(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
            " WHERE datname = current_database() AND wait_event_type = 'Lock'"
        )
        assert len(killed) == 1
        outcomes = await together(*changes)
    for outcome in outcomes:
        assert isinstance(outcome, CrmError)
        assert outcome.code == ErrorCode.UNAVAILABLE
        assert "may be stored, or not" in str(outcome)
    await add(database, "later")
    assert await names(database) == ["before", "before", "later"]


async def test_no_connection_in_time_is_told_to_all(database_url: str) -> None:
    async with await Database.open(
        database_url, apps={}, pool_size=1, read_pool_size=1, wait_seconds=0.3
    ) as database:
        async with database.unit_of_work() as tx:
            await tx.fetch("SELECT 1")
            outcomes = await together(*(change(database, name) for name in "abc"))
        for outcome in outcomes:
            assert isinstance(outcome, CrmError)
            assert outcome.code is ErrorCode.UNAVAILABLE
            assert str(outcome).startswith(
                "Other changes kept all connections busy for more than 0.3 seconds."
            )
        await add(database, "d")
        assert await names(database) == ["d"]


async def test_what_only_gathers_needs_no_connection_until_its_end(database_url: str) -> None:
    async with await Database.open(
        database_url, apps={}, pool_size=1, read_pool_size=1, wait_seconds=5
    ) as database:
        async with database.unit_of_work() as tx:
            tx.insert("crm_staff", row(tx, "a"))
            await asyncio.create_task(add(database, "b"))
            assert await names(database) == ["b"]
        assert await names(database) == ["a", "b"]


async def test_types_of_all_kinds(database: Database) -> None:
    async with database.unit_of_work() as tx:
        await tx.execute("CREATE TYPE \"a mood\" AS ENUM ('good', 'bad')")
        await tx.execute(
            'CREATE TABLE crm_x (n int PRIMARY KEY, words text[], mood "a mood", j jsonb, d numeric(6, 2))'
        )
    rows: list[dict[str, object]] = [
        {"n": 1, "words": ["a", "b"], "mood": "good", "j": '{"a": [1]}', "d": Decimal("1.50")},
        {"n": 2, "words": [], "mood": None, "j": None, "d": None},
        {"n": 3, "words": ["c"], "mood": "bad", "j": "[]", "d": Decimal("-0.01")},
        {"n": 4, "words": None, "mood": "bad", "j": "null", "d": Decimal(0)},
    ]

    async def keep(row: dict[str, object]) -> None:
        async with database.unit_of_work() as tx:
            tx.insert("crm_x", row)

    await asyncio.gather(*map(keep, rows))
    found = await database.fetch("SELECT n, words, mood::text AS mood, j::text AS j, d FROM crm_x ORDER BY n")
    assert found == rows
    assert len(await database.fetch("SELECT DISTINCT xmin::text FROM crm_x")) == 1


def driver(database: Database) -> PostgresDriver:
    assert isinstance(database._driver, PostgresDriver)
    return database._driver
