"""`crm ticketing verify`: proves that what tickets keep of their clocks is what the clocks say."""

import click

from crm_framework import CommandRun, now, run_command

from .clocks.proof import Proof, verify
from .models import LARGEST_NUMBER

TOLD = 20_000
"""Tickets between two words on how far it has come."""


@click.group()
def command() -> None:
    """Looks after tickets."""


@command.command("verify")
@click.option(
    "--after",
    type=click.IntRange(min=0, max=LARGEST_NUMBER),
    default=0,
    help="Looks at tickets with greater numbers alone.",
)
@click.pass_context
def verify_clocks(context: click.Context, after: int) -> None:
    """Computes the clocks of every ticket anew and compares; exits with 1 if any differs.

    Says from time to time up to which number it has come: --after goes on there.
    """

    async def work(run: CommandRun) -> Proof:
        return await verify(run.reader, now(), after=after, tell=_tell)

    found = run_command(context, work)
    click.echo(f"{found.tickets} tickets, {found.differing} differ, {found.overdue} wait for a worker.")
    for text in found.differences:
        click.echo(text)
    context.exit(1 if found.differing else 0)


def _tell(proof: Proof) -> None:
    if proof.tickets % TOLD == 0:
        click.echo(f"Up to ticket {proof.last}: {proof.differing} of {proof.tickets} differ.", err=True)
