"""Does what is due in a test that has no worker: jobs, and events that are handled later."""

from contextlib import nullcontext
from datetime import datetime

from crm_framework.domain.core_jobs import core_jobs
from crm_framework.domain.messages.queueing import SEND
from crm_framework.storage.clock import frozen, now
from crm_framework.storage.deliveries import deliver_due
from crm_framework.storage.jobs import JobStatus, Leased
from crm_framework.storage.outbox import when_later
from crm_framework.worker.jobs import Jobs
from crm_framework.worker.loop import Worker
from crm_framework.worker.schedules import Schedules

from .client import CrmClient

WIDTH = 4


async def run_jobs(
    client: CrmClient,
    *,
    at: datetime | None = None,
    since: datetime | None = None,
    failing: bool = False,
    sending: bool = False,
) -> list[str]:
    """Runs what is due and what comes of it; the names of the jobs that ran, in the order of their ends.

    `at` is the moment that it is then for the jobs (now, if left out), so that those for later are due.
    Schedules (the plugins' own) count from `since` on; without it, from the first call for that database. The
    first failure is raised, unless `failing` says that they are expected; then look at the table crm_job.
    Messages stay queued, for `queued_messages`, unless `sending`: for plugins that send.
    """
    database, host = client.service.database, client.service.host
    declared = [*core_jobs(host, client.service.settings), *host.jobs]
    if not sending:
        declared = [one for one in declared if one.job.name != SEND]
    ran: list[str] = []
    failures: list[BaseException] = []

    def outcome(leased: Leased, status: JobStatus | None, error: BaseException | None) -> None:
        ran.append(leased.name)
        if error is not None and not failing:
            failures.append(error)

    schedules = Schedules(database, host.jobs)
    if since is not None:
        async with database.unit_of_work() as tx:
            await tx.execute("DELETE FROM crm_schedule")
    await schedules.record(since or now())
    with frozen(at) if at is not None else nullcontext():
        await Worker([schedules.chore(), Jobs(database, declared, host, outcome).chore(WIDTH)]).drain()
    if failures:
        raise failures[0]
    return ran


async def deliver_events(client: CrmClient) -> int:
    """Hands over the events that plugins have left to the worker (`Handling(later=True)`), and what comes of
    them; how many that were."""
    done = 0
    with frozen(when_later(now())):
        while some := await deliver_due(client.service.database):
            done += some
    return done
