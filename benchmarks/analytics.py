"""Metrics from kept figures, beside DuckDB's scan of the same purchases; and what keeping them costs a write.

    python -m benchmarks.analytics [--customers 100000] [--interactions 1000000] [--growth 10] [--sqlite]
    CRM_TEST_DATABASE_URL=… python -m benchmarks.analytics --keep FOLDER --writes 0   # again, and again

It needs duckdb (`pip install -c constraints.txt -e ".[analytics-bench]"`), which has the purchases in a file
of its own. Half of the interactions are purchases, over 24 months. A metric is asked as a client asks, in
this process: GraphQL text in, JSON out. With --growth, all is made once more with so many times the
interactions, of the same customers and months, and the two are asked in turns, without DuckDB; customers then
come one after the other, in both. What --keep kept is not made again; on PostgreSQL that needs a server that
lasts. The purchases of --writes would stay in it.
"""

import argparse
import asyncio
import statistics
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks import analytics_growth as growth
from benchmarks.analytics_company import generate, in_duckdb, opened, server_database, vacuumed
from benchmarks.analytics_questions import QUESTIONS, saved_segments
from benchmarks.analytics_writes import show_writes, write_costs
from benchmarks.company import Size
from crm_framework import UnitOfWork
from crm_framework.testing import CrmClient
from crm_framework.testing.postgres import lasting_folder, running_postgres

REPEATS = 7
TURNS = 3


@dataclass(frozen=True)
class _Timed:
    """As a command has it, with the seconds that each of its transactions took."""

    client: CrmClient
    held: list[float]

    @property
    def reader(self) -> Any:
        return self.client.service.database

    @asynccontextmanager
    async def unit_of_work(self) -> AsyncIterator[UnitOfWork]:
        began = time.perf_counter()
        async with self.client.service.database.unit_of_work() as tx:
            yield tx
        self.held.append(time.perf_counter() - began)


@dataclass(frozen=True)
class Rebuilt:
    """Seconds by the clock, of this process's processors, and of the longest and the middle transaction."""

    clock: float
    processor: float
    longest: float
    middle: float


async def rebuilt(client: CrmClient) -> Rebuilt:
    """What it takes to count all figures."""
    from crm_analytics.rollups import rebuild

    run = _Timed(client, [])
    began, worked = time.perf_counter(), time.process_time()
    async with run.unit_of_work() as tx:
        await rebuild.begin(tx, "UTC")
    async for _ in rebuild.batches(run):
        pass
    await rebuild.finish(run)
    return Rebuilt(
        time.perf_counter() - began,
        time.process_time() - worked,
        max(run.held),
        statistics.median(run.held),
    )


@dataclass(frozen=True)
class Cost:
    """Milliseconds of an answer: by the clock the least of many, since what else the machine does only adds
    to it, and of processors, the database's included, on average, since those are told roughly."""

    clock: float
    processor: float


async def cost(work: Callable[[], Awaitable[object]], client: CrmClient) -> Cost:
    clocks: list[float] = []
    worked: list[float] = []
    async with growth.processors(client, worked):
        for _ in range(REPEATS):
            began = time.perf_counter()
            await work()
            clocks.append(time.perf_counter() - began)
    return Cost(1000 * min(clocks), 1000 * worked[0] / REPEATS)


def least(costs: Sequence[Cost]) -> Cost:
    return Cost(min(one.clock for one in costs), min(one.processor for one in costs))


@dataclass(frozen=True)
class Beside:
    """A metric, and DuckDB's scan in turns with it."""

    asked: Cost
    scanned: Cost

    @property
    def cells(self) -> list[str]:
        pairs = (
            (self.asked.clock, self.scanned.clock),
            (self.asked.processor, self.scanned.processor),
        )
        return [
            cell
            for ours, theirs in pairs
            for cell in (f"{ours:.1f}", f"{theirs:.1f}", f"{ours / theirs:.2f}")
        ]


async def made(url: str, size: Size, console: Console, by_and_by: bool = False) -> None:
    await generate(url, size, console, by_and_by)
    async with opened(url, "analytics") as client:
        for when in ("",) if by_and_by else ("", " once more"):
            took = await rebuilt(client)
            console.print(
                f"all figures counted{when} in {took.clock:.1f} s, {took.processor:.1f} s of this process;"
                f" its longest transaction took {1000 * took.longest:.0f} ms, the middle one"
                f" {1000 * took.middle:.0f} ms"
            )
    if url.startswith("postgres"):
        await vacuumed(url)


async def measured(url: str, scans: Any) -> dict[str, Beside]:
    found = {}
    async with opened(url, "analytics") as client:
        segments = await saved_segments(client)
        for one in QUESTIONS:
            ask = partial(client.data, one.graphql, **segments)

            async def scan(sql: str = one.scan) -> None:
                scans.execute(sql).fetchall()

            await ask()
            await scan()
            turns = [(await cost(ask, client), await cost(scan, client)) for _ in range(TURNS)]
            found[one.name] = Beside(least([turn[0] for turn in turns]), least([turn[1] for turn in turns]))
    return found


def beside_duckdb(kind: str, found: Mapping[str, Beside]) -> Table:
    table = Table(
        "metric",
        *(f"{kind}, ms", "DuckDB, ms", "of it"),
        *(f"{kind}, ms of processors", "DuckDB, ms of processors", "of it"),
    )
    for name, beside in found.items():
        table.add_row(name, *beside.cells)
    return table


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--customers", type=int, default=100_000)
    parser.add_argument("--interactions", type=int, default=1_000_000)
    parser.add_argument(
        "--growth", type=int, default=0, help="beside so many times the interactions, instead"
    )
    parser.add_argument("--writes", type=int, default=200)
    parser.add_argument("--keep", type=Path, help="a folder where the databases stay for the next run")
    parser.add_argument("--sqlite", action="store_true", help="SQLite alone")
    parser.add_argument("--postgres", action="store_true", help="PostgreSQL alone")
    arguments = parser.parse_args()
    console = Console(width=120)
    sizes = [Size(arguments.customers, arguments.interactions)]
    if arguments.growth:
        sizes.append(Size(arguments.customers, arguments.interactions * arguments.growth))
    kinds = ["SQLite"] * (not arguments.postgres) + ["PostgreSQL"] * (not arguments.sqlite)
    with (
        tempfile.TemporaryDirectory(prefix="crm-bench-", dir=lasting_folder()) as folder,
        running_postgres(fsync=True) as server,
    ):
        companies: dict[str, list[str]] = {kind: [] for kind in kinds}
        for size in sizes:
            console.print(f"{size.customers:,} customers, {size.interactions:,} interactions")
            name = f"{size.customers}_{size.interactions}{'_by_and_by' * bool(arguments.growth)}"
            place = (arguments.keep or Path(folder)) / name
            place.mkdir(parents=True, exist_ok=True)
            for kind in kinds:
                url = f"sqlite:{place / 'crm.sqlite3'}" if kind == "SQLite" else server.url(f"bench_{name}")
                whole = place / f"{kind}.whole"
                if not whole.exists():
                    if kind == "SQLite":
                        (place / "crm.sqlite3").unlink(missing_ok=True)
                    else:
                        asyncio.run(server_database(server.url("postgres"), f"bench_{name}"))
                    console.print(kind)
                    asyncio.run(made(url, size, console, bool(arguments.growth)))
                    whole.touch()
                companies[kind].append(url)
            if arguments.growth:
                continue
            scans = in_duckdb(place / "sales.duckdb", size)
            for kind in kinds:
                url = companies[kind][-1]
                console.print(beside_duckdb(kind, asyncio.run(measured(url, scans))))
                if arguments.writes:
                    show_writes(kind, asyncio.run(write_costs(url, size, arguments.writes)), console)
        if arguments.growth:
            asked = {one.name: one.graphql for one in QUESTIONS}
            for kind, urls in companies.items():
                costs = asyncio.run(
                    growth.costs(urls, asked, partial(opened_with, "analytics"), saved_segments)
                )
                console.print(growth.table(kind, costs))


def opened_with(plugin: str, url: str) -> AbstractAsyncContextManager[CrmClient]:
    return opened(url, plugin)


if __name__ == "__main__":
    main()
