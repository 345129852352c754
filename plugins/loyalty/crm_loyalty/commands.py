"""`crm loyalty …`: what is done at the machine."""

from typing import TextIO

import click

from crm_framework import CommandRun, run_command

from .ledger.heads import HEADS, Head, behind, heads
from .ledger.sealing import seal_some
from .ledger.verify import FROM_THE_FIRST, MOST, Proof, verify_some


@click.group()
def command() -> None:
    """The points ledger."""


@command.command()
@click.option(
    "--heads",
    "kept",
    type=click.File(encoding="utf-8"),
    help="Heads that were kept, as `crm loyalty heads` printed them; - reads them from the input.",
)
@click.pass_context
def verify(context: click.Context, kept: TextIO | None) -> None:
    """Replays every account from its entries; exits with 1 where something was changed or removed."""
    noted = [Head.read(line) for line in kept if line.strip()] if kept is not None else []

    async def work(run: CommandRun) -> Proof:
        proof = Proof()
        for start in range(0, len(noted), HEADS):
            async with run.unit_of_work() as tx:
                proof.differences += await behind(tx, noted[start : start + HEADS])
        proof.differences = proof.differences[:MOST]
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


@command.command("heads")
@click.pass_context
def heads_(context: click.Context) -> None:
    """Prints where the book of every account ends. Keep it where nobody who reaches the database does."""

    async def work(run: CommandRun) -> list[Head]:
        found: list[Head] = []
        last = FROM_THE_FIRST
        while True:
            async with run.unit_of_work() as tx:
                some = await heads(tx, last)
            if not some:
                return found
            found += some
            last = some[-1].book

    for head in run_command(context, work):
        click.echo(str(head))


@command.command("seal")
@click.pass_context
def seal(context: click.Context) -> None:
    """Seals accounts that were there before `audit_keys` were, if they are what their entries come to."""

    async def work(run: CommandRun) -> Proof:
        proof = Proof()
        last: str | None = FROM_THE_FIRST
        while last is not None:
            async with run.unit_of_work() as tx:
                last = await seal_some(tx, proof, last)
        return proof

    proof = run_command(context, work)
    for text in proof.differences:
        click.echo(text, err=True)
    click.echo(f"{proof.accounts} accounts were sealed.")
    if proof.differences:
        context.exit(1)
