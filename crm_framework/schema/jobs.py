"""Jobs of the worker and what runs by the clock, and how to have a failed one run again."""

from datetime import datetime

import strawberry

from crm_framework.domain import jobs
from crm_framework.domain.models import JobStatus
from crm_framework.engine.connections import Connection, connection
from crm_framework.engine.fields import column
from crm_framework.engine.filters import FilterSpec, Member
from crm_framework.engine.nodes import Node, node
from crm_framework.engine.orders import OrderField, Orders
from crm_framework.engine.parts import SchemaParts
from crm_framework.engine.relations import reference
from crm_framework.security.actors import ALL
from crm_framework.storage.unit_of_work import UnitOfWork

from . import enums  # noqa: F401  # makes JobStatus an enumeration of the API
from .additions import fields_of
from .inputs import key_of, required
from .mutation import mutation, payload

JSON = strawberry.scalars.JSON

READ, MANAGE = "jobs.read", "jobs.manage"
READ_ALL = f"{ALL}{READ}"
"""What a job is about may be any customer: who sees some of them only sees no jobs."""


@node(table="crm_job", permission=READ_ALL, shared=True)
class Job(Node):
    """Work that a change left for later, or that came by the clock."""

    name: str = column("What is to be done; it begins with the plugin's name.")
    key: str | None = column("Of those that wait under one key there is one.", sql="key_text")
    payload: JSON = column("What it was asked for with.")
    status: JobStatus = column("What has become of it.")
    run_at: datetime = column("When it is due, or was.")
    attempts: int = column("How often it was begun.")
    worker: str | None = column(
        "The process that has it, as machine:process; null where none has.", sql="leased_by"
    )
    error: str | None = column("Why the last run failed; null where none did.")
    created_at: datetime = column("When it was asked for.")
    started_at: datetime | None = column("When the last run began.")
    finished_at: datetime | None = column("When it was done, or given up.")


@node(table="crm_schedule", permission=READ, shared=True)
class Schedule(Node):
    """A job that comes by the clock."""

    name: str = column("The job's name.")
    cron: str = column("Minute, hour, day of month, month, day of week.")
    time_zone: str = column("Whose clock it goes by.")
    next_at: datetime = column("When it is due next.")
    last_at: datetime | None = column("When it was due last; null where it never was.")


JOB_FILTER = FilterSpec(
    "JobFilter",
    [
        Member("name", "string", "What is to be done.", column="name"),
        Member("key", "string", "The key that it was asked for with.", column="key_text"),
        Member("status", "enum", "What has become of it.", column="status", enum=JobStatus),
        Member("runAt", "datetime", "When it is due, or was.", column="run_at"),
        Member("attempts", "int", "How often it was begun.", column="attempts"),
        Member("createdAt", "datetime", "When it was asked for.", column="created_at"),
        Member("finishedAt", "datetime", "When it was done, or given up.", column="finished_at"),
    ],
)
SCHEDULE_FILTER = FilterSpec("ScheduleFilter", [Member("name", "string", "The job's name.", column="name")])
# Keys grow with time.
JOB_ORDERS = Orders(
    "JobOrder", [OrderField("CREATED_AT", "id", "By the moment it was asked for.", column="id")]
)
SCHEDULE_ORDERS = Orders("ScheduleOrder", [OrderField("NAME", "string", "By name.", column="name")])


class _Queries:
    jobs: Connection[Job] = connection(
        description="Jobs, the latest first; those that are done for some days.",
        filter=JOB_FILTER,
        orders=JOB_ORDERS,
        default_order=("-CREATED_AT",),
        permission=READ,
    )
    schedules: Connection[Schedule] = connection(
        description="What runs by the clock, of plugins that are switched off too.",
        filter=SCHEDULE_FILTER,
        orders=SCHEDULE_ORDERS,
        default_order=("NAME",),
        permission=READ,
    )


@payload
class RetryJobPayload:
    """The job as it is then."""

    job_id: strawberry.Private[str | None] = None
    job: Job | None = reference("job_id", "The job; null on failure.")


@strawberry.input(description="A job to run again.")
class RetryJobInput:
    id: strawberry.ID = required("Which job.")


@mutation(permission=MANAGE, everyone=True)
async def retry_job(tx: UnitOfWork, input: RetryJobInput) -> RetryJobPayload:
    """Has a job that failed or was cancelled run again, with as many attempts as a new one."""
    key = key_of(input.id, Job)
    await jobs.retry_job(tx, key)
    return RetryJobPayload(job_id=key)


parts = SchemaParts(query=fields_of(_Queries), mutation=[retry_job])
