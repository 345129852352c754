"""The worker delivers what is owed, and goes on at once with what came behind."""

import asyncio
from datetime import timedelta

from crm_framework.storage.clock import frozen, now
from crm_framework.storage.database import Database
from crm_framework.storage.ids import new_id
from crm_framework.worker.deliveries import deliveries
from crm_framework.worker.loop import Worker, finish
from tests.storage.owing import Careful, change, names, owed, renamed

NEVER = 3600.0


async def test_a_row_of_events_needs_one_look_at_the_clock(database: Database) -> None:
    careful = Careful(hard={"0"})
    database.handlers = [careful]
    ada = new_id()
    for number in range(10):
        await change(database, renamed(ada, str(number)))
    careful.hard.clear()
    careful.calls.clear()
    worker = Worker([deliveries(database, 4)], poll_seconds=NEVER)
    database.bells.append(worker.wake)
    with frozen(now() + timedelta(minutes=1)):
        running = asyncio.create_task(worker.run())
        async with asyncio.timeout(60):
            while await owed(database):  # noqa: ASYNC110  # there is nothing that tells
                await asyncio.sleep(0.01)
    await finish(worker, running, 10)
    assert careful.calls == [[str(number)] for number in range(10)]
    assert len(await names(database)) == 10


async def test_once_does_all_that_is_due(database: Database) -> None:
    careful = Careful(hard={"0", "1"})
    database.handlers = [careful]
    ada, bob = new_id(), new_id()
    for customer, number in ((ada, 0), (bob, 1), (ada, 2), (bob, 3), (ada, 4)):
        await change(database, renamed(customer, str(number)))
    careful.hard = {"1"}
    with frozen(now() + timedelta(minutes=1)):
        await Worker([deliveries(database, 4)]).drain()
    assert [row["word"] for row in await owed(database)] == ["1", "3"]
