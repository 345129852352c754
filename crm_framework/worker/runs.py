"""What a job sees of its run, and how one run goes from its lease to its end."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from datetime import datetime
from typing import TYPE_CHECKING, Any

from crm_framework import tracing
from crm_framework.errors import CrmError, ErrorCode, Undelivered, contained
from crm_framework.hooks.answers import Figures, Signalled, Signals
from crm_framework.hooks.dispatch import DeclaredJob, PluginHost
from crm_framework.hooks.specs import Window
from crm_framework.security.actors import Actor
from crm_framework.storage import jobs
from crm_framework.storage.clock import now
from crm_framework.storage.database import Database
from crm_framework.storage.deferrals import encoded
from crm_framework.storage.jobs import JobStatus, Leased
from crm_framework.storage.sessions import to_the_end
from crm_framework.storage.unit_of_work import UnitOfWork

if TYPE_CHECKING:
    from crm_framework.engine.context import Reader

log = logging.getLogger(__name__)

RENEWED_EVERY = jobs.LEASE.total_seconds() / 3
LAST_SECONDS = 5.0
"""How long a run that was cut short may take to end."""


class JobRun:
    """One run of a job, which its function gets."""

    def __init__(self, database: Database, leased: Leased, settings: Any, host: PluginHost) -> None:
        self._database = database
        self._leased = leased
        self._host = host
        self._actor = Actor.system(f"job {leased.name}")
        self.name = leased.name
        self.payload: Mapping[str, Any] = leased.payload
        """What it was deferred with."""
        self.key = leased.key
        """The key that it was deferred with, if any."""
        self.attempt = leased.attempts
        """1 in the first run, 2 when that failed, and so on."""
        self.settings = settings
        """The plugin's settings."""
        self.reader: Reader = database
        """Reads outside a transaction."""
        self._closing: _Closing | None = None
        self.ended = False
        """Whether what `done` said is committed."""

    @property
    def now(self) -> datetime:
        """The current moment, in UTC."""
        return now()

    @asynccontextmanager
    async def unit_of_work(self) -> AsyncIterator[UnitOfWork]:
        """A transaction in the name of this job. A run may have several, one after the other.

        It commits only while the job is this run's: if the worker was thought dead and another one has it, or
        after `done`, it raises CrmError UNAVAILABLE at its end, and nothing is changed.
        """
        async with self._database.unit_of_work(self._actor) as tx:
            closing = _Closing(tx)
            self._closing = closing
            tx.finally_do(lambda tx: self._close(tx, closing))
            yield tx
        if closing.ends:
            self.ended = True

    async def figures(self, window: Window, group_by: str | None = None) -> Figures:
        """What all plugins tell of a window in numbers, by their hook `figures`."""
        return await self._host.figures(window, group_by, self.reader)

    async def signals(self, customer_ids: Iterable[str]) -> Signals:
        """What stands out about these customers, by the plugins' hook `signals`."""
        return await self._host.signals(customer_ids, self.reader)

    async def signalled(self) -> Signalled:
        """Of whom `signals` would tell something, by the plugins' hook `signalled`."""
        return await self._host.signalled(self.reader)

    def done(self, tx: UnitOfWork, then: Mapping[str, Any] | None = None) -> None:
        """Marks the job as done in `tx`, the last of its transactions: both are committed, or neither.

        With `then`, it goes on with that as its payload as soon as a worker is free, for work in batches of
        which each is committed. Without `done`, the job is marked after its function has returned; if the
        process dies in between, it runs once more.
        """
        closing = self._closing
        if closing is None or closing.tx is not tx:
            raise CrmError(
                ErrorCode.INTERNAL,
                f"The job {self.name} is to be marked as done in a transaction that is not its own.",
                hint="Pass the one of `async with job.unit_of_work() as tx:`.",
            )
        closing.ends = True
        closing.then = None if then is None else encoded(self.name, then)

    async def _close(self, tx: UnitOfWork, closing: "_Closing") -> None:
        if not closing.ends:
            await jobs.hold(tx, self._leased)
            return
        if closing.then is None:
            mine = await jobs.finish(tx, self._leased)
        else:
            mine = await jobs.go_on(tx, self._leased, closing.then)
        if not mine:
            raise jobs.lost(self._leased)


class _Closing:
    """How one of a run's transactions ends."""

    def __init__(self, tx: UnitOfWork) -> None:
        self.tx = tx
        self.ends = False
        self.then: str | None = None


Outcome = Callable[[Leased, JobStatus | None, BaseException | None], None]
"""Told what became of each run: its new status, None if it was another's, and what it raised."""


async def run_job(
    database: Database,
    declared: DeclaredJob,
    leased: Leased,
    host: PluginHost,
    outcome: Outcome | None = None,
) -> None:
    """One run, to its end. Raises only if the database does not take it, or if it is cancelled."""
    job = declared.job
    run = JobRun(database, leased, declared.settings, host)
    renewing = asyncio.create_task(_renew(database, leased))
    working = asyncio.create_task(_call(declared, run, leased), name=f"crm job: {leased.name}")
    try:
        await asyncio.wait([working, renewing], timeout=job.timeout_s, return_when=asyncio.FIRST_COMPLETED)
        cut = None if working.done() else "lost" if renewing.done() else "late"
        if cut:
            await to_the_end(_end(working))
    except asyncio.CancelledError:
        await to_the_end(_cut_short(database, run, leased, working))
        raise
    finally:
        renewing.cancel()
    error = _error_of(working, job.timeout_s if cut == "late" else None)
    if run.ended:
        status: JobStatus | None = JobStatus.DONE
        if error is not None:
            log.warning("The job %s (%s) failed after it was done: %s", leased.name, leased.id, _text(error))
    elif error is None and cut != "lost":
        status = JobStatus.DONE if await jobs.finish_alone(database, leased) else None
    else:
        text = _text(error) if error else "its lease was lost"
        lasting = isinstance(error, Undelivered) and error.lasting
        status = await jobs.fail(database, leased, text, attempts=0 if lasting else job.attempts)
        _say(leased, status, error, text)
    if outcome is not None:
        outcome(leased, status, error)


async def _call(declared: DeclaredJob, run: JobRun, leased: Leased) -> None:
    if tracing.spans is None:
        with contained():
            await declared.job.run(run)
        return
    facts: dict[str, tracing.Value] = {
        "crm.job.name": run.name,
        "crm.job.id": leased.id,
        "crm.job.attempt": run.attempt,
    }
    with tracing.spans.span(f"job {run.name}", facts, kind="CONSUMER", causes=[leased.trace]), contained():
        await declared.job.run(run)


async def _renew(database: Database, leased: Leased) -> None:
    """Goes on while the job is this worker's."""
    while True:
        await asyncio.sleep(RENEWED_EVERY)
        try:
            if not await jobs.renew(database, leased):
                return
        except CrmError as error:
            log.warning("The lease of the job %s (%s) was not renewed: %s", leased.name, leased.id, error)


async def _end(working: "asyncio.Task[None]") -> None:
    """Cancels a run; one that does not end is left behind, without its lease it can change nothing."""
    working.cancel()
    await asyncio.wait([working], timeout=LAST_SECONDS)
    if not working.done():
        log.error("%s ignores its cancellation and is left behind", working.get_name())


async def _cut_short(database: Database, run: JobRun, leased: Leased, working: "asyncio.Task[None]") -> None:
    """The worker ends: another one may have the job at once."""
    await _end(working)
    if not run.ended:
        await jobs.give_back(database, leased)


def _error_of(working: "asyncio.Task[None]", timeout_s: float | None) -> BaseException | None:
    if timeout_s is not None:
        return TimeoutError(f"it took longer than {timeout_s:g} seconds")
    if not working.done():
        return None
    if working.cancelled():
        return asyncio.CancelledError("it cancelled itself")
    return working.exception()


def _text(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}".rstrip(": ")


def _say(leased: Leased, status: JobStatus | None, error: BaseException | None, text: str) -> None:
    what = {
        JobStatus.WAITING: "will run again",
        JobStatus.FAILED: "is given up; `crm jobs retry` runs it again",
        JobStatus.CANCELLED: "was cancelled meanwhile",
        None: "is another worker's",
    }[status]  # fmt: skip
    level = logging.ERROR if status is JobStatus.FAILED else logging.WARNING
    expected = error is None or isinstance(error, CrmError | TimeoutError)
    log.log(
        level,
        "The job %s (%s) failed in attempt %d and %s: %s",
        *(leased.name, leased.id, leased.attempts, what, text),
        exc_info=None if expected else error,
    )
