"""A reward that changes: what was redeemed before stays what it was, and cost what it did."""

from datetime import UTC, datetime, timedelta

import pytest

from crm_framework.testing import CrmClient, frozen, run_jobs

from .shop import Shop

MAY = datetime(2026, 5, 13, 12, tzinfo=UTC)
SAYS = "number name costPoints percent sku value { amount } cost { amount } tiers { name }"
TAKEN = f"redemption {{ id points rewardVersion {{ {SAYS} }} }}"


@pytest.fixture
def shop(client: CrmClient) -> Shop:
    return Shop(client)


def euros(amount: str) -> dict[str, str]:
    return {"amount": amount, "currency": "EUR"}


async def test_all_of_a_reward_changes_and_redemptions_keep_what_it_was(shop: Shop) -> None:
    with frozen(MAY):
        program = await shop.program(pointsPerUnit=1, tierPeriod="LIFETIME")
        gold = await shop.change(
            "createTier", "tier { id }", program=program, name="Gold", threshold=100, benefits=[]
        )
        ada = await shop.customer()
        await shop.buy(ada, "90.00")
        made = await shop.change(
            "createReward", "reward { id }",
            program=program, name="Ten off", kind="DISCOUNT", percent=10, costPoints=20, cost=euros("1.00"),
        )  # fmt: skip
        reward = made["reward"]["id"]
        first = await shop.change("redeemReward", TAKEN, customer=ada, reward=reward)
        before = {
            "number": 1, "name": "Ten off", "costPoints": 20, "percent": 10, "sku": None, "value": None,
            "cost": {"amount": "1.00"}, "tiers": [],
        }  # fmt: skip
        assert first["redemption"]["rewardVersion"] == before
    with frozen(MAY + timedelta(days=1)):
        change = {
            "reward": reward, "name": "Five off", "value": euros("5.00"), "cost": euros("2.50"),
            "costPoints": 30, "tiers": [gold["tier"]["id"]], "expectedVersion": 1,
        }  # fmt: skip
        changed = await shop.change(
            "updateReward",
            f"""reward {{ version name percent value {{ amount }} cost {{ amount }} tiers {{ name }}
            versions {{ nodes {{ fromAt untilAt {SAYS} }} }} }}""",
            **change,
        )
        after = before | {
            "number": 2, "name": "Five off", "costPoints": 30, "percent": None, "value": {"amount": "5.00"},
            "cost": {"amount": "2.50"}, "tiers": [{"name": "Gold"}],
        }  # fmt: skip
        noon, next_noon = "2026-05-13T12:00:00Z", "2026-05-14T12:00:00Z"
        assert changed["reward"] == {
            "version": 2, "name": "Five off", "percent": None, "value": {"amount": "5.00"},
            "cost": {"amount": "2.50"}, "tiers": [{"name": "Gold"}],
            "versions": {
                "nodes": [
                    {"fromAt": next_noon, "untilAt": None} | after,
                    {"fromAt": noon, "untilAt": next_noon} | before,
                ]
            },
        }  # fmt: skip
        assert (await shop.refused("redeemReward", TAKEN, customer=ada, reward=reward))[0] == "REFUSED"
        await shop.buy(ada, "10.00")
        second = await shop.change("redeemReward", TAKEN, customer=ada, reward=reward)
        assert second["redemption"]["rewardVersion"] == after
        # a change of the stock, which is no version, or none at all, and the first one is what it was
        await shop.change("updateReward", "reward { id }", reward=reward, stock=5)
        await shop.change("updateReward", "reward { id }", reward=reward, costPoints=30, percent=None)
        told = await shop.client.data(
            "query ($id: ID!) { node(id: $id) { ... on LoyaltyRedemption { points"
            f" rewardVersion {{ {SAYS} }} reward {{ version versions {{ totalCount }} }} }} }} }}",
            id=first["redemption"]["id"],
        )
        assert told["node"] == {
            "points": 20, "rewardVersion": before, "reward": {"version": 3, "versions": {"totalCount": 2}},
        }  # fmt: skip
        await shop.change("reverseRedemption", "redemption { id }", redemption=first["redemption"]["id"])
        assert await shop.balance(ada) == 70
    await run_jobs(shop.client)


@pytest.mark.parametrize(
    ("kind", "more", "change", "path"),
    [
        ("DISCOUNT", {"percent": 10}, {"percent": None}, ["value"]),
        ("DISCOUNT", {"percent": 10}, {"percent": 5, "value": euros("5.00")}, None),
        (
            "DISCOUNT",
            {"percent": 10},
            {"value": {"amount": "5.00", "currency": "USD"}},
            ["value", "currency"],
        ),
        ("DISCOUNT", {"percent": 10}, {"percent": 101}, ["percent"]),
        ("PRODUCT", {"sku": "cup"}, {"sku": None}, ["sku"]),
        ("PRODUCT", {"sku": "cup"}, {"tiers": ["TG95YWx0eVRpZXI6eA=="]}, ["tiers", "0"]),
        (
            "PRODUCT",
            {"sku": "cup", "validFrom": "2026-05-01T00:00:00Z"},
            {"validUntil": "2026-04-01T00:00:00Z"},
            ["validUntil"],
        ),
    ],
)
async def test_what_a_reward_cannot_become_is_refused(
    shop: Shop, kind: str, more: dict[str, object], change: dict[str, object], path: list[str] | None
) -> None:
    program = await shop.program()
    given = {"program": program, "name": "Cup", "kind": kind, "costPoints": 60} | more
    reward = (await shop.change("createReward", "reward { id }", **given))["reward"]["id"]
    code, where, _ = await shop.refused("updateReward", "reward { id }", reward=reward, **change)
    assert (code, where) == ("BAD_INPUT", path or where)
    seen = await shop.client.data(
        "query ($id: ID!) { node(id: $id) { ... on LoyaltyReward { version versions { totalCount } } } }",
        id=reward,
    )
    assert seen["node"] == {"version": 1, "versions": {"totalCount": 1}}
