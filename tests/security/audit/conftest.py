"""A log with entries of all sorts in its chain, and somebody who gets at the tables past the triggers."""

import sqlite3
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Any

import asyncpg
import pytest

from crm_framework.domain.customers.changes import CustomerChange, create_customer, update_customer
from crm_framework.domain.customers.draft import NewCustomer
from crm_framework.domain.privacy.erasure import erase_customer
from crm_framework.security.actors import Actor, ActorKind
from crm_framework.security.audit.chain import NO_KEYS, AuditKeys
from crm_framework.security.audit.sealing import sealing
from crm_framework.storage.audit import AuditRecord, audit_row, who_acts
from crm_framework.storage.database import Database
from crm_framework.storage.ids import new_id
from crm_framework.storage.sql import numbered

Row = dict[str, Any]

KEYS = AuditKeys.of(["a key of the tests, long enough"])
ADMIN = Actor.system("tests")


@dataclass
class Intruder:
    """Whoever may do everything to the database: on PostgreSQL a superuser, on SQLite the file's owner."""

    url: str
    _sqlite: sqlite3.Connection | None = None
    _postgres: Any = None

    @classmethod
    async def enter(cls, url: str) -> "Intruder":
        intruder = cls(url)
        if url.startswith("sqlite"):
            intruder._sqlite = sqlite3.connect(url.removeprefix("sqlite://"), isolation_level=None)
            for (name,) in intruder._sqlite.execute(
                "SELECT name FROM sqlite_master WHERE type = 'trigger' AND name LIKE 'crm_audit%'"
            ).fetchall():
                intruder._sqlite.execute(f"DROP TRIGGER {name}")
            intruder._sqlite.execute("PRAGMA ignore_check_constraints = ON")
        else:
            intruder._postgres = await asyncpg.connect(url)
            await intruder._postgres.set_type_codec(
                "uuid", encoder=str, decoder=str, schema="pg_catalog", format="text"
            )
            await intruder._postgres.execute("SET session_replication_role = replica")
            await intruder._postgres.execute(
                "ALTER TABLE crm_audit_chain DROP CONSTRAINT crm_audit_chain_position"
            )
        return intruder

    async def run(self, sql: str, *args: Any) -> None:
        if self._sqlite is not None:
            self._sqlite.execute(sql, args)
        else:
            await self._postgres.execute(numbered(sql), *args)

    async def rows(self, sql: str, *args: Any) -> list[Row]:
        if self._sqlite is None:
            return [dict(row) for row in await self._postgres.fetch(numbered(sql), *args)]
        cursor = self._sqlite.execute(sql, args)
        names = [column[0] for column in cursor.description]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]

    async def put(self, table: str, *rows: Row) -> None:
        for row in rows:
            marks = ", ".join("?" * len(row))
            await self.run(f"INSERT INTO {table} ({', '.join(row)}) VALUES ({marks})", *row.values())

    async def remove(self, table: str, key: str, *values: Any) -> None:
        for value in values:
            await self.run(f"DELETE FROM {table} WHERE {key} = ?", value)

    async def leave(self) -> None:
        if self._sqlite is not None:
            self._sqlite.close()
        else:
            await self._postgres.close()


@pytest.fixture
async def intruder(database: Database, database_url: str) -> AsyncIterator[Intruder]:
    found = await Intruder.enter(database_url)
    yield found
    await found.leave()


async def fill(database: Database, keys: AuditKeys = NO_KEYS) -> None:
    """Changes by staff and by a customer, a refused attempt, and two persons erased: all in the chain."""
    database.audit_key = keys.current
    staff = Actor(kind=ActorKind.STAFF, id=new_id(), name="Grace", permissions=frozenset({"*"}))
    async with sealing(database, keys):
        customers: list[str] = []
        for name in ("Ada Lovelace", "Charles Babbage", "Zerelda Quixworth"):
            async with database.unit_of_work(staff, request_id=f"r-{name[0]}") as tx:
                customers.append((await create_customer(tx, NewCustomer(name=name, city="Penzance"))).id)
        for key in customers:
            async with database.unit_of_work(staff) as tx:
                await update_customer(tx, key, CustomerChange(company="Quixworth Vellum"))
            own = Actor(
                kind=ActorKind.CUSTOMER, id=key, name="Zerelda", permissions=frozenset(), customer_id=key
            )
            async with database.unit_of_work(own) as tx:
                await update_customer(tx, key, CustomerChange(city="Pendennis"))
        for key in customers[1:]:
            async with database.unit_of_work(staff) as tx:
                await erase_customer(tx, key)
        async with database.unit_of_work() as tx:
            refused = AuditRecord(
                who=who_acts(staff),
                action="access.refused",
                subject_type="Operation",
                subject_id="Erase",
                reason="permission is missing",
                changes={"count": (None, 3)},
            )
            tx.audit([audit_row(refused, at=tx.now, key=tx.database.audit_key)])


async def entries(database: Database) -> list[Row]:
    """The entries of the log in the order of the chain, with their positions."""
    return await database.fetch(
        "SELECT a.*, c.position FROM crm_audit a JOIN crm_audit_chain c ON c.entry_id = a.id"
        " ORDER BY c.position"
    )


async def chain(database: Database) -> list[Row]:
    return await database.fetch("SELECT * FROM crm_audit_chain ORDER BY position")


def positions(rows: Sequence[Row]) -> list[int]:
    return [row["position"] for row in rows]
