"""Two changes at a time: one holds what the other comes for."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from crm_framework.storage.database import Database
from crm_framework.storage.unit_of_work import UnitOfWork

MOST_SECONDS = 120
"""How long a change may take to come to a lock; on a busy machine that is long."""

_WAITS = "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"


async def waiting(
    database: Database, change: Callable[[UnitOfWork], Coroutine[Any, Any, None]]
) -> "asyncio.Task[None]":
    """The change, in a unit of work of its own, as a task that waits for a lock by now.

    Call it inside of a unit of work that holds what the change needs, and await the task after it. On
    PostgreSQL: on SQLite the second change does not begin before the first has ended. If the change fails
    before it waits, that is raised; AssertionError if it does not wait, TimeoutError after two minutes.
    """
    assert database.dialect == "postgres", "on SQLite, changes wait for one another's end and not for a lock"

    async def run() -> None:
        async with database.unit_of_work() as tx:
            await change(tx)

    task = asyncio.create_task(run())
    try:
        async with asyncio.timeout(MOST_SECONDS):
            while not await database.fetch(_WAITS):
                if task.done():
                    task.result()
                    raise AssertionError("the change came to its end and did not wait for a lock")
                await asyncio.sleep(0.01)
    except BaseException:
        task.cancel()
        raise
    return task
