import asyncio
from typing import Any

from crm_loyalty.earning.handler import earn

from crm_framework import (
    NewCustomer,
    NewPurchase,
    NewRefund,
    PurchaseRecorded,
    create_customer,
    record_purchase,
    record_refund,
)
from crm_framework.testing import CrmClient

CREATE = """mutation ($input: CreateLoyaltyProgramInput!) {
  createLoyaltyProgram(input: $input) { program { id name pointsPerUnit } errors { code path message } } }"""


async def program(client: CrmClient, **input: Any) -> Any:
    answer = await client.data(CREATE, input={"name": "Stars", "currency": "EUR", **input})
    return answer["createLoyaltyProgram"]


async def customer(client: CrmClient, name: str = "Ada") -> str:
    async with client.service.database.unit_of_work() as tx:
        return (await create_customer(tx, NewCustomer(name=name))).id


async def buy(client: CrmClient, customer_id: str, minor: int, currency: str = "EUR") -> str:
    async with client.service.database.unit_of_work() as tx:
        return await record_purchase(
            tx, NewPurchase(customer_id=customer_id, currency=currency, total_minor=minor)
        )


async def refund(client: CrmClient, purchase_id: str, minor: int) -> str:
    async with client.service.database.unit_of_work() as tx:
        return await record_refund(tx, NewRefund(purchase_id=purchase_id, amount_minor=minor))


async def accounts(client: CrmClient) -> list[dict[str, Any] | None]:
    answer = await client.data(
        "{ customers(first: 10) { nodes { loyalty { balance lifetime program { name }"
        " entries(first: 10) { nodes { kind points reason corrects { points } } } } } } }"
    )
    return [node["loyalty"] for node in answer["customers"]["nodes"]]


async def test_a_purchase_earns_with_the_mutation_that_records_it(client: CrmClient) -> None:
    assert await program(client, pointsPerUnit=2) == {
        "program": {"id": (await only_program(client))["id"], "name": "Stars", "pointsPerUnit": 2},
        "errors": [],
    }
    ada = await customer(client)
    await buy(client, ada, 1230)
    await buy(client, ada, 99)
    await buy(client, ada, 5000, currency="USD")
    assert await accounts(client) == [
        {
            "balance": 25,
            "lifetime": 25,
            "program": {"name": "Stars"},
            "entries": {
                "nodes": [
                    {"kind": "EARNED", "points": 1, "reason": told("0.99"), "corrects": None},
                    {"kind": "EARNED", "points": 24, "reason": told("12.30"), "corrects": None},
                ]
            },
        }
    ]
    assert await client.service.database.fetch("SELECT id FROM crm_delivery") == []


def told(amount: str) -> str:
    return f"“Stars”: 2 for each 1.00 of {amount} EUR (rounded: floor)"


async def only_program(client: CrmClient) -> Any:
    answer = await client.data("{ loyaltyPrograms { nodes { id name currency pointsPerUnit active } } }")
    [found] = answer["loyaltyPrograms"]["nodes"]
    return found


async def test_purchases_before_the_programme_earn_nothing(client: CrmClient) -> None:
    ada = await customer(client)
    await buy(client, ada, 1230)
    await program(client)
    assert await accounts(client) == [None]


async def test_the_same_event_twice_earns_once(client: CrmClient) -> None:
    await program(client)
    ada = await customer(client)
    bought = await buy(client, ada, 1000)
    event = PurchaseRecorded(
        customer_id=ada, interaction_id=bought, kind="purchase", total_minor=1000, currency="EUR"
    )
    async with client.service.database.unit_of_work() as tx:
        await earn([event, event], tx)
    [account] = await accounts(client)
    assert account is not None
    assert (account["balance"], len(account["entries"]["nodes"])) == (10, 1)


async def test_refunds_take_points_back_in_proportion(client: CrmClient) -> None:
    await program(client)
    ada = await customer(client)
    bought = await buy(client, ada, 1000)
    await refund(client, bought, 333)
    await refund(client, bought, 667)
    [account] = await accounts(client)
    assert account is not None
    assert (account["balance"], account["lifetime"]) == (0, 10)
    assert [(entry["kind"], entry["points"]) for entry in account["entries"]["nodes"]] == [
        ("REFUNDED", -6),
        ("REFUNDED", -4),
        ("EARNED", 10),
    ]
    assert account["entries"]["nodes"][0]["corrects"] == {"points": 10}


async def test_a_refund_of_a_purchase_without_points_changes_nothing(client: CrmClient) -> None:
    ada = await customer(client)
    bought = await buy(client, ada, 1000)
    await program(client)
    await refund(client, bought, 500)
    assert await accounts(client) == [None]


async def test_customers_are_found_by_their_balance(client: CrmClient) -> None:
    await program(client)
    ada, _ = await customer(client, "Ada"), await customer(client, "Ben")
    await buy(client, ada, 1000)
    query = "query ($filter: CustomerFilter) { customers(first: 5, filter: $filter) { nodes { name } } }"
    for condition, names in (({"gte": 10}, ["Ada"]), ({"gte": 11}, []), ({"eq": 0}, ["Ben"])):
        answer = await client.data(query, filter={"loyaltyBalance": condition})
        assert [node["name"] for node in answer["customers"]["nodes"]] == names


async def test_a_programme_that_does_not_fit_is_refused(client: CrmClient) -> None:
    await program(client)
    for input, code, path in (
        ({}, "CONFLICT", ["name"]),
        ({"name": "  "}, "BAD_INPUT", ["name"]),
        ({"name": "B", "currency": "XXQ"}, "BAD_INPUT", ["currency"]),
        ({"name": "B", "pointsPerUnit": -1}, "BAD_INPUT", ["pointsPerUnit"]),
        ({"name": "B", "timeZone": "localtime"}, "BAD_INPUT", ["timeZone"]),
    ):
        answer = await program(client, **input)
        assert answer["program"] is None
        assert [(error["code"], error["path"]) for error in answer["errors"]] == [(code, path)]
    assert (await only_program(client))["name"] == "Stars"


async def test_the_rate_comes_from_the_settings(open_client: Any) -> None:
    client = await open_client("loyalty", loyalty={"points_per_unit": 7})
    assert (await program(client))["program"]["pointsPerUnit"] == 7


async def test_merging_adds_accounts_of_one_programme(client: CrmClient) -> None:
    await program(client)
    ada, twin = await customer(client, "Ada"), await customer(client, "Twin")
    bought = await buy(client, ada, 1000)
    await buy(client, twin, 500)
    await refund(client, bought, 500)
    async with client.service.database.unit_of_work() as tx:
        moved = await client.service.host.merge_customers(ada, [twin], tx)
    assert moved == {"loyalty": {"loyalty_account": 1, "loyalty_entry": 1, "loyalty_share": 1}}
    first, second = await accounts(client)
    assert first is not None
    assert (first["balance"], first["lifetime"], len(first["entries"]["nodes"])) == (10, 15, 4)
    assert first["entries"]["nodes"][0]["kind"] == "MERGED"
    assert second is None


async def test_many_purchases_take_few_statements(client: CrmClient) -> None:
    await program(client)
    ada = await customer(client)
    counts = []
    await buy(client, ada, 100)  # which opens the account
    for number in (1, 50):
        events = []
        async with client.service.database.unit_of_work() as tx:
            for _ in range(number):
                key = await record_purchase(tx, NewPurchase(customer_id=ada, currency="EUR", total_minor=100))
                events.append(
                    PurchaseRecorded(
                        customer_id=ada, interaction_id=key, kind="purchase", total_minor=100, currency="EUR"
                    )
                )
            tx.take_events()
            await tx.fetch("SELECT 1")  # what the purchases gathered goes first
            with client.service.database.counting() as statements:
                await earn(events, tx)
            counts.append(len(statements))
    assert counts[0] == counts[1]


async def test_purchases_and_refunds_at_the_same_moment_all_count(client: CrmClient) -> None:
    await program(client)
    ada = await customer(client)
    bought = await buy(client, ada, 1000)
    purchases = [buy(client, ada, 100 * (number + 1)) for number in range(8)]
    refunds = [refund(client, bought, 100) for _ in range(4)]
    await asyncio.gather(*purchases, *refunds)
    [account] = await accounts(client)
    assert account is not None
    assert (account["balance"], account["lifetime"]) == (10 + 36 - 4, 10 + 36)
    assert await client.service.database.fetch("SELECT error FROM crm_delivery") == []


async def test_nobody_finds_out_balances_by_filters_without_the_right_to_see_them(client: CrmClient) -> None:
    inner = {"or": [{"not": {"loyaltyBalance": {"gt": 10}}}]}
    listed = "query ($filter: CustomerFilter) { customers(filter: $filter) { totalCount } }"
    saved = """mutation ($filter: CustomerFilter!) {
      createSegment(input: {name: "Rich", filter: $filter}) { errors { code } } }"""
    narrow = await client.acting_with("customers.read", "settings.write", "settings.read")
    for query in (listed, saved):
        [error] = await narrow.errors(query, filter=inner)
        assert error["extensions"]["code"] == "FORBIDDEN"
        assert "permission is missing for CustomerFilter.loyaltyBalance (loyalty.read)" in error["message"]
    assert await client.data("{ segments { totalCount } }") == {"segments": {"totalCount": 0}}
    wide = await client.acting_with("customers.read", "loyalty.read", "settings.write")
    assert await wide.data(listed, filter=inner) == {"customers": {"totalCount": 0}}
    assert (await wide.data(saved, filter=inner))["createSegment"]["errors"] == []
    # what a segment says, its maker answers for
    [kept] = (await client.data("{ segments { nodes { id } } }"))["segments"]["nodes"]
    assert (await narrow.data(listed, filter={"segment": kept["id"]}))["customers"]["totalCount"] == 0
