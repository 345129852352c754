"""Works off what a change leaves for later, and something every night."""

from collections.abc import Sequence

from crm_framework import (
    CustomerCreated,
    Event,
    Job,
    JobRun,
    Plugin,
    PluginSettings,
    UnitOfWork,
    hookimpl,
    tag_customers,
)

AT_ONCE = 2


class Settings(PluginSettings, frozen=True):
    tag: str = "welcomed"


async def welcome(job: JobRun) -> None:
    """Tags the customer. Both, or neither: that it is done, and that the job is."""
    async with job.unit_of_work() as tx:
        await tag_customers(tx, [job.payload["customer"]], add=[job.settings.tag])
        job.done(tx)


async def tidy(job: JobRun) -> None:
    """Tags all customers, a few at a time. Each batch is kept, whatever becomes of the next."""
    after = job.payload.get("after", "00000000-0000-0000-0000-000000000000")
    rows = await job.reader.fetch(
        "SELECT id FROM crm_customer WHERE id > ? ORDER BY id LIMIT ?", (after, AT_ONCE)
    )
    async with job.unit_of_work() as tx:
        await tag_customers(tx, [row["id"] for row in rows], add=["tidied"])
        job.done(tx, then={"after": rows[-1]["id"]} if len(rows) == AT_ONCE else None)


plugin = Plugin(
    name="with_job",
    requires_api="1.0",
    summary="Tags customers some time after they were made.",
    settings=Settings,
    jobs=[
        Job("with_job.welcome", "Tags a customer as welcomed.", welcome, attempts=3),
        Job(
            "with_job.tidy",
            "Tags all customers every night.",
            tidy,
            cron="30 2 * * *",
            time_zone="Europe/Berlin",
        ),
    ],
)


@hookimpl
async def on_events(events: Sequence[Event], tx: UnitOfWork) -> None:
    for event in events:
        if isinstance(event, CustomerCreated):
            tx.defer("with_job.welcome", {"customer": event.customer_id})
