"""Records that commands are about, made as the API makes them, beside the command."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from crm_framework.storage.clock import now
from crm_framework.storage.database import Database
from crm_framework.storage.ids import new_id
from crm_framework.storage.unit_of_work import UnitOfWork
from crm_framework.testing.fixtures import CORE_APPS

T = TypeVar("T")


def in_database(url: str, work: Callable[[UnitOfWork], Awaitable[T]]) -> T:
    """What `work` gives, in a unit of work of its own."""

    async def opened() -> T:
        async with await Database.open(url, apps=CORE_APPS) as database, database.unit_of_work() as tx:
            return await work(tx)

    return asyncio.run(opened())


def rows(url: str, sql: str) -> list[dict[str, Any]]:
    return in_database(url, lambda tx: tx.fetch(sql))


def made(database: str, table: str, /, **columns: object) -> str:
    """The key of a new row."""
    key = new_id()
    values = {"id": key, "created_at": now(), "updated_at": now(), **columns}

    async def work(tx: UnitOfWork) -> None:
        names, marks = ", ".join(values), ", ".join("?" * len(values))
        await tx.execute(f"INSERT INTO {table} ({names}) VALUES ({marks})", list(values.values()))

    in_database(database, work)
    return key
