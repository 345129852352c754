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
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from datetime import date
from functools import partial
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks import analytics_growth as growth
from benchmarks.analytics_company import KEPT_SEGMENTS, generate, in_duckdb, opened
from benchmarks.analytics_writes import show_writes, write_costs
from benchmarks.company import Size
from crm_framework import UnitOfWork, decode_key
from crm_framework.testing import CrmClient
from crm_framework.testing.postgres import lasting_folder, running_postgres

REPEATS = 7
WINDOW = 'window: {first: "2023-01-01", last: "2024-12-31"}'
FREEZE_DAY = date(2024, 7, 1)
HALF = 'window: {first: "2024-07-01", last: "2024-12-31"}'


@dataclass(frozen=True)
class Question:
    """A metric as a client asks for it, and the scan that answers the same in DuckDB."""

    name: str
    graphql: str
    scan: str


QUESTIONS = (
    Question(
        "revenue by month",
        f"{{ analytics({WINDOW}) {{"
        " revenue(groupBy: {by: PERIOD}) { value groups { label value n } } } }",
        "SELECT date_trunc('month', moment) AS month, currency, SUM(minor), COUNT(*) FROM sale"
        " GROUP BY ALL ORDER BY ALL",
    ),
    Question(
        "cohort matrix",
        f"{{ analytics({WINDOW}) {{"
        " cohorts(periods: 24) { rows { month size periods { value } } } } }",
        "WITH active AS (SELECT DISTINCT customer,"
        " date_trunc('month', moment) AS month FROM sale WHERE minor > 0),"
        " first AS (SELECT customer, MIN(month) AS cohort FROM active GROUP BY 1)"
        " SELECT cohort, month, COUNT(*) FROM active JOIN first USING (customer)"
        " GROUP BY ALL ORDER BY ALL",
    ),
    Question(
        "RFM of everyone",
        f"{{ analytics({WINDOW}) {{ rfm {{ cells {{ recency frequency monetary customers }} }} }} }}",
        "WITH f AS (SELECT customer, MAX(moment) AS r, COUNT(*) AS n, SUM(minor) AS m FROM sale GROUP BY 1),"
        " s AS (SELECT NTILE(5) OVER (ORDER BY r) AS r, NTILE(5) OVER (ORDER BY n) AS n,"
        " NTILE(5) OVER (ORDER BY m) AS m FROM f)"
        " SELECT r, n, m, COUNT(*) FROM s GROUP BY ALL ORDER BY ALL",
    ),
    Question(
        "retention by tag",
        f"{{ analytics({HALF}) {{ retention(groupBy: {{by: TAG}}) {{ groups {{ label value n }} }} }} }}",
        "WITH active AS (SELECT customer, MAX(CASE WHEN moment >= '2024-07-01' THEN 1 ELSE 0 END) AS kept"
        " FROM sale WHERE moment >= '2023-07-01' AND moment < '2025-01-01' AND minor > 0 GROUP BY 1"
        " HAVING MIN(moment) < '2024-07-01')"
        " SELECT tag, COUNT(*), SUM(kept) FROM active JOIN tag USING (customer)"
        " GROUP BY ALL ORDER BY ALL",
    ),
    Question(
        "retention by segment, kept",
        f"query ($frozen: [ID!]!) {{ analytics({HALF}) {{"
        " retentionBySegment(segments: $frozen) { value groups { label value n } } } }",
        "WITH active AS (SELECT customer, MAX(CASE WHEN moment >= '2024-07-01' THEN 1 ELSE 0 END) AS kept"
        " FROM sale WHERE moment >= '2023-07-01' AND moment < '2025-01-01' AND minor > 0 GROUP BY 1"
        " HAVING MIN(moment) < '2024-07-01')"
        " SELECT '', COUNT(*), SUM(kept) FROM active UNION ALL"
        " SELECT segment, COUNT(*), SUM(kept) FROM active JOIN member USING (customer) GROUP BY segment",
    ),
    Question(
        "retention by segment as of now",
        f"query ($segments: [ID!]) {{ analytics({HALF}) {{"
        " retention(groupBy: {by: SEGMENT, segments: $segments}) { value groups { label value n } } } }",
        "WITH active AS (SELECT customer, MAX(CASE WHEN moment >= '2024-07-01' THEN 1 ELSE 0 END) AS kept"
        " FROM sale WHERE moment >= '2023-07-01' AND moment < '2025-01-01' AND minor > 0 GROUP BY 1"
        " HAVING MIN(moment) < '2024-07-01'),"
        " f AS (SELECT customer, MAX(moment) AS r, COUNT(*) AS n, SUM(minor) AS m FROM sale GROUP BY 1),"
        " s AS (SELECT customer, NTILE(5) OVER (ORDER BY r) AS r, NTILE(5) OVER (ORDER BY n) AS n,"
        " NTILE(5) OVER (ORDER BY m) AS m FROM f),"
        " c AS (SELECT kept, stage = 'CUSTOMER' AS standing, tier = 'gold' AND customer IN"
        " (SELECT customer FROM tag WHERE tag IN ('segment 3', 'segment 4')) AS tagged,"
        " r >= 4 AND (n + m + 1) // 2 >= 4 AS best FROM active JOIN customer USING (customer)"
        " JOIN s USING (customer))"
        " SELECT COUNT(*), SUM(kept), COUNT(*) FILTER (standing), SUM(kept) FILTER (standing),"
        " COUNT(*) FILTER (tagged), SUM(kept) FILTER (tagged),"
        " COUNT(*) FILTER (best), SUM(kept) FILTER (best) FROM c",
    ),
)
SEGMENTS: dict[str, dict[str, Any]] = {
    "standing": {"stage": {"eq": "CUSTOMER"}},
    "tagged": {"tags": {"any": ["segment 3", "segment 4"]}, "attributes": [{"name": "tier", "eq": "gold"}]},
    "best": {"rfmSegment": {"eq": "champion"}},
}
"""What `retention by segment as of now` is asked of."""
FROZEN: dict[str, dict[str, Any]] = {
    name: {
        "tags": {"any": [f"segment {number}" for number in range(tags)]},
        **({"attributes": [{"name": "tier", "eq": tier}]} if tier else {}),
    }
    for name, (tags, tier) in KEPT_SEGMENTS.items()
}
"""The same for `retention by segment, kept`, of those who belonged to them when the half year began."""
SAVE = """mutation ($input: CreateSegmentInput!) { createSegment(input: $input) {
  segment { id } errors { message } } }"""


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


Meter = Callable[[CrmClient, list[float]], AbstractAsyncContextManager[None]]
"""Adds the seconds that its block takes."""


@asynccontextmanager
async def clocked(client: CrmClient, into: list[float]) -> AsyncIterator[None]:
    began = time.perf_counter()
    yield
    into.append(time.perf_counter() - began)


async def least(work: Callable[[], Awaitable[object]], client: CrmClient, meter: Meter) -> float:
    """Milliseconds of the quickest of many: what else the machine does only adds to them."""
    times: list[float] = []
    for _ in range(REPEATS):
        async with meter(client, times):
            await work()
    return 1000 * min(times)


@dataclass(frozen=True)
class Beside:
    """A metric, and DuckDB's scan in turns with it, milliseconds."""

    asked: float
    scanned: float


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


async def vacuumed(url: str) -> None:
    """Which the server does by itself, a while after so many changes."""
    async with connected(url) as connection:
        await connection.execute("VACUUM (ANALYZE)")


async def saved_segments(client: CrmClient) -> dict[str, list[str]]:
    """The ids of `SEGMENTS` and `FROZEN`, which are saved, and frozen, where they are not."""
    wanted = {**SEGMENTS, **FROZEN}
    answer = await client.data("{ segments(first: 100) { nodes { id name } } }")
    saved = {one["name"]: one["id"] for one in answer["segments"]["nodes"]}
    for name in wanted.keys() - saved:
        made = await client.data(SAVE, input={"name": name, "filter": wanted[name]})
        saved[name] = made["createSegment"]["segment"]["id"]
    await frozen([saved[name] for name in FROZEN], client)
    return {
        "segments": [saved[name] for name in SEGMENTS],
        "frozen": [saved[name] for name in FROZEN],
    }


async def frozen(segments: Sequence[str], client: CrmClient) -> None:
    from crm_analytics.segments.freezing import freeze_some, latest, mark

    keys, database = [decode_key(one, "Segment") for one in segments], client.service.database
    if await latest(keys, FREEZE_DAY, database):
        return
    customers = [str(row["id"]) for row in await database.fetch("SELECT id FROM crm_customer ORDER BY id")]
    for place in range(0, len(customers), 500):
        async with database.unit_of_work() as tx:
            await freeze_some(keys, customers[place : place + 500], FREEZE_DAY, tx)
    async with database.unit_of_work() as tx:
        await mark(keys, FREEZE_DAY, tx)
    if database.dialect == "postgres":
        await vacuumed(client.service.settings.database_url)


async def measured(url: str, scans: Any, meter: Meter) -> dict[str, Beside]:
    found = {}
    async with opened(url, "analytics") as client:
        segments = await saved_segments(client)
        for one in QUESTIONS:
            ask = partial(client.data, one.graphql, **segments)

            async def scan(sql: str = one.scan) -> None:
                scans.execute(sql).fetchall()

            turns = []
            for _ in range(3):
                turns.append((await least(ask, client, meter), await least(scan, client, meter)))
            found[one.name] = Beside(min(turn[0] for turn in turns), min(turn[1] for turn in turns))
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--customers", type=int, default=100_000)
    parser.add_argument("--interactions", type=int, default=1_000_000)
    parser.add_argument(
        "--growth", type=int, default=0, help="beside so many times the interactions, instead"
    )
    parser.add_argument("--writes", type=int, default=200)
    parser.add_argument(
        "--processor", action="store_true", help="processor time, the database's included, not the clock's"
    )
    parser.add_argument("--keep", type=Path, help="a folder where the databases stay for the next run")
    parser.add_argument("--sqlite", action="store_true", help="SQLite alone")
    parser.add_argument("--postgres", action="store_true", help="PostgreSQL alone")
    arguments = parser.parse_args()
    console = Console(width=120)
    meter = growth.processors if arguments.processor else clocked
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
            name = f"{size.customers}_{size.interactions}"
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
            found = {}
            for kind in kinds:
                url = companies[kind][-1]
                found[kind] = asyncio.run(measured(url, scans, meter))
                if arguments.writes:
                    show_writes(kind, asyncio.run(write_costs(url, size, arguments.writes)), console)
            table = Table("metric", *(f"{kind}, ms | DuckDB's scan | of it" for kind in kinds))
            for one in QUESTIONS:
                beside = [found[kind][one.name] for kind in kinds]
                cells = (f"{b.asked:.1f} | {b.scanned:.1f} | {b.asked / b.scanned:.2f}" for b in beside)
                table.add_row(one.name, *cells)
            console.print(table)
        if arguments.growth:
            asked = {one.name: one.graphql for one in QUESTIONS}
            for kind, urls in companies.items():
                costs = asyncio.run(
                    growth.costs(urls, asked, partial(opened_with, "analytics"), saved_segments)
                )
                console.print(growth.table(kind, costs))


def opened_with(plugin: str, url: str) -> AbstractAsyncContextManager[CrmClient]:
    return opened(url, plugin)


@asynccontextmanager
async def connected(url: str) -> AsyncIterator[Any]:
    import asyncpg

    connection = await asyncpg.connect(url)
    try:
        yield connection
    finally:
        await connection.close()


async def server_database(url: str, name: str) -> None:
    async with connected(url) as connection:
        await connection.execute(f'DROP DATABASE IF EXISTS "{name}"')
        await connection.execute(f'CREATE DATABASE "{name}"')


if __name__ == "__main__":
    main()
