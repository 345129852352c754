"""The plugin of these tests: whatever it does leaves an interaction, whose table takes any number."""

from collections.abc import Sequence
from random import random

from crm_framework import (
    CustomerCreated,
    Event,
    Job,
    JobRun,
    NewInteraction,
    Plugin,
    UnitOfWork,
    hookimpl,
    log_interaction,
)

FAIL_ONE_IN = 10
"""Of the handler's runs, so that some are owed and come again, anywhere."""


async def leave(tx: UnitOfWork, customer: str, subject: str) -> None:
    await log_interaction(tx, NewInteraction(kind="note", customer_id=customer, subject=subject))


async def follow(job: JobRun) -> None:
    """Two batches, each leaves its trace together with the mark that it is done."""
    customer, batch = job.payload["customer"], job.payload["batch"]
    async with job.unit_of_work() as tx:
        await leave(tx, customer, f"batch {batch}")
        job.done(tx, then={**job.payload, "batch": 2} if batch == 1 else None)


async def tick(job: JobRun) -> None:
    async with job.unit_of_work() as tx:
        rows = await tx.fetch("SELECT id FROM crm_customer ORDER BY id LIMIT 1")
        await leave(tx, rows[0]["id"], "tick")
        job.done(tx)


plugin = Plugin(
    name="traces",
    requires_api="1.0",
    summary="Leaves traces.",
    jobs=[
        Job("traces.follow", "Leaves two traces.", follow, attempts=100),
        Job("traces.tick", "Leaves one by the clock.", tick, cron="0 0 1 1 *"),
    ],
)


@hookimpl
async def on_events(events: Sequence[Event], tx: UnitOfWork) -> None:
    for event in events:
        if isinstance(event, CustomerCreated):
            assert event.customer_id is not None
            await leave(tx, event.customer_id, "handled")
            tx.defer("traces.follow", {"customer": event.customer_id, "batch": 1})
            if random() * FAIL_ONE_IN < 1:
                raise RuntimeError("a failure on purpose")
