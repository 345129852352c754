"""What an operator does about jobs: looks at them, and has one run again."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from tortoise.exceptions import IntegrityError

from crm_framework.domain.rows import check_key, for_update, not_found
from crm_framework.errors import CrmError, ErrorCode
from crm_framework.events import SettingChanged
from crm_framework.storage.deferrals import CHORE
from crm_framework.storage.jobs import JobStatus

if TYPE_CHECKING:
    from crm_framework.storage.database import Database
    from crm_framework.storage.unit_of_work import UnitOfWork

ENDED = (JobStatus.FAILED, JobStatus.CANCELLED)


async def retry_job(tx: "UnitOfWork", job_id: str, *, path: Sequence[str | int] = ("id",)) -> None:
    """Has a job that failed or was cancelled run again, with as many attempts as a new one.

    NOT_FOUND if there is none; CONFLICT if it has not ended so, or another one waits under its key.
    """
    key = check_key(job_id, "job", path=path)
    rows = await tx.fetch(f"SELECT status FROM crm_job WHERE id = ? {for_update(tx)}", (key,))
    if not rows:
        raise not_found("job", job_id, path=path)
    status = rows[0]["status"]
    if status not in ENDED:
        raise CrmError(
            ErrorCode.CONFLICT,
            f"The job is {status.lower()}.",
            path=path,
            hint="Only one that failed or was cancelled can be run again.",
        )
    try:
        async with tx.savepoint():
            await tx.execute(
                "UPDATE crm_job SET status = 'WAITING', run_at = ?, attempts = 0, cancelled = FALSE, "
                "finished_at = NULL WHERE id = ?",
                (tx.now, key),
            )
    except IntegrityError:
        raise CrmError(
            ErrorCode.CONFLICT,
            "Another job waits under the same name and key.",
            path=path,
            hint="That one will run; there is nothing to do.",
        ) from None
    tx.emit(
        SettingChanged(customer_id=None, kind="job", record_id=key, changes={"status": (status, "WAITING")})
    )
    tx.wake(CHORE)


async def list_jobs(
    database: "Database", *, status: JobStatus | None = None, name: str | None = None, limit: int = 50
) -> list[Mapping[str, Any]]:
    """Rows of jobs, the latest first."""
    conditions, args = [], []
    if status is not None:
        conditions.append("status = ?")
        args.append(status.value)
    if name is not None:
        conditions.append("name = ?")
        args.append(name)
    where = f"WHERE {' AND '.join(conditions)}" if conditions else ""
    rows = await database.fetch(f"SELECT * FROM crm_job {where} ORDER BY id DESC LIMIT ?", (*args, limit))
    return list(rows)


async def find_job(database: "Database", job_id: str) -> Mapping[str, Any]:
    """The row of a job. Raises NOT_FOUND."""
    rows = await database.fetch("SELECT * FROM crm_job WHERE id = ?", (check_key(job_id, "job"),))
    if not rows:
        raise not_found("job", job_id)
    return rows[0]
