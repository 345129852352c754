"""The limit on PostgreSQL: a few connections with everything prepared, one round trip a request."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import asyncpg

from benchmarks import limit_answers, limit_json_postgres, limit_rows
from benchmarks.limit_answers import Answer, beyond, key_of
from benchmarks.limit_rows import CREATE, LOG, TOUCHES, Values
from crm_framework.domain.values.text import words
from crm_framework.storage.urls import PostgresTarget

CONNECTIONS = 8

ONE = """
SELECT id::text, name, email, phone, city, stage FROM crm_customer WHERE id = $1 AND merged_into_id IS NULL
"""
PAGE = """
SELECT c.id::text, name, email, phone, company, city, country, stage, created_at, updated_at
  FROM crm_customer AS c WHERE merged_into_id IS NULL ORDER BY sort_name, c.id LIMIT 50
"""
NESTED = """
SELECT c.id::text, c.name, i.id::text, i.kind, i.subject, i.occurred_at
  FROM (SELECT id, name, sort_name FROM crm_customer WHERE merged_into_id IS NULL
         ORDER BY sort_name, id LIMIT 50) AS c
  LEFT JOIN LATERAL (
       SELECT id, kind, subject, occurred_at FROM crm_interaction WHERE customer_id = c.id
        ORDER BY occurred_at DESC, id DESC LIMIT 5) AS i ON true
 ORDER BY c.sort_name, c.id, i.occurred_at DESC, i.id DESC
"""
SEARCH = """
SELECT c.id::text, name, email, city FROM crm_customer AS c
 WHERE to_tsvector('simple', search_text) @@ to_tsquery('simple', $1) AND stage = 'CUSTOMER'
   AND city >= $2 AND city < $3 AND merged_into_id IS NULL
 ORDER BY sort_name, c.id LIMIT 20
"""


def _inserts(tables: tuple[tuple[str, str], ...]) -> str:
    """One statement, and so one transaction and one round trip, that inserts a row into each table."""
    parts, place = [], 0
    for table, columns in tables:
        names = columns.split()
        marks = ", ".join(f"${place + n}" for n in range(1, len(names) + 1))
        parts.append(f"INSERT INTO {table} ({', '.join(names)}) VALUES ({marks})")
        place += len(names)
    before = ", ".join(f"w{number} AS ({part})" for number, part in enumerate(parts[:-1]))
    return f"WITH {before} {parts[-1]}"


STATEMENTS = {
    "one": ONE,
    "page": PAGE,
    "nested": NESTED,
    "search": SEARCH,
    "create": _inserts(CREATE),
    "log": _inserts(LOG),
    **{f"{name} as JSON": sql for name, sql in limit_json_postgres.STATEMENTS.items()},
}


class Postgres:
    def __init__(self, connections: list[Any]) -> None:
        self._connections = connections
        self._importer: Any = None
        self._idle: asyncio.LifoQueue[dict[str, Any]] = asyncio.LifoQueue()

    @classmethod
    async def open(cls, target: PostgresTarget) -> "Postgres":
        made = cls([await asyncpg.connect(target.dsn) for _ in range(CONNECTIONS)])
        for connection in made._connections:
            made._idle.put_nowait({name: await connection.prepare(sql) for name, sql in STATEMENTS.items()})
        made._importer = await asyncpg.connect(target.dsn)
        return made

    async def _run(self, name: str, *values: object) -> list[Any]:
        prepared = await self._idle.get()
        try:
            rows: list[Any] = await prepared[name].fetch(*values)
        finally:
            self._idle.put_nowait(prepared)
        return rows

    async def one(self, values: Values) -> Answer:
        return limit_answers.one((await self._run("one", key_of(values["id"])))[0])

    async def page(self, values: Values) -> Answer:
        return limit_answers.page(await self._run("page"), _as_it_is)

    async def nested(self, values: Values) -> Answer:
        rows = await self._run("nested")
        parents = dict(row[:2] for row in rows)
        children = ((row[0], *row[2:]) for row in rows if row[2] is not None)
        return limit_answers.nested(parents.items(), children, _as_it_is)

    async def search(self, values: Values) -> Answer:
        return limit_answers.search(await self._run("search", *_wanted(values)))

    async def as_json(self, name: str, values: Values) -> bytes:
        arguments = ARGUMENTS[name](values)
        text: str = (await self._run(f"{name} as JSON", *arguments))[0][0]
        return text.encode()

    async def create(self, values: Values) -> Answer:
        now = datetime.now(UTC)
        answer, rows = limit_rows.created(values, now, now)
        await self._run("create", *(value for row in rows for value in row))
        return answer

    async def log(self, values: Values) -> Answer:
        now = datetime.now(UTC)
        answer, rows = limit_rows.logged(values, now, now)
        await self._run("log", *(value for row in rows for value in row))
        return answer

    async def import_(self, values: Values) -> Answer:
        """By COPY, in one transaction."""
        now = datetime.now(UTC)
        answer, tables = limit_rows.imported(values, now, _as_it_is)
        async with self._importer.transaction():
            for (table, columns), rows in zip(TOUCHES, tables, strict=True):
                await self._importer.copy_records_to_table(table, records=rows, columns=columns.split())
        return answer

    async def close(self) -> None:
        for connection in (*self._connections, self._importer):
            await connection.close()


def _wanted(values: Values) -> tuple[str, str, str]:
    wanted = " & ".join(f"'{word}':*" for word in words(values["search"]))
    city = values["city"]
    return wanted, city, beyond(city)


ARGUMENTS: dict[str, Callable[[Values], tuple[str, ...]]] = {
    "one": lambda values: (key_of(values["id"]),),
    "page": lambda _: (),
    "nested": lambda _: (),
    "search": _wanted,
}


def _as_it_is(moment: datetime) -> datetime:
    return moment
