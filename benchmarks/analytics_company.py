"""The company of `python -m benchmarks.analytics`: its rows, in a database or DuckDB, and a client of it."""

import json
import random
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from importlib import import_module
from pathlib import Path
from typing import Any

import httpx2
from rich.console import Console

from benchmarks.company import Size, Table, customer_key, customer_rows, made_key
from benchmarks.generate import fill
from crm_framework.app import create_app, open_service
from crm_framework.domain.customers import record as customer_record
from crm_framework.domain.interactions import touches
from crm_framework.runtime import load_host, migrations_of
from crm_framework.settings import Settings
from crm_framework.storage.migration.migrator import migrate
from crm_framework.testing import CrmClient
from crm_framework.testing.client import issue_token

START = datetime(2023, 1, 1, tzinfo=UTC)
SPAN = timedelta(days=730)
TIERS = ("gold", "silver", "bronze")
KEPT_SEGMENTS = {"many": (6, ""), "few": (5, "gold"), "some": (8, "gold")}
"""Segments whose members are kept: name → who has one of the first so many tags, and this tier."""


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
        Table("crm_customer", tuple(customer_record.COLUMNS), buyer_rows(size), size.customers),
        Table("crm_customer_tag", ("id", "customer_id", "tag"), tag_rows(size), size.customers),
        Table("crm_interaction", touches.COLUMNS, interaction_rows(size, by_and_by), size.interactions),
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
    made.execute("CREATE TABLE member (customer UUID, segment VARCHAR)")
    with (folder / "member.csv").open("w") as out:
        for number in range(size.customers):
            for name, (tags, tier) in KEPT_SEGMENTS.items():
                if number % 10 < tags and tier in ("", TIERS[number % len(TIERS)]):
                    out.write(f"{customer_key(number)},{name}\n")
    made.execute(f"COPY member FROM '{folder / 'member.csv'}'")
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


@asynccontextmanager
async def connected(url: str) -> AsyncIterator[Any]:
    import asyncpg

    connection = await asyncpg.connect(url)
    try:
        yield connection
    finally:
        await connection.close()


async def vacuumed(url: str) -> None:
    """Which the server does by itself, a while after so many changes."""
    async with connected(url) as connection:
        await connection.execute("VACUUM (ANALYZE)")


async def server_database(url: str, name: str) -> None:
    async with connected(url) as connection:
        await connection.execute(f'DROP DATABASE IF EXISTS "{name}"')
        await connection.execute(f'CREATE DATABASE "{name}"')
