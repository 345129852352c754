"""A process that delivers until it is killed: `python delivery_worker.py URL HANDLER SEED`."""

import asyncio
import random
import sys
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from crm_framework.events import Event
from crm_framework.storage.clock import frozen
from crm_framework.storage.database import Database
from crm_framework.storage.deliveries import deliver_due
from crm_framework.storage.unit_of_work import UnitOfWork
from crm_framework.testing.fixtures import CORE_APPS
from tests.storage.owing import Plugin, add, word

LATER = timedelta(days=365)
"""Every pause is over."""


async def work(url: str, handler: str, seed: int) -> None:
    chance = random.Random(seed)

    async def react(events: Sequence[Event], tx: UnitOfWork) -> None:
        for event in events:
            await add(tx, word(event))
            await asyncio.sleep(chance.random() / 500)
            if chance.random() < 0.05:
                raise ValueError("a bad moment")

    database = await Database.open(url, apps=CORE_APPS)
    database.handlers = [Plugin(handler, react)]
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    number = 1
    while True:
        with frozen(datetime.now(UTC) + LATER * number):
            await deliver_due(database, 5)
        number = min(number + 1, 5_000)  # a quick machine is done, and would come to the end of the calendar


if __name__ == "__main__":
    asyncio.run(work(sys.argv[1], sys.argv[2], int(sys.argv[3])))
