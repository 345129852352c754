"""Events: stored with the change, audited, handed on; a plugin that fails never fails the change."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from crm_framework.domain.models import Staff
from crm_framework.errors import CrmError, ErrorCode
from crm_framework.events import (
    CORE_EVENTS,
    CustomerTagged,
    CustomerUpdated,
    Event,
    PurchaseRecorded,
    SettingChanged,
)
from crm_framework.storage.clock import frozen, parse_time
from crm_framework.storage.database import Database
from crm_framework.storage.events import EventTypes, encode
from crm_framework.storage.ids import new_id
from crm_framework.storage.unit_of_work import UnitOfWork

AT = datetime(2024, 3, 1, 12, tzinfo=UTC)

Reaction = Callable[[Sequence[Event], UnitOfWork], Awaitable[None]]


@dataclass
class Plugin:
    name: str
    react: Reaction

    async def __call__(self, events: Sequence[Event], tx: UnitOfWork) -> None:
        await self.react(events, tx)


@dataclass(frozen=True)
class Clerk:
    kind: str = "STAFF"
    id: str | None = "0190a0a0-0000-7000-8000-000000000001"
    name: str = "Ada"
    token_id: str | None = "0190a0a0-0000-7000-8000-000000000002"


def renamed(key: str, **changes: tuple[Any, Any]) -> CustomerUpdated:
    return CustomerUpdated(customer_id=key, changes=changes or {"name": ("a", "b")})


async def add(tx: UnitOfWork, name: str) -> None:
    await Staff.create(name=name, created_at=tx.now, updated_at=tx.now)


async def names(database: Database) -> list[str]:
    return [row["name"] for row in await database.fetch("SELECT name FROM crm_staff ORDER BY name")]


async def count(database: Database, table: str) -> int:
    (row,) = await database.fetch(f"SELECT count(*) AS n FROM {table}")
    number: int = row["n"]
    return number


async def change(database: Database, *events: Event, name: str = "written") -> None:
    async with database.unit_of_work() as tx:
        await add(tx, name)
        tx.emit(*events)


async def test_events_and_audit_are_written_with_the_change(database: Database) -> None:
    key, interaction = new_id(), new_id()
    with frozen(AT):
        async with database.unit_of_work(Clerk(), request_id="r-1") as tx:
            tx.emit(renamed(key, name=("Ada", "Zoë"), tags=(None, ["vip"])))
            tx.emit(
                PurchaseRecorded(customer_id=key, interaction_id=interaction, total_minor=995, currency="EUR")
            )
            assert await database.fetch("SELECT id FROM crm_event") == []
    first, second = await database.fetch("SELECT * FROM crm_event ORDER BY id")
    assert (first["type"], first["customer_id"]) == ("customer.updated", key)
    assert parse_time(first["created_at"]) == AT
    assert json.loads(first["payload"])["changes"] == {"name": ["Ada", "Zoë"], "tags": [None, ["vip"]]}
    assert second["type"] == "purchase.recorded"
    audit, bought = await database.fetch("SELECT * FROM crm_audit ORDER BY id")
    assert parse_time(audit.pop("at")) == AT
    assert json.loads(audit.pop("changes")) == {"name": ["Ada", "Zoë"], "tags": [None, ["vip"]]}
    audit.pop("id")
    assert (len(audit.pop("salt")), len(audit.pop("digest"))) == (16, 32)
    assert audit == {
        "actor_kind": "STAFF",
        "actor_id": "0190a0a0-0000-7000-8000-000000000001",
        "actor_name": "Ada",
        "token_id": "0190a0a0-0000-7000-8000-000000000002",
        "request_id": "r-1",
        "action": "customer.updated",
        "subject_type": "Customer",
        "subject_id": key,
        "customer_id": key,
        "reason": None,
        "erased_by": None,
        "erased_digest": None,
    }
    assert (bought["subject_type"], bought["subject_id"], bought["customer_id"]) == (
        "Interaction",
        interaction,
        key,
    )
    assert await count(database, "crm_delivery") == 0


async def test_without_an_actor_it_is_the_system(database: Database) -> None:
    await change(database, renamed(new_id()))
    (row,) = await database.fetch("SELECT actor_kind, actor_id, actor_name, token_id FROM crm_audit")
    assert row == {"actor_kind": "SYSTEM", "actor_id": None, "actor_name": "system", "token_id": None}


async def test_no_event_no_rows_no_statements(database: Database) -> None:
    with database.counting() as log:
        async with database.unit_of_work() as tx:
            await tx.execute("DELETE FROM crm_staff")
    assert log == ["DELETE FROM crm_staff"]


async def test_many_events_take_two_statements(database: Database) -> None:
    with database.counting() as log:
        async with database.unit_of_work() as tx:
            tx.emit(*(renamed(new_id()) for _ in range(50)))
    assert len(log) == 2
    assert (await count(database, "crm_event"), await count(database, "crm_audit")) == (50, 50)


async def test_a_rolled_back_change_leaves_no_event(database: Database) -> None:
    with pytest.raises(ZeroDivisionError):
        async with database.unit_of_work() as tx:
            tx.emit(renamed(new_id()))
            raise ZeroDivisionError
    assert (await count(database, "crm_event"), await count(database, "crm_audit")) == (0, 0)


async def test_events_of_an_undone_savepoint_are_undone(database: Database) -> None:
    kept = new_id()
    async with database.unit_of_work() as tx:
        tx.emit(renamed(kept))
        with pytest.raises(ZeroDivisionError):
            async with tx.savepoint():
                tx.emit(renamed(new_id()))
                raise ZeroDivisionError
    assert await database.fetch("SELECT customer_id FROM crm_event") == [{"customer_id": kept}]


async def test_a_guard_sees_all_events_and_may_refuse(database: Database) -> None:
    seen: list[list[Event]] = []

    async def look(events: Sequence[Event], tx: UnitOfWork) -> None:
        seen.append(list(events))

    async def refuse(events: Sequence[Event], tx: UnitOfWork) -> None:
        await add(tx, "by the guard")
        raise CrmError(ErrorCode.REFUSED, "Not on a Sunday.", hint="Come back tomorrow.")

    one, two = renamed(new_id()), renamed(new_id())
    database.guards = [Plugin("looker", look)]
    await change(database, one, two)
    assert seen == [[one, two]]
    database.guards = [Plugin("looker", look), Plugin("refuser", refuse)]
    with pytest.raises(CrmError, match="Not on a Sunday") as caught:
        await change(database, one, name="refused")
    assert caught.value.code == ErrorCode.REFUSED
    assert await names(database) == ["written"]
    assert await count(database, "crm_event") == 2
    database.guards = [Plugin("refuser", refuse)]
    await change(database, name="silent")
    assert await names(database) == ["silent", "written"]


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


async def test_an_undeclared_event_is_refused(database: Database) -> None:
    database.event_types = EventTypes([CustomerUpdated])
    with pytest.raises(CrmError, match=r"'customer.tagged' is not declared") as caught:
        await change(database, CustomerTagged(customer_id=new_id()))
    assert caught.value.code == ErrorCode.INTERNAL
    with pytest.raises(CrmError, match="neither a customer nor another subject"):
        await change(database, CustomerUpdated(customer_id=None))
    assert await names(database) == []
    await change(database, renamed(new_id()))
    assert await names(database) == ["written"]


def test_an_event_comes_back_as_it_was() -> None:
    types = EventTypes(CORE_EVENTS)
    assert list(types) == list(CORE_EVENTS)
    event = PurchaseRecorded(
        customer_id="c",
        interaction_id="i",
        kind="purchase",
        total_minor=2**60,
        currency="EUR",
        changes={"a": (1, None)},
    )
    assert types.decode("purchase.recorded", encode(event)) == event
    tagged = CustomerTagged(customer_id="c", added=("ü",), removed=("b", "c"))
    assert types.decode("customer.tagged", encode(tagged)) == tagged
    with pytest.raises(CrmError, match="no enabled plugin declares") as caught:
        types.decode("loyalty.earned", "{}")
    assert caught.value.code == ErrorCode.CONFIGURATION


def test_two_events_of_one_type_are_refused() -> None:
    class Other(Event):
        type = "setting.changed"

    owners = r"belongs to crm_framework.events.SettingChanged and to"
    with pytest.raises(CrmError, match=owners) as caught:
        EventTypes([*CORE_EVENTS, Other])
    assert caught.value.code == ErrorCode.CONFIGURATION
    assert "setting.changed" in EventTypes([SettingChanged, SettingChanged])


async def test_watchers_hear_of_what_was_committed_and_of_nothing_else(database: Database) -> None:
    heard: list[Sequence[Event]] = []
    database.watchers.append(heard.append)
    one, two = renamed(new_id()), renamed(new_id())

    async def react(events: Sequence[Event], tx: UnitOfWork) -> None:
        if events == [one]:
            tx.emit(two)

    database.handlers = [Plugin("echo", react)]
    async with database.unit_of_work() as tx:
        tx.emit(one)
        assert heard == []
    assert heard == [[one, two]]
    with pytest.raises(ZeroDivisionError):
        async with database.unit_of_work() as tx:
            tx.emit(one)
            raise ZeroDivisionError
    assert len(heard) == 1
