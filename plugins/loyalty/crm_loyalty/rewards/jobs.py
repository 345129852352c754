"""Gives back what was reserved and not taken."""

from crm_framework import JobRun

from .redeeming import release


async def release_reservation(job: JobRun) -> None:
    """One reservation, at the moment at which it runs out."""
    async with job.unit_of_work() as tx:
        await release(tx, str(job.payload["redemption"]))
        job.done(tx)
