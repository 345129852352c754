"""`make bench`: the product beside hand-written limits and peers, on SQLite and PostgreSQL, in one run.

Without --grow, --processes, --memory or --hold the workloads are measured; with some, only those parts.
"""

import argparse
import os
import platform
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import chain

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from benchmarks.company import Size
from benchmarks.contest import Contest, Tell, contest
from benchmarks.databases import database_of, title_of
from benchmarks.growth import growth
from benchmarks.hold import hold
from benchmarks.measure import Plan
from benchmarks.memory import memory
from benchmarks.pair import pair
from benchmarks.peers.installed import installed
from benchmarks.profiling import profile
from benchmarks.report import Sheet, client_line, sheets
from benchmarks.workloads import READS, WORKLOADS, Workload
from benchmarks.writing import write

NAMES = [workload.name for workload in WORKLOADS]
DATABASES = ("sqlite", "postgres")


def options(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--customers", type=int, default=100_000)
    parser.add_argument("--interactions", type=int, default=1_000_000)
    parser.add_argument("--seconds", type=float, default=2.0, help="length of a round (2)")
    parser.add_argument("--rounds", type=int, default=5, help="rounds of each side (5)")
    parser.add_argument(
        "--connections",
        type=int,
        action="append",
        help="requests under way at a time; may be repeated (8, 32)",
    )
    parser.add_argument("--database", choices=DATABASES, help="one of the two only")
    parser.add_argument("--workload", choices=NAMES, action="append", help="this one only; may be repeated")
    parser.add_argument("--peers", action="store_true", help="install others and measure them too (PEERS=1)")
    parser.add_argument("--grow", action="store_true", help="reads on ten times the data")
    parser.add_argument("--processes", action="store_true", help="reads of two processes beside one")
    parser.add_argument(
        "--memory",
        type=int,
        nargs="?",
        const=100_000,
        metavar="REQUESTS",
        help="memory before and after (100,000)",
    )
    parser.add_argument(
        "--hold",
        type=float,
        nargs="?",
        const=10.0,
        metavar="MINUTES",
        help="a node at saturation for so long (10): memory, waiting times, one client that asks too much",
    )
    parser.add_argument("--profile", action="store_true", help="show where the product spends its time")
    parser.add_argument("--write", action="store_true", help="put the tables into benchmarks/README.md")
    parser.add_argument(
        "--keep",
        action="store_true",
        help="keep what is generated and use it again: files in var/benchmarks, and a database on the server"
        " that CRM_TEST_DATABASE_URL names",
    )
    return parser.parse_args(arguments)


def main(arguments: list[str] | None = None, console: Console | None = None) -> None:
    chosen = options(arguments)
    console = console or Console(width=160, highlight=False)
    size = Size(chosen.customers, chosen.interactions)
    plans = [Plan(chosen.seconds, chosen.rounds, number) for number in chosen.connections or (8, 32)]
    workloads = [workload for workload in WORKLOADS if workload.name in (chosen.workload or NAMES)]
    on_one = chosen.processes or chosen.memory is not None or chosen.profile or chosen.hold is not None
    peers = installed(console) if chosen.peers else []
    said = [
        f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}, Python {platform.python_version()};"
        f" {size.customers:,} customers, {size.interactions:,} interactions;"
        f" medians of {plans[0].rounds} rounds of {plans[0].seconds:g} s."
    ]
    console.print(said[0])
    made: list[Sheet] = []
    contests: list[Contest] = []
    for kind in DATABASES:
        if chosen.database not in (None, kind):
            continue
        here: list[Sheet] = []
        if on_one or not chosen.grow:
            with database_of(kind, size, console, keep=chosen.keep) as url:
                title = title_of(url)
                if chosen.profile:
                    profile(url, workloads, size.customers, plans[0], console)
                if not on_one:
                    fitting = [peer for peer in peers if kind in peer.databases]
                    with bar(console, plans, workloads) as tell:
                        contests.append(contest(url, workloads, size.customers, plans, fitting, tell))
                    here += sheets(title, contests[-1], [peer.name for peer in fitting])
                if chosen.processes:
                    here += pair(title, url, _reads(workloads), size.customers, plans)
                if chosen.memory is not None:
                    here.append(memory(title, url, size.customers, chosen.memory, console))
                if chosen.hold is not None:
                    here += hold(title, url, chosen.hold, size.customers, console)
        if chosen.grow:
            here.append(growth(kind, _reads(workloads), size, plans[0], console, keep=chosen.keep))
        for sheet in here:
            console.print(sheet.shown())
        made += here
    if contests:
        said.append(client_line(contests))
        console.print(said[-1])
    if chosen.write:
        write(said, made)


def _reads(workloads: Sequence[Workload]) -> list[Workload]:
    return [workload for workload in workloads if workload in READS]


@contextmanager
def bar(console: Console, plans: Sequence[Plan], workloads: Sequence[Workload]) -> Iterator[Tell]:
    """Shows how far all rounds on one database are."""
    steps = list(chain.from_iterable([plan.connections] * plan.rounds * len(workloads) for plan in plans))
    with Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        console=console,
        transient=True,
        auto_refresh=False,  # a thread that draws would take its time from the client
    ) as progress:
        task = progress.add_task("", total=len(steps))

        def tell(workload: Workload, connections: int, round_: int) -> None:
            description = f"{workload.title}, {connections} under way"
            progress.update(task, description=description, advance=1, refresh=True)

        yield tell


if __name__ == "__main__":
    main()
