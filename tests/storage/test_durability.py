"""A database that would acknowledge a change before it is on disk is refused."""

import sqlite3
from pathlib import Path

import pytest

from crm_framework.errors import CrmError, ErrorCode
from crm_framework.storage.database import Database
from crm_framework.storage.durability import POSTGRES_SETTINGS, check_postgres, check_sqlite, flush_sqlite
from crm_framework.storage.urls import PostgresTarget, SqliteTarget, parse_url

SAFE = {"synchronous_commit": "on", "fsync": "on", "full_page_writes": "on", "disposable": None}
SERVER = parse_url("postgres://ada@db/crm")
FILE = SqliteTarget(Path("/var/crm.db"))


def refused(**settings: str) -> str:
    assert isinstance(SERVER, PostgresTarget)
    with pytest.raises(CrmError) as caught:
        check_postgres(SAFE | settings, SERVER)
    assert caught.value.code == ErrorCode.CONFIGURATION
    return str(caught.value)


def test_a_server_that_does_not_flush_is_refused() -> None:
    assert refused(synchronous_commit="off") == (
        "postgres://ada@db:5432/crm has synchronous_commit=off,"
        " with which an acknowledged write could be lost."
        ' ALTER DATABASE "crm" SET synchronous_commit = on;'
    )
    for name in ("fsync", "full_page_writes"):
        assert refused(**{name: "off"}) == (
            f"postgres://ada@db:5432/crm has {name}=off, with which a power cut could destroy it."
            f" ALTER SYSTEM SET {name} = on; SELECT pg_reload_conf();"
            " For tests, on a server whose data may be lost: ALTER ROLE CURRENT_USER SET crm.disposable = on;"
        )


def test_a_server_may_say_that_its_data_can_be_lost() -> None:
    assert isinstance(SERVER, PostgresTarget)
    check_postgres(SAFE, SERVER)
    check_postgres(SAFE | {"fsync": "off", "full_page_writes": "off", "disposable": "on"}, SERVER)
    assert "synchronous_commit=off" in refused(synchronous_commit="off", disposable="on")
    assert "fsync=off" in refused(fsync="off", disposable="off")


@pytest.mark.parametrize("database_kind", ["postgres"], indirect=True)
async def test_what_a_server_says_is_asked_at_the_start(database_url: str) -> None:
    name = database_url.rsplit("/", 1)[1]
    async with await Database.open(database_url, apps={}) as database:
        (settings,) = await database.fetch(POSTGRES_SETTINGS)
        if settings["fsync"] == "on":
            return  # a server of somebody's own, which may be what it likes
        async with database.unit_of_work() as tx:
            await tx.execute(f'ALTER DATABASE "{name}" SET crm.disposable = off')
    with pytest.raises(CrmError, match="has fsync=off, with which a power cut could destroy it"):
        await Database.open(database_url, apps={})


def test_a_file_that_is_not_flushed_is_refused(tmp_path: Path) -> None:
    connection = sqlite3.connect(tmp_path / "crm.db")
    try:
        flush_sqlite(connection)
        with pytest.raises(CrmError, match="its journal mode stays 'delete'"):
            check_sqlite(connection, FILE)
        connection.execute("PRAGMA journal_mode=WAL")
        check_sqlite(connection, FILE)
        connection.execute("PRAGMA synchronous=EXTRA")
        check_sqlite(connection, FILE)
        for level in ("NORMAL", "OFF"):
            connection.execute(f"PRAGMA synchronous={level}")
            with pytest.raises(CrmError, match="an acknowledged write could be lost") as caught:
                check_sqlite(connection, FILE)
            assert caught.value.code == ErrorCode.CONFIGURATION
    finally:
        connection.close()
