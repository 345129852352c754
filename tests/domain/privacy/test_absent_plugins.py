"""A plugin that is switched off is not passed over by a merge or an erasure."""

import pytest

from crm_framework.domain.customers.changes import create_customer
from crm_framework.domain.customers.draft import NewCustomer
from crm_framework.domain.privacy.erasure import erase_customer
from crm_framework.domain.privacy.merge import merge_customers
from crm_framework.errors import CrmError, ErrorCode
from crm_framework.storage.database import Database

TABLES = (
    "CREATE TABLE stamps_card (id INTEGER PRIMARY KEY, customer_id {key} REFERENCES crm_customer (id))",
    "CREATE TABLE stamps_plus_note (id INTEGER PRIMARY KEY, writer {key} REFERENCES crm_customer (id))",
)


@pytest.fixture
async def customers(database: Database) -> list[str]:
    """Two, in a database that has seen the plugins `stamps` and `stamps_plus`; none of them is enabled."""
    key = "TEXT" if database.dialect == "sqlite" else "UUID"
    async with database.unit_of_work() as tx:
        for table in TABLES:
            await tx.execute(table.format(key=key))
        for app in ("stamps", "stamps_plus"):
            await tx.execute(
                "INSERT INTO crm_migration (app, name, applied_at) VALUES (?, ?, ?)", [app, "0001", tx.now]
            )
        return [(await create_customer(tx, NewCustomer(name=name))).id for name in ("Ann", "Ann Lee")]


@pytest.mark.parametrize(
    ("insert", "plugin"),
    [
        ("INSERT INTO stamps_card (id, customer_id) VALUES (1, ?)", "stamps"),
        ("INSERT INTO stamps_plus_note (id, writer) VALUES (1, ?)", "stamps_plus"),
    ],
)
async def test_what_it_holds_is_not_left_behind(
    database: Database, customers: list[str], insert: str, plugin: str
) -> None:
    winner, loser = customers
    async with database.unit_of_work() as tx:
        await tx.execute(insert, [loser])
    with pytest.raises(CrmError, match=f"The plugin {plugin} is switched off") as refusal:
        async with database.unit_of_work() as tx:
            await merge_customers(tx, winner, [loser])
    assert refusal.value.code is ErrorCode.REFUSED
    with pytest.raises(CrmError, match=f"The plugin {plugin} is switched off"):
        async with database.unit_of_work() as tx:
            await erase_customer(tx, loser)
    rows = await database.fetch("SELECT name FROM crm_customer WHERE merged_into_id IS NULL ORDER BY name")
    assert [row["name"] for row in rows] == ["Ann", "Ann Lee"]


async def test_one_that_holds_nothing_is_in_nobodys_way(database: Database, customers: list[str]) -> None:
    winner, loser = customers
    async with database.unit_of_work() as tx:
        await merge_customers(tx, winner, [loser])
    async with database.unit_of_work() as tx:
        await erase_customer(tx, winner)
    assert await database.fetch("SELECT COUNT(*) AS n FROM crm_customer WHERE erased_at IS NULL") == [
        {"n": 0}
    ]
