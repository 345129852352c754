"""What clocks and calendars cost, and a page of a long queue.

    python -m benchmarks.ticketing                 # clocks and calendars
    python -m benchmarks.ticketing sqlite://x.db   # and a queue of TICKETS tickets there

Times are processor time of this process, the best of several rounds; of the queue, of the whole request.
"""

import asyncio
import os
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from crm_ticketing.calendars.calendar import SECOND, Calendar, micros
from crm_ticketing.calendars.rules import CalendarRules, Shift, checked
from crm_ticketing.clocks.history import Happened
from crm_ticketing.clocks.rules import alarms, clocks
from crm_ticketing.policies.rules import ClockKind, PolicyRules, PolicyVersion
from rich.console import Console

from crm_framework import Settings
from crm_framework.app import open_service
from crm_framework.runtime import load_host, migrations_of
from crm_framework.security.actors import Actor
from crm_framework.storage.migration.migrator import migrate

HOUR = 3600 * SECOND
console = Console(width=160, highlight=False)
TICKETS = int(os.environ.get("TICKETS", "1000000"))
OPEN = TICKETS // 10
START = micros(datetime(2026, 3, 2, 9, tzinfo=UTC))


def best(work: Callable[[int], object], times: int) -> float:
    """Microseconds a call."""
    rounds = []
    for _ in range(7):
        begin = time.process_time()
        for number in range(times):
            work(number)
        rounds.append((time.process_time() - begin) / times * 1e6)
    return min(rounds)


def office() -> Calendar:
    split = (Shift(540, 750), Shift(780, 1080))
    week = (split,) * 5 + ((), ())
    rules = checked(CalendarRules("Europe/Berlin", week=week, country="DE"), datetime(2026, 1, 1, tzinfo=UTC))
    return Calendar(rules)


def history() -> list[Happened]:
    """Of 20 events."""
    found = [
        Happened(START, "CREATED", "NEW"),
        Happened(START, "POLICY", "v"),
        Happened(START, "MESSAGE", "CUSTOMER"),
    ]
    statuses = (
        "OPEN",
        "WAITING_ON_CUSTOMER",
        "OPEN",
        "ON_HOLD",
        "OPEN",
        "RESOLVED",
        "OPEN",
        "WAITING_ON_CUSTOMER",
        "OPEN",
    )
    for number, status in enumerate(statuses):
        at = START + (2 * number + 1) * HOUR
        found.append(Happened(at, "STATUS", status))
        if number != 3:
            found.append(Happened(at + 60 * SECOND, "MESSAGE", "STAFF" if number % 2 == 0 else "CUSTOMER"))
    assert len(found) == 20, len(found)
    return found


def figures() -> None:
    calendar = office()
    begin = time.process_time()
    year = calendar.between(START, START + 365 * 24 * HOUR)
    console.print(
        f"between, the first year of a calendar  {(time.process_time() - begin) * 1e6:10.1f} µs, then kept"
    )
    for name, work in (
        ("add 8 hours of work", lambda n: calendar.add(START + n, 8 * HOUR)),
        ("between, a day", lambda n: calendar.between(START + n, START + 24 * HOUR)),
        ("add a year of work", lambda n: calendar.add(START + n, year)),
        ("between, a year", lambda n: calendar.between(START + n, START + 365 * 24 * HOUR)),
    ):
        console.print(f"{name:38} {best(work, 20_000):10.1f} µs")
    rules = PolicyRules(dict.fromkeys(ClockKind, 16 * 3600))
    versions, past = {"v": PolicyVersion("v", rules, calendar)}, history()
    each = len(clocks(past, versions, START + 60 * HOUR))
    whole = best(lambda n: clocks(past, versions, START + 60 * HOUR + n), 2_000)
    console.print(
        f"{'a clock, of a ticket with 20 events':38} {whole / each:10.1f} µs ({each} clocks: {whole:.1f} µs)"
    )
    console.print(
        f"{'all alarms of that ticket':38} {best(lambda n: alarms(past, versions), 2_000):10.1f} µs"
    )


async def queue(url: str) -> None:
    settings = Settings(database_url=url, plugins=("ticketing",))
    await migrate(url, migrations_of(await load_host(settings)))
    async with open_service(settings) as service:
        database = service.database
        async with database.unit_of_work() as tx:
            [row] = await tx.fetch("SELECT COUNT(*) AS n FROM ticketing_ticket")
        if row["n"] == 0:
            await _fill(database)
        query = """query ($after: String, $first: Int) { tickets(first: $first, after: $after,
          orderBy: [{field: DUE_AT, direction: ASC}]) { nodes { number dueAt } pageInfo { endCursor } } }"""
        for first in (50,):
            after = None
            for page in range(3 if first == 50 else 1):
                rounds = []
                for _ in range(20):
                    begin = time.perf_counter()
                    answer = await _ask(service, query, {"after": after, "first": first})
                    rounds.append((time.perf_counter() - begin) * 1e3)
                after = answer["tickets"]["pageInfo"]["endCursor"]
                console.print(
                    f"page {page + 1} of {OPEN} open of {TICKETS} by due time: {min(rounds):.2f} ms"
                )
        begin = time.perf_counter()
        rounds = []
        sql = "SELECT number, due_at, id FROM ticketing_ticket ORDER BY due_at, id LIMIT 51"
        for _ in range(20):
            begin = time.perf_counter()
            await database.fetch(sql)
            rounds.append((time.perf_counter() - begin) * 1e3)
        console.print(f"the same rows read along the index: {min(rounds):.2f} ms")


async def _ask(
    service: object, query: str, variables: dict[str, object]
) -> dict[str, dict[str, dict[str, str]]]:
    import json

    from crm_framework.server.operations import Operation

    context = service.context(Actor.system("benchmark"), "benchmark")  # type: ignore[attr-defined]
    answer = await service.execute(Operation(query, variables, None, False), context)  # type: ignore[attr-defined]
    found = json.loads(answer.encoded())
    assert "errors" not in found, found
    return found["data"]  # type: ignore[no-any-return]


async def _fill(database: object) -> None:
    from crm_framework import NewCustomer, create_customer, new_id

    at = datetime(2026, 1, 1, tzinfo=UTC)
    never = datetime(9999, 12, 31, tzinfo=UTC)
    async with database.unit_of_work() as tx:  # type: ignore[attr-defined]
        customer = (await create_customer(tx, NewCustomer(name="Ada"))).id
        columns = (
            "id", "number", "customer_id", "subject", "category", "status", "priority", "created_at",
            "updated_at", "due_at",
        )  # fmt: skip
        places = ", ".join("?" * len(columns))
        for first in range(0, TICKETS, 10_000):
            rows = []
            for number in range(first, first + 10_000):
                is_open = number % 10 == 0
                due = at + timedelta(seconds=(number * 7919) % 5_000_000) if is_open else never
                status = "OPEN" if is_open else "CLOSED"
                rows.append([new_id(), number + 1, customer, "S", "question", status, "NORMAL", at, at, due])
            await tx.execute_many(
                f"INSERT INTO ticketing_ticket ({', '.join(columns)}) VALUES ({places})", rows
            )
        await tx.execute("ANALYZE")


if __name__ == "__main__":
    figures()
    if len(sys.argv) > 1:
        asyncio.run(queue(sys.argv[1]))
