"""Ten thousand customers at once, good and bad."""

import asyncio
from typing import TYPE_CHECKING, Any

import orjson
import pytest

from crm_framework.domain.contacts.points import NewContactPoint
from crm_framework.domain.customers.attributes import NewAttribute, define_attribute
from crm_framework.domain.customers.bulk import ImportReport, import_customers
from crm_framework.domain.customers.draft import NewCustomer
from crm_framework.errors import CrmError, ErrorCode
from crm_framework.storage.database import Database

if TYPE_CHECKING:
    from tests.domain.conftest import Records


async def run(database: Database, rows: list[NewCustomer], **options: Any) -> ImportReport:
    async with database.unit_of_work() as tx:
        return await import_customers(tx, rows, **options)


def numbered(count: int, **fields: Any) -> list[NewCustomer]:
    return [
        NewCustomer(name=f"Customer {n}", email=f"c{n}@example.com", source="s", reference=str(n), **fields)
        for n in range(count)
    ]


async def test_good_rows_go_in_and_bad_ones_are_reported(database: Database, records: "Records") -> None:
    rows = [
        NewCustomer(name="Anna", email="anna@example.com", tags=["a", "b"], city="Bonn"),
        NewCustomer(name=""),
        NewCustomer(name="Bob", contact_points=[NewContactPoint(channel="email", value="bad")]),
        NewCustomer(name="Cem", source="s"),
        NewCustomer(name="Dora", attributes={"x": 1}),
        NewCustomer(name="Eva"),
    ]
    report = await run(database, rows)
    assert (report.created, report.existing, len(report.errors), report.dry_run) == (2, 0, 4, False)
    assert [(row.index, row.error.path, row.error.code) for row in report.errors if row.error] == [
        (1, ("rows", "1", "name"), ErrorCode.BAD_INPUT),
        (2, ("rows", "2", "contactPoints", "0", "value"), ErrorCode.BAD_INPUT),
        (3, ("rows", "3", "reference"), ErrorCode.BAD_INPUT),
        (4, ("rows", "4", "attributes", "x"), ErrorCode.BAD_INPUT),
    ]
    customers = await records.rows("crm_customer")
    assert [(row["name"], row["email"], row["city"]) for row in customers] == [
        ("Anna", "anna@example.com", "Bonn"),
        ("Eva", None, None),
    ]
    assert [report.rows[0].id, report.rows[5].id] == [row["id"] for row in customers]
    assert sorted(row["tag"] for row in await records.rows("crm_customer_tag")) == ["a", "b"]
    assert [(kind, event["customer_id"]) for kind, event in await records.events()] == [
        ("customer.created", row["id"]) for row in customers
    ]


async def test_again_nothing_changes(database: Database, records: "Records") -> None:
    first = await run(database, numbered(1200))
    assert (first.created, first.existing) == (1200, 0)
    before = await records.everything()
    second = await run(database, numbered(1200))
    assert (second.created, second.existing, second.errors) == (0, 1200, ())
    assert [row.id for row in second.rows] == [row.id for row in first.rows]
    assert await records.everything() == before


async def test_a_reference_that_comes_twice_is_one_customer(database: Database, records: "Records") -> None:
    there = await records.customer(source="s", reference="0")
    winner = await records.customer()
    await records.customer(source="s", reference="1", merged_into_id=winner)
    rows = [*numbered(3), NewCustomer(name="Again", source="s", reference="2")]
    rows.append(NewCustomer(name="", source="s", reference="0"))
    report = await run(database, rows)
    assert [(row.id, row.created) for row in report.rows[:2]] == [(there, False), (winner, False)]
    assert report.rows[2].created
    assert [(row.id, row.created, row.error) for row in report.rows[3:]] == [
        (report.rows[2].id, False, None),
        (there, False, None),
    ]
    assert await records.count("crm_customer") == 4


async def test_a_bad_row_does_not_claim_its_reference(database: Database, records: "Records") -> None:
    report = await run(
        database,
        [
            NewCustomer(name="", source="s", reference="1"),
            NewCustomer(name="Good", source="s", reference="1"),
        ],
    )
    assert [(row.created, row.error is None) for row in report.rows] == [(False, False), (True, True)]


async def test_a_dry_run_changes_nothing(database: Database, records: "Records") -> None:
    await run(database, numbered(1))
    before = await records.everything()
    report = await run(database, [*numbered(3), NewCustomer(name="")], dry_run=True)
    assert (report.created, report.existing, len(report.errors), report.dry_run) == (2, 1, 1, True)
    assert [row.id is None for row in report.rows] == [False, True, True, True]
    assert await records.everything() == before


async def test_attributes_from_a_table(database: Database, records: "Records") -> None:
    async with database.unit_of_work() as tx:
        await define_attribute(tx, NewAttribute(name="vip", type="BOOLEAN"))
    rows = [NewCustomer(name="A", attributes={"vip": "yes"}), NewCustomer(name="B", attributes={"vip": "?"})]
    report = await run(database, rows, from_text=True)
    assert [(row.created, row.error is None) for row in report.rows] == [(True, True), (False, False)]
    (customer,) = await records.rows("crm_customer")
    assert orjson.loads(customer["attributes"]) == {"vip": True}


async def test_owners_are_looked_up_once(database: Database, records: "Records") -> None:
    owner = await records.staff()
    with database.counting() as statements:
        async with database.unit_of_work() as tx:
            report = await import_customers(tx, numbered(500, owner_id=owner))
    assert report.created == 500
    # references, definitions, staff; customers, contact points, events, audit
    assert len(statements) == 7


async def test_too_many_rows_are_refused(database: Database, records: "Records") -> None:
    with pytest.raises(CrmError) as refused:
        await run(database, [NewCustomer(name="A")] * 10_001)
    assert refused.value.message == "10001 rows are given; 10000 are allowed at once."
    assert await records.count("crm_customer") == 0


async def test_two_imports_at_once_make_each_customer_once(database: Database, records: "Records") -> None:
    one, two = await asyncio.gather(run(database, numbered(300)), run(database, numbered(300)[::-1]))
    assert one.created + two.created == 300
    assert one.existing + two.existing == 300
    assert [row.id for row in one.rows] == [row.id for row in two.rows][::-1]
    assert await records.count("crm_customer") == 300
    assert await records.count("crm_contact_point") == 300
    assert len(await records.events()) == 300
