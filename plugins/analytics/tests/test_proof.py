"""The kept figures are those of a scan, after whatever sequence of changes."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, date, datetime

import pytest
from crm_analytics import answers
from crm_analytics.predictions.histories import pages
from crm_analytics.rollups import rebuild

from crm_framework import Event, UnitOfWork, encode_id
from crm_framework.testing import CrmClient, deliver_events

from .random_company import ERASE, REBUILD, Company, differences, owed, tables


@pytest.mark.parametrize("seed", range(3))
async def test_after_any_sequence_of_changes(client: CrmClient, seed: int) -> None:
    company = Company(client, seed)
    for _ in range(60):
        await company.step()
    assert await owed(client) == 0
    assert await differences(client) == []
    kept = await tables(client)
    await client.data(REBUILD)
    assert await tables(client) == kept
    assert await differences(client) == []


async def test_changes_at_the_same_moment(client: CrmClient) -> None:
    company = Company(client, 7)
    for _ in range(12):
        await company.join()
        await company.buy()
    for _ in range(6):
        await asyncio.gather(*(company.step() for _ in range(8)))
    assert await owed(client) == 0
    assert await differences(client) == []


async def test_refunds_of_one_customer_at_the_same_moment(client: CrmClient) -> None:
    company = Company(client, 2)
    await company.join()
    while len(company.purchases) < 6:
        await company.buy()
    await asyncio.gather(*(company.give_back() for _ in range(12)))
    assert await owed(client) == 0
    assert await differences(client) == []


class Spy:
    """A handler that remembers what was told."""

    name = "spy"

    def __init__(self) -> None:
        self.told: list[Event] = []

    async def __call__(self, events: Sequence[Event], tx: UnitOfWork) -> None:
        self.told += events


async def test_what_is_told_again_in_another_order_counts_once(client: CrmClient) -> None:
    database, company, spy = client.service.database, Company(client, 3), Spy()
    [handler] = database.handlers
    database.handlers = (handler, spy)
    for _ in range(40):
        await company.step()
    kept = await tables(client)
    database.handlers = (handler,)
    assert len(spy.told) > 20
    company.random.shuffle(spy.told)
    async with database.unit_of_work() as tx:
        for event in spy.told:
            await handler([event], tx)
        await handler(spy.told, tx)
    assert await tables(client) == kept


async def test_what_was_owed_when_a_person_was_erased_counts(client: CrmClient) -> None:
    database = client.service.database
    company = Company(client, 1)
    await company.join()
    handlers, database.handlers = database.handlers, ()
    await company.buy()
    assert await differences(client) != []
    database.handlers = handlers
    given = {"id": encode_id("Customer", company.customers[0])}
    assert (await client.data(ERASE, input=given))["eraseCustomer"]["errors"] == []
    assert await differences(client) == []


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE analytics_daily SET purchases = purchases + 1",
        "UPDATE analytics_customer SET purchase_days = purchase_days + 1",
        "UPDATE analytics_revenue SET refunded_minor = refunded_minor + 1",
        "DELETE FROM analytics_revenue",
        "UPDATE analytics_month SET purchases = purchases + 1",
        "UPDATE analytics_activity SET months = months * 2",
        "UPDATE analytics_activity SET tags = '[\"gone\"]'",
        "UPDATE analytics_membership SET last_before = last_before - 1",
        "UPDATE analytics_membership SET first_from = NULL",
        "UPDATE analytics_product SET quantity = quantity + 1",
        "UPDATE analytics_sales SET revenue_minor = revenue_minor + 1",
        "DELETE FROM analytics_goods",
        "DELETE FROM analytics_cohort",
    ],
)
async def test_damage_is_found_and_mended(client: CrmClient, damage: str) -> None:
    company = Company(client, 5)
    for _ in range(4):
        await company.join()
        await company.buy()
        await company.tag()
    await deliver_events(client)
    await company.freeze(date(2024, 3, 1))
    async with client.service.database.unit_of_work() as tx:
        await tx.execute(damage)
    assert await differences(client) != []
    await client.data(REBUILD)
    assert await differences(client) == []


@pytest.mark.parametrize("database_kind", ["sqlite"], indirect=True)
async def test_customers_are_read_along_their_own_interactions(client: CrmClient) -> None:
    """SQLite, which knows no figures of its tables, would rather go through all purchases of everybody."""
    database = client.service.database
    await Company(client, 1).join()
    with database.counting() as statements:
        await rebuild.look(None, database)
        async with database.unit_of_work() as tx:
            await answers.recount(["none"], tx)
        async for _ in pages(database, datetime(2024, 1, 1, tzinfo=UTC).date()):
            pass
    asked = [one for one in statements if " crm_interaction" in one]
    assert len(asked) >= 6
    for statement in asked:
        plan = await database.fetch(f"EXPLAIN QUERY PLAN {statement}", [None] * statement.count("?"))
        assert not any("(kind=?" in row["detail"] for row in plan), statement
