"""Events: stored with the change, audited, told to guards and to those who watch."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import pytest

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

from .changes import change, count, renamed
from .owing import Plugin, add, names

AT = datetime(2024, 3, 1, 12, tzinfo=UTC)


@dataclass(frozen=True)
class Clerk:
    kind: str = "STAFF"
    id: str | None = "0190a0a0-0000-7000-8000-000000000001"
    name: str = "Ada"
    token_id: str | None = "0190a0a0-0000-7000-8000-000000000002"


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
