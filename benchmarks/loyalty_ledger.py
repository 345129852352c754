"""What the ledger of points costs at a million entries: `python -m benchmarks.loyalty_ledger`.

For each database: statements and time of 50 customers' balances, of a redemption as the history of an account
grows to 10,000 entries, and how long a till waits for its redemptions while the sweep ends old lots. The rows
are made by the rules, without events, so that filling takes minutes and not hours.
"""

import argparse
import asyncio
import sys
import time
from datetime import UTC, datetime, timedelta
from statistics import median

from crm_loyalty.ledger import Spending, redeem, settle
from crm_loyalty.ledger.accounts import Account
from crm_loyalty.ledger.book import Book
from crm_loyalty.ledger.entries import Kind, Lot
from crm_loyalty.ledger.jobs import DUE
from crm_loyalty.ledger.verify import verify
from crm_loyalty.ledger.writing import Cause, Writing
from crm_loyalty.programs import create_program

from benchmarks.databases import empty_database
from crm_framework import Settings, UnitOfWork, new_id
from crm_framework.app import open_service
from crm_framework.runtime import load_host, migrations_of
from crm_framework.security.actors import Actor
from crm_framework.server.operations import Operation
from crm_framework.server.service import Service
from crm_framework.storage.migration.migrator import migrate
from crm_framework.testing.filling import fill_customers
from crm_framework.testing.templates import run_statement

EARNED = datetime(2026, 1, 1, tzinfo=UTC)
LATER = datetime(2050, 1, 1, tzinfo=UTC)
HISTORIES = (10, 100, 1_000, 10_000)
REDEMPTIONS = 30
AT_ONCE = 10_000
"""Entries in one transaction."""
PAGE = "{ customers(first: 50) { nodes { loyalty { balance pending lifetime } } } }"


def say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


async def fill(tx: UnitOfWork, program: str, histories: list[int], ends: list[int]) -> list[str]:
    """Customers whose accounts have so many entries; of each, so many lots have expired by now."""
    customers = await fill_customers(tx, len(histories))
    accounts: dict[str, Account] = {}
    for customer in customers:
        account = Account(
            id=new_id(), program_id=program, customer_id=customer, merged_into_id=None, lifetime=0, seq=0,
            digest="", seal="", genuine=True, tier_id=None, tier_since=None, tier_judged_at=None,
            tier_review_at=None, posted_at=EARNED, book=Book(),
        )  # fmt: skip
        accounts[account.id] = account
    tx.insert_values(
        "loyalty_account",
        ("id", "program_id", "customer_id", "created_at", "updated_at"),
        [(account.id, program, account.customer_id, tx.now, tx.now) for account in accounts.values()],
    )
    writing = Writing(tx, accounts)
    for account, entries, ended in zip(accounts.values(), histories, ends, strict=True):
        for number in range(entries):
            at = EARNED + timedelta(minutes=number)
            account.posted_at = at
            key = new_id()
            expires_at = EARNED + timedelta(days=30) if number < ended else LATER + timedelta(hours=number)
            lot = Lot(id=new_id(), points=10, expires_at=expires_at, earned_at=at, origin_id=key)
            cause = Cause(source_key=f"purchase:{key}", at=at, entry_id=key, amount_minor=1_000)
            writing.enter(account, Kind.EARNED, account.book.credit([lot], at), cause)
    await writing.flush()
    tx.take_events()
    return customers


async def prepare(service: Service, accounts: int, each: int) -> tuple[str, list[str]]:
    """The programme, and customers with the histories that are compared."""
    database = service.database
    async with database.unit_of_work() as tx:
        program = await create_program(tx, "Stars", "EUR", 1)
    done, step = 0, max(1, AT_ONCE // each)
    while done < accounts:
        number = min(step, accounts - done)
        async with database.unit_of_work() as tx:
            await fill(
                tx, program, [each] * number, [1 if (done + n) % 10 == 0 else 0 for n in range(number)]
            )
        done += number
    async with database.unit_of_work() as tx:
        return program, await fill(tx, program, list(HISTORIES), [0] * len(HISTORIES))


async def balances(service: Service) -> None:
    counts = []
    for text in (PAGE.replace("50", "1"), PAGE):
        times = []
        for _ in range(REDEMPTIONS):
            context = service.context(Actor.system("benchmark"), "benchmark")
            with service.database.counting() as statements:
                start = time.perf_counter()
                (await service.execute(Operation(text, {}, None, True), context)).encoded()
                times.append(time.perf_counter() - start)
        counts.append((len(statements), median(times) * 1_000))
    (one, _), (many, took) = counts
    say(f"  balances of 1 customer: {one} statements, of 50: {many}, {took:.1f} ms")


async def redemptions(service: Service, program: str, customers: list[str]) -> None:
    """In turns, so that what else the machine does is spread over all."""
    times: dict[str, list[float]] = {customer: [] for customer in customers}
    counts: dict[str, int] = {}
    for number in range(REDEMPTIONS):
        for customer in customers:
            spending = Spending(
                program_id=program, customer_id=customer, points=3, source_key=f"r {customer} {number}"
            )
            start = time.perf_counter()
            async with service.database.unit_of_work() as tx:
                with service.database.counting() as statements:
                    await redeem(tx, [spending])
            times[customer].append(time.perf_counter() - start)
            counts[customer] = len(statements)
    first = median(times[customers[0]])
    for customer, entries in zip(customers, HISTORIES, strict=True):
        took = median(times[customer])
        say(
            f"  redeem with {entries:>6,} entries, all lots open: {counts[customer]} statements,"
            f" {took * 1_000:.2f} ms, {took / first:.2f} of the first"
        )


async def sweep(service: Service, program: str, customers: list[str]) -> None:
    """Batches as the job takes them, while a till redeems."""
    over, waits = asyncio.Event(), list[float]()

    async def till() -> None:
        number = 0
        while not over.is_set():
            number += 1
            spending = Spending(
                program_id=program, customer_id=customers[-1], points=1, source_key=f"till {number}"
            )
            start = time.perf_counter()
            async with service.database.unit_of_work() as tx:
                await redeem(tx, [spending])
            waits.append(time.perf_counter() - start)
            await asyncio.sleep(0.02)
            if number >= 50:
                return

    start, settled, batches, longest = time.perf_counter(), 0, 0, 0.0
    task = asyncio.create_task(till())
    while True:
        begun = time.perf_counter()
        async with service.database.unit_of_work() as tx:
            rows = await tx.fetch(DUE, [tx.now, tx.now])
            settled += await settle(tx, [row["account_id"] for row in rows])
        longest = max(longest, time.perf_counter() - begun)
        if not rows:
            break
        batches += 1
    took = time.perf_counter() - start
    over.set()
    await task
    say(
        f"  sweep: {settled:,} accounts in {batches} batches, {took:.1f} s,"
        f" the longest {longest * 1_000:.0f} ms;"
        f" meanwhile {len(waits)} redemptions, median {median(waits) * 1_000:.1f} ms,"
        f" at most {max(waits) * 1_000:.0f} ms"
    )


async def measure(url: str, accounts: int, each: int, *, proof: bool) -> None:
    settings = Settings(database_url=url, plugins=("loyalty",))
    await migrate(url, migrations_of(await load_host(settings)))
    async with open_service(settings) as service:
        start = time.perf_counter()
        program, customers = await prepare(service, accounts, each)
        if service.database.dialect == "postgres":
            await run_statement(url, "ANALYZE")
        [row] = await service.database.fetch("SELECT COUNT(*) AS number FROM loyalty_entry")
        say(f"  {row['number']:,} entries of {accounts:,} accounts, in {time.perf_counter() - start:.0f} s")
        await balances(service)
        await redemptions(service, program, customers)
        await sweep(service, program, customers)
        if proof:
            start = time.perf_counter()
            async with service.database.unit_of_work() as tx:
                found = await verify(tx)
            say(
                f"  proof: {found.accounts:,} accounts, {found.entries:,} entries,"
                f" {len(found.differences)} differences, {time.perf_counter() - start:.0f} s"
            )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--accounts", type=int, default=100_000)
    parser.add_argument("--entries", type=int, default=10, help="of each account")
    parser.add_argument("--databases", nargs="*", default=["sqlite", "postgres"])
    parser.add_argument("--proof", action="store_true", help="replay all accounts in the end")
    given = parser.parse_args()
    for kind in given.databases:
        say(kind)
        with empty_database(kind) as url:
            asyncio.run(measure(url, given.accounts, given.entries, proof=given.proof))


if __name__ == "__main__":
    main()
