"""Handlers of events, tried first within the change: whatever one does, the change is made."""

import asyncio
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from tortoise.exceptions import OperationalError

from crm_framework.errors import CrmError, ErrorCode
from crm_framework.events import (
    CustomerTagged,
    Event,
)
from crm_framework.storage.clock import frozen, parse_time
from crm_framework.storage.database import Database
from crm_framework.storage.ids import new_id
from crm_framework.storage.turns import PART
from crm_framework.storage.unit_of_work import UnitOfWork

from .changes import change, count, renamed
from .owing import Plugin, Reaction, add, names

AT = datetime(2024, 3, 1, 12, tzinfo=UTC)


async def test_what_a_handler_writes_is_there_with_the_change(database: Database) -> None:
    async def react(events: Sequence[Event], tx: UnitOfWork) -> None:
        assert await tx.fetch("SELECT count(*) AS n FROM crm_event") == [{"n": len(events)}]
        for event in events:
            await add(tx, f"reaction to {event.type}")

    database.handlers = [Plugin("reactor", react)]
    await change(database, renamed(new_id()))
    assert await names(database) == ["reaction to customer.updated", "written"]
    assert await count(database, "crm_delivery") == 0


async def test_a_failing_handler_loses_only_what_it_wrote(database: Database) -> None:
    async def fail(events: Sequence[Event], tx: UnitOfWork) -> None:
        await add(tx, "half done")
        tx.emit(renamed(new_id()))
        raise ValueError("no such programme")

    async def react(events: Sequence[Event], tx: UnitOfWork) -> None:
        await add(tx, "done")

    database.handlers = [Plugin("failing", fail), Plugin("reactor", react)]
    with frozen(AT):
        await change(database, renamed(new_id()), renamed(new_id()))
    assert await names(database) == ["done", "written"]
    assert await count(database, "crm_event") == 2
    rows = await database.fetch(
        "SELECT d.* FROM crm_delivery d JOIN crm_event e ON e.id = d.event_id ORDER BY e.id"
    )
    assert [(row["handler"], row["status"], row["attempts"], row["error"]) for row in rows] == [
        ("failing", "PENDING", 1, "ValueError for 2 events at once; the log has its text")
    ] * 2
    assert parse_time(rows[0]["next_at"]) == AT + timedelta(seconds=10)


@pytest.mark.parametrize(
    "statement", ["SELECT nonsense FROM crm_staff", "INSERT INTO crm_staff (name) VALUES (NULL)"]
)
async def test_a_handler_whose_statement_fails_does_not_spoil_the_transaction(
    database: Database, statement: str
) -> None:
    async def fail(events: Sequence[Event], tx: UnitOfWork) -> None:
        await tx.execute(statement)

    async def swallow(events: Sequence[Event], tx: UnitOfWork) -> None:
        await add(tx, "half done")
        with pytest.raises(Exception):  # noqa: B017, PT011  # any, as a careless plugin would
            await tx.execute(statement)

    database.handlers = [Plugin("failing", fail), Plugin("swallowing", swallow)]
    await change(database, renamed(new_id()))
    assert await names(database) == ["written"]
    rows = await database.fetch("SELECT handler, status FROM crm_delivery ORDER BY handler")
    assert rows == [
        {"handler": "failing", "status": "PENDING"},
        {"handler": "swallowing", "status": "PENDING"},
    ]


@pytest.mark.parametrize("error", [BaseException("b"), KeyboardInterrupt(), SystemExit(3), GeneratorExit()])
async def test_whatever_a_handler_raises_fails_the_handler_only(
    database: Database, error: BaseException
) -> None:
    async def fail(events: Sequence[Event], tx: UnitOfWork) -> None:
        await add(tx, "half done")
        raise error

    async def cancel_itself(events: Sequence[Event], tx: UnitOfWork) -> None:
        raise asyncio.CancelledError

    database.handlers = [Plugin("failing", fail), Plugin("ending", cancel_itself)]
    await change(database, renamed(new_id()))
    assert await names(database) == ["written"]
    rows = await database.fetch("SELECT handler, attempts FROM crm_delivery ORDER BY handler")
    assert [tuple(row.values()) for row in rows] == [("ending", 1), ("failing", 1)]


async def hang(events: Sequence[Event], tx: UnitOfWork) -> None:
    await add(tx, "half done")
    await asyncio.Event().wait()


async def hang_in_a_statement(events: Sequence[Event], tx: UnitOfWork) -> None:
    await add(tx, "half done")
    numbers = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT max(i) FROM n"
    await tx.fetch(f"SELECT * FROM ({numbers}) AS f")


async def hang_in_a_long_read(events: Sequence[Event], tx: UnitOfWork) -> None:
    await add(tx, "half done")
    await tx.fetch("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT max(i) FROM n")


async def hang_in_a_change(events: Sequence[Event], tx: UnitOfWork) -> None:
    await add(tx, "half done")
    numbers = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT max(i) FROM n"
    await tx.execute(f"UPDATE crm_staff SET version = ({numbers})")


async def hang_in_an_inner_change(events: Sequence[Event], tx: UnitOfWork) -> None:
    async with tx.savepoint():
        await add(tx, "half done")
        async with tx.savepoint():
            await hang_in_a_change(events, tx)


HANGING = [hang_in_a_statement, hang_in_a_long_read, hang_in_a_change, hang_in_an_inner_change]


async def hang_stubbornly(events: Sequence[Event], tx: UnitOfWork) -> None:
    await add(tx, "half done")
    while True:
        try:
            await asyncio.sleep(0.5)
        except asyncio.CancelledError:
            with pytest.raises(CrmError, match="one task per unit of work"):
                await tx.execute("UPDATE crm_staff SET name = 'stubborn'")
            break
    await asyncio.sleep(3)


@pytest.mark.parametrize("react", [hang, *HANGING, hang_stubbornly])
async def test_a_handler_that_hangs_is_late_not_fatal(database: Database, react: Reaction) -> None:
    database.handlers = [Plugin("hanging", react)]
    database.handler_budget_ms = 50
    async with asyncio.timeout(60):
        await change(database, renamed(new_id()))
    assert await names(database) == ["written"]
    rows = await database.fetch("SELECT handler, status, attempts, error FROM crm_delivery")
    assert rows == [
        {"handler": "hanging", "status": "PENDING", "attempts": 1, "error": "took longer than 50 ms"}
    ]
    async with asyncio.timeout(60):
        database.handlers = []
        await change(database, renamed(new_id()), name="next")


def stall(seconds: float) -> None:
    """Somebody else keeps the event loop, as soon as it is free."""
    asyncio.get_running_loop().call_soon(time.sleep, seconds)


async def test_nobody_is_blamed_for_the_stall_of_others(
    database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    async def react(events: Sequence[Event], tx: UnitOfWork) -> None:
        await add(tx, "before")
        stall(1.2)
        for _ in range(5):
            await asyncio.sleep(0.01)
        await tx.execute("UPDATE crm_staff SET name = 'after' WHERE name = 'before'")

    database.handlers = [Plugin("patient", react)]
    database.handler_budget_ms = 500
    await change(database, renamed(new_id()))
    assert await names(database) == ["after", "written"]
    assert await count(database, "crm_delivery") == 0
    assert caplog.messages == []


async def test_the_stall_of_others_lengthens_no_waiting(database: Database) -> None:
    async def react(events: Sequence[Event], tx: UnitOfWork) -> None:
        stall(0.3)
        await hang(events, tx)

    database.handlers = [Plugin("hanging", react)]
    database.handler_budget_ms = 100
    began = time.monotonic()
    async with asyncio.timeout(60):
        await change(database, renamed(new_id()))
    assert time.monotonic() - began > 0.3
    rows = await database.fetch("SELECT handler, error FROM crm_delivery")
    assert rows == [{"handler": "hanging", "error": "took longer than 100 ms"}]


async def test_one_that_blocks_and_then_waits_is_cut_and_named(
    database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    async def react(events: Sequence[Event], tx: UnitOfWork) -> None:
        time.sleep(0.4)  # noqa: ASYNC251  # that is what is tested
        await hang(events, tx)

    database.handlers = [Plugin("blocking", react)]
    database.handler_budget_ms = 100
    async with asyncio.timeout(60):
        await change(database, renamed(new_id()))
    assert caplog.messages == [
        "Plugin blocking blocked the event loop for 0.4 s; it has 0.1 s.",
        "Plugin blocking did not handle 1 event(s) at once: took longer than 100 ms",
    ]


@pytest.mark.parametrize("many", [1, 2 * PART])
async def test_no_plugin_is_blamed_for_events_that_cannot_be_stored(
    database: Database, caplog: pytest.LogCaptureFixture, many: int
) -> None:
    async def react(events: Sequence[Event], tx: UnitOfWork) -> None:
        raise AssertionError("nothing happened")

    database.handlers = [Plugin("innocent", react)]
    async with database.unit_of_work() as tx:
        await tx.execute("DROP TABLE crm_audit")
    with pytest.raises(OperationalError, match="crm_audit"):
        await change(database, *(renamed(new_id()) for _ in range(many)))
    assert caplog.messages == []


@pytest.mark.parametrize("react", HANGING)
async def test_an_interrupted_statement_takes_nothing_of_the_others_away(
    database: Database, react: Reaction
) -> None:
    """SQLite undoes the whole transaction when a change is interrupted: all of it is done again."""

    async def first(events: Sequence[Event], tx: UnitOfWork) -> None:
        await add(tx, "by the first")
        await tx.execute("UPDATE crm_staff SET version = version + 1")

    async def last(events: Sequence[Event], tx: UnitOfWork) -> None:
        rows = await tx.fetch("SELECT name, version FROM crm_staff ORDER BY name")
        seen.append([tuple(row.values()) for row in rows])
        await add(tx, "by the last")

    seen: list[list[tuple[Any, ...]]] = []
    database.handlers = [Plugin("first", first), Plugin("hanging", react), Plugin("last", last)]
    database.handler_budget_ms = 50
    async with asyncio.timeout(60):
        async with database.unit_of_work() as tx:
            stamps = {"created_at": tx.now, "updated_at": tx.now}
            tx.insert("crm_staff", *({"id": new_id(), "name": n, "version": 1, **stamps} for n in "ab"))
            async with tx.savepoint():
                await tx.execute("UPDATE crm_staff SET version = 5 WHERE name = ?", ["a"])
            with pytest.raises(ZeroDivisionError):
                async with tx.savepoint():
                    await tx.execute("DELETE FROM crm_staff")
                    raise ZeroDivisionError
            await tx.execute_many("UPDATE crm_staff SET version = ? WHERE name = ?", [(7, "b"), (8, "b")])
            tx.emit(renamed(new_id()))
    # a handler of its own inserts with version 1, and the first one counts up whatever there is
    assert seen == [[("a", 6), ("b", 9), ("by the first", 2)]]
    rows = await database.fetch("SELECT name, version FROM crm_staff ORDER BY name")
    assert [tuple(row.values()) for row in rows] == [
        ("a", 6),
        ("b", 9),
        ("by the first", 2),
        ("by the last", 1),
    ]
    assert (await count(database, "crm_event"), await count(database, "crm_audit")) == (1, 1)
    assert await database.fetch("SELECT handler, error FROM crm_delivery") == [
        {"handler": "hanging", "error": "took longer than 50 ms"}
    ]


@pytest.mark.parametrize("react", HANGING)
async def test_a_change_that_is_dropped_during_a_long_statement_leaves_nothing(
    database: Database, react: Reaction
) -> None:
    async with asyncio.timeout(60):
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.2), database.unit_of_work() as tx:
                await react([], tx)
        await change(database, name="next")
    assert await names(database) == ["next"]


async def test_a_change_cancelled_during_a_handler_leaves_nothing(database: Database) -> None:
    started = asyncio.Event()

    async def react(events: Sequence[Event], tx: UnitOfWork) -> None:
        await add(tx, "half done")
        started.set()
        await asyncio.Event().wait()

    database.handlers = [Plugin("hanging", react)]
    database.handler_budget_ms = 60_000
    task = asyncio.create_task(change(database, renamed(new_id())))
    await started.wait()
    task.cancel()
    async with asyncio.timeout(60):
        await asyncio.gather(task, return_exceptions=True)
        assert task.cancelled()
        database.handlers = []
        await change(database, name="next")
    assert await names(database) == ["next"]
    assert await count(database, "crm_event") == 0


async def test_events_of_handlers_are_stored_and_handed_on(database: Database) -> None:
    key = new_id()
    heard: list[tuple[str, list[str]]] = []

    async def tag(events: Sequence[Event], tx: UnitOfWork) -> None:
        heard.append(("tagger", [event.type for event in events]))
        if any(event.type == "customer.updated" for event in events):
            tx.emit(CustomerTagged(customer_id=key, added=("renamed",)))

    async def listen(events: Sequence[Event], tx: UnitOfWork) -> None:
        heard.append(("listener", [event.type for event in events]))

    database.handlers = [Plugin("tagger", tag), Plugin("listener", listen)]
    await change(database, renamed(key))
    assert heard == [
        ("tagger", ["customer.updated"]),
        ("listener", ["customer.updated"]),
        ("tagger", ["customer.tagged"]),
        ("listener", ["customer.tagged"]),
    ]
    rows = await database.fetch("SELECT type FROM crm_event ORDER BY id")
    assert [row["type"] for row in rows] == ["customer.updated", "customer.tagged"]
    assert await count(database, "crm_audit") == 2
    assert await count(database, "crm_delivery") == 0


async def test_a_cascade_without_end_waits_after_eight_rounds(database: Database) -> None:
    calls = 0

    async def again(events: Sequence[Event], tx: UnitOfWork) -> None:
        nonlocal calls
        calls += 1
        tx.emit(renamed(new_id()))

    database.handlers = [Plugin("echo", again)]
    await change(database, renamed(new_id()))
    assert calls == 8
    assert await count(database, "crm_event") == 9
    rows = await database.fetch(
        "SELECT d.handler, d.status, d.attempts, d.error"
        " FROM crm_delivery d JOIN crm_event e ON e.id = d.event_id"
        " WHERE CAST(e.id AS TEXT) = (SELECT max(CAST(id AS TEXT)) FROM crm_event)"
    )
    assert rows == [
        {"handler": "echo", "status": "PENDING", "attempts": 0, "error": "more than 8 rounds of events"}
    ]
    assert await count(database, "crm_delivery") == 1


async def test_a_guard_that_refuses_a_handlers_event_fails_the_handler_only(database: Database) -> None:
    async def tag(events: Sequence[Event], tx: UnitOfWork) -> None:
        await add(tx, "half done")
        tx.emit(CustomerTagged(customer_id=new_id()))

    async def refuse_tags(events: Sequence[Event], tx: UnitOfWork) -> None:
        if any(isinstance(event, CustomerTagged) for event in events):
            raise CrmError(ErrorCode.REFUSED, "No tags here.")

    database.handlers = [Plugin("tagger", tag)]
    database.guards = [Plugin("refuser", refuse_tags)]
    await change(database, renamed(new_id()))
    assert await names(database) == ["written"]
    assert await database.fetch("SELECT handler, error FROM crm_delivery") == [
        {"handler": "tagger", "error": "CrmError: No tags here."}
    ]
