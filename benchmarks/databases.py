"""The databases that are measured: made anew, or copied from one that was kept, and gone after the run."""

import asyncio
import os
import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from pathlib import Path

import asyncpg
from rich.console import Console

from benchmarks.company import Size
from benchmarks.generate import fingerprint, generate, generate_plugins
from crm_framework.testing.postgres import lasting_folder, running_postgres
from crm_framework.testing.templates import run_statement

KEPT = Path("var/benchmarks")
"""Where generated files stay with --keep."""


@contextmanager
def sqlite_database(size: Size, console: Console, *, keep: bool, plugins: bool = True) -> Iterator[str]:
    """URL of a filled file on a disk, with the tables of the plugins or without."""
    with tempfile.TemporaryDirectory(prefix="crm-bench-", dir=lasting_folder()) as folder:
        file = Path(folder, "company.sqlite3")
        kept = KEPT / f"{_name(size, plugins)}.sqlite3"
        if keep and kept.exists():
            console.print(f"{kept} is used again.")
            shutil.copyfile(kept, file)
        else:
            asyncio.run(_fill(f"sqlite:{file}", size, console, plugins))
            if keep:
                KEPT.mkdir(parents=True, exist_ok=True)
                half = kept.with_suffix(".part")
                shutil.copyfile(file, half)
                half.rename(kept)
        yield f"sqlite:{file}"


@contextmanager
def postgres_database(size: Size, console: Console, *, keep: bool, plugins: bool = True) -> Iterator[str]:
    """URL of a filled database, on the server that CRM_TEST_DATABASE_URL names or a new one on a disk."""
    with running_postgres(fsync=True) as server:
        keep = keep and "CRM_TEST_DATABASE_URL" in os.environ  # our own server does not outlive the run
        administrator = server.url("postgres")
        kept = _name(size, plugins)
        working = f"{kept}_{os.getpid()}"
        try:
            known = "SELECT count(*) FROM pg_database WHERE datname = $1"
            if keep and asyncio.run(_fetch(administrator, known, kept)):
                console.print(f"The database {kept} is used again.")
                _run(administrator, f'CREATE DATABASE "{working}" TEMPLATE "{kept}"')
            else:
                _run(administrator, f'CREATE DATABASE "{working}"')
                asyncio.run(_fill(server.url(working), size, console, plugins))
                if keep:
                    _run(administrator, f'CREATE DATABASE "{kept}" TEMPLATE "{working}"')
            yield server.url(working)
        finally:
            _run(administrator, f'DROP DATABASE IF EXISTS "{working}" WITH (FORCE)')


def database_of(
    kind: str, size: Size, console: Console, *, keep: bool, plugins: bool = True
) -> AbstractContextManager[str]:
    """A filled database of this kind."""
    make = sqlite_database if kind == "sqlite" else postgres_database
    return make(size, console, keep=keep, plugins=plugins)


def title_of(url: str) -> str:
    return asyncio.run(describe(url))


def bytes_of(url: str) -> int:
    """What the database takes on the disk."""
    if url.startswith("sqlite:"):
        return Path(url.removeprefix("sqlite:")).stat().st_size
    return asyncio.run(_fetch(url, "SELECT pg_database_size(current_database())"))


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


async def _fill(url: str, size: Size, console: Console, plugins: bool) -> None:
    await generate(url, size, console)
    if plugins:
        await generate_plugins(url, size, console)


def _name(size: Size, plugins: bool) -> str:
    kind = "full" if plugins else "core"
    return f"crm_bench_{kind}_{size.customers}_{size.interactions}_{fingerprint()}"


def _run(url: str, statement: str) -> None:
    asyncio.run(run_statement(url, statement))


async def _fetch(url: str, sql: str, *values: object) -> int:
    connection = await asyncpg.connect(url)
    try:
        return int(await connection.fetchval(sql, *values))
    finally:
        await connection.close()


@contextmanager
def empty_database(kind: str) -> Iterator[str]:
    """URL of a new database without tables, on SQLite in the folder for passing files, or on a new server."""
    if kind == "sqlite":
        with tempfile.TemporaryDirectory(prefix="crm-bench-") as folder:
            yield f"sqlite:{Path(folder, 'empty.sqlite3')}"
        return
    with running_postgres() as server:
        _run(server.url("postgres"), "CREATE DATABASE bench")
        yield server.url("bench")
