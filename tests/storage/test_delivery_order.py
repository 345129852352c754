"""A handler gets a customer's events in their order, whatever fails in between."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest

from crm_framework.events import Event
from crm_framework.storage.clock import frozen
from crm_framework.storage.database import Database
from crm_framework.storage.deliveries import deliver_due
from crm_framework.storage.ids import new_id
from crm_framework.storage.unit_of_work import UnitOfWork

from .owing import Careful, Plugin, change, names, renamed, word, words

AT = datetime(2024, 3, 1, 12, tzinfo=UTC)


async def test_later_events_of_the_customer_queue_behind(database: Database) -> None:
    ada, bob = new_id(), new_id()
    careful, other = Careful(hard={"two"}), Careful("other")
    database.handlers = [careful, other]
    with frozen(AT):
        for name in ("one", "two", "three"):
            await change(database, renamed(ada, name))
        await change(database, renamed(bob, "bob"), renamed(ada, "four"), renamed(None, "nobody"))
    assert careful.calls == [["one"], ["two"], ["bob", "nobody"]]
    assert other.calls == [["one"], ["two"], ["three"], ["bob", "four", "nobody"]]
    assert await words(database, "handler", "attempts", "error") == [
        ("two", "careful", 1, "ValueError: two is too hard"),
        ("three", "careful", 0, None),
        ("four", "careful", 0, None),
    ]


async def test_a_failure_in_the_middle_keeps_the_order(database: Database) -> None:
    ada = new_id()
    careful = Careful(hard={"two"})
    database.handlers = [careful]
    with frozen(AT):
        for name in ("one", "two", "three", "four"):
            await change(database, renamed(ada, name))
        assert await deliver_due(database) == 0  # what is first in the row is not due yet
        careful.calls.clear()
    with frozen(AT + timedelta(minutes=1)):
        assert await deliver_due(database) == 0
        assert await words(database, "attempts") == [("two", 2), ("three", 0), ("four", 0)]
    careful.hard.clear()
    with frozen(AT + timedelta(minutes=5)):
        assert await deliver_due(database) == 3
        await change(database, renamed(ada, "five"))
    assert careful.calls == [["two"], ["two"], ["three"], ["four"], ["five"]]
    assert await words(database) == []
    assert await names(database) == sorted(
        f"careful: {name}" for name in ("one", "two", "three", "four", "five")
    )


async def test_events_of_one_change_are_told_apart_by_customer(database: Database) -> None:
    ada, bob = new_id(), new_id()

    async def fail(events: Sequence[Event], tx: UnitOfWork) -> None:
        raise ValueError(word(events[0]))

    database.handlers = [Plugin("careful", fail)]
    await change(database, renamed(ada, "one"))
    careful = Careful()
    database.handlers = [careful]
    await change(database, renamed(ada, "two"), renamed(bob, "bob"))
    assert careful.calls == [["bob"]]
    assert await words(database) == ["one", "two"]


async def test_what_a_handler_emits_comes_behind_what_others_owe(database: Database) -> None:
    ada = new_id()

    async def tell(events: Sequence[Event], tx: UnitOfWork) -> None:
        tx.emit(*(renamed(ada, f"{word(event)}+") for event in events if "+" not in word(event)))

    careful = Careful(hard={"one"})
    database.handlers = [careful, Plugin("teller", tell)]
    await change(database, renamed(ada, "one"))
    assert careful.calls == [["one"]]
    assert await words(database, "handler", "attempts") == [("one", "careful", 1), ("one+", "careful", 0)]


async def test_the_same_customer_twice_at_once_is_never_overtaken(database: Database) -> None:
    """Changes that hold the customer are handled in the order in which they were committed."""
    ada = new_id()
    async with database.unit_of_work() as tx:
        await tx.execute(
            "INSERT INTO crm_contact_rule (id, channel, max_touches, created_at, updated_at)"
            " VALUES (?, ?, ?, ?, ?)",
            [ada, "email", 0, tx.now, tx.now],
        )
    failing = True
    handled: list[str] = []

    async def note(events: Sequence[Event], tx: UnitOfWork) -> None:
        if failing and word(events[0]) == "1":
            raise ValueError("not the first")
        handled.extend(word(event) for event in events)

    database.handlers = [Plugin("noter", note)]

    async def one() -> None:
        async with database.unit_of_work() as tx:
            await tx.lock("crm_contact_rule", [ada])
            await tx.execute("UPDATE crm_contact_rule SET max_touches = max_touches + 1 WHERE id = ?", [ada])
            (row,) = await tx.fetch("SELECT max_touches FROM crm_contact_rule WHERE id = ?", [ada])
            tx.emit(renamed(ada, str(row["max_touches"])))

    await asyncio.gather(*(one() for _ in range(6)))
    assert handled == []
    assert await words(database) == ["1", "2", "3", "4", "5", "6"]
    failing = False
    with frozen(datetime.now(UTC) + timedelta(minutes=1)):
        assert await deliver_due(database) == 6
    assert handled == ["1", "2", "3", "4", "5", "6"]


async def test_nothing_is_asked_for_while_nothing_is_owed(database: Database) -> None:
    careful = Careful()
    database.handlers = [careful]
    with database.counting() as log:
        await change(database, renamed(new_id(), "one"))
    assert [sql for sql in log if "crm_delivery" in sql] == []
    careful.hard = {"two"}
    await change(database, renamed(new_id(), "two"))
    with database.counting() as log:
        await change(database, renamed(new_id(), "three"))
    assert len([sql for sql in log if "crm_delivery" in sql]) == 1


async def test_a_bulk_change_asks_in_parts(database: Database) -> None:
    careful = Careful(hard={"hard"})
    database.handlers = [careful]
    database.handler_budget_ms = 60_000
    ada = new_id()
    await change(database, renamed(ada, "hard"))
    many = [renamed(new_id(), str(number)) for number in range(1200)]
    with database.counting() as log:
        async with database.unit_of_work() as tx:
            tx.emit(*many, renamed(ada, "behind"))
    assert len([sql for sql in log if "SELECT DISTINCT" in sql]) == 3
    assert await words(database) == ["hard", "behind"]
    assert len(careful.calls[-1]) == 1200


@pytest.mark.parametrize("handler", ["o'brien", 'say "x"'])
async def test_names_of_handlers_are_quoted(database: Database, handler: str) -> None:
    careful = Careful(handler, hard={"one"})
    database.handlers = [careful]
    ada = new_id()
    await change(database, renamed(ada, "one"))
    await change(database, renamed(ada, "two"))
    assert await words(database) == ["one", "two"]


async def test_a_handler_that_is_off_holds_nobody_back(database: Database) -> None:
    ada = new_id()
    away = Careful("away", hard={"one"})
    careful = Careful()
    database.handlers = [away, careful]
    await change(database, renamed(ada, "one"))
    database.handlers = [careful]
    await change(database, renamed(ada, "two"))
    with frozen(datetime.now(UTC) + timedelta(days=30)):
        assert await deliver_due(database) == 0
    assert careful.calls == [["one"], ["two"]]
    assert await words(database, "handler", "status", "attempts") == [("one", "away", "PENDING", 1)]
    away.hard.clear()
    database.handlers = [away, careful]
    with frozen(datetime.now(UTC) + timedelta(days=30)):
        assert await deliver_due(database) == 1
    assert await names(database) == ["away: one", "careful: one", "careful: two"]
