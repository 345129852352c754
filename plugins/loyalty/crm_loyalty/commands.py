"""`crm loyalty …`: what is done at the machine."""

import click

from crm_framework import CommandRun, run_command

from .ledger.verify import FROM_THE_FIRST, MOST, Proof, verify_some


@click.group()
def command() -> None:
    """The points ledger."""


@command.command()
@click.pass_context
def verify(context: click.Context) -> None:
    """Replays every account from its entries; exits with 1 where something was changed or removed."""

    async def work(run: CommandRun) -> Proof:
        proof = Proof()
        last: str | None = FROM_THE_FIRST
        while last is not None and len(proof.differences) < MOST:
            async with run.unit_of_work() as tx:
                last = await verify_some(tx, proof, last)
        return proof

    proof = run_command(context, work)
    for text in proof.differences:
        click.echo(text, err=True)
    found = f"{len(proof.differences)} differences" if proof.differences else "nothing was changed or removed"
    click.echo(f"{proof.accounts} accounts, {proof.entries} entries: {found}.")
    if proof.differences:
        context.exit(1)
