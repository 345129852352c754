"""A limited reward, redeemed by several processes at the same moment."""

import asyncio
import json
import sys
from asyncio.subprocess import PIPE

import pytest

from crm_framework.testing import CrmClient
from plugins.loyalty.tests.shop import Shop, key

PROCESSES, TIMES = 4, 12


@pytest.fixture
def crm_plugins() -> tuple[str, ...]:
    return ("loyalty",)


async def clerks(client: CrmClient, reward: str, customers: list[str]) -> list[str]:
    """Keys of all redemptions that succeeded in all processes."""

    people = ",".join(key(one) for one in customers)
    url = client.service.settings.database_url
    command = ["-m", "tests.durability.counter", url, key(reward, "LoyaltyReward"), people, str(TIMES)]

    async def clerk() -> list[str]:
        process = await asyncio.create_subprocess_exec(sys.executable, *command, stdout=PIPE)
        out, _ = await process.communicate()
        assert process.returncode == 0
        found: list[str] = json.loads(out)
        return found

    return [one for each in await asyncio.gather(*(clerk() for _ in range(PROCESSES))) for one in each]


async def setting(client: CrmClient, points: str, **reward: object) -> tuple[Shop, list[str], str]:
    shop = Shop(client)
    program = await shop.program(pointsPerUnit=1)
    customers = [await shop.customer(f"C{number}") for number in range(3)]
    for customer in customers:
        await shop.buy(customer, points)
    given = {"program": program, "name": "Cup", "kind": "PRODUCT", "sku": "cup", "costPoints": 10} | reward
    made = await shop.change("createReward", "reward { id }", **given)
    return shop, customers, made["reward"]["id"]


async def test_no_more_is_given_out_than_there_is(client: CrmClient) -> None:
    codes = [f"CODE{number:04}" for number in range(17)]
    shop, customers, reward = await setting(client, "1000.00", kind="VOUCHER", sku=None, codes="POOL")
    await shop.change("addVoucherCodes", "reward { stock }", reward=reward, codes=codes)
    made = await clerks(client, reward, customers)
    assert len(made) == 17
    rows = await client.service.database.fetch(
        "SELECT code, redemption_id FROM loyalty_voucher_code WHERE redemption_id IS NOT NULL"
    )
    assert sorted(row["code"] for row in rows) == codes
    assert {str(row["redemption_id"]) for row in rows} == set(made)
    assert sum([await shop.balance(one) for one in customers]) == 3_000 - 170


async def test_nobody_has_more_than_the_limit_or_spends_more_than_there_is(client: CrmClient) -> None:
    shop, customers, reward = await setting(client, "55.00", perCustomer=4)
    made = await clerks(client, reward, customers)
    assert len(made) == 12
    assert [await shop.balance(one) for one in customers] == [15, 15, 15]
