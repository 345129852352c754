"""Jobs that come by the clock. Each is a row with the moment when it is due next; who hands it over moves it
on, once for all nodes, and once for all runs that were missed while none was there."""

from collections.abc import Iterable, Sequence
from datetime import datetime

from crm_framework.hooks.cron import next_run
from crm_framework.hooks.dispatch import DeclaredJob
from crm_framework.hooks.specs import Job
from crm_framework.storage.clock import now
from crm_framework.storage.database import Database
from crm_framework.storage.deferrals import store_unless_waiting
from crm_framework.storage.ids import new_id

from .loop import Chore, Piece

KEY = "schedule"
"""The key of the runs by the clock: one waits at most, and two of a job never run at once."""


class Schedules:
    """The schedules of the jobs that this process can run."""

    def __init__(self, database: Database, declared: Iterable[DeclaredJob]) -> None:
        self._database = database
        self._jobs = {one.job.name: one.job for one in declared}
        self._recorded = False

    def chore(self) -> Chore:
        return Chore(name="schedules", due=self.due)

    async def due(self, room: int) -> Sequence[Piece]:
        if not self._recorded:
            await self.record(now())
        rows = await self._database.fetch("SELECT name FROM crm_schedule WHERE next_at <= ?", (now(),))
        known = [self._jobs[row["name"]] for row in rows if row["name"] in self._jobs]
        return [self._piece(job) for job in known if job.cron is not None][:room]

    async def record(self, since: datetime) -> None:
        """Writes down what is declared: new and changed schedules count from `since` on.

        Those of plugins that are not there stay as they are, and are caught up with when they come back.
        """
        async with self._database.unit_of_work() as tx:
            rows = {
                row["name"]: row for row in await tx.fetch("SELECT name, cron, time_zone FROM crm_schedule")
            }
            for name, job in sorted(self._jobs.items()):
                row = rows.get(name)
                if job.cron is None:
                    if row is not None:
                        await tx.execute("DELETE FROM crm_schedule WHERE name = ?", (name,))
                    continue
                if row is not None and (row["cron"], row["time_zone"]) == (job.cron, job.time_zone):
                    continue
                await tx.execute(
                    "INSERT INTO crm_schedule (id, name, cron, time_zone, next_at) VALUES (?, ?, ?, ?, ?) "
                    "ON CONFLICT (name) DO UPDATE SET "
                    "cron = excluded.cron, time_zone = excluded.time_zone, next_at = excluded.next_at "
                    "WHERE crm_schedule.cron <> excluded.cron "
                    "OR crm_schedule.time_zone <> excluded.time_zone",
                    (new_id(), name, job.cron, job.time_zone, next_run(job.cron, job.time_zone, since)),
                )
        self._recorded = True

    def _piece(self, job: Job) -> Piece:
        async def hand_over() -> None:
            assert job.cron is not None
            async with self._database.unit_of_work() as tx:
                lock = "FOR UPDATE SKIP LOCKED" if tx.dialect == "postgres" else ""
                due = await tx.fetch(
                    f"SELECT 1 FROM crm_schedule WHERE name = ? AND next_at <= ? {lock}", (job.name, tx.now)
                )
                if not due:
                    return  # another node was quicker
                await tx.execute(
                    "UPDATE crm_schedule SET last_at = ?, next_at = ? WHERE name = ?",
                    (tx.now, next_run(job.cron, job.time_zone, tx.now), job.name),
                )
                await store_unless_waiting(tx, job.name, KEY, tx.now)

        return hand_over
