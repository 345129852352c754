"""Many rows at once: the same values as one by one, and the same refusals, on both databases."""

import asyncio
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from enum import Enum
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tortoise.exceptions import IntegrityError

from crm_framework.errors import CrmError
from crm_framework.storage import copying
from crm_framework.storage.copying import MANY, Uncopied, copied_rows, copied_table
from crm_framework.storage.database import Database
from crm_framework.storage.ids import new_id
from crm_framework.storage.sql import CONVERTERS, postgres_args, sqlite_args

INSERT = "INSERT INTO crm_event (id, type, customer_id, payload, created_at) VALUES (?, ?, ?, ?, ?)"
AT = datetime(2026, 3, 1, 9, 30, 0, 123456, tzinfo=timezone(timedelta(hours=2)))
TEXTS = [
    "plain",
    "tab\there",
    "line\nline",
    "\r\n",
    "\\N",
    "back\\slash",
    "\\.",
    "",
    " ",
    "ü€😀",
    "'\"",
    "\\",
]


class Size(Enum):
    LARGE = "large"


@pytest.mark.parametrize(
    ("sql", "found"),
    [
        ("INSERT INTO a (b, c) VALUES ($1, $2)", ("a", ("b", "c"))),
        (" INSERT INTO Crm_a (B) VALUES ($1) ", ("Crm_a", ("B",))),
        ("INSERT INTO a (b, c) VALUES ($2, $1)", None),
        ("INSERT INTO a (b, c) VALUES ($1, $1)", None),
        ("INSERT INTO a (b, c) VALUES ($1, 2)", None),
        ("INSERT INTO a (b) VALUES ($1) ON CONFLICT DO NOTHING", None),
        ("INSERT INTO a (b) VALUES ($1) RETURNING b", None),
        ("INSERT INTO a (b) VALUES ($1), ($2)", None),
        ('INSERT INTO "a" (b) VALUES ($1)', None),
        ("UPDATE a SET b = $1", None),
    ],
)
def test_only_plain_inserts_become_a_copy(sql: str, found: object) -> None:
    assert copied_table(sql) == found


def test_each_kind_of_value_has_its_text() -> None:
    key = UUID("00000000-0000-7000-8000-000000000001")
    row = ["a\tb", None, True, 3, 2.5, Decimal("1.50"), AT, date(2026, 3, 1), Size.LARGE, b"\x00\xff", key]
    assert copied_rows([row]) == (
        b"a\\tb\t\\N\t1\t3\t2.5\t1.50\t2026-03-01T09:30:00.123456+02:00\t2026-03-01\tlarge\t\\\\x00ff\t"
        b"00000000-0000-7000-8000-000000000001\n"
    )
    with pytest.raises(Uncopied):
        copied_rows([[["a list"]]])
    with pytest.raises(CrmError, match="carries no zone"):
        copied_rows([[datetime(2026, 3, 1)]])


VALUES = (
    st.none()
    | st.text(max_size=3)
    | st.integers()
    | st.booleans()
    | st.dates()
    | st.datetimes(timezones=st.sampled_from((UTC, ZoneInfo("Asia/Kolkata"))))
)


@given(st.integers(1, 4).flatmap(lambda n: st.lists(st.lists(VALUES, min_size=n, max_size=n), max_size=5)))
def test_many_rows_are_converted_as_each_is(rows: list[list[object]]) -> None:
    many = rows * 20
    assert [*map(list, CONVERTERS["sqlite"].rows(many))] == [sqlite_args(row) for row in many]
    assert [*map(list, CONVERTERS["postgres"].rows(many))] == [postgres_args(row) for row in many]


@pytest.mark.parametrize("count", [MANY - 1, MANY, 1234])
async def test_what_is_written_is_read_again(database: Database, count: int) -> None:
    rows = [
        (new_id(), TEXTS[n % len(TEXTS)], None if n % 3 else new_id(), f'{{"n": {n}, "t": "a\\nb"}}', AT)
        for n in range(count)
    ]
    async with database.unit_of_work() as tx:
        await tx.execute_many(INSERT, rows)
    found = await database.fetch("SELECT id, type, customer_id, payload FROM crm_event ORDER BY id")
    wanted = [(key, text, customer, payload) for key, text, customer, payload, _ in sorted(rows)]
    assert [tuple(row.values()) for row in found] == wanted
    (same,) = await database.fetch("SELECT COUNT(*) AS n FROM crm_event WHERE created_at = ?", [AT])
    assert same["n"] == count


async def test_a_clash_undoes_all_and_is_told_as_ever(database: Database) -> None:
    key = new_id()
    rows = [(new_id(), "a", None, "{}", AT) for _ in range(MANY)]
    with pytest.raises(IntegrityError):
        async with database.unit_of_work() as tx:
            await tx.execute_many(INSERT, [*rows, (key, "b", None, "{}", AT), (key, "c", None, "{}", AT)])
    assert await database.fetch("SELECT id FROM crm_event") == []
    async with database.unit_of_work() as tx:
        with pytest.raises(IntegrityError):
            async with tx.savepoint():
                await tx.execute_many(INSERT, [*rows, (key, "b", None, "{}", AT), (key, "c", None, "{}", AT)])
        await tx.execute_many(INSERT, rows)
    (found,) = await database.fetch("SELECT COUNT(*) AS n FROM crm_event")
    assert found["n"] == MANY


@pytest.mark.parametrize("seconds", [0, 0.002, 0.01, 0.03])
async def test_cancelled_on_the_way_nothing_stays(database: Database, seconds: float) -> None:
    rows = [(new_id(), "a", None, "{}", AT) for _ in range(20_000)]

    async def write() -> None:
        async with database.unit_of_work() as tx:
            await tx.execute_many(INSERT, rows)
            await asyncio.sleep(60)

    for _ in range(3):
        task = asyncio.create_task(write())
        await asyncio.sleep(seconds)
        task.cancel()
        await asyncio.wait([task])
        assert task.cancelled()
    async with database.unit_of_work() as tx:
        await tx.execute_many(INSERT, rows[:MANY])
    (found,) = await database.fetch("SELECT COUNT(*) AS n FROM crm_event")
    assert found["n"] == MANY


async def test_values_that_copy_has_no_form_for_go_one_by_one(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(values: object) -> None:
        raise Uncopied

    monkeypatch.setattr(copying, "_column", refuse)
    async with database.unit_of_work() as tx:
        await tx.execute_many(INSERT, [(new_id(), "a", None, "{}", AT) for _ in range(MANY)])
    (found,) = await database.fetch("SELECT COUNT(*) AS n FROM crm_event")
    assert found["n"] == MANY
