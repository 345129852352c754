"""`make bench`: requests per second of the product beside the limit, on SQLite and PostgreSQL, in one run."""

import argparse
import asyncio
import os
import platform
from collections.abc import Sequence

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from benchmarks.company import Size
from benchmarks.databases import describe, postgres_database, sqlite_database
from benchmarks.measure import Outcome, Plan, measure
from benchmarks.profiling import profile
from benchmarks.report import client_line, table
from benchmarks.workloads import WORKLOADS, Workload

NAMES = [workload.name for workload in WORKLOADS]


def options(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--customers", type=int, default=100_000)
    parser.add_argument("--interactions", type=int, default=1_000_000)
    parser.add_argument("--seconds", type=float, default=3.0, help="length of a round (3)")
    parser.add_argument("--rounds", type=int, default=5, help="rounds of each side (5)")
    parser.add_argument("--connections", type=int, default=8, help="requests under way at a time (8)")
    parser.add_argument("--database", choices=("sqlite", "postgres"), help="one of the two only")
    parser.add_argument("--workload", choices=NAMES, action="append", help="this one only; may be repeated")
    parser.add_argument(
        "--profile",
        action="store_true",
        help="show where the product spends its time",
    )
    parser.add_argument(
        "--keep",
        action="store_true",
        help="keep what is generated and use it again: files in var/benchmarks, and a database on the server"
        " that CRM_TEST_DATABASE_URL names",
    )
    return parser.parse_args(arguments)


def main(arguments: list[str] | None = None, console: Console | None = None) -> None:
    chosen = options(arguments)
    console = console or Console(width=120, highlight=False)
    size = Size(chosen.customers, chosen.interactions)
    plan = Plan(chosen.seconds, chosen.rounds, chosen.connections)
    workloads = [workload for workload in WORKLOADS if workload.name in (chosen.workload or NAMES)]
    console.print(
        f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}, Python {platform.python_version()}."
    )
    console.print(
        f"{plan.connections} requests under way, {plan.rounds} rounds of {plan.seconds:g} s, medians."
    )
    for kind, database in (("sqlite", sqlite_database), ("postgres", postgres_database)):
        if chosen.database in (None, kind):
            with database(size, console, keep=chosen.keep) as url:
                if chosen.profile:
                    profile(url, workloads, size.customers, plan, console)
                    continue
                title = asyncio.run(describe(url))
                outcomes = run(url, workloads, size, plan, console)
            console.print(table(title, size, outcomes))
            console.print(client_line(outcomes))


def run(
    url: str, workloads: Sequence[Workload], size: Size, plan: Plan, console: Console
) -> Sequence[Outcome]:
    """All rounds on one database, with a bar."""
    with Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        console=console,
        transient=True,
        auto_refresh=False,  # a thread that draws would take its time from the client
    ) as progress:
        task = progress.add_task("", total=plan.rounds * len(workloads))

        def tell(workload: Workload, round_: int) -> None:
            done = workloads.index(workload) * plan.rounds + round_
            progress.update(task, description=workload.title, completed=done, refresh=True)

        return list(measure(url, workloads, size.customers, plan, tell))


if __name__ == "__main__":
    main()
