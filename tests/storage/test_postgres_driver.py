"""PostgreSQL only: what a user reads when it cannot be reached, and what its connections are set to."""

import asyncio
import socket
import traceback
from contextlib import suppress
from urllib.parse import urlsplit

import pytest

from crm_framework.errors import CrmError, ErrorCode
from crm_framework.storage.database import Database
from crm_framework.storage.ids import new_id
from crm_framework.storage.unit_of_work import UnitOfWork
from crm_framework.testing.fixtures import CORE_APPS

pytestmark = pytest.mark.parametrize("database_kind", ["postgres"], indirect=True)

SECRET = "s3cr3t-p@ss"


async def refused(url: str, code: ErrorCode) -> str:
    with pytest.raises(CrmError) as caught:
        await Database.open(url, apps={}, wait_seconds=5)
    assert caught.value.code == code
    assert caught.value.hint
    assert "s3cr3t" not in "".join(traceback.format_exception(caught.value))
    assert caught.value.__suppress_context__ or caught.value.__context__ is None
    return str(caught.value)


async def test_nobody_listens(database_url: str) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    told = await refused(f"postgres://crm:s3cr3t-p%40ss@127.0.0.1:{port}/crm", ErrorCode.UNAVAILABLE)
    assert told == (
        f"postgres://crm@127.0.0.1:{port}/crm cannot be reached."
        " Check host and port in the database URL, and that the server runs."
    )


async def test_somebody_listens_and_never_answers(database_url: str) -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        with pytest.raises(CrmError, match="did not answer in time") as caught:
            await Database.open(
                f"postgres://crm:s3cr3t@127.0.0.1:{silent.getsockname()[1]}/crm", apps={}, wait_seconds=0.3
            )
    assert caught.value.code == ErrorCode.UNAVAILABLE


async def test_a_host_without_address(database_url: str) -> None:
    told = await refused("postgres://crm:s3cr3t@host.invalid/crm", ErrorCode.UNAVAILABLE)
    assert told.startswith("postgres://crm@host.invalid:5432/crm cannot be reached.")


async def test_a_wrong_password(database_url: str) -> None:
    parts = urlsplit(database_url)
    told = await refused(f"postgres://crm:s3cr3t@127.0.0.1:{parts.port}{parts.path}", ErrorCode.CONFIGURATION)
    assert told.startswith(
        f"postgres://crm@127.0.0.1:{parts.port}{parts.path} refuses this user or password."
    )


async def test_a_database_that_does_not_exist(database_url: str) -> None:
    port = urlsplit(database_url).port
    told = await refused(database_url.rsplit("/", 1)[0] + "/nowhere", ErrorCode.CONFIGURATION)
    assert told == (
        f"The database 'nowhere' does not exist on 127.0.0.1:{port}."
        f" Create it: createdb -h 127.0.0.1 -p {port} nowhere"
    )


async def test_a_server_that_acknowledges_before_it_flushes(database_url: str) -> None:
    name = database_url.rsplit("/", 1)[1]
    async with await Database.open(database_url, apps={}) as database, database.unit_of_work() as tx:
        await tx.execute(f'ALTER DATABASE "{name}" SET synchronous_commit = off')
    told = await refused(database_url, ErrorCode.CONFIGURATION)
    assert "synchronous_commit=off" in told
    assert f'ALTER DATABASE "{name}" SET synchronous_commit = on;' in told


async def add(tx: UnitOfWork, name: str) -> str:
    key = new_id()
    await tx.execute(
        "INSERT INTO crm_staff (id, name, created_at, updated_at) VALUES (?, ?, ?, ?)",
        [key, name, tx.now, tx.now],
    )
    return key


async def test_a_record_held_too_long_is_an_error(database_url: str) -> None:
    async with await Database.open(database_url, apps=CORE_APPS, wait_seconds=0.3) as database:
        async with database.unit_of_work() as tx:
            key = await add(tx, "a")

        async def rename() -> None:
            async with database.unit_of_work() as tx:
                await tx.lock("crm_staff", [key])
                await tx.execute("UPDATE crm_staff SET name = ?", ["b"])

        async with database.unit_of_work() as tx:
            await tx.lock("crm_staff", [key])
            with pytest.raises(CrmError, match="holds these records for too long") as caught:
                await asyncio.create_task(rename())
            assert caught.value.code == ErrorCode.UNAVAILABLE
            assert await database.fetch("SELECT name FROM crm_staff") == [{"name": "a"}]


async def test_of_two_changes_that_wait_for_each_other_one_gives_way(database: Database) -> None:
    async with database.unit_of_work() as tx:
        keys = [await add(tx, name) for name in ("a", "b")]
    both = asyncio.Barrier(2)

    async def touch(first: str, second: str) -> None:
        async with database.unit_of_work() as tx:
            await tx.execute("UPDATE crm_staff SET version = version + 1 WHERE id = ?", [first])
            await both.wait()
            await tx.execute("UPDATE crm_staff SET version = version + 1 WHERE id = ?", [second])

    outcomes = await asyncio.gather(touch(*keys), touch(*keys[::-1]), return_exceptions=True)
    (loser,) = [outcome for outcome in outcomes if outcome is not None]
    assert isinstance(loser, CrmError)
    assert (loser.code, loser.message) == (
        ErrorCode.UNAVAILABLE,
        "Two changes waited for each other; this one gave way.",
    )
    assert await database.fetch("SELECT version FROM crm_staff") == [{"version": 2}] * 2


async def test_lists_and_operators_with_question_marks(database: Database) -> None:
    async with database.unit_of_work() as tx:
        keys = [await add(tx, name) for name in ("a", "b", "c")]
    rows = await database.fetch("SELECT name FROM crm_staff WHERE id = ANY(?) ORDER BY name", [keys[:2]])
    assert rows == [{"name": "a"}, {"name": "b"}]
    assert await database.fetch("SELECT '{\"a\": 1}'::jsonb ?? ? AS has", ["a"]) == [{"has": True}]


async def test_a_pool_that_was_cut_off_recovers(database: Database) -> None:
    await database.fetch("SELECT 1")
    alone = await Database.open(database.url, apps={}, pool_size=1, read_pool_size=1)
    async with alone, alone.unit_of_work() as tx:
        await tx.fetch(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
    for _ in range(10):
        with suppress(CrmError):  # one that was in the pool may still be tried
            await database.fetch("SELECT 1")
    assert await database.fetch("SELECT 1 AS one") == [{"one": 1}]
    async with database.unit_of_work() as tx:
        await add(tx, "after")
    assert await database.fetch("SELECT name FROM crm_staff") == [{"name": "after"}]


async def test_a_text_that_it_cannot_keep_is_the_senders_fault(database: Database) -> None:
    async with database.unit_of_work() as tx:
        with pytest.raises(CrmError) as caught:
            async with tx.savepoint():
                await tx.fetch("SELECT CAST(? AS text)", ["a\0b"])
        assert (caught.value.code, caught.value.hint) == (ErrorCode.BAD_INPUT, "Remove it.")
        assert await tx.fetch("SELECT 1 AS one") == [{"one": 1}]
    with pytest.raises(CrmError) as caught:
        await database.fetch("SELECT CAST(? AS text)", ["a\0b"])
    assert caught.value.code == ErrorCode.BAD_INPUT


async def test_no_text_holds_the_character_zero_in_json_either(database: Database) -> None:
    for value, sql in (
        ("a\0b", "SELECT CAST(? AS TEXT) AS v"),
        (r'["a\u0000b"]', "SELECT CAST(? AS JSONB) AS v"),
    ):
        with pytest.raises(CrmError, match=r"U\+0000") as refused:
            await database.fetch(sql, [value])
        assert refused.value.code is ErrorCode.BAD_INPUT


async def test_a_statement_that_the_server_cancels_is_told(database: Database) -> None:
    with pytest.raises(CrmError, match="cancelled the statement: canceling statement due to") as caught:
        async with database.unit_of_work() as tx:
            await tx.execute("SET LOCAL statement_timeout = 20")
            await tx.fetch("SELECT pg_sleep(5)")
    assert caught.value.code == ErrorCode.UNAVAILABLE
