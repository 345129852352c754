import sqlite3

import asyncpg

TABLES = """select count(*) from information_schema.tables where table_name = 'crm_customer'"""


async def tables(url: str) -> int:
    if url.startswith("sqlite://"):
        with sqlite3.connect(url.removeprefix("sqlite://")) as connection:
            found: int = connection.execute(
                "select count(*) from sqlite_master where name = 'crm_customer'"
            ).fetchone()[0]
        connection.close()
        return found
    connected = await asyncpg.connect(url)
    try:
        return int(await connected.fetchval(TABLES))
    finally:
        await connected.close()


async def test_database_url_has_the_tables(database_url: str) -> None:
    assert await tables(database_url) == 1


async def test_empty_database_url_has_none(empty_database_url: str) -> None:
    assert await tables(empty_database_url) == 0
