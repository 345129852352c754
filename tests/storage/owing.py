"""Handlers that fail as they are told, and what is owed then: shared by the tests of deliveries."""

import json
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from crm_framework.domain.models import Staff
from crm_framework.events import CustomerUpdated, Event, SettingChanged
from crm_framework.storage.database import Database
from crm_framework.storage.ids import new_id
from crm_framework.storage.unit_of_work import UnitOfWork

Reaction = Callable[[Sequence[Event], UnitOfWork], Awaitable[None]]


@dataclass
class Plugin:
    name: str
    react: Reaction

    async def __call__(self, events: Sequence[Event], tx: UnitOfWork) -> None:
        await self.react(events, tx)


@dataclass
class Careful:
    """Writes a row for each event, named after what the event changed; fails on those that are `hard`."""

    name: str = "careful"
    hard: set[str] = field(default_factory=set)
    calls: list[list[str]] = field(default_factory=list)

    async def __call__(self, events: Sequence[Event], tx: UnitOfWork) -> None:
        self.calls.append([word(event) for event in events])
        for event in events:
            await add(tx, f"{self.name}: {word(event)}")
            if word(event) in self.hard:
                raise ValueError(f"{word(event)} is too hard")


def renamed(customer: str | None, to: str) -> Event:
    changes = {"name": (None, to)}
    if customer is None:
        return SettingChanged(customer_id=None, kind="segment", record_id=new_id(), changes=changes)
    return CustomerUpdated(customer_id=customer, changes=changes)


def word(event: Event) -> str:
    text: str = event.changes["name"][1] if "name" in event.changes else event.type
    return text


async def add(tx: UnitOfWork, name: str) -> None:
    await Staff.create(name=name, created_at=tx.now, updated_at=tx.now)


async def change(database: Database, *events: Event) -> None:
    async with database.unit_of_work() as tx:
        tx.emit(*events)


async def names(database: Database) -> list[str]:
    return [row["name"] for row in await database.fetch("SELECT name FROM crm_staff ORDER BY name")]


async def owed(database: Database) -> list[dict[str, Any]]:
    """What is owed, in its order, with the word of its event."""
    rows = await database.fetch(
        "SELECT d.handler, d.status, d.attempts, d.error, d.next_at, d.tried_at, e.payload, d.event_id, d.id"
        " FROM crm_delivery d JOIN crm_event e ON e.id = d.event_id ORDER BY d.position"
    )
    for row in rows:
        changes = json.loads(row.pop("payload")).get("changes") or {}
        row["word"] = changes["name"][1] if "name" in changes else None
    return rows


async def words(database: Database, *columns: str) -> list[Any]:
    found = await owed(database)
    return [(row["word"], *(row[column] for column in columns)) if columns else row["word"] for row in found]
