import asyncio
import sqlite3
from contextlib import closing
from io import StringIO
from pathlib import Path

import asyncpg
import pytest
from rich.console import Console

from benchmarks.company import Size
from benchmarks.databases import postgres_database, sqlite_database
from benchmarks.generate import check_sqlite
from crm_framework.testing.templates import TestDatabases, run_statement

SIZE = Size(customers=30, interactions=90)


def test_a_kept_file_is_used_again_and_stays_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    console = Console(file=StringIO(), record=True)
    with sqlite_database(SIZE, console, keep=True):
        (kept,) = tmp_path.glob("var/benchmarks/*")
        before = kept.read_bytes()
    assert "used again" not in console.export_text()
    with (
        sqlite_database(SIZE, console, keep=True) as url,
        closing(sqlite3.connect(url.removeprefix("sqlite:"), isolation_level=None)) as connection,
    ):
        check_sqlite(connection, SIZE)
        connection.execute("DELETE FROM crm_interaction")
    assert "used again" in console.export_text()
    assert kept.read_bytes() == before


def test_a_kept_database_is_used_again_and_stays_as_it_was(
    test_databases: TestDatabases, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CRM_TEST_DATABASE_URL", test_databases.postgres.url("postgres"))
    console = Console(file=StringIO(), record=True)
    with postgres_database(SIZE, console, keep=True) as url:
        asyncio.run(run_statement(url, "DELETE FROM crm_interaction"))
    assert "used again" not in console.export_text()
    with postgres_database(SIZE, console, keep=True) as url:
        assert asyncio.run(count(url)) == SIZE.interactions
    assert "used again" in console.export_text()


async def count(url: str) -> int:
    connection = await asyncpg.connect(url)
    try:
        return int(await connection.fetchval("SELECT count(*) FROM crm_interaction"))
    finally:
        await connection.close()
