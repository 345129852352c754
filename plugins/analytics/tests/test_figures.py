import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

from crm_framework import (
    NewCustomer,
    NewPurchase,
    NewRefund,
    create_customer,
    encode_id,
    record_purchase,
    record_refund,
)
from crm_framework.testing import CrmClient, deliver_events

METRICS = """{ customers(first: 10) { nodes { metrics { purchases refunds revenue { amount currency }
  firstPurchaseAt lastPurchaseAt ticketsOpened points } } } }"""
DAILY = """query ($first: Date!, $last: Date!) { dailyRevenue(first: $first, last: $last) {
  day currency purchases refunds revenue { amount } } }"""


async def customer(client: CrmClient, name: str = "Ada") -> str:
    async with client.service.database.unit_of_work() as tx:
        return (await create_customer(tx, NewCustomer(name=name))).id


async def buy(client: CrmClient, customer_id: str, minor: int, day: int, currency: str = "EUR") -> str:
    async with client.service.database.unit_of_work() as tx:
        new = NewPurchase(
            customer_id=customer_id,
            currency=currency,
            total_minor=minor,
            occurred_at=datetime(2024, 1, day, 23, 59, 59, tzinfo=UTC),
        )
        purchase = await record_purchase(tx, new)
    await deliver_events(client)
    return purchase


async def refund(client: CrmClient, purchase_id: str, minor: int, day: int) -> None:
    async with client.service.database.unit_of_work() as tx:
        at = datetime(2024, 1, day, 12, tzinfo=UTC)
        await record_refund(tx, NewRefund(purchase_id=purchase_id, amount_minor=minor, occurred_at=at))
    await deliver_events(client)


async def metrics(client: CrmClient) -> list[Any]:
    answer = await client.data(METRICS)
    return [node["metrics"] for node in answer["customers"]["nodes"]]


async def daily(client: CrmClient, first: int = 1, last: int = 31) -> list[tuple[Any, ...]]:
    answer = await client.data(DAILY, first=f"2024-01-{first:02}", last=f"2024-01-{last:02}")
    return [
        (row["day"][-2:], row["currency"], row["purchases"], row["refunds"], row["revenue"]["amount"])
        for row in answer["dailyRevenue"]
    ]


async def sales(client: CrmClient) -> str:
    ada = await customer(client)
    bought = await buy(client, ada, 1000, day=3)
    await buy(client, ada, 250, day=3)
    await buy(client, ada, 500, day=5, currency="JPY")
    await refund(client, bought, 100, day=6)
    return ada


async def test_metrics_of_a_customer(client: CrmClient) -> None:
    await sales(client)
    await customer(client, "Ben")
    nothing = {"purchases": 0, "refunds": 0, "revenue": [], "firstPurchaseAt": None, "lastPurchaseAt": None}
    untold = {"ticketsOpened": None, "points": None}
    assert await metrics(client) == [
        {
            "purchases": 3,
            "refunds": 1,
            "revenue": [{"amount": "11.50", "currency": "EUR"}, {"amount": "500", "currency": "JPY"}],
            "firstPurchaseAt": "2024-01-03T23:59:59Z",
            "lastPurchaseAt": "2024-01-05T23:59:59Z",
            **untold,
        },
        {**nothing, **untold},
    ]


EXPECTED = [("03", "EUR", 2, 0, "12.50"), ("05", "JPY", 1, 0, "500"), ("06", "EUR", 0, 1, "-1.00")]


async def test_daily_figures_follow_each_change(client: CrmClient) -> None:
    await sales(client)
    assert await daily(client) == EXPECTED
    assert await daily(client, first=4, last=5) == EXPECTED[1:2]
    assert await client.service.database.fetch("SELECT id FROM crm_delivery") == []


async def test_what_happened_while_it_was_off_is_counted_on_demand(client: CrmClient) -> None:
    client.service.database.handlers = ()
    await sales(client)
    assert await daily(client) == []
    answer = await client.data("mutation { rebuildDailyFigures { customers errors { message } } }")
    assert answer["rebuildDailyFigures"] == {"customers": 1, "errors": []}
    assert await daily(client) == EXPECTED
    await client.data("mutation { rebuildDailyFigures { customers } }")
    assert await daily(client) == EXPECTED


async def test_each_day_is_charged(open_client: Callable[..., Awaitable[CrmClient]]) -> None:
    client = await open_client("analytics", rate_limit_per_minute=1_000)
    assert await daily(client) == []
    [error] = await client.errors(DAILY, first="2015-01-01", last="2024-12-31")
    assert error["extensions"]["code"] == "RATE_LIMITED"
    assert "73,060 objects" in error["message"]


async def test_figures_of_other_plugins_need_their_permissions(client: CrmClient) -> None:
    await sales(client)
    reader = await client.acting_with("customers.read", "analytics.read")
    own = "{ customers { nodes { metrics { purchases revenue { amount } } } } }"
    assert len((await reader.data(own))["customers"]["nodes"]) == 1
    for field, permission in (("points", "loyalty.read"), ("ticketsOpened", "ticketing.read")):
        [error] = await reader.errors(f"{{ customers {{ nodes {{ metrics {{ {field} }} }} }} }}")
        assert error["extensions"]["code"] == "FORBIDDEN"
        assert f"CustomerMetrics.{field} ({permission})" in error["message"]


async def test_days_in_the_wrong_order_are_refused(client: CrmClient) -> None:
    [error] = await client.errors(DAILY, first="2024-01-02", last="2024-01-01")
    assert error["extensions"]["code"] == "BAD_INPUT"


async def test_merging_adds_figures_of_the_same_day(client: CrmClient) -> None:
    ada, twin = await customer(client), await customer(client, "Twin")
    await buy(client, ada, 1000, day=3)
    await buy(client, twin, 500, day=3)
    await buy(client, twin, 100, day=4)
    async with client.service.database.unit_of_work() as tx:
        moved = await client.service.host.merge_customers(ada, [twin], tx)
    assert moved == {
        "analytics": {
            "analytics_daily": 2,
            "analytics_month": 1,
            "analytics_activity": 1,
            "analytics_revenue": 1,
            "analytics_product": 0,
            "analytics_answer": 0,
            "analytics_membership": 0,
            "analytics_customer": 1,
            "analytics_prediction": 0,
            "analytics_invitation": 0,
        }
    }
    assert await daily(client) == [("03", "EUR", 2, 0, "15.00"), ("04", "EUR", 1, 0, "1.00")]


async def test_an_erasure_keeps_the_sums(client: CrmClient) -> None:
    ada = await sales(client)
    async with client.service.database.unit_of_work() as tx:
        counts = await client.service.host.erase_customer(ada, tx)
        assert await client.service.host.export_customer(ada, tx) == {
            "analytics": {
                table: []
                for table in (
                    *("daily", "month", "activity", "revenue", "product", "answer", "membership", "customer"),
                    *("predictions", "surveys"),
                )
            }
        }
    assert counts == {
        "analytics": {
            "analytics_daily": 3,
            "analytics_month": 2,
            "analytics_activity": 1,
            "analytics_revenue": 2,
            "analytics_product": 0,
            "analytics_answer": 0,
            "analytics_membership": 0,
            "analytics_customer": 1,
            "analytics_prediction": 0,
            "analytics_invitation": 0,
        }
    }
    assert await daily(client) == EXPECTED


async def test_tickets_and_points_are_counted_where_those_plugins_are(open_client: Any) -> None:
    client = await open_client("analytics", "loyalty", "ticketing")
    await client.data(
        'mutation { createLoyaltyProgram(input: {name: "Stars", currency: "EUR"}) { program { id } } }'
    )
    ada = await sales(client)
    given = {"customer": encode_id("Customer", ada), "subject": "Lid", "body": "No lid."}
    await client.data(
        "mutation ($input: OpenTicketInput!) { openTicket(input: $input) { ticket { id } } }", input=given
    )
    await deliver_events(client)
    [found] = await metrics(client)
    assert (found["ticketsOpened"], found["points"]) == (1, 11)


async def test_sales_at_the_same_moment_all_count(client: CrmClient) -> None:
    ada = await customer(client)
    bought = await buy(client, ada, 1000, day=3)
    purchases = [buy(client, ada, 100, day=3) for _ in range(8)]
    refunds = [refund(client, bought, 100, day=4) for _ in range(4)]
    await asyncio.gather(*purchases, *refunds)
    await deliver_events(client)  # those who did so at the same moment left what others held
    assert await daily(client) == [("03", "EUR", 9, 0, "18.00"), ("04", "EUR", 0, 4, "-4.00")]
    assert await client.service.database.fetch("SELECT error FROM crm_delivery") == []
