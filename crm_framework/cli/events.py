"""`crm events`: what plugins' handlers still owe, and what to do about it."""

import json
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import TypeVar

import click
from rich.table import Table

from crm_framework.cli.running import console, run, settings_of
from crm_framework.domain.deliveries import (
    OwedEvent,
    Past,
    check_plugin,
    count_past,
    list_owed,
    replay_events,
    retry_deliveries,
)
from crm_framework.errors import CrmError, ErrorCode
from crm_framework.runtime import Runtime, open_runtime
from crm_framework.security.actors import Actor
from crm_framework.storage.clock import parse_time
from crm_framework.storage.ids import is_key

T = TypeVar("T")

STATES = {"all": None, "pending": "PENDING", "parked": "PARKED"}


@click.group("events")
def command() -> None:
    """Events that a plugin could not handle at once are tried again later, and parked at last."""


@command.command("list")
@click.option("--state", type=click.Choice(list(STATES)), default="all", help="Which of them.")
@click.option("--plugin", help="Owed by this plugin alone.")
@click.option("--limit", type=click.IntRange(1, 10_000), default=50, show_default=True)
@click.pass_context
def list_(context: click.Context, state: str, plugin: str | None, limit: int) -> None:
    """Lists what is owed, the oldest first."""

    async def work(runtime: Runtime) -> list[OwedEvent]:
        return await list_owed(runtime.database, status=STATES[state], plugin=plugin, limit=limit + 1)

    found = _run(context, work)
    if not found:
        console.print("Nothing is owed." if state == "all" and plugin is None else "There is none of these.")
        return
    table = Table(box=None, pad_edge=False)
    for heading in ("event", "type", "plugin", "state", "attempts", "next", "error"):
        table.add_column(heading, no_wrap=heading == "event", overflow="fold")
    for one in found[:limit]:
        error = " ".join((one.error or "").split())
        table.add_row(
            *(one.event, one.type, one.plugin, one.status.lower(), str(one.attempts), _next(one)),
            error if len(error) <= 80 else f"{error[:79]}…",
        )
    console.print(table, markup=False)
    if len(found) > limit:
        console.print(f"There are more than {limit}; --limit shows them.")


@command.command("show")
@click.argument("event")
@click.pass_context
def show(context: click.Context, event: str) -> None:
    """Shows an EVENT with all that it holds, which may be personal data, and who owes it."""

    async def work(runtime: Runtime) -> None:
        rows = (
            await runtime.database.fetch(
                "SELECT type, customer_id, payload, created_at FROM crm_event WHERE id = ?", [event]
            )
            if is_key(event)
            else []
        )
        if not rows:
            raise CrmError(
                ErrorCode.NOT_FOUND, f"There is no event {event!r}.", hint="`crm events list` shows keys."
            )
        (row,) = rows
        owed = await list_owed(runtime.database, event=event)
        click.echo(f"{row['type']} of {_moment(row['created_at'])}")
        click.echo(f"customer: {row['customer_id'] or 'none'}")
        click.echo(json.dumps(json.loads(row["payload"]), indent=2, ensure_ascii=False, sort_keys=True))
        for one in owed:
            tried = f", last at {_moment(one.tried_at)}" if one.tried_at else ""
            click.echo(f"\n{one.plugin}: {one.status.lower()} after {one.attempts} attempt(s){tried}")
            click.echo(f"next: {_next(one)}")
            if one.error:
                click.echo(one.error)
        if not owed:
            click.echo("\nNo plugin owes it.")

    _run(context, work)


@command.command("retry")
@click.argument("events", nargs=-1)
@click.option("--plugin", help="Those that this plugin owes.")
@click.pass_context
def retry(context: click.Context, events: tuple[str, ...], plugin: str | None) -> None:
    """Has parked EVENTS tried again, with as many attempts as a new one; those of a plugin with --plugin."""

    async def work(runtime: Runtime) -> int:
        async with runtime.database.unit_of_work(Actor.system("crm events")) as tx:
            return await retry_deliveries(tx, events=events, plugin=plugin)

    console.print(f"{_run(context, work)} parked event(s) are due now; a worker delivers them.")


@command.command("replay")
@click.option("--plugin", required=True, help="Whose handler is to see them again.")
@click.option("--event", "events", multiple=True, help="This event; repeatable.")
@click.option("--type", "types", multiple=True, help="Events of this type, such as purchase.recorded.")
@click.option("--customer", help="Events of the customer with this key.")
@click.option("--since", help="Events from this moment on: 2026-03-01 or 2026-03-01T12:00Z.")
@click.option("--until", help="Events before this moment.")
@click.option("--yes", is_flag=True, help="Do it. Without it, they are only counted.")
@click.pass_context
def replay(
    context: click.Context,
    plugin: str,
    events: tuple[str, ...],
    types: tuple[str, ...],
    customer: str | None,
    since: str | None,
    until: str | None,
    yes: bool,
) -> None:
    """Hands past events to a plugin's handler once more, whether it handled them or not.

    What the handler did before stays, so a handler that adds up adds again. Only you can know whether that
    is right.
    """
    past = Past(
        events=events,
        types=types,
        customer=customer,
        since=_time("--since", since),
        until=_time("--until", until),
    )

    async def work(runtime: Runtime) -> int:
        check_plugin(plugin, [handler.name for handler in runtime.database.handlers])
        if not yes:
            return await count_past(runtime.database, plugin, past)
        async with runtime.database.unit_of_work(Actor.system("crm events")) as tx:
            return await replay_events(tx, plugin, past)

    count = _run(context, work)
    if yes:
        console.print(f"{count} event(s) are due to {plugin} now; a worker delivers them.", markup=False)
    else:
        console.print(f"{plugin} would see {count} event(s) again. Add --yes to do it.", markup=False)


def _run(context: click.Context, work: Callable[[Runtime], Awaitable[T]]) -> T:
    async def opened() -> T:
        async with open_runtime(settings_of(context)) as runtime:
            return await work(runtime)

    return run(opened())


def _next(one: OwedEvent) -> str:
    if one.status == "PARKED":
        return "never, unless retried"
    return "now, or after what it comes behind" if one.due else _moment(one.next_at)


def _moment(value: datetime | str) -> str:
    return f"{parse_time(value).astimezone(UTC):%Y-%m-%d %H:%M:%S}Z"


def _time(option: str, text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        return parse_time(text)
    except ValueError:
        raise CrmError(
            ErrorCode.BAD_INPUT, f"{option} {text!r} is no time.", hint="Write 2026-03-01T12:00Z."
        ) from None
