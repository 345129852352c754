"""`crm jobs`: what the worker has to do, what became of it, and what to do about it."""

import json
from collections.abc import Mapping
from typing import Any

import click
from rich.table import Table

from crm_framework.cli.in_runtime import in_runtime
from crm_framework.cli.running import console
from crm_framework.domain.core_jobs import core_jobs
from crm_framework.domain.jobs import find_job, list_jobs, retry_job
from crm_framework.errors import CrmError, ErrorCode
from crm_framework.runtime import Runtime
from crm_framework.security.actors import Actor
from crm_framework.settings import nearest
from crm_framework.storage.clock import parse_time
from crm_framework.storage.jobs import JobStatus
from crm_framework.worker.jobs import Jobs

MOMENTS = {"created": "created_at", "due": "run_at", "begun": "started_at", "ended": "finished_at"}


@click.group("jobs")
def command() -> None:
    """Work that changes leave for later, and that comes by the clock; `crm worker` or the server does it."""


@command.command("list")
@click.option("--status", type=click.Choice([status.lower() for status in JobStatus]), help="Which of them.")
@click.option("--name", help="Jobs of this name alone.")
@click.option("--limit", type=click.IntRange(1, 10_000), default=50, show_default=True)
@click.pass_context
def list_(context: click.Context, status: str | None, name: str | None, limit: int) -> None:
    """Lists jobs, the latest first."""
    chosen = JobStatus(status.upper()) if status else None

    async def work(runtime: Runtime) -> list[Mapping[str, Any]]:
        return await list_jobs(runtime.database, status=chosen, name=name, limit=limit + 1)

    found = in_runtime(context, work)
    if not found:
        console.print("There is no job." if chosen is None and name is None else "There is none of these.")
        return
    table = Table(box=None, pad_edge=False)
    for heading in ("id", "job", "status", "attempts", "due", "error"):
        table.add_column(heading, no_wrap=heading == "id", overflow="fold")
    for row in found[:limit]:
        error = " ".join((row["error"] or "").split())
        table.add_row(
            *(
                str(row["id"]),
                row["name"],
                row["status"].lower(),
                str(row["attempts"]),
                _moment(row["run_at"]),
            ),
            error if len(error) <= 80 else f"{error[:79]}…",
        )
    console.print(table, markup=False)
    if len(found) > limit:
        console.print(f"There are more than {limit}; --limit shows them.")


@command.command("show")
@click.argument("job_id", metavar="ID")
@click.pass_context
def show(context: click.Context, job_id: str) -> None:
    """Shows a job with its payload."""

    async def work(runtime: Runtime) -> Mapping[str, Any]:
        return await find_job(runtime.database, job_id)

    row = in_runtime(context, work)
    click.echo(f"{row['name']}: {row['status'].lower()} after {row['attempts']} attempt(s)")
    for label, column in (
        ("created", "created_at"),
        ("due", "run_at"),
        ("begun", "started_at"),
        ("ended", "finished_at"),
    ):
        click.echo(f"{label}: {_moment(row[column])}")
    if row["leased_by"]:
        click.echo(f"worker: {row['leased_by']}, until {_moment(row['leased_until'])}")
    if row["key_text"] is not None:
        click.echo(f"key: {row['key_text']}")
    click.echo(json.dumps(json.loads(row["payload"]), indent=2, ensure_ascii=False, sort_keys=True))
    if row["error"]:
        click.echo(row["error"])


@command.command("retry")
@click.argument("job_ids", metavar="ID...", nargs=-1, required=True)
@click.pass_context
def retry(context: click.Context, job_ids: tuple[str, ...]) -> None:
    """Has jobs that failed or were cancelled run again, with as many attempts as a new one."""

    async def work(runtime: Runtime) -> None:
        async with runtime.database.unit_of_work(Actor.system("crm jobs")) as tx:
            for job_id in job_ids:
                await retry_job(tx, job_id, path=())

    in_runtime(context, work)
    console.print(f"Jobs that run again: {len(job_ids)}.")


@command.command("run")
@click.argument("name")
@click.option("--payload", default="{}", help="What it finds in job.payload, as a JSON object.")
@click.pass_context
def run_now(context: click.Context, name: str, payload: str) -> None:
    """Runs a job called NAME here and now, once, and says what became of it."""
    try:
        given = json.loads(payload)
    except ValueError as error:
        raise CrmError(
            ErrorCode.BAD_INPUT, f"--payload is no JSON: {error}.", hint="Write an object."
        ) from None
    if not isinstance(given, dict):
        raise CrmError(ErrorCode.BAD_INPUT, "--payload is no object.", hint='Write one, such as {"id": 1}.')

    async def work(runtime: Runtime) -> Mapping[str, Any]:
        declared = [*core_jobs(runtime.host, runtime.settings), *runtime.host.jobs]
        names = [one.job.name for one in declared]
        if name not in names:
            close = nearest(name, names)
            known = f"Did you mean {close}?" if close else f"There are: {', '.join(names)}."
            raise CrmError(ErrorCode.BAD_INPUT, f"There is no job {name!r}.", hint=known)
        async with runtime.database.unit_of_work(Actor.system("crm jobs")) as tx:
            tx.defer(name, given)
        (row,) = await list_jobs(runtime.database, name=name, limit=1)
        piece = await Jobs(runtime.database, declared, runtime.host).lease(str(row["id"]))
        if piece is not None:
            await piece()
        return await find_job(runtime.database, str(row["id"]))

    row = in_runtime(context, work)
    console.print(f"{row['name']} ({row['id']}): {row['status'].lower()}", markup=False)
    if row["error"]:
        raise CrmError(
            ErrorCode.REFUSED, f"It failed: {row['error']}", hint="It is tried again, if it may be."
        )


def _moment(value: Any) -> str:
    return "never" if value is None else f"{parse_time(value):%Y-%m-%d %H:%M:%S} UTC"
