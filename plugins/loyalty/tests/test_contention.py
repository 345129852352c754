"""Points while customers are merged and erased, and purchases are recorded, refunded and imported."""

import random
from asyncio import gather
from base64 import b64encode
from collections import Counter
from typing import Any

import pytest

from crm_framework import (
    CrmError,
    NewCustomer,
    NewPurchase,
    NewRefund,
    create_customer,
    record_purchase,
    record_refund,
)
from crm_framework.testing import CrmClient

MERGE = """mutation ($winner: ID!, $losers: [ID!]!) {
  mergeCustomers(input: {winner: $winner, losers: $losers}) { losers errors { code message } } }"""
ERASE = "mutation ($id: ID!) { eraseCustomer(input: {id: $id}) { erasedBefore errors { code message } } }"
IMPORT = """mutation ($rows: [InteractionRowInput!]!) {
  importInteractions(input: {rows: $rows, createMissingCustomers: true}) {
    rows { created error { code message } } errors { code message } } }"""
PROGRAM = """mutation { createLoyaltyProgram(input: {name: "Stars", currency: "EUR", pointsPerUnit: 1}) {
  errors { code } } }"""

ROUNDS = 25
REFUSALS = {"BAD_INPUT", "CONFLICT", "NOT_FOUND", "REFUSED"}
"""What may come of a change whose customer was merged or erased meanwhile."""


class Crowd:
    """What the tasks share; `done` adds up what was acknowledged, in minor units."""

    def __init__(self, client: CrmClient) -> None:
        self.client = client
        self.customers: list[str] = []
        self.purchases: list[str] = []
        self.done: Counter[str] = Counter()
        self.failures: list[Any] = []

    async def create(self) -> None:
        async with self.client.service.database.unit_of_work() as tx:
            self.customers.append((await create_customer(tx, NewCustomer(name="Ada"))).id)

    async def buy(self, chance: random.Random) -> None:
        customer, amount = chance.choice(self.customers), chance.randint(10, 40) * 100
        async with self.client.service.database.unit_of_work() as tx:
            bought = NewPurchase(customer_id=customer, currency="EUR", total_minor=amount)
            key = await record_purchase(tx, bought)
        self.purchases.append(key)
        self.done["bought"] += amount

    async def refund(self, chance: random.Random) -> None:
        async with self.client.service.database.unit_of_work() as tx:
            purchase = chance.choice(self.purchases)
            await record_refund(tx, NewRefund(purchase_id=purchase, amount_minor=300))
        self.done["refunded"] += 300

    async def bring(self, chance: random.Random) -> None:
        """Purchases of customers that are known or new, and refunds of purchases of others."""
        total = {"amount": "7.00", "currency": "EUR"}
        rows: list[dict[str, Any]] = [
            {"kind": "purchase", "source": "shop", "reference": f"p{n}", "customerReference": f"c{n % 5}"}
            for n in chance.sample(range(30), 4)
        ]
        rows += [
            {"kind": "purchase", "customer": named("Customer", key)}
            for key in chance.sample(self.customers, 3)
        ]
        rows += [
            {"kind": "refund", "refundOf": named("Interaction", key)}
            for key in chance.sample(self.purchases, 3)
        ]
        rows = [{**row, "total": total} for row in chance.sample(rows, len(rows))]
        report = (await self.client.data(IMPORT, rows=rows))["importInteractions"]
        self.judge(report["errors"] + [row["error"] for row in report["rows"] if row["error"]])
        for row, result in zip(rows, report["rows"], strict=False):
            if result["created"]:
                self.done["bought" if row["kind"] == "purchase" else "refunded"] += 700

    async def merge(self, chance: random.Random) -> None:
        winner, *losers = (named("Customer", key) for key in chance.sample(self.customers, 3))
        self.judge((await self.client.data(MERGE, winner=winner, losers=losers))["mergeCustomers"]["errors"])

    async def erase(self, chance: random.Random) -> None:
        key = named("Customer", chance.choice(self.customers))
        self.judge((await self.client.data(ERASE, id=key))["eraseCustomer"]["errors"])

    def judge(self, errors: list[dict[str, str]]) -> None:
        self.failures += [error for error in errors if error["code"] not in REFUSALS]

    async def act(self, seed: int) -> None:
        chance = random.Random(seed)
        deeds = [self.buy, self.buy, self.buy, self.refund, self.refund, self.bring, self.merge]
        for number in range(ROUNDS):
            if number % 5 == 0:
                await self.create()
            try:
                await (self.erase if chance.random() < 0.03 else chance.choice(deeds))(chance)
            except CrmError as error:
                self.judge([{"code": error.code, "message": error.message}])


def named(kind: str, key: str) -> str:
    return b64encode(f"{kind}:{key}".encode()).decode()


@pytest.mark.parametrize("database_kind", ["postgres"], indirect=True)
async def test_points_follow_the_amounts_whatever_happens_at_once(open_client: Any) -> None:
    client = await open_client("loyalty", handler_budget_ms=20_000)
    await client.data(PROGRAM)
    crowd = Crowd(client)
    for _ in range(8):
        await crowd.create()
    for seed in range(4):
        await crowd.buy(random.Random(seed))
    await gather(*(crowd.act(seed) for seed in range(6)))
    assert crowd.failures == []
    database = client.service.database
    assert await database.fetch("SELECT handler, error FROM crm_delivery") == []
    [sums] = await database.fetch(
        "SELECT (SELECT SUM(total_minor) FROM crm_interaction WHERE kind = 'purchase') AS bought,"
        " (SELECT -SUM(total_minor) FROM crm_interaction WHERE kind = 'refund') AS refunded"
    )
    assert sums == dict(crowd.done)
    [points] = await database.fetch(
        "SELECT (SELECT SUM(balance) FROM loyalty_account) AS balance,"
        " (SELECT SUM(lifetime) FROM loyalty_account) AS lifetime,"
        " (SELECT SUM(points) FROM loyalty_entry) AS entries"
    )
    assert points["lifetime"] == crowd.done["bought"] // 100
    assert points["balance"] == points["entries"] == (crowd.done["bought"] - crowd.done["refunded"]) // 100
    assert not await database.fetch(
        "SELECT a.id FROM loyalty_account a WHERE a.balance <>"
        " (SELECT COALESCE(SUM(e.points), 0) FROM loyalty_entry e WHERE e.account_id = a.id)"
    )
    assert not await database.fetch(
        "SELECT a.id FROM loyalty_account a JOIN crm_customer c ON c.id = a.customer_id"
        " WHERE c.merged_into_id IS NOT NULL OR c.erased_at IS NOT NULL"
    )
