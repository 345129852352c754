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
import json
import random
import statistics
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

import httpx2
from rich.console import Console
from rich.table import Table

from benchmarks import analytics_growth as growth
from benchmarks.company import Size, customer_key, customer_rows, made_key
from benchmarks.company import Table as Rows
from benchmarks.generate import fill
from crm_framework import UnitOfWork, new_id
from crm_framework.app import create_app, open_service
from crm_framework.domain.customers import record as customer_record
from crm_framework.domain.interactions import touches
from crm_framework.runtime import load_host, migrations_of
from crm_framework.settings import Settings
from crm_framework.storage.migration.migrator import migrate
from crm_framework.testing import CrmClient, deliver_events
from crm_framework.testing.client import issue_token
from crm_framework.testing.postgres import lasting_folder, running_postgres

START = datetime(2023, 1, 1, tzinfo=UTC)
SPAN = timedelta(days=730)
REPEATS = 7
TIERS = ("gold", "silver", "bronze")
WINDOW = 'window: {first: "2023-01-01", last: "2024-12-31"}'
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
        "retention by segment",
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
"""What `retention by segment` is asked of."""


def sales(size: Size, by_and_by: bool = False) -> Iterator[tuple[int, int, datetime, int]]:
    """Number, customer, moment, minor units: half of the interactions. `by_and_by`: of customers who come one
    after the other, and buy most while they are new."""
    rng = random.Random(3)
    number = size.interactions // 2
    for index in range(number):
        share = index / number
        customer = int(rng.random() ** 2 * size.customers)
        if by_and_by:
            there = 1 + int((size.customers - 1) * min(1, share / 0.9))
            customer = there - 1 - customer * there // size.customers
        yield index, customer, START + SPAN * share, rng.randrange(100, 20_000)


def interaction_rows(size: Size, by_and_by: bool) -> Iterator[Sequence[object]]:
    """The purchases, and as many notes."""
    for index, customer, at, minor in sales(size, by_and_by):
        row = dict.fromkeys(touches.COLUMNS)
        row |= {
            "id": made_key(3, 2 * index), "customer_id": customer_key(customer), "kind": "purchase",
            "channel": ("shop", "web")[index % 2], "occurred_at": at, "total_minor": minor, "currency": "EUR",
            "created_at": at, "version": 1,
        }  # fmt: skip
        yield list(row.values())
        row |= {"id": made_key(3, 2 * index + 1), "kind": "note", "total_minor": None, "currency": None}
        yield list(row.values())


def buyer_rows(size: Size) -> Iterator[Sequence[object]]:
    """The customers, each with a tier."""
    place = list(customer_record.COLUMNS).index("attributes")
    for number, row in enumerate(customer_rows(size)):
        yield (*row[:place], json.dumps({"tier": TIERS[number % len(TIERS)]}), *row[place + 1 :])


def tag_rows(size: Size) -> Iterator[Sequence[object]]:
    for number in range(size.customers):
        yield made_key(9, number), customer_key(number), f"segment {number % 10}"


async def generate(url: str, size: Size, console: Console, by_and_by: bool = False) -> None:
    settings = Settings(database_url=url, plugins=("analytics",))
    await migrate(url, migrations_of(await load_host(settings)))
    tables = [
        Rows("crm_customer", tuple(customer_record.COLUMNS), buyer_rows(size), size.customers),
        Rows("crm_customer_tag", ("id", "customer_id", "tag"), tag_rows(size), size.customers),
        Rows("crm_interaction", touches.COLUMNS, interaction_rows(size, by_and_by), size.interactions),
    ]
    await fill(url, tables, console)
    async with opened(url, "analytics") as client, client.service.database.unit_of_work() as tx:
        # as the plugin finds a company that was there before it
        await tx.execute("UPDATE analytics_state SET counted_at = NULL")


def kept_rows(size: Size) -> Iterator[tuple[object, str, str]]:
    """Key, stage and tier of the customers."""
    columns = list(customer_record.COLUMNS)
    stage, attributes = columns.index("stage"), columns.index("attributes")
    for row in buyer_rows(size):
        yield row[0], str(row[stage]), json.loads(str(row[attributes]))["tier"]


def in_duckdb(file: Path, size: Size) -> Any:
    duckdb = import_module("duckdb")
    if file.exists():
        return duckdb.connect(str(file), read_only=True)
    part = file.with_suffix(".part")
    part.unlink(missing_ok=True)
    made = duckdb.connect(str(part))
    made.execute(
        "CREATE TABLE sale (customer UUID, moment TIMESTAMP, minor BIGINT, currency VARCHAR, channel VARCHAR)"
    )
    made.execute("CREATE TABLE tag (customer UUID, tag VARCHAR)")
    folder = file.parent
    with (folder / "sale.csv").open("w") as out:
        for index, customer, at, minor in sales(size):
            channel = ("shop", "web")[index % 2]
            out.write(f"{customer_key(customer)},{at:%Y-%m-%d %H:%M:%S.%f},{minor},EUR,{channel}\n")
    made.execute(f"COPY sale FROM '{folder / 'sale.csv'}'")
    with (folder / "tag.csv").open("w") as out:
        for number in range(size.customers):
            out.write(f"{customer_key(number)},segment {number % 10}\n")
    made.execute(f"COPY tag FROM '{folder / 'tag.csv'}'")
    made.execute("CREATE TABLE customer (customer UUID, stage VARCHAR, tier VARCHAR)")
    with (folder / "customer.csv").open("w") as out:
        out.writelines(f"{','.join(map(str, row))}\n" for row in kept_rows(size))
    made.execute(f"COPY customer FROM '{folder / 'customer.csv'}'")
    made.close()
    part.rename(file)
    return duckdb.connect(str(file), read_only=True)


@asynccontextmanager
async def opened(url: str, *plugins: str) -> AsyncIterator[CrmClient]:
    settings = Settings(database_url=url, plugins=plugins, handler_budget_ms=60_000)
    async with open_service(settings) as service:
        app = create_app(service=service)
        async with httpx2.AsyncClient(
            transport=httpx2.ASGITransport(app=app), base_url="http://crm.test", timeout=600
        ) as http:
            yield CrmClient(app, http, await issue_token(service, "*"))


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


async def least(work: Callable[[], Awaitable[object]]) -> float:
    """Milliseconds of the quickest of many: what else the machine does only adds to them."""
    times = []
    for _ in range(REPEATS):
        began = time.perf_counter()
        await work()
        times.append(time.perf_counter() - began)
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
        # which the server does by itself, a while after so many changes
        async with connected(url) as connection:
            await connection.execute("VACUUM (ANALYZE)")


async def saved_segments(client: CrmClient) -> list[str]:
    """The ids of `SEGMENTS`, which are saved where they are not."""
    answer = await client.data("{ segments(first: 100) { nodes { id name } } }")
    saved = {one["name"]: one["id"] for one in answer["segments"]["nodes"]}
    for name in SEGMENTS.keys() - saved:
        made = await client.data(SAVE, input={"name": name, "filter": SEGMENTS[name]})
        saved[name] = made["createSegment"]["segment"]["id"]
    return [saved[name] for name in SEGMENTS]


async def measured(url: str, scans: Any) -> dict[str, Beside]:
    found = {}
    async with opened(url, "analytics") as client:
        segments = await saved_segments(client)
        for one in QUESTIONS:
            ask = partial(client.data, one.graphql, segments=segments)

            async def scan(sql: str = one.scan) -> None:
                scans.execute(sql).fetchall()

            turns = []
            for _ in range(3):
                turns.append((await least(ask), await least(scan)))
            found[one.name] = Beside(min(turn[0] for turn in turns), min(turn[1] for turn in turns))
    return found


SAVE = """mutation ($input: CreateSegmentInput!) { createSegment(input: $input) {
  segment { id } errors { message } } }"""
WRITE = """mutation ($input: RecordPurchaseInput!) { recordPurchase(input: $input) {
  interaction { id } errors { message } } }"""
NOTE = """mutation ($input: LogInteractionInput!) { logInteraction(input: $input) {
  interaction { id } errors { message } } }"""


async def write_costs(url: str, writes: int) -> dict[str, float]:
    """Milliseconds of a recorded purchase and a logged note, with the plugin and without: medians of rounds
    that take turns. `counted`: what the worker takes for each of the purchases afterwards."""
    costs: dict[str, list[float]] = {}
    async with opened(url, "analytics") as client:
        database = client.service.database
        handlers = database.handlers
        for round_ in range(7):
            for which, on in (("without", ()), ("with", handlers)):
                database.handlers = on
                for kind in ("purchase", "note"):
                    spent = await _writes(client, kind, writes if round_ else 20)
                    if round_:
                        costs.setdefault(f"{kind} {which}", []).append(spent)
            database.handlers = handlers
            began = time.perf_counter()
            done = await deliver_events(client)
            if round_:
                costs.setdefault("counted", []).append(1000 * (time.perf_counter() - began) / done)
        database.handlers = handlers
    return {name: statistics.median(found) for name, found in costs.items()}


async def _writes(client: CrmClient, kind: str, writes: int) -> float:
    from crm_framework import encode_id

    rng = random.Random(5)
    began = time.perf_counter()
    for _ in range(writes):
        customer = encode_id("Customer", customer_key(rng.randrange(1000)))
        given: dict[str, Any] = {"customer": customer, "idempotencyKey": new_id()}
        if kind == "purchase":
            line = {
                "sku": f"S{rng.randrange(100)}",
                "quantity": 1,
                "unitPrice": {"amount": "9.99", "currency": "EUR"},
            }
            answer = await client.data(WRITE, input={**given, "lines": [line], "channel": "web"})
            assert answer["recordPurchase"]["errors"] == []
        else:
            answer = await client.data(NOTE, input={**given, "kind": "note", "subject": "Called"})
            assert answer["logInteraction"]["errors"] == []
    return 1000 * (time.perf_counter() - began) / writes


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
                found[kind] = asyncio.run(measured(url, scans))
                if arguments.writes:
                    show_writes(kind, asyncio.run(write_costs(url, arguments.writes)), console)
            table = Table("metric", *(f"{kind}, ms | DuckDB's scan | of it" for kind in kinds))
            for one in QUESTIONS:
                beside = [found[kind][one.name] for kind in kinds]
                cells = (f"{b.asked:.1f} | {b.scanned:.1f} | {b.asked / b.scanned:.2f}" for b in beside)
                table.add_row(one.name, *cells)
            console.print(table)
        if arguments.growth:
            asked = {one.name: one.graphql for one in QUESTIONS}
            for kind, urls in companies.items():
                costs = asyncio.run(growth.costs(urls, asked, partial(opened_with, "analytics")))
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


def show_writes(kind: str, costs: dict[str, float], console: Console) -> None:
    for what in ("purchase", "note"):
        without, with_ = costs[f"{what} without"], costs[f"{what} with"]
        console.print(
            f"{kind}: a {what} takes {without:.2f} ms without the plugin, {with_:.2f} with it:"
            f" {with_ / without:.2f} times"
        )
    console.print(f"{kind}: the worker counts a purchase in {costs['counted']:.2f} ms, 50 at a time")


if __name__ == "__main__":
    main()
