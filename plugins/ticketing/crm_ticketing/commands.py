"""`crm ticketing verify`: proves that what tickets keep of their clocks is what the clocks say.

`crm ticketing report`: the figures, of any number of tickets.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

import click
import msgspec

from crm_framework import CommandRun, Figure, now, run_command

from .clocks.proof import Proof, verify
from .models import LARGEST_NUMBER
from .report.figures import told
from .report.store import GroupBy, Span, names_of

TOLD = 20_000
"""Tickets between two words on how far it has come."""


DAY = click.DateTime(["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S"])


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


@command.command("report")
@click.option("--from", "start", type=DAY, required=True, help="From this moment on, in UTC.")
@click.option("--to", "end", type=DAY, required=True, help="Up to this moment, which is left out, in UTC.")
@click.option(
    "--by",
    type=click.Choice([one.value.lower() for one in GroupBy], case_sensitive=False),
    help="Also the figures of each team, agent, …",
)
@click.option("--json", "as_json", is_flag=True, help="A line of JSON for each figure.")
@click.pass_context
def tell_report(
    context: click.Context, start: datetime, end: datetime, by: str | None, as_json: bool
) -> None:
    """Tells the figures of tickets opened between two moments, and of ratings given then.

    They are those of `ticketingReport`, of any number of tickets.
    """
    group_by = None if by is None else GroupBy(by.upper())
    span = Span(start.replace(tzinfo=UTC), end.replace(tzinfo=UTC))

    async def work(run: CommandRun) -> tuple[Sequence[Figure], Mapping[str | None, str]]:
        figures = await told(run.reader, span, group_by, now(), tell=_tell_read)
        keys = dict.fromkeys(one.group for one in figures if one.group)
        return figures, await names_of(run.reader, group_by, list(keys))

    figures, names = run_command(context, work)
    for figure in figures:
        name = None if figure.group is None else names.get(figure.group, figure.group)
        click.echo(_line(figure, name) if as_json else _words(figure, name))


def _tell_read(tickets: int) -> None:
    if tickets and tickets % TOLD == 0:
        click.echo(f"{tickets} tickets read.", err=True)


def _line(figure: Figure, group: str | None) -> str:
    said = {"figure": figure.name, "group": group, "value": figure.value, "unit": figure.unit, "n": figure.n}
    more = {"numerator": figure.numerator, "denominator": figure.denominator}
    return msgspec.json.encode(said | more).decode()


def _words(figure: Figure, group: str | None) -> str:
    value = "-" if figure.value is None else f"{figure.value:g}"
    of = "" if figure.denominator is None else f"  {figure.numerator} / {figure.denominator}"
    of_group = "" if group is None else f"  {group or '(none)'}"
    return f"{figure.name:<32}{value:>12} {figure.unit}{of}{of_group}"
