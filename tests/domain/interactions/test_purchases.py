import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from crm_framework.domain.interactions.purchase_lines import NewLine
from crm_framework.domain.interactions.purchases import NewPurchase, record_purchase
from crm_framework.domain.values.money import MAX_MINOR
from crm_framework.errors import CrmError, ErrorCode
from crm_framework.storage.clock import frozen, parse_time
from crm_framework.storage.database import Database

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


async def buy(database: Database, **fields: Any) -> str:
    with frozen(NOW):
        async with database.unit_of_work() as tx:
            return await record_purchase(tx, NewPurchase(**{"currency": "USD", **fields}))


async def test_a_purchase_is_kept_with_its_lines_and_told_once(database: Database, records: Any) -> None:
    customer = await records.customer()
    key = await buy(
        database,
        customer_id=customer,
        channel="shop",
        lines=[
            NewLine(sku="CD", name="A record", category="music", quantity=2, unit_price_minor=1299),
            NewLine(sku="BAG", amount_minor=5),
        ],
        total_minor=2603,
    )
    row = await records.row("crm_interaction", key)
    assert (row["kind"], row["channel"], row["total_minor"], row["currency"]) == (
        "purchase",
        "shop",
        2603,
        "USD",
    )
    lines = await records.rows("crm_purchase_line")
    assert [
        {name: line[name] for name in line if name not in ("id", "interaction_id")} for line in lines
    ] == [
        {
            "position": 0,
            "sku": "CD",
            "name": "A record",
            "category": "music",
            "quantity": 2,
            "unit_price_minor": 1299,
            "amount_minor": 2598,
        },
        {
            "position": 1,
            "sku": "BAG",
            "name": None,
            "category": None,
            "quantity": 1,
            "unit_price_minor": None,
            "amount_minor": 5,
        },
    ]
    assert {line["interaction_id"] for line in lines} == {key}
    ((type_, told),) = await records.events()
    assert type_ == "purchase.recorded"
    assert (told["interaction_id"], told["total_minor"], told["currency"], told["kind"]) == (
        key,
        2603,
        "USD",
        "purchase",
    )
    assert told["changes"]["total_minor"] == [None, 2603]
    assert [line["sku"] for line in told["changes"]["lines"][1]] == ["CD", "BAG"]


async def test_the_first_purchase_converts_a_prospect_and_says_so(database: Database, records: Any) -> None:
    customer = await records.customer(stage="PROSPECT")
    await buy(database, customer_id=customer, total_minor=100, occurred_at=NOW - timedelta(days=3))
    await buy(database, customer_id=customer, total_minor=100)
    row = await records.row("crm_customer", customer)
    assert (row["stage"], row["version"]) == ("CUSTOMER", 2)
    assert parse_time(row["converted_at"]) == NOW - timedelta(days=3)
    assert parse_time(row["updated_at"]) == NOW
    assert [type_ for type_, _ in await records.events()] == [
        "purchase.recorded",
        "customer.converted",
        "purchase.recorded",
    ]


async def test_a_former_customer_returns(database: Database, records: Any) -> None:
    customer = await records.customer(
        stage="FORMER", converted_at=NOW - timedelta(days=900), former_at=NOW - timedelta(days=90)
    )
    await buy(database, customer_id=customer, total_minor=100, occurred_at=NOW - timedelta(days=400))
    assert (await records.row("crm_customer", customer))["stage"] == "FORMER"
    await buy(database, customer_id=customer, total_minor=100)
    row = await records.row("crm_customer", customer)
    assert (row["stage"], row["former_at"]) == ("CUSTOMER", None)
    assert parse_time(row["returned_at"]) == NOW
    assert parse_time(row["converted_at"]) == NOW - timedelta(days=900)
    assert [(type_, told.get("returned")) for type_, told in await records.events()][1:] == [
        ("purchase.recorded", None),
        ("customer.converted", True),
    ]


async def test_two_first_purchases_at_the_same_moment_convert_once(database: Database, records: Any) -> None:
    customer = await records.customer(stage="PROSPECT")
    await asyncio.gather(*(buy(database, customer_id=customer, total_minor=100) for _ in range(4)))
    types = sorted(type_ for type_, _ in await records.events())
    assert types == ["customer.converted", *["purchase.recorded"] * 4]
    assert (await records.row("crm_customer", customer))["version"] == 2


async def test_what_does_not_add_up_leaves_nothing(database: Database, records: Any) -> None:
    customer = await records.customer(stage="PROSPECT")
    before = await records.everything()
    with pytest.raises(CrmError) as refused:
        await buy(
            database,
            customer_id=customer,
            total_minor=100,
            lines=[NewLine(sku="A", quantity=2, amount_minor=99)],
        )
    assert (refused.value.code, refused.value.message) == (
        ErrorCode.BAD_INPUT,
        "The total is 1.00 USD, but the lines add up to 0.99 USD.",
    )
    assert await records.everything() == before


async def test_the_largest_purchases_add_up_on_both_databases(database: Database, records: Any) -> None:
    key = await records.customer()
    await records.interaction(key, kind="purchase", currency="USD", total_minor=MAX_MINOR * 9000)
    async with database.unit_of_work() as tx:
        for _ in range(2):
            await record_purchase(tx, NewPurchase(customer_id=key, currency="USD", total_minor=MAX_MINOR))
    (sums,) = await database.fetch("SELECT CAST(SUM(total_minor) AS bigint) AS total FROM crm_interaction")
    assert sums["total"] == 9002 * 10**15


async def test_a_resend_returns_the_first_and_adds_no_lines(database: Database, records: Any) -> None:
    customer = await records.customer()
    fields = {
        "customer_id": customer,
        "source": "shop",
        "reference": "7",
        "lines": [NewLine(sku="A", amount_minor=9)],
    }
    keys = {await buy(database, **fields) for _ in range(2)}
    keys |= set(await asyncio.gather(*(buy(database, **fields) for _ in range(3))))
    assert len(keys) == 1
    assert (await records.count("crm_interaction"), await records.count("crm_purchase_line")) == (1, 1)
    assert len(await records.events()) == 1
