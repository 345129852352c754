"""Handlers inside the transaction of the change, beside handlers in transactions of their own after it.

    python -m benchmarks.handlers [--writes 1000] [--rounds 5]

Inside: as the product does it, each handler in a savepoint. After: the change stores what each handler owes
and is committed; then each has a transaction of its own that holds this row, calls the handler, removes it.
Both are as durable as in use. A write is one event and one row; a handler writes one row for it.
"""

import argparse
import asyncio
import statistics
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

from crm_framework.events import CustomerUpdated, Event
from crm_framework.storage.database import Database
from crm_framework.storage.ids import new_id
from crm_framework.storage.migration.migrator import CORE, migrate
from crm_framework.storage.unit_of_work import UnitOfWork
from crm_framework.testing.fixtures import CORE_APPS
from crm_framework.testing.postgres import lasting_folder, running_postgres

STAFF = ("id", "version", "name", "active", "created_at", "updated_at")
OWED = ("id", "event_id", "handler", "customer_id", "status", "attempts", "next_at")
WARM = 20


@dataclass
class Handler:
    name: str

    async def __call__(self, events: Sequence[Event], tx: UnitOfWork) -> None:
        await tx.execute(
            "UPDATE crm_staff SET version = version + 1 WHERE id = ?", [events[0].changes["id"][1]]
        )


@dataclass(frozen=True)
class Cost:
    """Milliseconds of one write with its handlers: of this process, by the clock, until the answer."""

    cpu: float
    wall: float
    answer: float


def _written(tx: UnitOfWork) -> tuple[str, CustomerUpdated]:
    key = new_id()
    tx.insert_values("crm_staff", STAFF, [(key, 1, "x", True, tx.now, tx.now)])
    return key, CustomerUpdated(customer_id=key, changes={"id": (None, key)})


async def inside(database: Database, handlers: Sequence[Handler]) -> float:
    database.handlers = handlers
    began = time.perf_counter()
    async with database.unit_of_work() as tx:
        tx.emit(_written(tx)[1])
    return time.perf_counter() - began


async def after(database: Database, handlers: Sequence[Handler]) -> float:
    database.handlers = ()
    began = time.perf_counter()
    owed: list[tuple[str, Handler]] = []
    async with database.unit_of_work() as tx:
        _, event = _written(tx)
        tx.emit(event)
        # the event's key is made at the end of the block, so this stores one of its own to owe
        stored = new_id()
        tx.insert_values(
            "crm_event",
            ("id", "type", "customer_id", "payload", "created_at"),
            [(stored, event.type, event.customer_id, "{}", tx.now)],
        )
        for handler in handlers:
            owed.append((new_id(), handler))
            tx.insert_values(
                "crm_delivery",
                OWED,
                [(owed[-1][0], stored, handler.name, event.customer_id, "PENDING", 0, tx.now)],
            )
        tx.take_events()
        tx.insert_values(
            "crm_audit",
            ("id", "at", "actor_kind", "actor_name", "action", "subject_type", "subject_id", "changes"),
            [(new_id(), tx.now, "SYSTEM", "system", event.type, "Customer", event.subject_id, "{}")],
        )
    answered = time.perf_counter() - began
    lock = "" if database.dialect == "sqlite" else " FOR UPDATE SKIP LOCKED"
    for key, handler in owed:
        async with database.unit_of_work() as tx:
            await tx.fetch(f"SELECT id FROM crm_delivery WHERE id = ?{lock}", [key])
            await handler([event], tx)
            await tx.execute("DELETE FROM crm_delivery WHERE id = ?", [key])
    return answered


WAYS = {"inside": inside, "after": after}


async def measure(url: str, writes: int, rounds: int) -> dict[tuple[str, int], Cost]:
    await migrate(url, [CORE])
    costs: dict[tuple[str, int], list[Cost]] = {}
    async with await Database.open(url, apps=CORE_APPS, handler_budget_ms=60_000) as database:
        for number in range(rounds + 1):  # the first warms up
            for count in (1, 3):
                handlers = [Handler(f"h{index}") for index in range(count)]
                for name, way in WAYS.items():
                    cpu, wall = time.process_time(), time.perf_counter()
                    amount = writes if number else WARM
                    answers = [await way(database, handlers) for _ in range(amount)]
                    cost = Cost(
                        (time.process_time() - cpu) / amount * 1000,
                        (time.perf_counter() - wall) / amount * 1000,
                        statistics.median(answers) * 1000,
                    )
                    if number:
                        costs.setdefault((name, count), []).append(cost)
    return {
        key: Cost(
            *(statistics.median(getattr(cost, part) for cost in found) for part in ("cpu", "wall", "answer"))
        )
        for key, found in costs.items()
    }


@contextmanager
def databases() -> Iterator[dict[str, str]]:
    with (
        tempfile.TemporaryDirectory(prefix="crm-bench-", dir=lasting_folder()) as folder,
        running_postgres(fsync=True) as server,
    ):
        yield {"SQLite": f"sqlite:{Path(folder, 'x.sqlite3')}", "PostgreSQL": server.url("postgres")}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--writes", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    table = Table("database", "handlers", "way", "CPU, ms", "clock, ms", "until the answer, ms")
    with databases() as urls:
        for kind, url in urls.items():
            costs = asyncio.run(measure(url, arguments.writes, arguments.rounds))
            for (name, count), cost in sorted(costs.items(), key=lambda item: (item[0][1], item[0][0])):
                table.add_row(
                    *(kind, str(count), name),
                    *(f"{value:.2f}" for value in (cost.cpu, cost.wall, cost.answer)),
                )
    Console().print(table)


if __name__ == "__main__":
    main()
