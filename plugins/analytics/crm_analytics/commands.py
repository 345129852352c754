"""`crm analytics rebuild|verify`."""

import click

from crm_framework import CommandRun, run_command

from . import proof
from .rollups import rebuild


@click.group("analytics")
def command() -> None:
    """Count the kept figures anew, and prove them."""


@command.command("rebuild")
@click.option("--after", help="Go on after this customer's key, the last that an interrupted run named.")
@click.pass_context
def rebuild_command(context: click.Context, after: str | None) -> None:
    """Counts all figures anew, in batches that are each committed.

    It may be interrupted: what is done stays done, and the last line says where to go on. Everybody may work
    meanwhile. It also takes over another time_zone.
    """

    async def work(run: CommandRun) -> int:
        progress = rebuild.Progress(after, 0)
        if after is None:
            async with run.unit_of_work() as tx:
                await rebuild.begin(tx, run.settings.time_zone)
        while True:
            async with run.unit_of_work() as tx:
                progress = await rebuild.batch(tx, progress.after, progress.done)
            if progress.after is None:
                break
            click.echo(f"{progress.done:,} customers are counted, the last is {progress.after}.")
        ended = False
        while not ended:
            async with run.unit_of_work() as tx:
                ended = await rebuild.finish(tx)
        return progress.done

    done = run_command(context, work)
    click.echo(f"{done:,} customers are counted, and the sums over all.")


@command.command("verify")
@click.pass_context
def verify_command(context: click.Context) -> None:
    """Compares all kept figures with a scan of the interactions. Exits with 1 where they differ."""

    async def work(run: CommandRun) -> proof.Found:
        found = proof.Found()
        while True:
            async with run.unit_of_work() as tx:
                found = await proof.batch(tx, found)
            if found.after is None:
                break
            click.echo(f"{found.customers:,} customers are compared.")
        async with run.unit_of_work() as tx:
            found.differences += await proof.sums(tx)
        return found

    found = run_command(context, work)
    for text in found.differences:
        click.echo(text)
    if found.differences:
        raise click.exceptions.Exit(1)
    click.echo(f"What is kept of {found.customers:,} customers is what was recorded.")
