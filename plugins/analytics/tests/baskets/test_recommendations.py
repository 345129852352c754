"""Rules from purchases, and what is recommended by them."""

from datetime import UTC, datetime, timedelta

import pytest
from crm_analytics.baskets import store

from crm_framework import (
    NewCustomer,
    NewLine,
    NewPurchase,
    NewRefund,
    create_customer,
    now,
    record_purchase,
    record_refund,
)
from crm_framework.testing import CrmClient, run_jobs

RECOMMENDED = """{ customers(orderBy: [{field: NAME, direction: ASC}]) { nodes { name
  recommendations(first: 3) { sku name because becauseName support confidence lift baskets } } } }"""
RULES = "{ basketRules { nodes { antecedent consequent baskets withBoth confidence lift since } } }"


async def buy(client: CrmClient, customer: str, *skus: str, days_ago: int = 5, discount: int = 0) -> str:
    lines = [NewLine(sku=sku, name=sku.title(), category=f"{sku} goods", amount_minor=100) for sku in skus]
    if discount:
        lines.append(NewLine(sku="DISCOUNT", amount_minor=-discount))
    new = NewPurchase(
        customer_id=customer,
        currency="EUR",
        lines=tuple(lines),
        occurred_at=now().astimezone(UTC) - timedelta(days=days_ago),
    )
    async with client.service.database.unit_of_work() as tx:
        return await record_purchase(tx, new)


async def named(client: CrmClient, name: str) -> str:
    async with client.service.database.unit_of_work() as tx:
        return (await create_customer(tx, NewCustomer(name=name))).id


async def give_back(client: CrmClient, purchase: str, minor: int) -> None:
    async with client.service.database.unit_of_work() as tx:
        new = NewRefund(purchase_id=purchase, amount_minor=minor, occurred_at=datetime.now(UTC))
        await record_refund(tx, new)


async def find(client: CrmClient) -> None:
    async with client.service.database.unit_of_work() as tx:
        tx.defer("analytics.baskets")
    assert "analytics.baskets" in await run_jobs(client)


async def shop(client: CrmClient) -> None:
    """Six baskets with tea and milk, five with tea and cups, some with other things."""
    crowd = await named(client, "Zoe")
    for skus in (*[("tea", "milk")] * 6, *[("tea", "cup")] * 5, *[("rug",)] * 12):
        await buy(client, crowd, *skus, discount=10)


async def test_rules_come_from_purchases(client: CrmClient) -> None:
    await shop(client)
    await buy(client, await named(client, "Old"), "tea", "milk", days_ago=400)
    returned = await buy(client, await named(client, "Back"), "tea", "milk")
    await give_back(client, returned, 200)
    await find(client)
    nodes = (await client.data(RULES))["basketRules"]["nodes"]
    found = {(node["antecedent"], node["consequent"]): node for node in nodes}
    assert set(found) == {("tea", "milk"), ("milk", "tea"), ("tea", "cup"), ("cup", "tea")}
    rule = found["tea", "milk"]
    assert (rule["baskets"], rule["withBoth"]) == (23, 6)
    assert rule["confidence"] == pytest.approx(6 / 11)
    assert rule["lift"] == pytest.approx(6 * 23 / (11 * 6))


async def test_a_recommendation_names_its_rule(client: CrmClient) -> None:
    await shop(client)
    ada, ben, cleo, dan = [await named(client, name) for name in ("Ada", "Ben", "Cleo", "Dan")]
    await buy(client, ada, "tea")
    await buy(client, ben, "tea", "milk")
    for customer, minor in ((cleo, 100), (dan, 99)):
        await give_back(client, await buy(client, customer, "tea"), minor)
    await find(client)
    nodes = (await client.data(RECOMMENDED))["customers"]["nodes"]
    found = {node["name"]: node["recommendations"] for node in nodes}
    assert [each["sku"] for each in found["Ada"]] == ["milk", "cup"]
    first = found["Ada"][0]
    assert (first["name"], first["because"], first["becauseName"]) == ("Milk", "tea", "Tea")
    assert first["baskets"] == 7
    assert [each["sku"] for each in found["Ben"]] == ["cup"]
    assert found["Cleo"] == []  # the tea went back
    assert [each["sku"] for each in found["Dan"]] == ["milk", "cup"]
    assert found["Zoe"] == []
    assert await told(client, 'filter: {recommended: "milk"}') == {
        "Ada": ["milk", "cup"],
        "Dan": ["milk", "cup"],
    }
    assert await told(client, 'filter: {recommended: "tea"}') == {}
    for which, left in (
        ('{skus: ["milk", "rug"]}', ["milk"]),
        ('{notSkus: ["milk"]}', ["cup"]),
        ('{categories: ["cup goods"]}', ["cup"]),
        ("{minConfidence: 0.5}", ["milk"]),
        ("{minLift: 1.8, minConfidence: 0.1}", ["milk", "cup"]),
        ("{skus: [], minLift: 1}", []),
        ('{categories: ["cup goods"], minConfidence: 0.5}', []),
    ):
        chosen = await told(client, 'filter: {name: {eq: "Ada"}}', f"(filter: {which})")
        assert chosen == {"Ada": left}, which
    many = ", ".join(f'"{number}"' for number in range(101))
    [error] = await client.errors(
        f"{{ customers {{ nodes {{ recommendations(filter: {{notSkus: [{many}]}}) {{ sku }} }} }} }}"
    )
    assert error["message"].startswith("101 are more than 100 (at filter.notSkus)")


async def told(client: CrmClient, customers: str, which: str = "") -> dict[str, list[str]]:
    """What is recommended to some customers, by their names."""
    found = await client.data(
        f"{{ customers({customers}) {{ nodes {{ name recommendations{which} {{ sku }} }} }} }}"
    )
    return {
        node["name"]: [each["sku"] for each in node["recommendations"]]
        for node in found["customers"]["nodes"]
    }


async def test_what_was_given_back_is_not_recommended_again(client: CrmClient) -> None:
    await shop(client)
    ada = await named(client, "Ada")
    await buy(client, ada, "tea")
    await give_back(client, await buy(client, ada, "milk"), 100)
    await find(client)
    [node, _] = (await client.data(RECOMMENDED))["customers"]["nodes"]
    assert [each["sku"] for each in node["recommendations"]] == ["cup"]


async def test_new_rules_take_the_place_of_old_ones(client: CrmClient) -> None:
    await shop(client)
    await find(client)
    for purchase in await client.service.database.fetch(
        "SELECT i.id, i.total_minor FROM crm_interaction i"
        " JOIN crm_purchase_line l ON l.interaction_id = i.id WHERE l.sku = 'cup'"
    ):
        await give_back(client, str(purchase["id"]), purchase["total_minor"])
    await find(client)
    nodes = (await client.data(RULES))["basketRules"]["nodes"]
    assert {(node["antecedent"], node["consequent"]) for node in nodes} == {("tea", "milk"), ("milk", "tea")}


async def test_pages_of_purchases_add_up(client: CrmClient, monkeypatch: pytest.MonkeyPatch) -> None:
    await shop(client)
    await find(client)
    whole = (await client.data(RULES))["basketRules"]["nodes"]
    monkeypatch.setattr(store, "_PURCHASES", store._PURCHASES.replace(str(store.PAGE), "4"))
    await find(client)
    assert (await client.data(RULES))["basketRules"]["nodes"] == whole


async def test_recommendations_of_a_page_take_one_statement(client: CrmClient) -> None:
    await shop(client)
    for number in range(20):
        await buy(client, await named(client, f"Customer {number}"), "tea")
    await find(client)
    with client.statements() as statements:
        await client.data(RECOMMENDED)
    assert len(statements) == 2


@pytest.mark.parametrize("first", [0, 21])
async def test_how_many_is_bounded(client: CrmClient, first: int) -> None:
    await named(client, "Ada")
    query = f"{{ customers {{ nodes {{ recommendations(first: {first}) {{ sku }} }} }} }}"
    [error] = await client.errors(query)
    assert error["extensions"]["code"] == "BAD_INPUT"
