"""`crm analytics rebuild|verify|fit|baskets|report|export`."""

from contextlib import suppress
from datetime import datetime
from pathlib import Path
from uuid import UUID

import click

from crm_framework import CommandRun, CrmError, ErrorCode, run_command

from . import proof
from .baskets import store as baskets
from .predictions.refit import Progress, Refitted, refit
from .rollups import rebuild


@click.group("analytics")
def command() -> None:
    """Count the kept figures anew and prove them, fit the models, find what is bought together."""


@command.command("rebuild")
@click.option(
    "--after",
    type=click.UUID,
    metavar="KEY",
    help="Go on after this customer's key, the last that an interrupted run named.",
)
@click.pass_context
def rebuild_command(context: click.Context, after: UUID | None) -> None:
    """Counts all figures anew, in batches that are each committed.

    It may be interrupted: what is done stays done, and the last line says where to go on. Everybody may work
    meanwhile. It also takes over another time_zone. The columns tickets, solved and points stay as they are:
    they are what other plugins told, and nothing is there to count them from.
    """

    async def work(run: CommandRun) -> int:
        if after is None:
            async with run.unit_of_work() as tx:
                await rebuild.begin(tx, run.settings.time_zone)
        begun = None if after is None else str(after)
        number, done = await rebuild.number(begun, run.reader), 0
        async for progress in rebuild.batches(run, begun):
            done = progress.done
            if progress.after is not None:
                click.echo(
                    f"{done:,} of {max(done, number):,} customers are counted, the last is {progress.after}."
                )
        click.echo("All customers are counted; now the sums over all.")
        await rebuild.finish(run)
        return done

    done = run_command(context, work)
    click.echo(f"{done:,} customers are counted, and the sums over all.")


@command.command("verify")
@click.pass_context
def verify_command(context: click.Context) -> None:
    """Compares the kept figures with a scan of the interactions. Exits with 1 where they differ.

    The columns tickets, solved and points are not compared: they are what other plugins told, and nothing is
    there to prove them by.
    """

    async def work(run: CommandRun) -> proof.Found:
        found = proof.Found()
        while True:
            found = await proof.batch(run, found)
            if found.after is None:
                break
            click.echo(f"{found.customers:,} customers are compared.")
        found.differences += await proof.sums(run.reader)
        return found

    found = run_command(context, work)
    for text in found.differences:
        click.echo(text)
    if found.differences:
        raise click.exceptions.Exit(1)
    on_its_way = f" What {found.owed:,} of them did last is still to be counted." if found.owed else ""
    click.echo(
        f"What is kept of {found.customers:,} customers is what was recorded.{on_its_way}"
        " Tickets, solved and points are not compared: they are what other plugins told."
    )


def _said() -> Progress:
    """Says how far it is: each tenth of what is to be done, and the end of it."""
    told: dict[str, int] = {}

    def progress(what: str, done: int, of: int) -> None:
        tenth = 10 if done >= of else done * 10 // of
        if told.get(what) != tenth:
            told[what] = tenth
            click.echo(f"{what}: {done:,} of {of:,}")

    return progress


@command.command("fit")
@click.option(
    "--through",
    type=click.DateTime(["%Y-%m-%d"]),
    help="The last day (UTC) whose purchases count; yesterday, if left out.",
)
@click.pass_context
def fit_command(context: click.Context, through: datetime | None) -> None:
    """Fits the models of how customers buy, and writes what they say of each customer.

    The worker does it every night. It may be interrupted: until it is done, the earlier models hold.
    """

    async def work(run: CommandRun) -> list[Refitted]:
        return await refit(run, None if through is None else through.date(), _said())

    results = run_command(context, work)
    if not results:
        click.echo("Nothing was bought.")
    for each in results:
        click.echo(f"{each.currency}: {_told(each)}")


def _told(each: Refitted) -> str:
    if each.model.purchases is None:
        return each.model.reason or ""
    purchases = each.model.purchases.parameters
    parts = [
        f"{each.predictions:,} customers, BG/NBD r {purchases.r:.4f} alpha {purchases.alpha:.3f}"
        f" a {purchases.a:.4f} b {purchases.b:.4f}"
    ]
    if purchases.warning is not None:
        parts.append(purchases.warning)
    if each.model.values is not None:
        values = each.model.values.parameters
        parts.append(f"Gamma-Gamma p {values.p:.3f} q {values.q:.3f} v {values.v:.2f} minor units")
        if values.warning is not None:
            parts.append(values.warning)
    elif each.model.reason:
        parts.append(each.model.reason)
    if isinstance(each.test, str):
        parts.append(each.test)
    else:
        parts.append(f"back-test: {each.test.expected:,.1f} purchases expected, {each.test.actual:,} made")
    return "; ".join(parts)


@command.command("baskets")
@click.pass_context
def baskets_command(context: click.Context) -> None:
    """Finds what is bought together. The worker does it every night."""

    async def work(run: CommandRun) -> int:
        return len(await baskets.find(run, _said()))

    click.echo(f"{run_command(context, work):,} rules are kept.")


@command.command("report")
@click.option(
    "--html", required=True, type=click.Path(dir_okay=False, path_type=Path), help="The file to write."
)
@click.option("--title", default="Customers and sales", help="What stands above it.")
@click.pass_context
def report_command(context: click.Context, html: Path, title: str) -> None:
    """Writes one page with the pictures that a manager asks for. It needs no network to be looked at."""
    from .report.pictures import report

    async def work(run: CommandRun) -> str:
        return await report(run.reader, run.settings, run.now, title)

    _write(html, run_command(context, work))
    click.echo(f"Wrote {html}.")


@command.command("export")
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
@click.pass_context
def export_command(context: click.Context, folder: Path) -> None:
    """Writes all kept tables as CSV into a folder that is there: sales, products, cohorts, customers …"""
    from .export import tables

    async def work(run: CommandRun) -> None:
        async for name, text, rows in tables(run.reader):
            file = folder / f"{name}.csv"
            _write(file, text)
            click.echo(f"{rows:,} rows are written to {file}.")

    run_command(context, work)


def _write(file: Path, text: str) -> None:
    """Beside the real file first, so that a page that was there stays until the new one is whole."""
    part = file.with_name(f"{file.name}.part")
    try:
        part.write_text(text, encoding="utf-8", newline="")
        part.replace(file)
    except OSError as error:
        with suppress(OSError):
            part.unlink(missing_ok=True)
        raise CrmError(
            ErrorCode.BAD_INPUT,
            f"{file} cannot be written: {error.strerror}.",
            hint="Name a file in a folder that is there.",
        ) from error
