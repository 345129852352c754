"""Rewards over the API: what they cost, who may have them, what is left, and what comes back."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from crm_framework.testing import CrmClient, frozen, run_jobs

from .shop import Shop

NOON = datetime(2026, 5, 13, 12, tzinfo=UTC)
TAKEN = "redemption { id status points code reward { name stock } reservedUntil }"


@pytest.fixture
def shop(client: CrmClient) -> Shop:
    return Shop(client)


async def setting(shop: Shop, points: str = "100", **input: Any) -> tuple[str, str, str]:
    """Programme, a customer with so many points, and a reward."""
    program = await shop.program(pointsPerUnit=1)
    ada = await shop.customer()
    await shop.buy(ada, points)
    return program, ada, await reward(shop, program, **input)


async def reward(shop: Shop, program: str, **input: Any) -> str:
    given = {"program": program, "name": "Cup", "kind": "PRODUCT", "sku": "cup", "costPoints": 60} | input
    return str((await shop.change("createReward", "reward { id }", **given))["reward"]["id"])


async def own_token(shop: Shop, customer: str) -> Shop:
    """The shop as the customer sees it."""
    made = await shop.change("createToken", "secret", name="Own", kind="CUSTOMER", customer=customer)
    return Shop(CrmClient(shop.client.app, shop.client.http, made["secret"]))


async def test_a_reward_is_redeemed_and_reversed(shop: Shop) -> None:
    _, ada, cup = await setting(shop, stock=3, cost={"amount": "2.50", "currency": "EUR"})
    taken = await shop.change("redeemReward", TAKEN, customer=ada, reward=cup, note="For Ada")
    redemption = taken["redemption"]["id"]
    assert taken["redemption"] == {
        "id": redemption,
        "status": "REDEEMED",
        "points": 60,
        "code": None,
        "reward": {"name": "Cup", "stock": 2},
        "reservedUntil": None,
    }
    assert await shop.balance(ada) == 40
    done = await shop.change("fulfilRedemption", "redemption { status version }", redemption=redemption)
    assert done["redemption"] == {"status": "FULFILLED", "version": 2}
    back = await shop.change("reverseRedemption", TAKEN, redemption=redemption)
    assert back["redemption"] | {"id": ""} == {
        "id": "",
        "status": "REVERSED",
        "points": 60,
        "code": None,
        "reward": {"name": "Cup", "stock": 3},
        "reservedUntil": None,
    }
    assert await shop.balance(ada) == 100
    await shop.change("reverseRedemption", TAKEN, redemption=redemption)
    assert await shop.balance(ada) == 100
    refused = await shop.refused("fulfilRedemption", TAKEN, redemption=redemption)
    assert refused == ("REFUSED", ["redemption"], "The redemption is REVERSED, not REDEEMED.")
    rows = await shop.client.service.database.fetch(
        "SELECT type FROM crm_event WHERE type LIKE 'loyalty.reward%' ORDER BY id"
    )
    assert [row["type"] for row in rows] == [
        "loyalty.reward_changed",
        "loyalty.reward_redeemed",
        "loyalty.reward_fulfilled",
        "loyalty.reward_returned",
    ]


@pytest.mark.parametrize(
    ("input", "message"),
    [
        ({"costPoints": 101}, "101 points are asked for, and 100 are there to spend."),
        ({"stock": 0}, "The reward “Cup” is out of stock."),
        ({"validUntil": "2026-05-13T12:00:00Z"}, "The reward “Cup” was offered until 2026-05-13 12:00 UTC."),
        ({"validFrom": "2026-05-14T00:00:00Z"}, "The reward “Cup” is offered from 2026-05-14 00:00 UTC on."),
    ],
)
async def test_a_reward_that_cannot_be_had_is_refused(
    shop: Shop, input: dict[str, Any], message: str
) -> None:
    with frozen(NOON):
        _, ada, cup = await setting(shop, **input)
        code, _, said = await shop.refused("redeemReward", TAKEN, customer=ada, reward=cup)
        assert (code, said) == ("REFUSED", message)
        assert await shop.balance(ada) == 100
        assert await shop.client.service.database.fetch("SELECT id FROM loyalty_redemption") == []


async def test_limits_and_tiers(shop: Shop) -> None:
    program, ada, cup = await setting(shop, costPoints=1, perCustomer=1)
    redemption = (await shop.change("redeemReward", TAKEN, customer=ada, reward=cup))["redemption"]["id"]
    refused = await shop.refused("redeemReward", TAKEN, customer=ada, reward=cup)
    assert refused[2] == "The reward “Cup” can be had 1 times a customer."
    await shop.change("reverseRedemption", TAKEN, redemption=redemption)
    await shop.change("redeemReward", TAKEN, customer=ada, reward=cup)  # what came back does not count
    tier = await shop.change(
        "createTier", "tier { id }", program=program, name="Gold", threshold=1_000, benefits=[]
    )
    gold = await reward(shop, program, name="Gold cup", costPoints=1, tiers=[tier["tier"]["id"]])
    refused = await shop.refused("redeemReward", TAKEN, customer=ada, reward=gold)
    assert refused[2] == "The reward “Gold cup” needs Gold."
    await shop.buy(ada, "1000.00")
    await shop.change("redeemReward", TAKEN, customer=ada, reward=gold)


async def test_a_reservation_is_confirmed_cancelled_or_runs_out(shop: Shop) -> None:
    with frozen(NOON):
        _, ada, cup = await setting(shop, stock=1, holdMinutes=30)
        held = await shop.change("reserveReward", TAKEN, customer=ada, reward=cup)
        first = held["redemption"]["id"]
        assert held["redemption"] | {"id": ""} == {
            "id": "",
            "status": "RESERVED",
            "points": 60,
            "code": None,
            "reward": {"name": "Cup", "stock": 0},
            "reservedUntil": "2026-05-13T12:30:00Z",
        }
        assert await shop.balance(ada) == 40
        await shop.change("cancelReservation", TAKEN, redemption=first)
        assert await shop.balance(ada) == 100
        refused = await shop.refused("confirmReservation", TAKEN, redemption=first)
        assert refused[2] == "The redemption is CANCELLED, not RESERVED."
        second = (await shop.change("reserveReward", TAKEN, customer=ada, reward=cup, minutes=5))[
            "redemption"
        ]["id"]
        confirmed = await shop.change("confirmReservation", TAKEN, redemption=second)
        assert confirmed["redemption"]["status"] == "REDEEMED"
        await shop.change("reverseRedemption", TAKEN, redemption=second)
        third = (await shop.change("reserveReward", TAKEN, customer=ada, reward=cup, minutes=5))[
            "redemption"
        ]["id"]
    late = NOON + timedelta(minutes=5)
    with frozen(late):  # it ran out, though nobody looked yet
        refused = await shop.refused("confirmReservation", TAKEN, redemption=third)
        assert refused[2] == "The reservation ran out at 2026-05-13 12:05 UTC."
    assert "loyalty.release_reservation" in await run_jobs(shop.client, at=late)
    found = await shop.account(ada, "balance redemptions { nodes { status reward { stock } } }")
    assert found == {
        "balance": 100,
        "redemptions": {
            "nodes": [
                {"status": status, "reward": {"stock": 1}} for status in ("EXPIRED", "REVERSED", "CANCELLED")
            ]
        },
    }


async def test_codes_of_a_pool_are_given_out_once(shop: Shop) -> None:
    program, ada, _ = await setting(shop)
    voucher = await reward(
        shop, program, name="Voucher", kind="VOUCHER", sku=None, codes="POOL", costPoints=1
    )
    code, path, _ = await shop.refused(
        "addVoucherCodes", "reward { stock }", reward=voucher, codes=["ABCD", "x"]
    )
    assert (code, path) == ("BAD_INPUT", ["codes", "1"])
    filled = await shop.change(
        "addVoucherCodes", "reward { stock }", reward=voucher, codes=["ABCD", "EFGH", "ABCD"]
    )
    assert filled["reward"] == {"stock": 2}
    filled = await shop.change("addVoucherCodes", "reward { stock }", reward=voucher, codes=["ABCD", "IJKL"])
    assert filled["reward"] == {"stock": 3}
    other = await reward(shop, program, name="Other", kind="VOUCHER", sku=None, codes="POOL")
    code, path, _ = await shop.refused(
        "addVoucherCodes", "reward { stock }", reward=other, codes=["NEW1", "ABCD"]
    )
    assert (code, path) == ("CONFLICT", ["codes", "1"])
    given = []
    for _ in range(3):
        taken = await shop.change("redeemReward", TAKEN, customer=ada, reward=voucher)
        given.append(taken["redemption"]["code"])
    assert sorted(given) == ["ABCD", "EFGH", "IJKL"]
    refused = await shop.refused("redeemReward", TAKEN, customer=ada, reward=voucher)
    assert refused[2] == "The reward “Voucher” is out of stock."
    # a code that was seen is not given out again
    await shop.change("reverseRedemption", TAKEN, redemption=taken["redemption"]["id"])
    await shop.refused("redeemReward", TAKEN, customer=ada, reward=voucher)


async def test_customers_redeem_for_themselves_and_see_their_own_codes_alone(shop: Shop) -> None:
    program, ada, _ = await setting(shop)
    voucher = await reward(
        shop, program, name="Voucher", kind="VOUCHER", sku=None, codes="GENERATED", costPoints=1
    )
    bea = await shop.customer("Bea")
    await shop.buy(bea, "10.00")
    mine, hers = await own_token(shop, ada), await own_token(shop, bea)
    taken = (await mine.change("redeemReward", TAKEN, customer=ada, reward=voucher))["redemption"]
    groups = taken["code"].split("-")
    assert [len(group) for group in groups] == [4, 4, 4, 4]
    again = (await mine.change("redeemReward", TAKEN, customer=ada, reward=voucher))["redemption"]
    assert again["code"] != taken["code"]
    for shop_, customer in ((hers, ada), (mine, bea)):
        kind = "RedeemRewardInput"
        [error] = await shop_.client.errors(
            f"mutation ($i: {kind}!) {{ redeemReward(input: $i) {{ errors {{ code }} }} }}",
            i={"customer": customer, "reward": voucher},
        )
        assert error["extensions"]["code"] == "FORBIDDEN"
    [error] = await hers.client.errors(
        "mutation ($i: RedemptionInput!) { cancelReservation(input: $i) { errors { code } } }",
        i={"redemption": taken["id"]},
    )
    assert error["extensions"]["code"] == "FORBIDDEN"
    seen = await mine.account(ada, "balance redemptions { totalCount nodes { code } }")
    assert seen["redemptions"]["totalCount"] == 2
    assert (await hers.client.data("query ($id: ID!) { node(id: $id) { id } }", id=taken["id"])) == {
        "node": None
    }
    # staff see codes with a permission of their own
    narrow = await shop.client.acting_with("customers.read", "loyalty.read")
    query = "query ($id: ID!) { customer(id: $id) { loyalty { redemptions { nodes { %s } } } } }"
    assert (
        len((await narrow.data(query % "status", id=ada))["customer"]["loyalty"]["redemptions"]["nodes"]) == 2
    )
    [error] = await narrow.errors(query % "code", id=ada)
    assert error["extensions"]["code"] == "FORBIDDEN"
    rows = await shop.client.service.database.fetch("SELECT payload FROM crm_event")
    assert all(taken["code"] not in str(row["payload"]) for row in rows)


async def test_the_same_request_redeems_once(shop: Shop) -> None:
    _, ada, cup = await setting(shop)
    first = await shop.change("redeemReward", TAKEN, customer=ada, reward=cup, idempotencyKey="k")
    again = await shop.change("redeemReward", TAKEN, customer=ada, reward=cup, idempotencyKey="k")
    assert first["redemption"]["id"] == again["redemption"]["id"]
    assert await shop.balance(ada) == 40


DISCOUNT = {"kind": "DISCOUNT", "sku": None}
VOUCHER = {"kind": "VOUCHER", "sku": None}
MAKES_NO_SENSE: list[tuple[dict[str, Any], list[str], str | None]] = [
    ({"name": ""}, ["name"], None),
    ({"costPoints": 0}, ["costPoints"], "0 is out of range."),
    (DISCOUNT, ["value"], "A discount takes off an amount or a percentage."),
    (DISCOUNT | {"percent": 101}, ["percent"], "101 is out of range."),
    (DISCOUNT | {"percent": 0}, ["percent"], "0 is out of range."),
    (DISCOUNT | {"value": {"amount": "0", "currency": "EUR"}}, ["value"], "0 is out of range."),
    (
        DISCOUNT | {"percent": 5, "value": {"amount": "5", "currency": "EUR"}},
        ["percent"],
        "A discount takes off an amount or a percentage, not both.",
    ),
    (DISCOUNT | {"percent": 5, "sku": "cup"}, ["sku"], "Only a product has a SKU; this is a discount."),
    ({"percent": 5}, ["percent"], "Only a discount takes off a percentage; this is a product."),
    (
        VOUCHER | {"codes": "POOL", "value": {"amount": "5", "currency": "EUR"}},
        ["value"],
        "Only a discount takes off an amount; this is a voucher.",
    ),
    ({"sku": None}, ["sku"], "A product has a SKU."),
    ({"sku": "  "}, ["sku"], "A product has a SKU."),
    ({"sku": "x" * 101}, ["sku"], "It has 101 characters; 100 are allowed."),
    ({"description": "x" * 1001}, ["description"], "It has 1001 characters; 1000 are allowed."),
    (VOUCHER, ["codes"], "A voucher has codes."),
    ({"codes": "POOL"}, ["codes"], "Only a voucher has codes; this is a product."),
    (
        VOUCHER | {"codes": "POOL", "stock": 1},
        ["stock"],
        "The stock of a pool is the number of its free codes.",
    ),
    ({"stock": -1}, ["stock"], "-1 is out of range."),
    ({"perCustomer": 0}, ["perCustomer"], "0 is out of range."),
    ({"holdMinutes": 0}, ["holdMinutes"], "0 is out of range."),
    (
        {"validFrom": "2026-05-02T00:00:00Z", "validUntil": "2026-05-01T00:00:00Z"},
        ["validUntil"],
        "It ends before it begins.",
    ),
    ({"cost": {"amount": "1", "currency": "USD"}}, ["cost", "currency"], None),
    ({"cost": {"amount": "-1", "currency": "EUR"}}, ["cost"], "-100 is out of range."),
    ({"tiers": ["x"]}, ["tiers", "0"], None),
]


async def test_a_reward_that_makes_no_sense_is_refused(shop: Shop) -> None:
    program = await shop.program()
    for input, path, message in MAKES_NO_SENSE:
        given = {"program": program, "name": "Cup", "kind": "PRODUCT", "sku": "cup", "costPoints": 60} | input
        code, at, said = await shop.refused("createReward", "reward { id }", **given)
        assert (code, at) == ("BAD_INPUT", path), input
        assert message in (None, said), input
    assert await shop.client.service.database.fetch("SELECT id FROM loyalty_reward") == []
    made = await shop.change(
        "createReward",
        "reward { id }",
        program=program,
        name="V",
        kind="VOUCHER",
        codes="GENERATED",
        costPoints=1,
    )
    refused = await shop.refused(
        "addVoucherCodes", "reward { id }", reward=made["reward"]["id"], codes=["ABCD"]
    )
    assert refused == ("BAD_INPUT", ["reward"], "The reward has no pool of codes.")


async def test_a_reward_changes(shop: Shop) -> None:
    _, ada, cup = await setting(shop)
    changed = await shop.change(
        "updateReward", "reward { version costPoints stock validUntil active }",
        reward=cup, costPoints=50, stock=1, validUntil="2030-01-01T00:00:00Z", expectedVersion=1,
    )  # fmt: skip
    assert changed["reward"] == {
        "version": 2,
        "costPoints": 50,
        "stock": 1,
        "validUntil": "2030-01-01T00:00:00Z",
        "active": True,
    }
    again = await shop.change(
        "updateReward", "reward { version }", reward=cup, validUntil="2030-01-01T00:00:00Z"
    )
    assert again["reward"] == {"version": 2}
    stale = await shop.refused("updateReward", "reward { id }", reward=cup, stock=5, expectedVersion=1)
    assert stale[:2] == ("CONFLICT", ["expectedVersion"])
    await shop.change("updateReward", "reward { id }", reward=cup, active=False)
    refused = await shop.refused("redeemReward", TAKEN, customer=ada, reward=cup)
    assert refused[2] == "The reward “Cup” is not offered any more."


async def test_redemptions_follow_a_merge_and_forget_the_person(shop: Shop) -> None:
    program, ada, cup = await setting(shop, costPoints=10, perCustomer=1)
    twin = await shop.customer("Twin")
    await shop.buy(twin, "50.00")
    await shop.change("redeemReward", TAKEN, customer=twin, reward=cup, note="Likes blue")
    await shop.change("mergeCustomers", "customer { id }", winner=ada, losers=[twin])
    found = await shop.account(ada, "balance redemptions { nodes { note status } }", program)
    assert found == {"balance": 140, "redemptions": {"nodes": [{"note": "Likes blue", "status": "REDEEMED"}]}}
    refused = await shop.refused("redeemReward", TAKEN, customer=ada, reward=cup)
    assert refused[2] == "The reward “Cup” can be had 1 times a customer."
    exported = await shop.change("exportCustomer", "data", id=ada)
    assert [one["reward"] for one in exported["data"]["plugins"]["loyalty"]["redemptions"]] == ["Cup"]
    await shop.change("eraseCustomer", "receipt", id=ada)
    rows = await shop.client.service.database.fetch("SELECT note, points FROM loyalty_redemption")
    assert [(row["note"], row["points"]) for row in rows] == [(None, 10)]


async def test_customers_preview_for_themselves_and_are_not_told_what_staff_noted(shop: Shop) -> None:
    program, ada, _ = await setting(shop)
    bea = await shop.customer("Bea")
    await shop.rule(program, "VIP", points=10, priority=5, conditions={"tagsAny": ["vip"]})
    mine = await own_token(shop, ada)
    query = "query ($i: PreviewEarningInput!) { previewEarning(input: $i) { points passed { because } } }"
    asked = {"program": program, "customer": ada, "total": {"amount": "10", "currency": "EUR"}}
    because = [{"because": "the customer is not tagged vip"}]
    assert (await shop.client.data(query, i=asked))["previewEarning"] == {"points": 10, "passed": because}
    assert (await mine.client.data(query, i=asked))["previewEarning"] == {"points": 10, "passed": []}
    [error] = await mine.client.errors(query, i=asked | {"customer": bea})
    assert error["extensions"]["code"] == "BAD_INPUT"
    rules = "{ loyaltyPrograms { nodes { rules { nodes { name versions { nodes { points %s } } } } } } }"
    assert (await mine.client.data(rules % "per"))["loyaltyPrograms"]["nodes"][0]["rules"]["nodes"]
    [error] = await mine.client.errors(rules % "conditions")
    assert error["extensions"]["code"] == "FORBIDDEN"


async def test_a_reward_says_which_tiers_are_needed(shop: Shop) -> None:
    program, ada, _ = await setting(shop)
    tier = (await shop.change("createTier", "tier { id }", program=program, name="Gold", threshold=500))[
        "tier"
    ]
    await reward(shop, program, name="For gold", costPoints=1, tiers=[tier["id"]])
    for seen in (shop, await own_token(shop, ada)):
        answer = await seen.client.data(
            "{ loyaltyPrograms { nodes { rewards { nodes { name tiers { name } } } } } }"
        )
        assert answer["loyaltyPrograms"]["nodes"][0]["rewards"]["nodes"] == [
            {"name": "For gold", "tiers": [{"name": "Gold"}]},
            {"name": "Cup", "tiers": []},
        ]


async def test_what_is_held_for_somebody_who_is_erased_is_given_back(shop: Shop) -> None:
    _, ada, cup = await setting(shop, stock=1)
    await shop.change("reserveReward", TAKEN, customer=ada, reward=cup)
    await shop.change("eraseCustomer", "receipt", id=ada)
    bob = await shop.customer("Bob")
    await shop.buy(bob, "100")
    taken = await shop.change("redeemReward", TAKEN, customer=bob, reward=cup)
    assert taken["redemption"]["reward"]["stock"] == 0
    verified = await shop.client.data("mutation { verifyLoyalty { differences } }")
    assert verified["verifyLoyalty"]["differences"] == []
