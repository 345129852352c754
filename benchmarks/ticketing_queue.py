"""What a million tickets cost, a tenth of them open: `python -m benchmarks.ticketing_queue`.

For each database: pages of the queue by due time against the bare read along the index, a page of 50 with all
clocks, the proof of all clocks, and a report of all tickets, with how long it held everybody else up at most.
Every ticket has a history, from which what it keeps of its clocks was computed; the rows are made without
events, so that filling takes minutes.
"""

import argparse
import asyncio
import resource
import sys
import time
from datetime import UTC, datetime, timedelta
from statistics import median
from typing import Any

import orjson
from crm_ticketing.calendars.calendar import micros
from crm_ticketing.calendars.rules import CalendarRules, Shift
from crm_ticketing.calendars.store import create_calendar
from crm_ticketing.clocks.history import Happened
from crm_ticketing.clocks.proof import Proof, verify
from crm_ticketing.clocks.store import Kept, kept_of
from crm_ticketing.policies.rules import ClockKind, PolicyRules
from crm_ticketing.policies.store import create_policy
from crm_ticketing.policies.versions import versions_of

from benchmarks.databases import empty_database
from crm_framework import Settings, UnitOfWork, new_id
from crm_framework.app import open_service
from crm_framework.runtime import load_host, migrations_of
from crm_framework.security.actors import Actor
from crm_framework.server.operations import Operation
from crm_framework.server.service import Service
from crm_framework.storage.migration.migrator import migrate
from crm_framework.testing.filling import fill_customers

FIRST = datetime(2026, 1, 5, 8, tzinfo=UTC)
MOMENTS = 5_000
APART = timedelta(minutes=7)
AT_ONCE = 5_000
"""Tickets in one transaction."""
CUSTOMERS = 10_000
ROUNDS = 20
QUEUE = """query ($after: String) { tickets(first: 50, after: $after, orderBy: [{field: DUE_AT}])
  { nodes { number dueAt } pageInfo { endCursor } } }"""
CLOCKS = """{ tickets(first: 50, orderBy: [{field: DUE_AT}]) { nodes { number
  clocks { kind state dueAt elapsed remaining segments { from to state elapsed } } } } }"""
REPORT = """query ($to: DateTime!) { ticketingReport(window: {from: "2026-01-01T00:00:00Z", to: $to}) {
  groups { opened times { clock count p90 } breached { value } backlog { age count } } } }"""
BARE = "SELECT number, due_at, id FROM ticketing_ticket ORDER BY due_at, id LIMIT 51"
NAMES = (
    "id", "number", "customer_id", "subject", "category", "status", "priority", "created_at", "updated_at",
    "policy_version_id", "clock_at", "due_at", "breached_at", "clock_state", "measures", "alarms_until",
    "alarm_at",
)  # fmt: skip


def say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def past(at: datetime, version: str, *, is_open: bool) -> list[tuple[datetime, str, str]]:
    """What happened to a ticket that came at a moment: an open one waits, another was resolved."""
    found = [(at, "CREATED", "NEW"), (at, "POLICY", version), (at, "MESSAGE", "CUSTOMER")]
    if not is_open:
        answered = at + timedelta(hours=3)
        found += [
            (answered, "MESSAGE", "STAFF"),
            (answered, "STATUS", "OPEN"),
            (at + timedelta(hours=26), "STATUS", "RESOLVED"),
        ]
    return found


async def put_policy(tx: UnitOfWork) -> str:
    """Key of the version of a policy over a calendar with lunch breaks and holidays."""
    split = (Shift(540, 750), Shift(780, 1080))
    rules = CalendarRules("Europe/Berlin", week=(split,) * 5 + ((), ()), country="DE")
    calendar, _ = await create_calendar(tx, "Office", rules)
    targets = PolicyRules(dict.fromkeys(ClockKind, 16 * 3600))
    policy, _ = await create_policy(tx, "Usual", targets, calendar, categories=())
    [row] = await tx.fetch("SELECT id FROM ticketing_policy_version WHERE policy_id = ?", [policy])
    return str(row["id"])


async def fill(service: Service, tickets: int) -> None:
    database = service.database
    async with database.unit_of_work() as tx:
        customers = await fill_customers(tx, CUSTOMERS)
        version = await put_policy(tx)
        versions = await versions_of(tx, [version])
    known: dict[tuple[int, bool], Kept] = {}
    for first in range(0, tickets, AT_ONCE):
        rows: list[tuple[Any, ...]] = []
        events: list[tuple[Any, ...]] = []
        for number in range(first, min(tickets, first + AT_ONCE)):
            place, is_open = number * MOMENTS // tickets, number % 10 == 0
            at = FIRST + place * APART
            happened = past(at, version, is_open=is_open)
            last = happened[-1][0]
            kept = known.get((place, is_open))
            if kept is None:
                history = [Happened(micros(moment), kind, after) for moment, kind, after in happened]
                kept = known[place, is_open] = kept_of(history, versions, last, last)
            key = new_id()
            rows.append(
                (
                    key, number + 1, customers[number % CUSTOMERS], "Lid", "question",
                    "NEW" if is_open else "RESOLVED", "NORMAL", at, last, version, last, kept.due_at,
                    kept.breached_at, kept.clock_state, kept.measures, last, kept.alarm_at,
                )
            )  # fmt: skip
            events += [(new_id(), key, moment, kind, after, "SYSTEM") for moment, kind, after in happened]
        async with database.unit_of_work() as tx:
            tx.insert_values("ticketing_ticket", NAMES, rows)
            tx.insert_values(
                "ticketing_history", ("id", "ticket_id", "at", "kind", "after", "actor_kind"), events
            )
    async with database.unit_of_work() as tx:
        await tx.execute("ANALYZE")


async def ask(service: Service, query: str, **variables: object) -> Any:
    context = service.context(Actor.system("benchmark"), "benchmark")
    answer = await service.execute(Operation(query, variables, None, False), context)
    found = orjson.loads(answer.encoded())
    if "errors" in found:
        raise RuntimeError(found["errors"])
    return found["data"]


async def timed(service: Service, query: str, **variables: object) -> tuple[Any, str]:
    rounds = []
    for _ in range(ROUNDS):
        begin = time.perf_counter()
        found = await ask(service, query, **variables)
        rounds.append((time.perf_counter() - begin) * 1e3)
    return found, f"median {median(rounds):.2f} ms, best {min(rounds):.2f} ms"


async def gaps(found: list[float]) -> None:
    """Notes how long the loop did not come round, until it is cancelled."""
    last = time.perf_counter()
    while True:
        await asyncio.sleep(0.001)
        found.append(time.perf_counter() - last - 0.001)
        last = time.perf_counter()


async def report(service: Service) -> None:
    until = FIRST + MOMENTS * APART
    held: list[float] = []
    watching = asyncio.create_task(gaps(held))
    begin, cpu = time.perf_counter(), time.process_time()
    found = await ask(service, REPORT, to=until.isoformat())
    took, worked = time.perf_counter() - begin, time.process_time() - cpu
    watching.cancel()
    opened = found["ticketingReport"]["groups"][0]["opened"]
    say(
        f"report of {opened:,} tickets: {took:.1f} s ({worked:.1f} s of it here);"
        f" the loop was held {max(held) * 1e3:.0f} ms at most"
    )


async def measure(url: str, tickets: int, *, prove: bool) -> None:
    settings = Settings(database_url=url, plugins=("ticketing",), request_timeout_s=600)
    await migrate(url, migrations_of(await load_host(settings)))
    async with open_service(settings) as service:
        begin = time.perf_counter()
        await fill(service, tickets)
        say(f"{tickets:,} tickets, {tickets // 10:,} open: filled in {time.perf_counter() - begin:.0f} s")
        after = None
        for page in range(3):
            found, told = await timed(service, QUEUE, after=after)
            after = found["tickets"]["pageInfo"]["endCursor"]
            say(f"page {page + 1} of the queue, 50 by due time: {told}")
        rounds = []
        for _ in range(ROUNDS):
            begin = time.perf_counter()
            await service.database.fetch(BARE)
            rounds.append((time.perf_counter() - begin) * 1e3)
        say(f"its rows along the index: median {median(rounds):.2f} ms, best {min(rounds):.2f} ms")
        with service.database.counting() as statements:
            await ask(service, CLOCKS)
        _, told = await timed(service, CLOCKS)
        say(f"50 of the queue with all clocks and segments, {len(statements)} statements: {told}")
        await report(service)
        if prove:
            begin, cpu = time.perf_counter(), time.process_time()
            proof: Proof = await verify(service.database, datetime.now(UTC))
            took, worked = time.perf_counter() - begin, time.process_time() - cpu
            say(
                f"proof of {proof.tickets:,} tickets: {took:.0f} s ({worked:.0f} s of it here), "
                f"{proof.differing} differ"
            )
        say(f"most memory of this process: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024} MiB")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--databases", default="sqlite,postgres")
    parser.add_argument("--tickets", type=int, default=1_000_000)
    parser.add_argument("--no-proof", action="store_true", help="leave the proof of all clocks out")
    asked = parser.parse_args()
    for kind in asked.databases.split(","):
        say(f"\n{kind}")
        with empty_database(kind) as url:
            asyncio.run(measure(url, asked.tickets, prove=not asked.no_proof))


if __name__ == "__main__":
    main()
