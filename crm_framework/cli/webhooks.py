"""`crm webhooks`: where events are sent to, what became of it, and what to do about it."""

from collections.abc import Mapping, Sequence
from typing import Any

import click
from rich.table import Table

from crm_framework.cli.in_runtime import in_runtime
from crm_framework.cli.keys import key_in
from crm_framework.cli.past_events import chooses_past_events, past_events
from crm_framework.cli.running import console
from crm_framework.cli.texts import moment_text, one_line
from crm_framework.domain.rows import json_of
from crm_framework.domain.webhooks import changes, listing, replaying, sending
from crm_framework.errors import CrmError, ErrorCode
from crm_framework.outgoing.client import webhook_client
from crm_framework.outgoing.signatures import signed_headers
from crm_framework.runtime import Runtime
from crm_framework.schema.webhook_filters import webhook_api
from crm_framework.security.actors import Actor
from crm_framework.storage import stream


@click.group("webhooks")
def command() -> None:
    """Addresses that events are sent to. They are made over the API, which shows their secret once."""


@command.command("seal")
@click.pass_context
def seal(context: click.Context) -> None:
    """Seals the secrets of all webhooks with the first of `webhook_keys`, whatever they were kept under."""

    async def work(runtime: Runtime) -> int:
        async with runtime.database.unit_of_work(_actor()) as tx:
            return await changes.seal_secrets(tx)

    console.print(f"Webhooks whose secrets are sealed: {in_runtime(context, work)}.")


@command.command("list")
@click.pass_context
def list_(context: click.Context) -> None:
    """Lists webhooks, the oldest first."""

    async def work(runtime: Runtime) -> list[Mapping[str, Any]]:
        return await listing.list_webhooks(runtime.database)

    found = in_runtime(context, work)
    if not found:
        console.print("There is no webhook. The mutation createWebhook makes one.")
        return
    table = Table(box=None, pad_edge=False)
    for heading in ("id", "url", "events", "status", "owed", "failures", "paused"):
        table.add_column(heading, no_wrap=heading == "id", overflow="fold")
    for row in found:
        table.add_row(
            *(str(row["id"]), row["url"], _types(row), row["status"].lower(), str(row["owed"])),
            *(str(row["failures"]), one_line(row["pause_reason"])),
        )
    console.print(table, markup=False)


@command.command("show")
@click.argument("webhook_id", metavar="ID")
@click.pass_context
def show(context: click.Context, webhook_id: str) -> None:
    """Shows a webhook and what was sent to it last."""
    key = key_in(webhook_id, "Webhook")

    async def work(runtime: Runtime) -> tuple[Mapping[str, Any], Sequence[Mapping[str, Any]]]:
        found = await listing.find_webhook(runtime.database, key)
        return found, await listing.latest_deliveries(runtime.database, found["id"])

    row, deliveries = in_runtime(context, work)
    click.echo(row["url"])
    if row["description"]:
        click.echo(row["description"])
    click.echo(f"events: {_types(row)}{', of some customers only' if row['condition'] else ''}")
    click.echo(f"made: {moment_text(row['created_at'])}")
    if row["paused_at"]:
        click.echo(f"paused: {moment_text(row['paused_at'])}, {row['pause_reason']}")
    else:
        click.echo("status: active")
    if row["failing_since"]:
        click.echo(
            f"failing: {row['failures']} attempt(s) in a row since {moment_text(row['failing_since'])}"
        )
    click.echo(f"owed: {row['owed']}")
    if not deliveries:
        return
    table = Table(box=None, pad_edge=False)
    for heading in ("message", "type", "status", "attempts", "answer", "next", "error"):
        table.add_column(heading, no_wrap=heading == "message", overflow="fold")
    for one in deliveries:
        pending = one["status"] == "PENDING"
        table.add_row(
            *(str(one["id"]), one["type"], one["status"].lower(), str(one["attempts"])),
            str(one["response_status"] or "none"),
            *(moment_text(one["next_at"]) if pending else "", one_line(one["error"])),
        )
    console.print(table, markup=False)


@command.command("test")
@click.argument("webhook_id", metavar="ID")
@click.pass_context
def test(context: click.Context, webhook_id: str) -> None:
    """Sends a `webhook.test` now, once, also to one that is paused, and shows the answer."""
    key = key_in(webhook_id, "Webhook")

    async def work(runtime: Runtime) -> tuple[int | None, str | None, str | None, int]:
        async with runtime.database.unit_of_work(_actor()) as tx:
            claim, message = await sending.begin_test(tx, key)
        headers = signed_headers(message.id, tx.now, message.body, message.secrets)
        answer = await webhook_client(runtime.settings).post(message.url, message.body, headers)
        async with runtime.database.unit_of_work(_actor()) as tx:
            await sending.note_test(tx, claim, answer)
        return answer.status, answer.text, answer.error, answer.milliseconds

    status, text, error, milliseconds = in_runtime(context, work)
    if status is None or not 200 <= status < 300:
        told = error or f"the receiver answered {status}: {one_line(text)}".rstrip(": ")
        raise CrmError(
            ErrorCode.REFUSED, f"It did not arrive: {told}.", hint="`crm webhooks show` has the attempt."
        )
    console.print(f"It arrived: {status} in {milliseconds} ms.")


@command.command("pause")
@click.argument("webhook_id", metavar="ID")
@click.option("--reason", default="by crm webhooks", help="What the others are to read.")
@click.pass_context
def pause(context: click.Context, webhook_id: str, reason: str) -> None:
    """Sends nothing more: what is owed waits, what happens meanwhile is not sent later by itself."""
    key = key_in(webhook_id, "Webhook")

    async def work(runtime: Runtime) -> bool:
        async with runtime.database.unit_of_work(_actor()) as tx:
            return await changes.pause_webhook(tx, key, reason)

    console.print("Paused." if in_runtime(context, work) else "It was paused before.")


@command.command("resume")
@click.argument("webhook_id", metavar="ID")
@click.pass_context
def resume(context: click.Context, webhook_id: str) -> None:
    """Sends again: what was owed is due now. For what happened meanwhile use `replay`."""
    key = key_in(webhook_id, "Webhook")

    async def work(runtime: Runtime) -> bool:
        begins = await stream.tail(runtime.database)
        async with runtime.database.unit_of_work(_actor()) as tx:
            return await changes.resume_webhook(tx, key, begins=begins)

    console.print("Resumed." if in_runtime(context, work) else "It was active before.")


@command.command("replay")
@click.argument("webhook_id", metavar="ID")
@chooses_past_events
@click.pass_context
def replay(
    context: click.Context,
    webhook_id: str,
    events: tuple[str, ...],
    types: tuple[str, ...],
    customer: str | None,
    since: str | None,
    until: str | None,
    yes: bool,
) -> None:
    """Sends past events once more, whether they arrived or not, under the ids that they had.

    The webhook's types and filter hold for them too.
    """
    key = key_in(webhook_id, "Webhook")
    keys = tuple(key_in(one, "Event") for one in events)
    whose = None if customer is None else key_in(customer, "Customer")
    past = past_events(keys, types, whose, since, until)

    async def work(runtime: Runtime) -> int:
        api = webhook_api(runtime.database, runtime.schema.schema, runtime.host)
        count = 0
        try:
            async with runtime.database.unit_of_work(_actor()) as tx:
                count = await replaying.replay_webhook(tx, key, past, api)
                if not yes:
                    raise _OnlyCounted
        except _OnlyCounted:
            pass
        return count

    count = in_runtime(context, work)
    if yes:
        console.print(f"{count} event(s) are due to the webhook now; a worker sends them.")
    else:
        console.print(f"The webhook would get {count} event(s) again. Add --yes to do it.")


@command.command("delete")
@click.argument("webhook_id", metavar="ID")
@click.option("--yes", is_flag=True, help="Do it. Without it, what would be lost is only told.")
@click.pass_context
def delete(context: click.Context, webhook_id: str, yes: bool) -> None:
    """Deletes a webhook with the log of what was sent to it. What it is still owed is not sent."""
    key = key_in(webhook_id, "Webhook")

    async def work(runtime: Runtime) -> Mapping[str, Any]:
        row = await listing.find_webhook(runtime.database, key)
        if yes:
            async with runtime.database.unit_of_work(_actor()) as tx:
                await changes.delete_webhook(tx, key)
        return row

    row = in_runtime(context, work)
    if yes:
        console.print(f"{row['url']} is deleted.", markup=False)
    else:
        console.print(f"{row['url']} is owed {row['owed']} event(s). Add --yes to delete it.", markup=False)


class _OnlyCounted(Exception):
    """Undoes what was done to count."""


def _actor() -> Actor:
    return Actor.system("crm webhooks")


def _types(row: Mapping[str, Any]) -> str:
    return " ".join(json_of(row["types"])) or "all"
