"""`crm import`: customers and interactions from CSV or NDJSON, in parts, each a transaction of its own."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import chain, islice
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import click
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from crm_framework.cli.import_rows import (
    CUSTOMER_FIELDS,
    INTERACTION_FIELDS,
    customer_row,
    interaction_row,
)
from crm_framework.cli.mapping import ContentReferences, FileMapping
from crm_framework.cli.records import Record, Refused, read_records
from crm_framework.cli.running import console, errors, run, settings_of
from crm_framework.cli.values import Cells
from crm_framework.domain.customers.bulk import ImportReport, import_customers
from crm_framework.domain.interactions.bulk import import_interactions
from crm_framework.errors import CrmError, ErrorCode
from crm_framework.runtime import open_runtime
from crm_framework.security.actors import Actor
from crm_framework.settings import Settings
from crm_framework.storage.database import Database
from crm_framework.storage.unit_of_work import UnitOfWork
from crm_framework.zones import time_zone as zone_name

SHOWN = 20
"""Refused lines that are printed; --report takes all of them."""


@dataclass(frozen=True, kw_only=True)
class Job:
    """One run of the command."""

    path: Path
    fields: tuple[str, ...]
    make: Callable[[Cells], Any]
    store: Callable[[UnitOfWork, Sequence[Any]], Any]
    mapping: FileMapping
    source: str
    zone: ZoneInfo
    date_format: str | None
    encoding: str
    delimiter: str | None
    batch: int


@dataclass
class Outcome:
    """What a run came to so far."""

    created: int = 0
    known: int = 0
    refused: list[Refused] = field(default_factory=list)


@click.group("import")
def command() -> None:
    """Reads a file into the CRM. Running it again, also after a crash, changes nothing twice.

    A record without a reference gets one made of its content; so the same file again is recognised.
    """


def _options(function: Callable[..., None]) -> Callable[..., None]:
    for option in reversed(
        (
            click.argument("file", type=click.Path(path_type=Path, dir_okay=False)),
            click.option(
                "--map", "maps", multiple=True, metavar="FIELD=COLUMN", help="Which column fills a field."
            ),
            click.option(
                "--set", "constants", multiple=True, metavar="FIELD=VALUE", help="The same for all records."
            ),
            click.option("--source", help="Where the records come from; default: the file's name."),
            click.option("--dry-run", is_flag=True, help="Check everything, change nothing."),
            click.option(
                "--report", type=click.Path(path_type=Path), help="Write refused lines here, as NDJSON."
            ),
            click.option("--time-zone", default="UTC", help="Of times without one, such as Europe/Berlin."),
            click.option("--date-format", help="Of dates, as strptime has it, such as %d.%m.%Y."),
            click.option("--encoding", default="utf-8-sig", help="Of the file; default: UTF-8."),
            click.option(
                "--delimiter", help="Of CSV, one character or tab; default: what the header line suggests."
            ),
            click.option(
                "--batch", default=1000, type=click.IntRange(1, 10_000), help="Records a transaction."
            ),
            click.pass_context,
        )
    ):
        function = option(function)
    return function


@command.command("customers")
@_options
def customers(context: click.Context, file: Path, dry_run: bool, report: Path | None, **options: Any) -> None:
    """Imports customers. A record whose source and reference are known changes nothing."""

    async def store(tx: UnitOfWork, rows: Sequence[Any]) -> ImportReport:
        return await import_customers(tx, rows, dry_run=dry_run, from_text=True)

    job = _job(file, CUSTOMER_FIELDS, customer_row, store, **options)
    _import(context, job, "customer(s)", dry_run=dry_run, report=report)


@command.command("interactions")
@click.option(
    "--create-customers", is_flag=True, help="Make customers that are named by an unknown reference."
)
@_options
def interactions(
    context: click.Context,
    file: Path,
    dry_run: bool,
    report: Path | None,
    create_customers: bool,
    **options: Any,
) -> None:
    """Imports touches, purchases and refunds."""

    async def store(tx: UnitOfWork, rows: Sequence[Any]) -> ImportReport:
        return await import_interactions(tx, rows, dry_run=dry_run, create_missing_customers=create_customers)

    job = _job(file, INTERACTION_FIELDS, interaction_row, store, **options)
    _import(context, job, "interaction(s)", dry_run=dry_run, report=report)


def _job(
    path: Path,
    fields: tuple[str, ...],
    make: Callable[[Cells], Any],
    store: Callable[[UnitOfWork, Sequence[Any]], Any],
    *,
    maps: tuple[str, ...],
    constants: tuple[str, ...],
    source: str | None,
    time_zone: str,
    **options: Any,
) -> Job:
    return Job(
        path=path,
        fields=fields,
        make=make,
        store=store,
        mapping=FileMapping.parse(maps, constants, fields=fields),
        source=source or path.stem,
        zone=ZoneInfo(zone_name(time_zone)),
        **options,
    )


def _import(context: click.Context, job: Job, what: str, *, dry_run: bool, report: Path | None) -> None:
    outcome = run(_run(settings_of(context), job))
    verb = "would be imported" if dry_run else "imported"
    console.print(
        f"{outcome.created} {what} {verb}, {outcome.known} known already, {len(outcome.refused)} refused."
    )
    if report:
        _write_report(report, outcome.refused)
    for refusal in outcome.refused[:SHOWN]:
        click.echo(f"line {refusal.line}: {refusal.reason}", err=True)
    if len(outcome.refused) > SHOWN:
        rest = len(outcome.refused) - SHOWN
        click.echo(
            f"… and {rest} more{f', all in {report}' if report else '; --report FILE takes them all'}.",
            err=True,
        )
    context.exit(1 if outcome.refused else 0)


def _write_report(path: Path, refused: list[Refused]) -> None:
    lines = (
        json.dumps({"line": refusal.line, "reason": refusal.reason}, ensure_ascii=False)
        for refusal in refused
    )
    try:
        path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    except OSError as error:
        raise CrmError(
            ErrorCode.BAD_INPUT,
            f"The report {path} cannot be written: {error.strerror}.",
            hint="The import itself is done; run it again with another --report: it changes nothing twice.",
        ) from error


async def _run(settings: Settings, job: Job) -> Outcome:
    records = read_records(job.path, encoding=job.encoding, delimiter=job.delimiter)
    first = next(records, None)
    outcome = Outcome()
    if first is None:
        return outcome
    if isinstance(first, Record):
        _check_header(job, first)
    references = ContentReferences()
    async with open_runtime(settings) as runtime:
        with Progress(
            TextColumn("{task.description}"), BarColumn(), TextColumn("{task.percentage:>3.0f}%"),
            TimeRemainingColumn(), console=errors, transient=True,
            disable=not errors.is_terminal,
        ) as progress:  # fmt: skip
            task = progress.add_task(job.path.name, total=job.path.stat().st_size)
            stream = chain([first], records)
            while part := list(islice(stream, job.batch)):
                await _store(runtime.database, job, part, references, outcome)
                progress.update(task, completed=part[-1].position)
    outcome.refused.sort(key=lambda refusal: refusal.line)
    return outcome


def _check_header(job: Job, first: Record) -> None:
    if missing := job.mapping.missing(first.values):
        raise CrmError(
            ErrorCode.BAD_INPUT,
            f"{job.path} has no column {missing[0]!r}.",
            hint=f"Its columns are: {', '.join(first.values)}.",
        )
    if ignored := job.mapping.ignored(first.values):
        click.echo(f"Columns that fill no field and are left out: {', '.join(ignored)}.", err=True)


async def _store(
    database: Database,
    job: Job,
    part: list[Record | Refused],
    references: ContentReferences,
    outcome: Outcome,
) -> None:
    """One transaction. The order of records decides their references, so that it must not change."""
    lines: list[int] = []
    rows: list[Any] = []
    for record in part:
        if isinstance(record, Refused):
            outcome.refused.append(record)
            continue
        values = job.mapping.apply(record.values)
        if "reference" not in values:
            values["reference"] = references.reference(values)
        values.setdefault("source", job.source)
        try:
            rows.append(job.make(Cells(values, job.zone, job.date_format)))
        except CrmError as error:
            outcome.refused.append(Refused(record.line, str(error)))
        else:
            lines.append(record.line)
    if not rows:
        return
    async with database.unit_of_work(Actor.system("crm import")) as tx:
        report = await job.store(tx, rows)
    outcome.created += report.created
    outcome.known += report.existing
    outcome.refused += [Refused(lines[row.index], _in_row(row.error)) for row in report.errors]


def _in_row(error: CrmError | None) -> str:
    """The error as its line shows it: without the row's place in the batch, which means nothing here."""
    assert error is not None
    path = error.path[2:] if error.path[:1] == ("rows",) else error.path
    return str(CrmError(error.code, error.message, path=path, hint=error.hint))
