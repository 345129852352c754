"""Thousands of rows that are made in turns: PostgreSQL takes the first ones while more are made."""

import asyncio
import time
from collections.abc import Sequence

import pytest
from tortoise.exceptions import IntegrityError

from crm_framework.errors import CrmError
from crm_framework.storage import copying
from crm_framework.storage.audit import SYSTEM, Said, entries
from crm_framework.storage.copying import Uncopied, copied_rows
from crm_framework.storage.database import Database
from crm_framework.storage.ids import new_id
from crm_framework.storage.turns import PART
from crm_framework.storage.unit_of_work import UnitOfWork

COLUMNS = ("id", "name", "created_at", "updated_at")
MANY = 4 * PART + 1

END_COPIES = """SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity
WHERE datname = current_database() AND query LIKE 'COPY%'"""

Row = list[object]


def many(tx: UnitOfWork) -> list[Row]:
    return [[new_id(), f"{number:04}", tx.now, tx.now] for number in range(MANY)]


def one(tx: UnitOfWork, name: str) -> dict[str, object]:
    return dict(zip(COLUMNS, (new_id(), name, tx.now, tx.now), strict=True))


async def names(database: Database | UnitOfWork, table: str = "crm_staff") -> list[str]:
    return [row["name"] for row in await database.fetch(f"SELECT name FROM {table} ORDER BY name")]


NUMBERS = [f"{number:04}" for number in range(MANY)]


async def test_what_follows_sees_them_and_what_was_gathered_before(database: Database) -> None:
    async with database.unit_of_work() as tx:
        tx.insert("crm_staff", one(tx, "before"))
        await tx.insert_in_turns("crm_staff", COLUMNS, list, many(tx))
        tx.insert("crm_staff", one(tx, "behind"))
        assert await names(tx) == [*NUMBERS, "before", "behind"]
        assert await names(database) == []
    assert await names(database) == [*NUMBERS, "before", "behind"]


async def test_each_part_is_made_once_and_in_order(database: Database) -> None:
    made: list[int] = []

    def make(part: Sequence[Row]) -> Sequence[Row]:
        made.append(len(part))
        return part

    async with database.unit_of_work() as tx:
        await tx.insert_in_turns("crm_staff", COLUMNS, make, many(tx))
    assert made == [PART] * 4 + [1]


async def test_several_tables_are_one_statement_each(database: Database) -> None:
    with database.counting() as log:
        async with database.unit_of_work() as tx:
            await tx.insert_in_turns("crm_staff", COLUMNS, list, many(tx))
            said: Said = ("tests.done", "test", "1", None, None, {})
            await tx.audit_in_turns(
                lambda part: entries(SYSTEM, [said for _ in part], None, at=tx.now, key=None), range(MANY)
            )
            assert len(tx.transaction.audited) == MANY
    assert [text.split()[2] for text in log] == ["crm_staff", "crm_audit"]
    assert await names(database) == NUMBERS
    (found,) = await database.fetch("SELECT COUNT(*) AS n FROM crm_audit")
    assert found["n"] == MANY


async def test_names_in_any_case_are_those_of_an_insert(database: Database) -> None:
    async with database.unit_of_work() as tx:
        await tx.insert_in_turns("Crm_Staff", ("ID", "Name", "created_at", "updated_at"), list, many(tx))
    assert await names(database) == NUMBERS


@pytest.mark.parametrize("number", [1, MANY - 1], ids=["the first part", "the last"])
async def test_one_that_fails_undoes_all(database: Database, number: int) -> None:
    with pytest.raises(IntegrityError):
        async with database.unit_of_work() as tx:
            rows = many(tx)
            rows[number][0] = rows[0][0]
            await tx.insert_in_turns("crm_staff", COLUMNS, list, rows)
            await tx.insert_in_turns("crm_segment", (*COLUMNS, "condition"), _segments, many(tx))
    assert await names(database) == await names(database, "crm_segment") == []


def _segments(rows: Sequence[Row]) -> list[Row]:
    return [[*row, "{}"] for row in rows]


async def test_a_row_that_cannot_be_made_ends_what_is_being_sent(database: Database) -> None:
    def make(part: Sequence[Row]) -> Sequence[Row]:
        if len(part) < PART:
            raise ZeroDivisionError
        return part

    async with database.unit_of_work() as tx:
        with pytest.raises(ZeroDivisionError):
            async with tx.savepoint():
                await tx.insert_in_turns("crm_staff", COLUMNS, make, many(tx))
        tx.insert("crm_staff", one(tx, "behind"))
    assert await names(database) == ["behind"]


async def test_without_a_savepoint_nothing_follows_rows_that_could_not_be_made(database: Database) -> None:
    def make(part: Sequence[Row]) -> Sequence[Row]:
        if len(part) < PART:
            raise ZeroDivisionError
        return part

    with pytest.raises(CrmError, match=r"failed before \(ZeroDivisionError\)"):
        async with database.unit_of_work() as tx:
            with pytest.raises(ZeroDivisionError):
                await tx.insert_in_turns("crm_staff", COLUMNS, make, many(tx))
    assert await names(database) == []


async def test_nothing_follows_rows_that_were_given_up_on_the_way(database: Database) -> None:
    with pytest.raises(CrmError, match=r"failed before \(CancelledError\)"):
        async with database.unit_of_work() as tx:
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.05):
                    await tx.insert_in_turns("crm_staff", COLUMNS, _slowly, many(tx))
    assert await names(database) == []


def _slowly(rows: Sequence[Row]) -> Sequence[Row]:
    time.sleep(0.03)
    return rows


async def test_what_fails_while_it_is_sent_shows_when_it_is_flushed(database: Database) -> None:
    with pytest.raises(ZeroDivisionError):
        async with database.unit_of_work() as tx:
            rows = many(tx)
            rows[1][0] = rows[0][0]
            await tx.insert_in_turns("crm_staff", COLUMNS, list, rows)
            with pytest.raises(IntegrityError):
                await tx.transaction.flush()
            raise ZeroDivisionError
    assert await names(database) == []


async def test_one_value_that_does_not_fit_is_told_as_ever(database: Database) -> None:
    with pytest.raises(CrmError, match="cannot take a value of type object"):
        async with database.unit_of_work() as tx:
            rows = many(tx)
            rows[-1][1] = object()
            await tx.insert_in_turns("crm_staff", COLUMNS, list, rows)
    assert await names(database) == []


async def test_they_are_undone_with_their_savepoint(database: Database) -> None:
    async with database.unit_of_work() as tx:
        tx.insert("crm_staff", one(tx, "before"))
        with pytest.raises(ZeroDivisionError):
            async with tx.savepoint():
                await tx.insert_in_turns("crm_staff", COLUMNS, list, many(tx))
                raise ZeroDivisionError
        tx.insert("crm_staff", one(tx, "behind"))
    assert await names(database) == ["before", "behind"]


@pytest.mark.parametrize("part", [0, 2, 4])
async def test_they_are_undone_with_their_task(database: Database, part: int) -> None:
    """Cancelled while the part is made: so before anything is sent, in between, and with the last."""

    async def change() -> None:
        parts = iter(range(5))

        def make(rows: Sequence[Row]) -> Sequence[Row]:
            if next(parts) == part:
                asyncio.current_task().cancel()  # type: ignore[union-attr]  # a task runs it
            return rows

        async with database.unit_of_work() as tx:
            await tx.insert_in_turns("crm_staff", COLUMNS, make, many(tx))
            await names(tx)

    with pytest.raises(asyncio.CancelledError):
        await asyncio.create_task(change())
    async with database.unit_of_work() as tx:
        tx.insert("crm_staff", one(tx, "behind"))
    assert await names(database) == ["behind"]


@pytest.mark.parametrize("odd", [(0,), (2,), (1, 2, 4)])
async def test_parts_that_copy_has_no_form_for_go_in_between(
    database: Database, monkeypatch: pytest.MonkeyPatch, odd: tuple[int, ...]
) -> None:
    parts = iter(range(5))

    def copied(rows: Sequence[Sequence[object]]) -> bytes:
        if next(parts) in odd:
            raise Uncopied
        return copied_rows(rows)

    monkeypatch.setattr(copying, "copied_rows", copied)
    async with database.unit_of_work() as tx:
        await tx.insert_in_turns("crm_staff", COLUMNS, list, many(tx))
    assert await names(database) == NUMBERS
    assert (next(parts, None) is None) == (database.dialect == "postgres")


@pytest.mark.parametrize("database_kind", ["postgres"], indirect=True)
async def test_a_connection_that_breaks_off_while_they_are_made_is_told(database: Database) -> None:
    with pytest.raises(CrmError) as caught:
        async with database.unit_of_work() as tx:
            await tx.insert_in_turns("crm_staff", COLUMNS, list, many(tx))
            async with asyncio.timeout(30):
                while not await database.fetch(END_COPIES):
                    pass  # it has not begun yet
            await tx.insert_in_turns("crm_staff", COLUMNS, list, many(tx))
    assert caught.value.code == "UNAVAILABLE"
    assert await names(database) == []
