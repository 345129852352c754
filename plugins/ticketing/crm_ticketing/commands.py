"""`crm ticketing verify`: proves that what tickets keep of their clocks is what the clocks say."""

import click

from crm_framework import CommandRun, now, run_command

from .clocks.proof import Proof, verify


@click.group()
def command() -> None:
    """Looks after tickets."""


@command.command("verify")
@click.pass_context
def verify_clocks(context: click.Context) -> None:
    """Computes the clocks of every ticket anew and compares; exits with 1 if any differs."""

    async def work(run: CommandRun) -> Proof:
        return await verify(run.reader, now())

    found = run_command(context, work)
    click.echo(f"{found.tickets} tickets, {found.differing} differ, {found.overdue} wait for a worker.")
    for text in found.differences:
        click.echo(text)
    context.exit(1 if found.differing else 0)
