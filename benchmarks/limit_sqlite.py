"""The limit on SQLite: reads at once on the event loop, writes in turn on a thread that may wait."""

import asyncio
import sqlite3
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from operator import itemgetter

import orjson

from benchmarks import limit_answers, limit_json_sqlite, limit_rows
from benchmarks.limit_answers import Answer, beyond, customer_id, interaction_id, key_of
from benchmarks.limit_rows import CREATE, LOG, TOUCHES, Values
from crm_framework.domain.values.text import words
from crm_framework.storage.urls import SqliteTarget

ONE = "SELECT id, name, email, phone, city, stage FROM crm_customer WHERE id = ? AND merged_into_id IS NULL"
# The + keeps SQLite from going by the index of merged_into_id, which almost all customers share
PAGE = """
SELECT id, name, email, phone, company, city, country, stage, created_at, updated_at FROM crm_customer
 WHERE +merged_into_id IS NULL ORDER BY sort_name, id LIMIT 50
"""
PARENTS = "SELECT id, name FROM crm_customer WHERE +merged_into_id IS NULL ORDER BY sort_name, id LIMIT 50"
# rowid IN (…) leads from one index straight to the rows; a join of the keys would look each up in another.
# CROSS JOIN: where few interactions are there, SQLite would look through all of them for each customer
CHILDREN = """
SELECT g.value, i.id, i.kind, i.subject, i.occurred_at
  FROM json_each(?) AS g
 CROSS JOIN crm_interaction AS i ON i.rowid IN (
       SELECT rowid FROM crm_interaction WHERE customer_id = g.value
        ORDER BY occurred_at DESC, id DESC LIMIT 5)
"""
BY_MOMENT = itemgetter(4, 1)
# CROSS JOIN keeps this order: the words first, which are the rarest
SEARCH = """
SELECT c.id, c.name, c.email, c.city
  FROM crm_customer_search AS s
 CROSS JOIN crm_customer_search_key AS k ON k.number = s.rowid
 CROSS JOIN crm_customer AS c ON c.id = k.customer_id
 WHERE crm_customer_search MATCH ? AND c.stage = 'CUSTOMER' AND c.city >= ? AND c.city < ?
   AND c.merged_into_id IS NULL
 ORDER BY c.sort_name, c.id LIMIT 20
"""

Tables = Sequence[Iterable[Sequence[object]]]
"""The rows of each table of a write."""


class Sqlite:
    def __init__(self, target: SqliteTarget) -> None:
        self._reader = self._connect(target)
        self._reader.execute("PRAGMA query_only=ON")
        self._writer = self._connect(target)
        self._writer_thread = ThreadPoolExecutor(1)
        self._create = [_insert(*table) for table in CREATE]
        self._log = [_insert(*table) for table in LOG]
        self._import = [_insert(*table) for table in TOUCHES]
        for function in (customer_id, interaction_id):
            self._reader.create_function(function.__name__, 1, function, deterministic=True)

    @staticmethod
    def _connect(target: SqliteTarget) -> sqlite3.Connection:
        connection = sqlite3.connect(target.path, isolation_level=None, check_same_thread=False)
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
            connection.execute(f"PRAGMA {pragma}")
        return connection

    async def one(self, values: Values) -> Answer:
        return limit_answers.one(self._reader.execute(ONE, (key_of(values["id"]),)).fetchone())

    async def page(self, values: Values) -> Answer:
        return limit_answers.page(self._reader.execute(PAGE), datetime.fromisoformat)

    async def nested(self, values: Values) -> Answer:
        parents = self._reader.execute(PARENTS).fetchall()
        keys = orjson.dumps([key for key, _ in parents]).decode()
        children = self._reader.execute(CHILDREN, (keys,)).fetchall()
        children.sort(key=BY_MOMENT, reverse=True)
        return limit_answers.nested(parents, children, datetime.fromisoformat)

    async def search(self, values: Values) -> Answer:
        return limit_answers.search(self._reader.execute(SEARCH, _wanted(values)))

    async def as_json(self, name: str, values: Values) -> bytes:
        arguments = ARGUMENTS[name](values)
        text: str = self._reader.execute(limit_json_sqlite.STATEMENTS[name], arguments).fetchone()[0]
        return text.encode()

    async def create(self, values: Values) -> Answer:
        now = datetime.now(UTC)
        answer, rows = limit_rows.created(values, now, _kept(now))
        await self._store(self._create, [[row] for row in rows])
        return answer

    async def log(self, values: Values) -> Answer:
        now = datetime.now(UTC)
        answer, rows = limit_rows.logged(values, now, _kept(now))
        await self._store(self._log, [[row] for row in rows])
        return answer

    async def import_(self, values: Values) -> Answer:
        now = datetime.now(UTC)
        answer, tables = limit_rows.imported(values, now, _kept)
        await self._store(self._import, tables)
        return answer

    async def _store(self, statements: Sequence[str], tables: Tables) -> None:
        await asyncio.get_running_loop().run_in_executor(
            self._writer_thread, _transaction, self._writer, statements, tables
        )

    async def close(self) -> None:
        self._writer_thread.shutdown()
        self._writer.close()
        self._reader.close()


def _transaction(connection: sqlite3.Connection, statements: Sequence[str], tables: Tables) -> None:
    connection.execute("BEGIN IMMEDIATE")
    for statement, rows in zip(statements, tables, strict=True):
        connection.executemany(statement, rows)
    connection.execute("COMMIT")


def _kept(moment: datetime) -> str:
    """A moment as the database keeps it."""
    return moment.isoformat(" ", "microseconds")


def _wanted(values: Values) -> tuple[str, str, str]:
    wanted = " ".join(f'"{word}"*' for word in words(values["search"]))
    city = values["city"]
    return wanted, city, beyond(city)


ARGUMENTS: dict[str, Callable[[Values], tuple[str, ...]]] = {
    "one": lambda values: (key_of(values["id"]),),
    "page": lambda _: (),
    "nested": lambda _: (),
    "search": _wanted,
}


def _insert(table: str, columns: str) -> str:
    names = columns.split()
    return f"INSERT INTO {table} ({', '.join(names)}) VALUES ({', '.join('?' * len(names))})"
