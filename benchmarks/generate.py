"""Fills a new database with the company that is measured, by the database's own bulk path.

    python -m benchmarks.generate sqlite:var/benchmarks/company.sqlite3 --customers 2000 --interactions 20000

The rows do not go through the product, and indexes are made after them. What triggers keep is checked.
"""

import argparse
import asyncio
import hashlib
import sqlite3
from collections.abc import Iterable, Sequence
from contextlib import closing
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import Any

import asyncpg
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from benchmarks import company, company_plugins
from benchmarks.company import Size, Table, tables
from benchmarks.company_plugins import plugin_tables
from benchmarks.servers import crm
from crm_framework.storage.migration.migrator import CORE, migrate
from crm_framework.storage.urls import PostgresTarget, SqliteTarget, parse_url

BATCH = 20_000
"""Rows handed over at a time: a tenth of a second's work, so that the bar moves."""


def fingerprint() -> str:
    """Eight digits that change with the tables and the rows: what was kept under others is of no use."""
    import crm_framework.migrations

    folder = Path(crm_framework.migrations.__path__[0])
    plugins = Path(__file__).resolve().parent.parent / "plugins"
    files = [
        *sorted(folder.glob("0*.py")),
        *sorted(plugins.glob("*/*/migrations/0*.py")),
        *map(Path, (company.__file__, company_plugins.__file__, __file__)),
    ]
    return hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()[:8]


async def generate(url: str, size: Size, console: Console) -> None:
    """Migrates the empty database at `url` and fills it."""
    await migrate(url, [CORE])
    await fill(url, tables(size), console)
    target = parse_url(url)
    if isinstance(target, SqliteTarget):
        check_sqlite_file(target, size)
    else:
        await check_postgres(target, size)


async def generate_plugins(url: str, size: Size, console: Console) -> None:
    """Adds what the plugins know of the company."""
    # in a process of its own, since loading a plugin's models leaves traces in the core's
    await asyncio.to_thread(crm, url, "migrate", plugins=True)
    await fill(url, plugin_tables(size), console)
    await asyncio.to_thread(crm, url, "analytics", "rebuild", plugins=True)


async def fill(url: str, tables: Iterable[Table], console: Console) -> None:
    """Fills these tables, which are empty."""
    target = parse_url(url)
    with Progress(
        TextColumn("{task.description:18}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        console=console,
    ) as progress:
        if isinstance(target, SqliteTarget):
            await asyncio.to_thread(fill_sqlite, target, tables, progress)
        else:
            await fill_postgres(target, tables, progress)


def fill_sqlite(target: SqliteTarget, tables: Iterable[Table], progress: Progress) -> None:
    with closing(sqlite3.connect(target.path, isolation_level=None)) as connection:
        for pragma in ("synchronous=OFF", "cache_size=-400000", "foreign_keys=OFF"):
            connection.execute(f"PRAGMA {pragma}")
        for table in tables:
            rest = connection.execute(
                "SELECT name, sql FROM sqlite_schema"
                " WHERE tbl_name = ? AND type = 'index' AND sql IS NOT NULL",
                (table.name,),
            ).fetchall()
            marks = ",".join("?" * len(table.columns))
            insert = f"INSERT INTO {table.name} ({','.join(table.columns)}) VALUES ({marks})"
            connection.execute("BEGIN")
            for name, _ in rest:
                connection.execute(f'DROP INDEX "{name}"')
            for batch in _batches(table, progress):
                connection.executemany(insert, map(as_kept, batch))
            for _, sql in _shown(f"  {len(rest)} indexes", rest, progress):
                connection.execute(sql)
            connection.execute("COMMIT")
        # no ANALYZE: nothing in the product does it, and plans without statistics are those of its users
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def as_kept(row: Sequence[object]) -> list[object]:
    """A row as SQLite keeps it: the moments, which are in UTC here, as text."""
    return [value.isoformat(" ", "microseconds") if type(value) is datetime else value for value in row]


def check_sqlite_file(target: SqliteTarget, size: Size) -> None:
    with closing(sqlite3.connect(target.path, isolation_level=None)) as connection:
        check_sqlite(connection, size)


def check_sqlite(connection: sqlite3.Connection, size: Size) -> None:
    """Raises unless the rows are in, refer to rows that are there, and each can be found by its text."""
    # compares the search index with every row's text, and raises
    connection.execute(
        "INSERT INTO crm_customer_search (crm_customer_search, rank) VALUES ('integrity-check', 1)"
    )
    (found,) = connection.execute(
        "SELECT count(*) FROM crm_customer_search AS s"
        " JOIN crm_customer_search_key AS k ON k.number = s.rowid"
        " JOIN crm_customer AS c ON c.id = k.customer_id WHERE crm_customer_search MATCH 'example'"
    ).fetchone()
    (touches,) = connection.execute("SELECT count(*) FROM crm_interaction").fetchone()
    broken = connection.execute("PRAGMA foreign_key_check").fetchall()
    _check((found, touches, len(broken)), size)


async def fill_postgres(target: PostgresTarget, tables: Iterable[Table], progress: Progress) -> None:
    connection = await asyncpg.connect(target.dsn)
    try:
        for table in tables:
            rest = await connection.fetch(
                "SELECT i.indexrelid::regclass::text AS name, pg_get_indexdef(i.indexrelid) AS sql"
                " FROM pg_index i WHERE i.indrelid = $1::text::regclass"
                " AND NOT EXISTS (SELECT 1 FROM pg_constraint c WHERE c.conindid = i.indexrelid)",
                table.name,
            )
            async with connection.transaction():
                for index in rest:
                    await connection.execute(f"DROP INDEX {index['name']}")
                for batch in _batches(table, progress):
                    await connection.copy_records_to_table(table.name, records=batch, columns=table.columns)
                for index in _shown(f"  {len(rest)} indexes", rest, progress):
                    await connection.execute(index["sql"])
        await connection.execute("VACUUM ANALYZE")  # as the server does by itself after a while
        await connection.execute("CHECKPOINT")
    finally:
        await connection.close()


async def check_postgres(target: PostgresTarget, size: Size) -> None:
    connection = await asyncpg.connect(target.dsn)
    try:
        found = await connection.fetchval(
            "SELECT count(*) FROM crm_customer"
            " WHERE to_tsvector('simple', search_text) @@ to_tsquery('simple', 'example')"
        )
        touches = await connection.fetchval("SELECT count(*) FROM crm_interaction")
        _check((found, touches, 0), size)
    finally:
        await connection.close()


def _check(counts: tuple[int, int, int], size: Size) -> None:
    if counts != (size.customers, size.interactions, 0):
        raise RuntimeError(
            f"The generated database is wrong: {counts[0]} customers can be found,"
            f" {counts[1]} interactions are there, {counts[2]} rows refer to nothing; {size} was asked for."
        )


def _batches(table: Table, progress: Progress) -> Any:
    task = progress.add_task(table.name, total=table.total)
    while batch := list(islice(table.rows, BATCH)):
        yield batch
        progress.advance(task, len(batch))


def _shown(what: str, things: Any, progress: Progress) -> Any:
    task = progress.add_task(what, total=len(things))
    for thing in things:
        yield thing
        progress.advance(task)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("url", help="of an empty database: sqlite:FILE or postgres://…")
    parser.add_argument("--customers", type=int, default=100_000)
    parser.add_argument("--interactions", type=int, default=1_000_000)
    chosen = parser.parse_args()
    asyncio.run(generate(chosen.url, Size(chosen.customers, chosen.interactions), Console()))


if __name__ == "__main__":
    main()
