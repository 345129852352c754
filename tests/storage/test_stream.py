"""The stream of events: in order, none ever missed, whatever commits when."""

import asyncio
import random
import sqlite3
import sys
from collections.abc import Sequence
from contextlib import closing, suppress

import pytest

from crm_framework.errors import CrmError, ErrorCode
from crm_framework.events import CustomerTagged, CustomerUpdated, Event
from crm_framework.storage import stream
from crm_framework.storage.database import Database
from crm_framework.storage.families import of_family
from crm_framework.storage.ids import new_id
from crm_framework.storage.outbox import _store
from crm_framework.storage.stream import START, check_position, mend, read_after, tail
from crm_framework.storage.unit_of_work import UnitOfWork
from crm_framework.storage.urls import SqliteTarget, parse_url
from crm_framework.testing.fixtures import CORE_APPS


def tagged(key: str, word: object) -> CustomerTagged:
    return CustomerTagged(customer_id=key, added=(str(word),))


async def tell(database: Database, *events: Event) -> None:
    async with database.unit_of_work() as tx:
        tx.emit(*events)


async def store(tx: UnitOfWork) -> None:
    """Inserts what was emitted, before the end of the transaction, as it is where there are handlers."""
    await _store(tx)
    await tx.transaction.flush()


async def everything(database: Database) -> list[stream.StreamedEvent]:
    found: list[stream.StreamedEvent] = []
    position = START
    while True:
        page = await read_after(database, position)
        found += page.events
        if not page.events:
            return found
        position = page.position


async def settled(database: Database, number: int) -> list[stream.StreamedEvent]:
    """All events once so many are there: on PostgreSQL a transaction of another test may hold them up."""
    async with asyncio.timeout(30):
        while True:
            seen = database.notices.count
            found = await everything(database)
            if len(found) >= number:
                return found
            await database.notices.wait(seen, 0.01)


def words(events: Sequence[stream.StreamedEvent]) -> list[str]:
    return [event.payload.split('"added":')[1].split('"')[1] for event in events]


async def test_pages_follow_one_another_without_a_gap(database: Database) -> None:
    key = new_id()
    for number in range(3):
        await tell(database, *(tagged(key, f"{number}.{part}") for part in range(3)))
    await settled(database, 9)
    first = await read_after(database, START, 4)
    second = await read_after(database, first.position, 4)
    third = await read_after(database, second.position, 4)
    assert [len(page.events) for page in (first, second, third)] == [4, 4, 1]
    assert words([*first.events, *second.events, *third.events]) == [
        f"{number}.{part}" for number in range(3) for part in range(3)
    ]
    assert await tail(database) == third.position == third.events[-1].position
    assert await read_after(database, third.position) == ([], third.position, False)
    assert (await read_after(database, first.events[1].position, 1)).events == [first.events[2]]


async def test_filters_pass_over_what_they_leave_out(database: Database) -> None:
    one, other = new_id(), new_id()
    for number in range(4):
        await tell(database, tagged(one, number), CustomerUpdated(customer_id=other))
    events = await settled(database, 8)
    end = await tail(database)
    page = await read_after(database, START, types=["customer.tagged"])
    assert (page.events, page.position) == (events[::2], end)
    page = await read_after(database, START, customer=other)
    assert (page.events, page.position) == (events[1::2], end)
    page = await read_after(database, START, types=["customer.tagged"], customer=other)
    assert page == ([], end, False)
    page = await read_after(database, START, types=[])
    assert page == ([], end, False)
    page = await read_after(database, START, 3, customer=one)
    assert (page.events, page.position) == (events[:6:2], events[4].position)
    page = await read_after(database, page.position, 3, types=["customer.tagged", "customer.erased"])
    assert (page.events, page.position) == (events[6:7], end)


async def test_nothing_has_happened_yet(database: Database) -> None:
    assert await tail(database) == START
    assert await read_after(database, START) == ([], START, False)
    assert await read_after(database, START, types=["customer.tagged"]) == ([], START, False)
    await check_position(database, START)


@pytest.mark.parametrize(
    "position", ["7", "x-1-00000000", "1-1-1", "0-1-0000000Z", "1-+2-00000000", f"{2**63:x}-1-00000000"]
)
async def test_what_is_no_position_is_refused(database: Database, position: str) -> None:
    with pytest.raises(CrmError) as refused:
        await read_after(database, position)
    assert (refused.value.code, refused.value.path) == (ErrorCode.BAD_INPUT, ("after",))


async def test_a_position_of_another_state_is_found_out(database: Database) -> None:
    await tell(database, tagged(new_id(), "a"))
    (event,) = await settled(database, 1)
    await check_position(database, event.position)
    horizon, place, check = event.position.split("-")
    for wrong in (f"{horizon}-{int(place, 16) + 1:x}-{check}", f"{horizon}-{place}-{int(check, 16) ^ 1:08x}"):
        with pytest.raises(CrmError) as refused:
            await check_position(database, wrong)
        assert refused.value.code is ErrorCode.NOT_FOUND


@pytest.mark.parametrize("database_kind", ["postgres"])
async def test_what_was_stored_first_and_committed_last_is_not_missed(database: Database) -> None:
    late, early = new_id(), new_id()
    stored, go_on = asyncio.Event(), asyncio.Event()

    async def slow() -> None:
        async with database.unit_of_work() as tx:
            tx.emit(tagged(late, "stored first"))
            await store(tx)
            stored.set()
            await go_on.wait()

    task = asyncio.create_task(slow())
    await stored.wait()
    await tell(database, tagged(early, "committed first"))
    assert len(await database.fetch("SELECT id FROM crm_event")) == 1
    assert await read_after(database, START) == ([], START, True)
    assert await read_after(database, START, customer=early) == ([], START, True)
    assert await tail(database) == START
    go_on.set()
    await task
    assert words(await settled(database, 2)) == ["stored first", "committed first"]


@pytest.mark.parametrize("database_kind", ["postgres"])
async def test_an_aborted_transaction_holds_nothing_up(database: Database) -> None:
    with pytest.raises(ZeroDivisionError):
        async with database.unit_of_work() as tx:
            tx.emit(tagged(new_id(), "never"))
            await store(tx)
            await asyncio.create_task(tell(database, tagged(new_id(), "kept")))
            assert (await read_after(database, START)).waiting
            raise ZeroDivisionError
    assert words(await settled(database, 1)) == ["kept"]


@pytest.mark.parametrize("database_kind", ["postgres"])
async def test_changes_that_waited_for_each_other_keep_their_order(database: Database) -> None:
    """The one with the smaller transaction id is the last to get the customer."""
    customer = new_id()
    await make_counters(database, 2)
    begun, held = asyncio.Event(), asyncio.Event()

    async def second() -> None:
        async with database.unit_of_work() as tx:
            await tx.execute("UPDATE counter SET n = n WHERE id = 1")  # takes its transaction id
            begun.set()
            await held.wait()
            await tx.fetch("SELECT n FROM counter WHERE id = 0 FOR UPDATE")
            tx.emit(tagged(customer, "second"))

    task = asyncio.create_task(second())
    await begun.wait()
    async with database.unit_of_work() as tx:
        await tx.fetch("SELECT n FROM counter WHERE id = 0 FOR UPDATE")
        held.set()
        tx.emit(tagged(customer, "first"))
    await task
    assert words(await settled(database, 2)) == ["first", "second"]


async def test_many_events_of_one_change_keep_their_order(database: Database) -> None:
    await tell(database, *(tagged(new_id(), number) for number in range(300)))
    assert words(await settled(database, 300)) == [str(number) for number in range(300)]


async def test_readers_get_all_of_it_while_many_write(database: Database) -> None:
    """Long and short changes, some of them rolled back, of several customers, on two open databases."""
    random_ = random.Random(7)
    customers = [new_id() for _ in range(4)]
    await make_counters(database, len(customers))
    writers = 8
    done = 0

    async def write(on: Database) -> None:
        nonlocal done
        for _ in range(15):
            with suppress(ZeroDivisionError):
                async with on.unit_of_work() as tx:
                    for index in sorted(random_.sample(range(len(customers)), random_.randint(1, 2))):
                        (row,) = await tx.fetch(
                            "UPDATE counter SET n = n + 1 WHERE id = ? RETURNING n", (index,)
                        )
                        tx.emit(tagged(customers[index], row["n"]))
                        await asyncio.sleep(random_.choice((0, 0, 0.002)))
                    await store(tx)
                    await asyncio.sleep(random_.choice((0, 0, 0.004)))
                    if random_.random() < 0.15:
                        raise ZeroDivisionError
        done += 1

    async def read(on: Database) -> list[stream.StreamedEvent]:
        found: list[stream.StreamedEvent] = []
        position = START
        while True:
            finished = done == writers
            page = await read_after(on, position, random_.randint(1, 20))
            found += page.events
            position = page.position
            if finished and not page.events and not page.waiting:
                return found
            await asyncio.sleep(0.001)

    async with await Database.open(database.url, apps=CORE_APPS) as second:
        both = (database, second)
        *_, first, other, late = await asyncio.gather(
            *(write(both[number % 2]) for number in range(writers)), *(read(both[n % 2]) for n in range(3))
        )
    assert first == other == late == await everything(database)
    (stored,) = await database.fetch("SELECT count(*) AS n FROM crm_event")
    assert len(first) == stored["n"] > 100
    for index, customer in enumerate(customers):
        (row,) = await database.fetch("SELECT n FROM counter WHERE id = ?", (index,))
        counted = words([event for event in first if event.customer_id == customer])
        assert counted == [str(number + 1) for number in range(row["n"])]


@pytest.mark.parametrize("database_kind", ["postgres"])
async def test_a_database_from_a_cluster_with_greater_transaction_ids(database: Database) -> None:
    key = new_id()
    await tell(database, tagged(key, "before"))
    assert not await mend(database)
    async with database.unit_of_work() as tx:
        await tx.execute("UPDATE crm_event SET horizon = horizon + 1000000")
    assert await read_after(database, START) == ([], START, True)
    assert sorted(await asyncio.gather(mend(database), mend(database))) == [False, True]
    assert not await mend(database)
    kept = await tail(database)
    await tell(database, tagged(key, "after"))
    events = await settled(database, 2)
    assert (words(events), kept) == (["before", "after"], events[0].position)
    assert (await read_after(database, kept)).events == events[1:]


@pytest.mark.parametrize("database_kind", ["sqlite"])
async def test_vacuum_and_removed_events_leave_positions_alone(database: Database) -> None:
    target = parse_url(database.url)
    assert isinstance(target, SqliteTarget)
    await tell(database, *(tagged(new_id(), number) for number in range(6)))
    before = await everything(database)
    with closing(sqlite3.connect(target.path, isolation_level=None)) as connection:
        connection.execute("DELETE FROM crm_event WHERE position IN (1, 3, 6)")
        connection.execute("VACUUM")
    await tell(database, tagged(new_id(), "next"))
    *kept, last = await everything(database)
    assert kept == [before[1], before[3], before[4]]
    assert (await read_after(database, before[5].position)).events == [last]


WRITER = """
import asyncio, sys
from crm_framework.events import CustomerTagged
from crm_framework.storage.database import Database
from crm_framework.storage.families import of_family
from crm_framework.storage.ids import new_id

async def main(url, name):
    async with await Database.open(url, apps={"crm": "crm_framework.domain.models"}) as database:
        for number in range(40):
            async with database.unit_of_work() as tx:
                tx.emit(CustomerTagged(customer_id=new_id(), added=(f"{name}.{number}",)))

asyncio.run(main(*sys.argv[1:]))
"""


async def test_other_processes_write_and_this_one_hears_of_it(database: Database) -> None:
    writers = [
        await asyncio.create_subprocess_exec(sys.executable, "-c", WRITER, database.url, name)
        for name in "abc"
    ]
    found: list[stream.StreamedEvent] = []
    position = START
    async with asyncio.timeout(60):
        while len(found) < 120:
            seen = database.notices.count
            page = await read_after(database, position, 7)
            found += page.events
            position = page.position
            if not page.events:
                await database.notices.wait(seen, 0.02 if page.waiting else None)
        assert [await writer.wait() for writer in writers] == [0, 0, 0]
    told = words(found)
    for name in "abc":
        assert [word for word in told if word.startswith(name)] == [f"{name}.{n}" for n in range(40)]
    assert found == await everything(database)


async def make_counters(database: Database, number: int) -> None:
    async with database.unit_of_work() as tx:
        await tx.execute("CREATE TABLE counter (id INT PRIMARY KEY, n INT NOT NULL)")
        await tx.execute_many(
            "INSERT INTO counter (id, n) VALUES (?, 0)", [[index] for index in range(number)]
        )


async def test_the_events_of_one_customer_are_found_by_an_index(database: Database) -> None:
    condition, args = of_family("e.customer_id", new_id())
    explain = "EXPLAIN" if database.dialect == "postgres" else "EXPLAIN QUERY PLAN"
    async with database.unit_of_work() as tx:
        if database.dialect == "postgres":  # which would read so few rows from end to end
            await tx.execute("SET LOCAL enable_seqscan = off")
        rows = await tx.fetch(
            f"{explain} SELECT e.id FROM crm_event AS e WHERE {condition}"
            " ORDER BY e.horizon, e.position LIMIT 100",
            args,
        )
    plan = " ".join(str(value) for row in rows for value in row.values())
    assert "customer_id=?" in plan or "Index Cond: (customer_id = " in plan, plan
