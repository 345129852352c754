"""Adds commands: `crm with_commands mark` and `crm with_commands count`."""

import click

from crm_framework import CommandRun, Plugin, PluginSettings, run_command, tag_customers


class Settings(PluginSettings, frozen=True):
    tag: str = "marked"


plugin = Plugin(
    name="with_commands",
    requires_api="1.0",
    summary="Marks customers from the command line.",
    settings=Settings,
    commands=__name__,
)


@click.group()
def command() -> None:
    """Marks customers and counts them."""


@command.command()
@click.argument("city")
@click.pass_context
def mark(context: click.Context, city: str) -> None:
    """Marks the customers of a CITY."""

    async def work(run: CommandRun) -> int:
        async with run.unit_of_work() as tx:
            rows = await tx.fetch("SELECT id FROM crm_customer WHERE city = ? ORDER BY id", [city])
            await tag_customers(tx, [row["id"] for row in rows], add=[run.settings.tag])
        return len(rows)

    click.echo(f"{run_command(context, work)} marked")


@command.command()
@click.pass_context
def count(context: click.Context) -> None:
    """Says how many are marked."""

    async def work(run: CommandRun) -> int:
        [row] = await run.reader.fetch(
            "SELECT COUNT(*) AS number FROM crm_customer_tag WHERE tag = ?", (run.settings.tag,)
        )
        return int(row["number"])

    click.echo(run_command(context, work))
