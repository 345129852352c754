"""A worker process for the tests: `python -m tests.worker.crowd URL POLL_SECONDS`, until it is told to stop.

Its job leaves one row a run and number, whose table would take any number of them.
"""

import asyncio
import signal
import sys

from crm_framework.hooks.dispatch import DeclaredJob, PluginHost
from crm_framework.hooks.specs import Job
from crm_framework.storage.audit import AuditRecord, audit_row, who_acts
from crm_framework.storage.database import Database
from crm_framework.worker.jobs import Jobs
from crm_framework.worker.loop import Worker, finish
from crm_framework.worker.runs import JobRun

APPS = {"crm": "crm_framework.domain.models"}


async def count(job: JobRun) -> None:
    """Two batches a job, each leaves a mark."""
    number, batch = job.payload["number"], job.payload.get("batch", 1)
    async with job.unit_of_work() as tx:
        what = f"{number}/{batch}"
        mark = AuditRecord(
            who=who_acts(tx.actor), action="counted", subject_type="Job", subject_id=what, changes={}
        )
        tx.audit([audit_row(mark, at=tx.now, key=tx.database.audit_key)])
        if job.payload.get("slow"):
            await asyncio.sleep(0.01)
        job.done(tx, then={**job.payload, "batch": 2} if batch < job.payload.get("batches", 1) else None)


JOBS = [DeclaredJob(Job("crowd.count", "Counts.", count, attempts=100))]


async def main(url: str, poll_seconds: float) -> None:
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    async with await Database.open(url, apps=APPS) as database:
        worker = Worker([Jobs(database, JOBS, PluginHost()).chore(4)], poll_seconds=poll_seconds)
        database.bells.append(worker.wake)
        database.notices.listen()
        running = asyncio.create_task(worker.run())
        print("ready", flush=True)  # noqa: T201  # whom the test waits for
        await stop.wait()
        await finish(worker, running, 30)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], float(sys.argv[2])))
