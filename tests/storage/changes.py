"""A change with events, and what is counted after it: shared by the tests of events and of handlers."""

from typing import Any

from crm_framework.events import CustomerUpdated, Event
from crm_framework.storage.database import Database

from .owing import add


def renamed(key: str, **changes: tuple[Any, Any]) -> CustomerUpdated:
    return CustomerUpdated(customer_id=key, changes=changes or {"name": ("a", "b")})


async def count(database: Database, table: str) -> int:
    (row,) = await database.fetch(f"SELECT count(*) AS n FROM {table}")
    number: int = row["n"]
    return number


async def change(database: Database, *events: Event, name: str = "written") -> None:
    async with database.unit_of_work() as tx:
        await add(tx, name)
        tx.emit(*events)
