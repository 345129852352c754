"""SQLite only: transactions of a single step that wait for the writer together, and share one commit."""

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from threading import Event

import pytest
from tortoise.exceptions import IntegrityError

from crm_framework.storage.database import Database
from crm_framework.storage.gathered import Outdated
from crm_framework.storage.ids import new_id
from crm_framework.storage.sqlite import SqliteDriver

pytestmark = pytest.mark.parametrize("database_kind", ["sqlite"], indirect=True)


def driver(database: Database) -> SqliteDriver:
    assert isinstance(database._driver, SqliteDriver)
    return database._driver


@contextmanager
def told(database: Database) -> Iterator[list[str]]:
    """What the writer runs in the block."""
    statements: list[str] = []
    writer = driver(database)._writer
    writer.set_trace_callback(statements.append)
    try:
        yield statements
    finally:
        writer.set_trace_callback(None)


@contextmanager
def busy(database: Database) -> Iterator[None]:
    """Keeps the writer's thread from what it is given until the block ends."""
    done = Event()
    driver(database)._writer_thread.submit(done.wait)
    try:
        yield
    finally:
        done.set()


async def add(database: Database, name: str, key: str | None = None, so: int = 1) -> None:
    async with database.unit_of_work(repeatable=True) as tx:
        assert tx.assume("SELECT 1 WHERE 1 = ?", [so])
        row = {"id": key or new_id(), "name": name, "created_at": tx.now, "updated_at": tx.now}
        tx.insert("crm_staff", row)


async def all_wait(database: Database, *changes: "asyncio.Task[None]") -> None:
    while len(driver(database)._wholes._waiting) < len(changes):
        await asyncio.wait(changes, timeout=0.001)


async def at_once(database: Database, *changes: "asyncio.Task[None]") -> Sequence[BaseException | None]:
    """The outcomes of changes that all wait for the writer before it takes the first of them."""
    with busy(database):
        await all_wait(database, *changes)
    return await asyncio.gather(*changes, return_exceptions=True)


async def names(database: Database) -> list[str]:
    return [row["name"] for row in await database.fetch("SELECT name FROM crm_staff ORDER BY name")]


def change(database: Database, name: str, key: str | None = None, so: int = 1) -> "asyncio.Task[None]":
    return asyncio.create_task(add(database, name, key, so))


async def test_they_share_a_commit(database: Database) -> None:
    with told(database) as statements:
        outcomes = await at_once(database, *(change(database, name) for name in "abc"))
    assert outcomes == [None, None, None]
    assert [one for one in statements if one.startswith(("BEGIN", "COMMIT"))] == ["BEGIN IMMEDIATE", "COMMIT"]
    assert await names(database) == ["a", "b", "c"]


async def test_one_that_fails_takes_nothing_from_the_others(database: Database) -> None:
    key = new_id()
    several = [change(database, "a"), change(database, "b", key), change(database, "c", key)]
    outcomes = await at_once(database, *several, change(database, "\ud800"))
    assert outcomes[:2] == [None, None]
    assert isinstance(outcomes[2], IntegrityError)
    assert isinstance(outcomes[3], UnicodeEncodeError)
    assert await names(database) == ["a", "b"]


async def test_one_whose_assumption_fails_changes_nothing(database: Database) -> None:
    with told(database) as statements:
        several = [change(database, "a"), change(database, "b", so=2), change(database, "c")]
        outcomes = await at_once(database, *several)
    assert [type(one) for one in outcomes] == [type(None), Outdated, type(None)]
    assert statements.count("COMMIT") == 1
    assert await names(database) == ["a", "c"]


async def test_who_is_cancelled_is_stored_all_the_same(database: Database) -> None:
    first, second = change(database, "a"), change(database, "b")
    with busy(database):
        await all_wait(database, first, second)
        first.cancel()
        await asyncio.sleep(0)
    await second
    with pytest.raises(asyncio.CancelledError):
        await first
    assert await names(database) == ["a", "b"]
