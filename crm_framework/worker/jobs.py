"""The chore of the jobs: leases those that are due and runs them."""

import os
import socket
import time
from collections.abc import Iterable, Sequence

from crm_framework.hooks.dispatch import DeclaredJob, PluginHost
from crm_framework.storage import jobs
from crm_framework.storage.database import Database
from crm_framework.storage.deferrals import CHORE

from .loop import Chore, Piece
from .runs import Outcome, run_job

TAKE_BACK_SECONDS = 5.0
"""How often to look for jobs whose worker died. A lease is much longer."""
ENDED = "its worker ended while it ran, or lost the database"


class Jobs:
    """The jobs that this process can run: those of the core and of its plugins. Others are left waiting."""

    def __init__(
        self,
        database: Database,
        declared: Iterable[DeclaredJob],
        host: PluginHost,
        outcome: Outcome | None = None,
    ) -> None:
        self._database = database
        self._host = host
        self._declared = {one.job.name: one for one in declared}
        self._outcome = outcome
        self._taken_back = float("-inf")
        self._more = False
        """Whether the last look found as many as there was room for."""
        self._by = f"{socket.gethostname()}:{os.getpid()}"

    def chore(self, width: int) -> Chore:
        return Chore(name=CHORE, due=self.due, width=width)

    async def due(self, room: int) -> Sequence[Piece]:
        if time.monotonic() - self._taken_back > TAKE_BACK_SECONDS:
            await self._take_back()
            self._taken_back = time.monotonic()
        names = self._declared.keys()
        more, self._more = self._more, False
        if not more and not await jobs.any_due(self._database, names):
            return []
        found = await jobs.lease(self._database, names, room, by=self._by)
        self._more = len(found) == room
        return [self._piece(leased) for leased in found]

    async def lease(self, id: str) -> Piece | None:
        """The run of this one job, if it is due and nobody else has it."""
        found = await jobs.lease(self._database, self._declared.keys(), 1, by=self._by, only=id)
        return self._piece(found[0]) if found else None

    async def _take_back(self) -> None:
        """Jobs whose worker died. The run counts: one that kills its process must not do so for ever."""
        for leased in await jobs.abandoned(self._database, self._declared.keys()):
            attempts = self._declared[leased.name].job.attempts
            status = await jobs.fail(self._database, leased, ENDED, attempts=attempts)
            if self._outcome is not None and status is not None:
                self._outcome(leased, status, None)

    def _piece(self, leased: jobs.Leased) -> Piece:
        async def run() -> None:
            await run_job(self._database, self._declared[leased.name], leased, self._host, self._outcome)

        return run
