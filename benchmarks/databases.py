"""The databases that are measured: made anew, or copied from one that was kept, and gone after the run."""

import asyncio
import os
import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import asyncpg
from rich.console import Console

from benchmarks.company import Size
from benchmarks.generate import fingerprint, generate
from crm_framework.testing.postgres import lasting_folder, running_postgres
from crm_framework.testing.templates import run_statement

KEPT = Path("var/benchmarks")
"""Where generated files stay with --keep."""


@contextmanager
def sqlite_database(size: Size, console: Console, *, keep: bool) -> Iterator[str]:
    """URL of a filled file on a disk."""
    with tempfile.TemporaryDirectory(prefix="crm-bench-", dir=lasting_folder()) as folder:
        file = Path(folder, "company.sqlite3")
        kept = KEPT / f"{_name(size)}.sqlite3"
        if keep and kept.exists():
            console.print(f"{kept} is used again.")
            shutil.copyfile(kept, file)
        else:
            asyncio.run(generate(f"sqlite:{file}", size, console))
            if keep:
                KEPT.mkdir(parents=True, exist_ok=True)
                half = kept.with_suffix(".part")
                shutil.copyfile(file, half)
                half.rename(kept)
        yield f"sqlite:{file}"


@contextmanager
def postgres_database(size: Size, console: Console, *, keep: bool) -> Iterator[str]:
    """URL of a filled database, on the server that CRM_TEST_DATABASE_URL names or a new one on a disk."""
    with running_postgres(fsync=True) as server:
        keep = keep and "CRM_TEST_DATABASE_URL" in os.environ  # our own server does not outlive the run
        administrator = server.url("postgres")
        kept = _name(size)
        working = f"{kept}_{os.getpid()}"
        try:
            if keep and asyncio.run(_exists(administrator, kept)):
                console.print(f"The database {kept} is used again.")
                _run(administrator, f'CREATE DATABASE "{working}" TEMPLATE "{kept}"')
            else:
                _run(administrator, f'CREATE DATABASE "{working}"')
                asyncio.run(generate(server.url(working), size, console))
                if keep:
                    _run(administrator, f'CREATE DATABASE "{kept}" TEMPLATE "{working}"')
            yield server.url(working)
        finally:
            _run(administrator, f'DROP DATABASE IF EXISTS "{working}" WITH (FORCE)')


async def describe(url: str) -> str:
    """What the database is, and how durable its commits are, as it says itself."""
    if url.startswith("sqlite:"):
        with closing(sqlite3.connect(url.removeprefix("sqlite:"))) as connection:
            (mode,) = connection.execute("PRAGMA journal_mode").fetchone()
        return f"SQLite {sqlite3.sqlite_version}, journal_mode={mode}, synchronous=FULL"
    connection = await asyncpg.connect(url)
    try:
        version = await connection.fetchval("SHOW server_version")
        fsync, commit = [
            await connection.fetchval(f"SHOW {name}") for name in ("fsync", "synchronous_commit")
        ]
    finally:
        await connection.close()
    return f"PostgreSQL {version}, fsync={fsync}, synchronous_commit={commit}"


def _name(size: Size) -> str:
    return f"crm_bench_{size.customers}_{size.interactions}_{fingerprint()}"


def _run(url: str, statement: str) -> None:
    asyncio.run(run_statement(url, statement))


async def _exists(url: str, name: str) -> bool:
    connection = await asyncpg.connect(url)
    try:
        return bool(await connection.fetchval("SELECT count(*) FROM pg_database WHERE datname = $1", name))
    finally:
        await connection.close()
