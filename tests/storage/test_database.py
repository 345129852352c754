"""Reads and writes on both databases: values, rows, the statement log, the models."""

from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any

import pytest

from crm_framework.domain.models import Customer, CustomerKind, CustomerStage, Segment, Staff
from crm_framework.errors import CrmError, ErrorCode
from crm_framework.storage.clock import frozen, parse_time
from crm_framework.storage.database import Database
from crm_framework.storage.ids import new_id

AT = datetime(2024, 3, 1, 12, 30, tzinfo=UTC)


async def add_staff(database: Database, name: str, **more: Any) -> str:
    async with database.unit_of_work() as tx:
        staff = await Staff.create(name=name, created_at=tx.now, updated_at=tx.now, **more)
    return str(staff.id)


async def test_what_is_committed_is_read_at_once(database: Database) -> None:
    key = new_id()
    async with database.unit_of_work() as tx:
        assert (
            await tx.execute(
                "INSERT INTO crm_staff (id, name, created_at, updated_at) VALUES (?, ?, ?, ?)",
                [key, "Ada", AT, AT],
            )
            == 1
        )
        assert await tx.fetch("SELECT id, name FROM crm_staff") == [{"id": key, "name": "Ada"}]
        assert await database.fetch("SELECT id FROM crm_staff") == []
    rows = await database.fetch("SELECT * FROM crm_staff WHERE id = ? AND name = ?", [key, "Ada"])
    (row,) = rows
    assert type(row) is dict
    assert row["id"] == key
    assert row["version"] == 1
    assert row["email"] is None
    assert bool(row["active"]) is True
    assert parse_time(row["created_at"]) == AT


async def test_models_run_inside_the_unit_of_work(database: Database) -> None:
    with frozen(AT):
        async with database.unit_of_work() as tx:
            assert tx.now == AT
            owner = await Staff.create(name="Ada", created_at=tx.now, updated_at=tx.now)
            customer = await Customer.create(
                kind=CustomerKind.PERSON,
                stage=CustomerStage.PROSPECT,
                name="Grace",
                sort_name="grace",
                owner=owner,
                attributes={"shoe": 38},
                created_at=tx.now,
                updated_at=tx.now,
            )
            customer.stage = CustomerStage.CUSTOMER
            await customer.save(update_fields=["stage"])
            (seen,) = await Customer.filter(name="Grace", created_at__gte=AT).select_related("owner")
            assert seen.owner.name == "Ada"
            assert (seen.stage, seen.attributes) == (CustomerStage.CUSTOMER, {"shoe": 38})
            assert seen.created_at == AT
            assert await Customer.filter(id=customer.id).update(name="Hopper") == 1
            assert await Customer.all().count() == 1
    rows = await database.fetch("SELECT name, stage, owner_id, attributes FROM crm_customer")
    assert [row["name"] for row in rows] == ["Hopper"]
    assert rows[0]["owner_id"] == str(owner.id)
    assert rows[0]["stage"] == "CUSTOMER"
    assert isinstance(rows[0]["attributes"], str)
    assert rows[0]["attributes"].replace(" ", "") == '{"shoe":38}'


async def test_bulk_create_and_get_or_create(database: Database) -> None:
    async with database.unit_of_work() as tx:
        await Staff.bulk_create(
            [Staff(name=f"s{n}", created_at=tx.now, updated_at=tx.now) for n in range(250)], batch_size=100
        )
        stamps = {"created_at": tx.now, "updated_at": tx.now}
        _, made = await Staff.get_or_create(name="s7", defaults=stamps)
        _, made_new = await Staff.get_or_create(name="new", defaults=stamps)
    assert (made, made_new) == (False, True)
    assert await database.fetch("SELECT count(*) AS n FROM crm_staff") == [{"n": 251}]


async def test_models_outside_a_unit_of_work_are_refused(database: Database) -> None:
    with pytest.raises(RuntimeError, match="No TortoiseContext"):
        await Staff.create(name="Ada", created_at=AT, updated_at=AT)
    assert await database.fetch("SELECT id FROM crm_staff") == []


async def test_an_exception_rolls_back(database: Database) -> None:
    with pytest.raises(ZeroDivisionError):
        async with database.unit_of_work() as tx:
            await Staff.create(name="Ada", created_at=tx.now, updated_at=tx.now)
            raise ZeroDivisionError
    assert await database.fetch("SELECT id FROM crm_staff") == []


async def test_execute_tells_how_many_rows_changed(database: Database) -> None:
    for name in ("a", "b", "c"):
        await add_staff(database, name)
    async with database.unit_of_work() as tx:
        assert await tx.execute("UPDATE crm_staff SET email = NULL WHERE name <> ?", ["a"]) == 2
        assert await tx.execute("DELETE FROM crm_staff WHERE name = ?", ["none"]) == 0
        assert await tx.fetch("DELETE FROM crm_staff WHERE name = ? RETURNING name", ["b"]) == [{"name": "b"}]
        await tx.execute_many("UPDATE crm_staff SET name = ? WHERE name = ?", [["x", "a"], ["y", "c"]])
    assert await database.fetch("SELECT name FROM crm_staff ORDER BY name") == [{"name": "x"}, {"name": "y"}]


async def test_times_are_stored_in_utc_and_sort(database: Database) -> None:
    paris = timezone(timedelta(hours=1))
    later = datetime(2024, 3, 1, 13, 0, tzinfo=paris)
    earlier = datetime(2024, 3, 1, 11, 59, 59, 5, tzinfo=UTC)
    await add_staff(database, "later", away_from=later)
    await add_staff(database, "earlier", away_from=earlier)
    rows = await database.fetch("SELECT name, away_from FROM crm_staff ORDER BY away_from")
    assert [row["name"] for row in rows] == ["earlier", "later"]
    assert [parse_time(row["away_from"]) for row in rows] == [earlier, later]
    found = await database.fetch("SELECT name FROM crm_staff WHERE away_from = ?", [later])
    assert found == [{"name": "later"}]
    if database.dialect == "sqlite":
        assert rows[1]["away_from"] == "2024-03-01 12:00:00.000000+00:00"


async def test_values_of_every_kind(database: Database) -> None:
    types = {"postgres": "CAST(? AS {})", "sqlite": "?"}[database.dialect]
    kinds = ["text", "bigint", "boolean", "date", "bytea", "text", "double precision"]
    columns = ", ".join(f"{types.format(kind)} AS c{n}" for n, kind in enumerate(kinds))
    (row,) = await database.fetch(
        f"SELECT {columns}", ["ü?'", 2**40, True, date(2024, 2, 29), b"\x00\xff", None, 1.5]
    )
    day = date(2024, 2, 29) if database.dialect == "postgres" else "2024-02-29"
    assert list(row.values()) == ["ü?'", 2**40, True, day, b"\x00\xff", None, 1.5]


async def test_a_time_without_zone_is_refused(database: Database) -> None:
    with pytest.raises(CrmError, match="carries no zone") as caught:
        await database.fetch("SELECT id FROM crm_staff WHERE created_at > ?", [datetime(2024, 1, 1)])
    assert caught.value.code == ErrorCode.INTERNAL
    with pytest.raises(CrmError, match="carries no zone"):
        async with database.unit_of_work() as tx:
            await tx.execute("DELETE FROM crm_staff WHERE created_at > ?", [datetime(2024, 1, 1)])
    with pytest.raises(CrmError, match="cannot take a value of type object"):
        await database.fetch("SELECT id FROM crm_staff WHERE name = ?", [object()])


async def test_question_marks_in_text_are_no_placeholders(database: Database) -> None:
    rows = await database.fetch("SELECT 'why?' AS a, CAST(? AS TEXT) AS \"b?\" -- ?", ["x"])
    assert rows == [{"a": "why?", "b?": "x"}]


async def test_the_log_counts_statements_of_all_doors(database: Database) -> None:
    with database.counting() as log:
        await database.fetch("SELECT 1 AS one")
        async with database.unit_of_work() as tx:
            await tx.execute("DELETE FROM crm_staff")
            async with tx.savepoint():
                await Segment.all().count()
    assert len(log) == 3
    assert log[:2] == ["SELECT 1 AS one", "DELETE FROM crm_staff"]
    assert 'FROM "crm_segment"' in log[2]
    await database.fetch("SELECT 1 AS one")
    assert len(log) == 3


async def test_reads_change_nothing(database: Database) -> None:
    await add_staff(database, "Ada")
    with pytest.raises(CrmError, match="A read tried to change the database") as caught:
        await database.fetch("DELETE FROM crm_staff")
    assert caught.value.code == ErrorCode.INTERNAL
    assert await database.fetch("SELECT name FROM crm_staff") == [{"name": "Ada"}]


async def test_a_closed_database_says_so(database: Database) -> None:
    await database.close()
    await database.close()
    with pytest.raises(CrmError, match="is closed"):
        await database.fetch("SELECT 1")
    with pytest.raises(CrmError, match="is closed"):
        async with database.unit_of_work():
            pass
