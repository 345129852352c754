"""How often products are bought again, by hand."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

from crm_framework import (
    NewCustomer,
    NewLine,
    NewPurchase,
    NewRefund,
    create_customer,
    record_purchase,
    record_refund,
)
from crm_framework.testing import CrmClient

OF_CUSTOMERS = """{ customers(orderBy: [{field: NAME, direction: ASC}]) { nodes { name
  productPattern { sku name days medianDays meanDays lastBoughtOn nextExpected } } } }"""


async def buy(client: CrmClient, customer: str, day: int, *skus: str, back: bool = False) -> None:
    at = datetime(2024, 1, 1, 12, tzinfo=UTC) + timedelta(days=day)
    async with client.service.database.unit_of_work() as tx:
        lines = [NewLine(sku=sku, name=sku.title(), amount_minor=100) for sku in skus]
        bought = await record_purchase(
            tx, NewPurchase(customer_id=customer, currency="EUR", lines=lines, occurred_at=at)
        )
        if back:
            await record_refund(
                tx, NewRefund(purchase_id=bought, amount_minor=100 * len(skus), occurred_at=at)
            )


async def shop(client: CrmClient) -> None:
    """Ada has tea after 10, 10 and 40 days, and milk once; Ben tea after 21; Cy gave one of two back."""
    keys = {}
    async with client.service.database.unit_of_work() as tx:
        for name in ("Ada", "Ben", "Cy"):
            keys[name] = (
                await create_customer(tx, NewCustomer(name=name, tags=["some"] if name != "Ben" else []))
            ).id
    for day, *skus in ((0, "tea"), (0, "tea"), (10, "tea", "milk"), (20, "tea"), (60, "tea")):
        await buy(client, keys["Ada"], day, *skus)
    for day in (5, 26):
        await buy(client, keys["Ben"], day, "tea", "rug")
    await buy(client, keys["Cy"], 1, "rug")
    await buy(client, keys["Cy"], 2, "rug", back=True)


async def table(client: CrmClient, args: str = "", last: str = "2024-12-31", more: str = "") -> Any:
    found = await client.data(
        f'{{ analytics(window: {{first: "2024-01-01", last: "{last}"}}{more}) {{'
        f" productPattern{args} {{ reason rows {{ sku name customers medianDays meanDays }} csv }} }} }}"
    )
    return found["analytics"]["productPattern"]


async def test_of_customers_and_of_all(client: CrmClient) -> None:
    await shop(client)
    nodes = (await client.data(OF_CUSTOMERS))["customers"]["nodes"]
    found = {node["name"]: node["productPattern"] for node in nodes}
    assert found["Ada"] == [
        {
            "sku": "tea", "name": "Tea", "days": 4, "medianDays": 10.0, "meanDays": 20.0,
            "lastBoughtOn": "2024-03-01", "nextExpected": "2024-03-11",
        }
    ]  # fmt: skip
    assert [(one["sku"], one["medianDays"], one["nextExpected"]) for one in found["Ben"]] == [
        ("rug", 21.0, str(date(2024, 1, 27) + timedelta(days=21))),
        ("tea", 21.0, "2024-02-17"),
    ]
    assert found["Cy"] == []

    tea = {"sku": "tea", "name": "Tea", "customers": 2, "medianDays": 15.5, "meanDays": 20.5}
    rug = {"sku": "rug", "name": "Rug", "customers": 1, "medianDays": 21.0, "meanDays": 21.0}
    whole = await table(client)
    assert (whole["reason"], whole["rows"]) == (None, [tea, rug])
    assert whole["csv"].splitlines()[1] == "tea,Tea,2,15.5,20.5"
    assert (await table(client, "(first: 1)"))["rows"] == [tea]
    assert (await table(client, '(skus: ["rug", "milk"])'))["rows"] == [rug]
    some = (await table(client, more=', filter: {tags: {any: ["some"]}}'))["rows"]
    assert some == [{**tea, "customers": 1, "medianDays": 10.0, "meanDays": 20.0}]
    first_days = await table(client, last="2024-01-12")
    assert [(one["sku"], one["medianDays"]) for one in first_days["rows"]] == [("tea", 10.0)]
    nothing = await table(client, last="2024-01-02")
    assert (nothing["reason"], nothing["rows"]) == ("no product was bought by a customer on two days", [])

    with client.statements() as statements:
        await client.data(OF_CUSTOMERS)
    assert len(statements) == 2
    for args in ("first: 0", "first: 101"):
        for query in (
            f"{{ customers {{ nodes {{ productPattern({args}) {{ sku }} }} }} }}",
            '{ analytics(window: {first: "2024-01-01", last: "2024-01-31"}) {'
            f" productPattern({args}) {{ reason }} }} }}",
        ):
            [error] = await client.errors(query)
            assert error["extensions"]["code"] == "BAD_INPUT"
