"""Rows that are gathered: seen by what follows, sent together, and inserted only if what is assumed is so."""

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest
from tortoise.exceptions import IntegrityError, OperationalError

from crm_framework.domain.models import Segment, Staff
from crm_framework.errors import CrmError
from crm_framework.events import Event, SettingChanged
from crm_framework.storage.database import Database
from crm_framework.storage.gathered import FEW, Gathered, Outdated, for_many, in_one
from crm_framework.storage.ids import new_id
from crm_framework.storage.unit_of_work import UnitOfWork

SO = "SELECT 1 WHERE 1 = ?"


def staff(tx: UnitOfWork, name: str, **more: object) -> dict[str, object]:
    return {"id": new_id(), "name": name, "created_at": tx.now, "updated_at": tx.now, **more}


def segment(tx: UnitOfWork, name: str) -> dict[str, object]:
    return {**staff(tx, name), "condition": "{}"}


async def names(database: Database | UnitOfWork, table: str = "crm_staff") -> list[str]:
    return [row["name"] for row in await database.fetch(f"SELECT name FROM {table} ORDER BY name")]


async def test_reads_and_models_see_them_and_others_only_after_the_end(database: Database) -> None:
    async with database.unit_of_work() as tx:
        tx.insert("crm_staff", staff(tx, "a"), staff(tx, "b"))
        assert await names(tx) == ["a", "b"]
        tx.insert("crm_staff", staff(tx, "c"))
        assert await Staff.all().count() == 3
        tx.insert("crm_staff", staff(tx, "d"))
        assert await tx.execute("UPDATE crm_staff SET version = 2") == 4
        tx.insert("crm_segment", segment(tx, "s"))
        await Segment.create(name="t", condition={}, created_at=tx.now, updated_at=tx.now)
        assert await names(database) == []
    assert await names(database) == ["a", "b", "c", "d"]
    assert await names(database, "crm_segment") == ["s", "t"]


async def test_nothing_is_sent_before_it_has_to_be(database: Database) -> None:
    with database.counting() as log:
        async with database.unit_of_work() as tx:
            tx.insert("crm_staff")
            tx.insert("crm_staff", staff(tx, "a"))
            tx.insert("crm_staff", staff(tx, "b"))
            tx.insert("crm_segment", segment(tx, "s"))
            assert log == []
    assert [text.split()[:3] for text in log] == [
        ["INSERT", "INTO", "crm_staff"],
        ["INSERT", "INTO", "crm_segment"],
    ]


async def test_one_column_order_for_all_rows(database: Database) -> None:
    async with database.unit_of_work() as tx:
        first = staff(tx, "a", email="a@example.com")
        second = dict(reversed(staff(tx, "b", email="b@example.com").items()))
        tx.insert("crm_staff", first, second)
    rows = await database.fetch("SELECT name, email FROM crm_staff ORDER BY name")
    assert rows == [{"name": name, "email": f"{name}@example.com"} for name in ("a", "b")]


@pytest.mark.parametrize("count", [FEW, FEW + 1, 1000])
async def test_many_rows(database: Database, count: int) -> None:
    async with database.unit_of_work() as tx:
        tx.insert("crm_staff", *(staff(tx, f"{number:04}") for number in range(count)))
        tx.insert("crm_segment", segment(tx, "s"))
    assert await names(database) == [f"{number:04}" for number in range(count)]
    assert await names(database, "crm_segment") == ["s"]


@pytest.mark.parametrize("read", [False, True], ids=["at the end", "before a read"])
async def test_a_broken_constraint_shows_when_they_are_sent(database: Database, read: bool) -> None:
    reached = False
    with pytest.raises(IntegrityError):
        async with database.unit_of_work() as tx:
            tx.insert("crm_segment", segment(tx, "before"))
            tx.insert("crm_staff", staff(tx, "a", email="x@example.com"))
            tx.insert("crm_staff", staff(tx, "b", email="x@example.com"))
            reached = True
            if read:
                await names(tx)
                reached = False
    assert reached
    assert await names(database) == []
    assert await names(database, "crm_segment") == []


async def test_a_savepoint_sends_them_at_its_end(database: Database) -> None:
    async with database.unit_of_work() as tx:
        tx.insert("crm_staff", staff(tx, "before", email="x@example.com"))
        with pytest.raises(IntegrityError):
            async with tx.savepoint():
                tx.insert("crm_staff", staff(tx, "undone", email="y@example.com"))
                tx.insert("crm_staff", staff(tx, "clash", email="x@example.com"))
        with pytest.raises(ZeroDivisionError):
            async with tx.savepoint():
                tx.insert("crm_staff", staff(tx, "undone too"))
                raise ZeroDivisionError
        tx.insert("crm_staff", staff(tx, "after"))
    assert await names(database) == ["after", "before"]


async def test_what_does_not_fit_is_refused_at_once(database: Database) -> None:
    with pytest.raises(CrmError, match="cannot take a value of type object"):
        async with database.unit_of_work() as tx:
            tx.insert("crm_staff", staff(tx, "a", email=object()))
    with pytest.raises(CrmError, match="not a plain table or column name"):
        async with database.unit_of_work() as tx:
            tx.insert("crm_staff; DROP TABLE crm_staff", staff(tx, "a"))
    with pytest.raises(CrmError, match="not a plain table or column name"):
        async with database.unit_of_work() as tx:
            tx.insert("crm_staff", {**staff(tx, "a"), "x) --": 1})
    assert await names(database) == []


async def test_a_value_of_the_wrong_type_is_a_fault_of_the_statement(database: Database) -> None:
    if database.dialect == "sqlite":
        return  # it keeps what it is given
    with pytest.raises(OperationalError, match="invalid input for query argument"):
        async with database.unit_of_work() as tx:
            tx.insert("crm_staff", staff(tx, "a", version="one"))
    with pytest.raises(OperationalError, match="invalid input for query argument"):
        async with database.unit_of_work() as tx:
            await tx.execute("UPDATE crm_staff SET version = ?", ["one"])
    assert await names(database) == []


async def test_only_its_task_and_only_inside(database: Database) -> None:
    async with database.unit_of_work() as tx:
        tx.insert("crm_staff", staff(tx, "mine"))

        async def other() -> None:
            tx.insert("crm_staff", staff(tx, "not mine"))

        with pytest.raises(CrmError, match="one task per unit of work"):
            await asyncio.create_task(other())
    with pytest.raises(CrmError, match="not open"):
        tx.insert("crm_staff", staff(tx, "late"))
    assert await names(database) == ["mine"]


def one(gathered: Gathered) -> tuple[str, list[Any]]:
    assert gathered.kind is not None
    return in_one(gathered.kind), gathered.values


def test_all_in_one_statement() -> None:
    gathered = Gathered()
    assert gathered.kind is None
    gathered.add("crm_a", ("x", "y"), [[1, 2], [3, 4]])
    assert one(gathered) == ("INSERT INTO crm_a (x, y) VALUES ($1, $2), ($3, $4)", [1, 2, 3, 4])
    gathered.add("crm_b", ("z",), [[5]])
    assert one(gathered) == (
        "WITH w0 AS (INSERT INTO crm_a (x, y) VALUES ($1, $2), ($3, $4)) INSERT INTO crm_b (z) VALUES ($5)",
        [1, 2, 3, 4, 5],
    )
    gathered.assumed.append(("SELECT 1 WHERE ? = 0", [0]))
    condition = "WHERE EXISTS (SELECT 1 FROM a0)"
    assert one(gathered) == (
        "WITH a0 AS MATERIALIZED (SELECT 1 WHERE $1 = 0),"
        f" w0 AS (INSERT INTO crm_a (x, y) SELECT $2, $3 {condition}),"
        f" w1 AS (INSERT INTO crm_a (x, y) SELECT $4, $5 {condition})"
        f" INSERT INTO crm_b (z) SELECT $6 {condition}",
        [0, 1, 2, 3, 4, 5],
    )
    gathered.add("crm_b", ("z",), [[number] for number in range(FEW)])
    assert gathered.kind is None


def test_one_statement_for_many() -> None:
    gathered = Gathered(
        assumed=[("SELECT 1 FROM crm_c WHERE id = ? FOR KEY SHARE", [0]), ("SELECT '?' WHERE ? = 1", [1])]
    )
    gathered.add("crm_a", ("x",), [[2], [3]])
    gathered.add("crm_b", ("y", "z"), [[4, 5]])
    assert gathered.kind is not None
    assert for_many(gathered.kind, 2, ("uuid", "int4", "text", "text", "bool", "date")) == (
        "WITH stored AS MATERIALIZED (SELECT * FROM"
        " (VALUES ($1::uuid, $2::int4, $3::text, $4::text, $5::bool, $6::date, 0),"
        " ($7, $8, $9, $10, $11, $12, 1)) AS whole(v0, v1, v2, v3, v4, v5, number)"
        " WHERE EXISTS (SELECT 1 FROM crm_c WHERE id = whole.v0 FOR KEY SHARE SKIP LOCKED)"
        " AND EXISTS (SELECT '?' WHERE whole.v1 = 1)),"
        " w0 AS (INSERT INTO crm_a (x) SELECT v2 FROM stored),"
        " w1 AS (INSERT INTO crm_a (x) SELECT v3 FROM stored),"
        " w2 AS (INSERT INTO crm_b (y, z) SELECT v4, v5 FROM stored)"
        " SELECT number FROM stored"
    )


@pytest.mark.parametrize("count", [1, FEW + 1])
@pytest.mark.parametrize("begun", [False, True], ids=["alone", "begun"])
async def test_they_are_inserted_only_if_what_is_assumed_is_so(
    database: Database, begun: bool, count: int
) -> None:
    async def attempt(name: str, *, is_so: bool) -> None:
        async with database.unit_of_work(repeatable=True) as tx:
            if begun:
                await tx.execute("INSERT INTO crm_segment (id, name, condition, created_at, updated_at)"
                                 " VALUES (?, ?, '{}', ?, ?)", [new_id(), name, tx.now, tx.now])  # fmt: skip
            assert tx.assume(SO, [1])
            tx.insert("crm_staff", *(staff(tx, name) for _ in range(count)))
            assert tx.assume(SO, [1 if is_so else 2])
            tx.emit(SettingChanged(customer_id=None, kind="staff", record_id=name))

    with pytest.raises(Outdated):
        await attempt("undone", is_so=False)
    for table in ("crm_staff", "crm_segment", "crm_event", "crm_audit"):
        assert await database.fetch(f"SELECT id FROM {table}") == []
    await attempt("kept", is_so=True)
    assert await names(database) == ["kept"] * count
    assert await names(database, "crm_segment") == ["kept"] * begun
    assert len(await database.fetch("SELECT id FROM crm_event")) == 1


async def test_a_read_asks_what_is_assumed_first(database: Database) -> None:
    read = False
    with pytest.raises(Outdated):
        async with database.unit_of_work(repeatable=True) as tx:
            assert tx.assume(SO, [2])
            await names(tx)
            read = True
    assert not read


async def test_who_goes_on_regardless_gets_nothing_stored(database: Database) -> None:
    with pytest.raises(Outdated):
        async with database.unit_of_work(repeatable=True) as tx:
            tx.insert("crm_staff", staff(tx, "a"))
            assert tx.assume(SO, [2])
            with pytest.raises(Outdated):
                await names(tx)
    assert await names(database) == []


class Hook:
    name = "hook"

    def __init__(self) -> None:
        self.called = 0

    async def __call__(self, events: Sequence[Event], tx: UnitOfWork) -> None:
        self.called += 1


async def test_nothing_is_assumed_where_nobody_repeats_or_plugins_look_first(database: Database) -> None:
    async with database.unit_of_work() as tx:
        assert not tx.assume(SO, [2])
        tx.insert("crm_staff", staff(tx, "a"))
    database.guards = [Hook()]
    async with database.unit_of_work(repeatable=True) as tx:
        assert not tx.assume(SO, [2])
        tx.insert("crm_staff", staff(tx, "b"))
    assert await names(database) == ["a", "b"]


async def test_handlers_hear_only_of_what_is_so(database: Database) -> None:
    hook = Hook()
    database.handlers = [hook]
    for number, heard in ((2, 0), (1, 1)):
        try:
            async with database.unit_of_work(repeatable=True) as tx:
                assert tx.assume(SO, [number])
                tx.insert("crm_staff", staff(tx, "a"))
                tx.emit(SettingChanged(customer_id=None, kind="staff", record_id="a"))
        except Outdated:
            assert number == 2
        assert hook.called == heard
    assert await database.fetch("SELECT handler FROM crm_delivery") == []
    assert await names(database) == ["a"]
