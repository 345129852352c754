"""The library on both databases, read by a reader of a few lines."""

import asyncio
import json
import sqlite3
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import asyncpg
import pytest

from crm_framework.engine import Dialect, EngineSchema
from crm_framework.engine.execute import execute, subscribe
from crm_framework.engine.result import Result

from . import library


class LibraryReader:
    """Reads and writes one database; `log` has every statement that was read with."""

    dialect: Dialect

    def __init__(self) -> None:
        self.log: list[str] = []
        self.asked: dict[str, Sequence[object]] = {}

    async def fetch(
        self, sql: str, args: Sequence[object] = (), *, bounded: bool = False
    ) -> list[dict[str, Any]]:
        self.log.append(sql)
        self.asked[sql] = args
        return await self.run(sql, args)

    async def rows(
        self, sql: str, args: Sequence[object] = (), *, bounded: bool = False
    ) -> list[tuple[Any, ...]]:
        found = [tuple(row.values()) for row in await self.fetch(sql, args)]
        assert len({len(row) for row in found}) < 2
        return found

    async def run(self, sql: str, args: Sequence[object] = ()) -> list[dict[str, Any]]:
        raise NotImplementedError

    async def close(self) -> None:
        raise NotImplementedError

    async def insert(self, table: str, **values: object) -> None:
        places = ", ".join("?" for _ in values)
        await self.run(f"INSERT INTO {table} ({', '.join(values)}) VALUES ({places})", list(values.values()))


class SqliteReader(LibraryReader):
    dialect = "sqlite"

    def __init__(self, path: str) -> None:
        super().__init__()
        self.connection = sqlite3.connect(path)
        self.connection.row_factory = sqlite3.Row

    async def run(self, sql: str, args: Sequence[object] = ()) -> list[dict[str, Any]]:
        await asyncio.sleep(0)
        return [dict(row) for row in self.connection.execute(sql, [self._value(arg) for arg in args])]

    @staticmethod
    def _value(value: object) -> Any:
        if isinstance(value, datetime):
            return value.astimezone(UTC).isoformat(" ", "microseconds")
        return str(value) if isinstance(value, date | Decimal) else value

    async def close(self) -> None:
        self.connection.close()


class PostgresReader(LibraryReader):
    dialect = "postgres"

    def __init__(self, connection: Any) -> None:
        super().__init__()
        self.connection = connection
        self.lock = asyncio.Lock()

    @classmethod
    async def open(cls, url: str) -> "PostgresReader":
        connection = await asyncpg.connect(url)
        await connection.set_type_codec("uuid", schema="pg_catalog", encoder=str, decoder=str)
        return cls(connection)

    async def run(self, sql: str, args: Sequence[object] = ()) -> list[dict[str, Any]]:
        parts = sql.split("?")
        numbered = "".join(f"{part}${n}" for n, part in enumerate(parts[:-1], 1)) + parts[-1]
        async with self.lock:
            return [dict(row) for row in await self.connection.fetch(numbered, *args)]

    async def close(self) -> None:
        await self.connection.close()


@pytest.fixture(scope="session")
def schema() -> EngineSchema:
    return library.make_schema()


@pytest.fixture
async def reader(empty_database_url: str) -> AsyncIterator[LibraryReader]:
    """An empty library."""
    opened: LibraryReader
    if empty_database_url.startswith("sqlite"):
        opened = SqliteReader(empty_database_url.removeprefix("sqlite://"))
    else:
        opened = await PostgresReader.open(empty_database_url)
    for statement in library.TABLES:
        await opened.run(statement.format(**library.TYPES[opened.dialect]))
    yield opened
    await opened.close()


class Library:
    """A filled library and what the tests ask of it."""

    def __init__(self, schema: EngineSchema, reader: LibraryReader) -> None:
        self.schema = schema
        self.reader = reader

    def visit(self, **settings: Any) -> library.Visit:
        visit = library.Visit(self.reader, introspection_permission="introspect")
        for name, value in settings.items():
            setattr(visit, name, value)
        return visit

    async def ask(
        self,
        text: str,
        variables: dict[str, Any] | None = None,
        operation: str | None = None,
        **settings: Any,
    ) -> Result:
        self.reader.log.clear()
        library.CALLS.clear()
        return await execute(self.schema, text, variables, operation, self.visit(**settings))

    async def data(self, text: str, variables: dict[str, Any] | None = None, **settings: Any) -> Any:
        result = await self.ask(text, variables, **settings)
        assert result.errors == []
        return result.data

    async def plan(self, sql: str) -> str:
        """How the database would run a statement that it was asked before."""
        explain, args = "EXPLAIN QUERY PLAN", self.reader.asked[sql]
        if self.reader.dialect == "postgres":
            explain = "EXPLAIN"
            await self.reader.run("SET enable_seqscan = off")
            await self.reader.run("SET enable_bitmapscan = off")
        found = await self.reader.run(f"{explain} {sql}", args)
        return "\n".join(str(row.get("detail") or row.get("QUERY PLAN")) for row in found)

    async def listen(self, text: str, **settings: Any) -> list[Result]:
        self.reader.log.clear()
        found = await subscribe(self.schema, text, None, None, self.visit(**settings))
        return [found] if isinstance(found, Result) else [result async for result in found]

    async def fill(self, authors: int, books: int = 3) -> None:
        """Authors with as many books each; each second book has a review; everyone has a mentor."""
        await self.grow(0, authors, books)

    async def grow(self, before: int, authors: int, books: int = 3) -> None:
        """Fills it further, up to so many authors."""
        insert = self.reader.insert
        for a in range(before, authors):
            mentor = library.key(a // 2)
            born = date(1970, 1, 1 + a % 28)
            await insert("lib_author", id=library.key(a), name=f"A{a:03d}", born=born, mentor_id=mentor)
            for b in range(books):
                key = library.key(1000 * (a + 1) + b)
                await insert(
                    "lib_book",
                    id=key,
                    author_id=library.key(a),
                    title=f"T{a:03d}-{b:03d}",
                    year=None if b % 3 == 2 else 1899 + b,
                    price=None if b % 4 == 3 else Decimal(f"{10 + b}.50"),
                    published_at=None if b % 5 == 4 else library.moment(a + b),
                    bought_on=date(2024, 2, 1 + b % 28),
                    lent=b % 2 == 1,
                    binding=(None, "hard", "soft")[b % 3],
                    facts=json.dumps({"pages": 100 + b}),
                    reading_seconds=None if b % 2 else 3600 * b,
                )
                if b % 2 == 0:
                    await insert("lib_review", id=key, book_id=key, stars=1 + b % 5, text=None)


@pytest.fixture
async def shelves(schema: EngineSchema, reader: LibraryReader) -> Library:
    """An empty library with its schema."""
    return Library(schema, reader)


@pytest.fixture
async def filled(shelves: Library) -> Library:
    """Four authors with five books each."""
    await shelves.fill(4, 5)
    return shelves
