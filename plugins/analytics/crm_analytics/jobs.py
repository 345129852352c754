"""What the worker does for the figures."""

from crm_framework import Job, JobRun

from .baskets.store import baskets_job
from .predictions.refit import fit_job
from .rollups import quintiles, rebuild, totals
from .rollups.state import state
from .segments.freezing import freeze_job


async def upkeep(job: JobRun) -> None:
    """Folds the sums, looks where the fifths of the customers end, and counts what is not counted yet."""
    bounds = await quintiles.look(job.reader)
    now = await state(job.reader)
    late = await job.reader.fetch("SELECT 1 FROM analytics_customer WHERE zone <> ? LIMIT 1", [now.zone])
    async with job.unit_of_work() as tx:
        for total in totals.TOTALS:
            await totals.fold(tx, total)
        await quintiles.keep(tx, bounds)
        if now.next_zone is None and (now.counted_at is None or now.zone != job.settings.time_zone or late):
            tx.defer("analytics.rebuild", key="rebuild")
        job.done(tx)


async def count_anew(job: JobRun) -> None:
    """One batch of a rebuild; the next one follows where it ends."""
    if "after" not in job.payload:
        async with job.unit_of_work() as tx:
            await rebuild.begin(tx, job.settings.time_zone)
    found = await rebuild.look(job.payload.get("after"), job.reader)
    await rebuild.write_all(job, found)
    if found.after is None:
        await rebuild.finish(job)
        return
    async with job.unit_of_work() as tx:
        job.done(tx, then={"after": found.after})


async def send_survey(job: JobRun) -> None:
    """Asks the next customers of a run of a survey."""
    from .surveys.sending import send_job

    await send_job(job)


JOBS = [
    Job(
        "analytics.upkeep",
        "Folds the sums over all customers and looks at the quintiles; has counted what is not yet.",
        upkeep,
        cron="* * * * *",
    ),
    Job(
        "analytics.rebuild",
        "Counts all figures anew, in batches of customers.",
        count_anew,
        timeout_s=3600,  # the end of it, which sums up
    ),
    Job(
        "analytics.freeze",
        "Keeps who belongs to each segment, once a month and when it is new.",
        freeze_job,
        cron="15 * * * *",  # soon after the day begins in the company's zone, whichever that is
    ),
    Job(
        "analytics.fit",
        "Fits the models of how customers buy, and writes what they say of each customer.",
        fit_job,
        cron="20 3 * * *",
        attempts=3,
        timeout_s=3600,
    ),
    Job(
        "analytics.baskets",
        "Finds what is bought together.",
        baskets_job,
        cron="50 3 * * *",
        attempts=3,
        timeout_s=3600,
    ),
    Job("analytics.send_survey", "Asks the customers whom a survey is sent to, in batches.", send_survey),
]
