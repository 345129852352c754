"""A database with jobs that tests declare, and what became of their runs."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import pytest

from crm_framework.hooks.dispatch import DeclaredJob, PluginHost
from crm_framework.hooks.specs import Job
from crm_framework.storage.database import Database
from crm_framework.worker.jobs import Jobs
from crm_framework.worker.loop import Worker
from crm_framework.worker.runs import JobRun


@dataclass
class Bench:
    """Declares jobs with `job(name, run)`, runs what is due with `work()`, and looks with `rows()`."""

    database: Database
    declared: dict[str, DeclaredJob] = field(default_factory=dict)

    def job(self, name: str, run: Callable[[JobRun], Awaitable[None]], **more: Any) -> None:
        self.declared[name] = DeclaredJob(Job(name, "For tests.", run, **more), {"setting": 1})

    @property
    def jobs(self) -> Jobs:
        return Jobs(self.database, self.declared.values(), PluginHost())

    async def defer(self, name: str, payload: dict[str, Any] | None = None, **more: Any) -> None:
        async with self.database.unit_of_work() as tx:
            tx.defer(name, payload, **more)

    async def work(self, width: int = 4) -> int:
        return await Worker([self.jobs.chore(width)]).drain()

    async def rows(self) -> list[dict[str, Any]]:
        return await self.database.fetch("SELECT * FROM crm_job ORDER BY id")

    async def statuses(self) -> list[str]:
        return [row["status"] for row in await self.rows()]


@pytest.fixture
def bench(database: Database) -> Bench:
    return Bench(database)
