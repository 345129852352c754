"""What must hold in the end of a database on which several programs worked."""

import asyncio
from collections import Counter
from collections.abc import Sequence

from crm_framework.storage.clock import now
from crm_framework.storage.database import Database
from crm_framework.storage.stream import read_after

WAIT_SECONDS = 120


async def positions(database: Database) -> list[str]:
    """Of all events, in order."""
    found: list[str] = []
    while True:
        page = await read_after(database, found[-1] if found else "", 1000)
        found += [event.position for event in page.events]
        if not page.events and not page.waiting:
            return found
        await asyncio.sleep(0.01)


async def all_is_done(database: Database) -> None:
    """Waits until nothing is owed any more. What failed is tried again, and what runs for long is given to
    another worker, as if time had passed."""
    async with asyncio.timeout(WAIT_SECONDS):
        while True:
            async with database.unit_of_work() as tx:
                await tx.execute("UPDATE crm_delivery SET next_at = ? WHERE next_at > ?", (now(), now()))
                await tx.execute("UPDATE crm_job SET run_at = ? WHERE status = 'WAITING'", (now(),))
                await tx.execute("UPDATE crm_job SET leased_until = ? WHERE leased_until > ?", (now(), now()))
                owed = await tx.fetch("SELECT 1 FROM crm_delivery")
                jobs = await tx.fetch("SELECT 1 FROM crm_job WHERE name LIKE 'traces.%' AND status <> 'DONE'")
            if not owed and not jobs:
                return
            await asyncio.sleep(1)


async def each_once(database: Database, names: Sequence[str], ticks: int) -> None:
    """Every acknowledged customer is there once, was handled once, and followed up once in each batch."""
    rows = await database.fetch("SELECT id, name FROM crm_customer WHERE name LIKE 'customer %'")
    stored = Counter(row["name"] for row in rows)
    asked = Counter(names)
    assert stored == asked, (stored - asked, asked - stored)
    left = await database.fetch("SELECT customer_id, subject FROM crm_interaction WHERE subject <> 'tick'")
    traces = Counter((row["customer_id"], row["subject"]) for row in left)
    every = [row["id"] for row in await database.fetch("SELECT id FROM crm_customer")]
    wanted = Counter({(key, what): 1 for key in every for what in ("handled", "batch 1", "batch 2")})
    assert traces == wanted, (traces - wanted, wanted - traces)
    [ticked] = await database.fetch("SELECT COUNT(*) AS number FROM crm_interaction WHERE subject = 'tick'")
    assert ticked["number"] == ticks
