"""`crm audit`: lists the audit log, verifies it, and tells the head of its chain to be kept elsewhere."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import click
from rich.progress import Progress
from rich.table import Table

from crm_framework.cli.running import console, errors, run, settings_of
from crm_framework.errors import CrmError, ErrorCode, cut
from crm_framework.runtime import audit_keys, load_host, open_database
from crm_framework.security.audit.chain import Head
from crm_framework.security.audit.sealing import Sealer, read_head
from crm_framework.security.audit.verifying import Verdict, verify
from crm_framework.settings import Settings
from crm_framework.storage.clock import parse_time
from crm_framework.storage.database import Database

COLUMNS = (
    "id, at, actor_kind, actor_id, actor_name, token_id, request_id, action, subject_type, subject_id,"
    " customer_id, reason, changes, erased_by"
)

_OF_CUSTOMER = (
    "customer_id IN (SELECT COALESCE(c.merged_into_id, c.id) FROM crm_customer c WHERE c.id = ?"
    " UNION ALL SELECT loser.id FROM crm_customer c JOIN crm_customer loser"
    " ON loser.merged_into_id = COALESCE(c.merged_into_id, c.id) WHERE c.id = ?)"
)
"""Entries of a merged customer keep its key."""


@click.group("audit")
def command() -> None:
    """Who did what, and who was refused. Entries form a chain, so that a removed or altered one shows."""


@command.command("list")
@click.option("--action", help="Such as customer.updated or access.refused; customer.* for all of a group.")
@click.option("--actor", help="Id or name of who acted.")
@click.option("--customer", help="Key of the customer that it is about; those merged into it count.")
@click.option("--subject", help="Key of the record that was changed.")
@click.option("--token", help="Id of the token that it came with.")
@click.option("--request", help="Id of the request that it came with.")
@click.option("--since", help="From this moment on: 2026-01-31 or 2026-01-31T12:00Z.")
@click.option("--until", help="Before this moment.")
@click.option("--limit", type=click.IntRange(1, 100_000), default=50, show_default=True)
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line, with the values.")
@click.pass_context
def list_(context: click.Context, /, limit: int, as_json: bool, **filters: str | None) -> None:
    """The latest entries, newest first."""
    conditions, args = _conditions(filters)
    where = f" WHERE {' AND '.join(conditions)}" if conditions else ""

    async def work() -> list[dict[str, Any]]:
        async with await _opened(settings_of(context)) as database:
            sql = f"SELECT {COLUMNS} FROM crm_audit{where} ORDER BY id DESC LIMIT {limit}"
            return await database.fetch(sql, args)

    rows = run(work())
    if as_json:
        for row in rows:
            click.echo(json.dumps(_plain(row), ensure_ascii=False))
        return
    table = Table(box=None, pad_edge=False)
    for heading in ("at", "who", "action", "on", "what"):
        table.add_column(heading, overflow="fold")
    for row in rows:
        at = f"{parse_time(row['at']):%Y-%m-%d %H:%M:%S}"
        who = f"{row['actor_name']} ({row['actor_kind'].lower()})"
        table.add_row(at, who, row["action"], f"{row['subject_type']} {row['subject_id']}", _what(row))
    console.print(table, markup=False)


@command.command("head")
@click.pass_context
def head(context: click.Context) -> None:
    """Prints where the chain ends, as POSITION:HASH. Keep it where nobody who reaches the database does."""

    async def work() -> Head:
        async with await _opened(settings_of(context)) as database:
            return await read_head(database)

    click.echo(str(run(work())))


@command.command("verify")
@click.option("--head", "kept", help="A head that was kept: POSITION:HASH, as `crm audit head` printed it.")
@click.option(
    "--patience",
    type=click.FloatRange(0),
    default=60.0,
    show_default=True,
    help="Seconds after which an entry must be in the chain.",
)
@click.option("--quiet", is_flag=True, help="Print nothing unless something is wrong.")
@click.pass_context
def verify_(context: click.Context, kept: str | None, patience: float, quiet: bool) -> None:
    """Checks every entry and every link. Exits with 1, naming the first that is wrong."""
    settings = settings_of(context)
    noted = None if kept is None else Head.read(kept)
    verdict = run(_verified(settings, noted, patience, quiet))
    if verdict.fault is not None:
        click.echo(f"The audit log is not as it was written. First at {verdict.fault}.", err=True)
        context.exit(1)
    if not quiet:
        console.print(
            f"Sound: {verdict.head.position} entries, {verdict.erased} of them emptied by erasures.",
            f"{verdict.unsealed} not sealed yet.",
        )
        console.print(f"Head: {verdict.head}", soft_wrap=True)


@command.command("seal")
@click.pass_context
def seal(context: click.Context) -> None:
    """Takes entries into the chain that the processes which wrote them did not: those that were killed."""
    settings = settings_of(context)

    async def work() -> int:
        async with await _opened(settings) as database:
            sealer = Sealer(database, audit_keys(settings))
            await sealer.adopt()
            try:
                return await sealer.sweep(everything=True)
            finally:
                await sealer.close()

    console.print(f"{run(work())} entries were sealed.")


async def _opened(settings: Settings) -> Database:
    return await open_database(settings, await load_host(settings))


async def _verified(settings: Settings, kept: Head | None, patience: float, quiet: bool) -> Verdict:
    with Progress(console=errors, disable=quiet or not errors.is_terminal, transient=True) as bar:
        task = bar.add_task("Verifying", total=None)

        def show(done: int, of: int) -> None:
            bar.update(task, completed=done, total=of)

        async with await _opened(settings) as database:
            return await verify(
                database, audit_keys(settings), kept=kept, patience_seconds=patience, progress=show
            )


def _conditions(filters: dict[str, str | None]) -> tuple[list[str], list[object]]:
    conditions: list[str] = []
    args: list[object] = []
    for name, value in filters.items():
        if value is None:
            continue
        match name:
            case "action" if value.endswith(".*"):
                conditions.append("action >= ? AND action < ?")
                args += [value[:-1], f"{value[:-2]}/"]  # / comes right after the dot
            case "actor":
                conditions.append("(actor_id = ? OR actor_name = ?)")
                args += [value, value]
            case "since" | "until":
                conditions.append("at >= ?" if name == "since" else "at < ?")
                args.append(_moment(name, value))
            case "customer":
                conditions.append(_OF_CUSTOMER)
                args += [_key(name, value)] * 2
            case "token":
                conditions.append("token_id = ?")
                args.append(_key(name, value))
            case _:
                column = {"action": "action", "subject": "subject_id", "request": "request_id"}[name]
                conditions.append(f"{column} = ?")
                args.append(value)
    return conditions, args


def _key(name: str, value: str) -> str:
    from crm_framework.storage.ids import is_key

    if not is_key(value):
        raise CrmError(
            ErrorCode.BAD_INPUT, f"--{name} {cut(value)} is no key.", hint="Give its id, of 36 characters."
        )
    return value


def _moment(name: str, text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise CrmError(
            ErrorCode.BAD_INPUT, f"--{name} {cut(text)} is no time.", hint="Write 2026-01-31 or …T12:00Z."
        ) from None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _what(row: dict[str, Any]) -> str:
    if row["reason"]:
        count = json.loads(row["changes"]).get("count", [None, 1])[1]
        return f"{row['reason']} ({count} times)" if count not in (None, 1) else str(row["reason"])
    names: Sequence[str] = list(json.loads(row["changes"]))
    return f"{', '.join(names)}{' (erased)' if row['erased_by'] else ''}"


def _plain(row: dict[str, Any]) -> dict[str, Any]:
    at = parse_time(row["at"]).isoformat().replace("+00:00", "Z")
    return {**row, "at": at, "changes": json.loads(row["changes"])}
