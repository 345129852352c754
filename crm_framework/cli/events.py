"""`crm events`: what plugins' handlers still owe, and what to do about it."""

import json

import click
from rich.table import Table

from crm_framework.cli.in_runtime import in_runtime
from crm_framework.cli.past_events import chooses_past_events, past_events
from crm_framework.cli.running import console
from crm_framework.cli.texts import moment_text, one_line
from crm_framework.domain.deliveries import (
    OwedEvent,
    check_plugin,
    count_past,
    list_owed,
    replay_events,
    retry_deliveries,
)
from crm_framework.errors import CrmError, ErrorCode
from crm_framework.runtime import Runtime
from crm_framework.security.actors import Actor
from crm_framework.storage.ids import is_key

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

    found = in_runtime(context, work)
    if not found:
        console.print("Nothing is owed." if state == "all" and plugin is None else "There is none of these.")
        return
    table = Table(box=None, pad_edge=False)
    for heading in ("event", "type", "plugin", "state", "attempts", "next", "error"):
        table.add_column(heading, no_wrap=heading == "event", overflow="fold")
    for one in found[:limit]:
        table.add_row(
            *(one.event, one.type, one.plugin, one.status.lower(), str(one.attempts), _next(one)),
            one_line(one.error),
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
        click.echo(f"{row['type']} of {moment_text(row['created_at'])}")
        click.echo(f"customer: {row['customer_id'] or 'none'}")
        click.echo(json.dumps(json.loads(row["payload"]), indent=2, ensure_ascii=False, sort_keys=True))
        for one in owed:
            tried = f", last at {moment_text(one.tried_at)}" if one.tried_at else ""
            click.echo(f"\n{one.plugin}: {one.status.lower()} after {one.attempts} attempt(s){tried}")
            click.echo(f"next: {_next(one)}")
            if one.error:
                click.echo(one.error)
        if not owed:
            click.echo("\nNo plugin owes it.")

    in_runtime(context, work)


@command.command("retry")
@click.argument("events", nargs=-1)
@click.option("--plugin", help="Those that this plugin owes.")
@click.pass_context
def retry(context: click.Context, events: tuple[str, ...], plugin: str | None) -> None:
    """Has EVENTS that failed tried again at once, parked or not; those of a plugin with --plugin."""

    async def work(runtime: Runtime) -> int:
        async with runtime.database.unit_of_work(Actor.system("crm events")) as tx:
            return await retry_deliveries(tx, events=events, plugin=plugin)

    console.print(f"{in_runtime(context, work)} event(s) that failed are due now; a worker delivers them.")


@command.command("replay")
@click.option("--plugin", required=True, help="Whose handler is to see them again.")
@chooses_past_events
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
    past = past_events(events, types, customer, since, until)

    async def work(runtime: Runtime) -> int:
        check_plugin(plugin, [handler.name for handler in runtime.database.handlers])
        if not yes:
            return await count_past(runtime.database, plugin, past)
        async with runtime.database.unit_of_work(Actor.system("crm events")) as tx:
            return await replay_events(tx, plugin, past)

    count = in_runtime(context, work)
    if yes:
        console.print(f"{count} event(s) are due to {plugin} now; a worker delivers them.", markup=False)
    else:
        console.print(f"{plugin} would see {count} event(s) again. Add --yes to do it.", markup=False)


def _next(one: OwedEvent) -> str:
    if one.status == "PARKED":
        return "never, unless retried"
    return "now, or after what it comes behind" if one.due else moment_text(one.next_at)
