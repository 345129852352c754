"""Replays of changed rules: what would differ first, then entries that correct it."""

from datetime import UTC, datetime
from typing import Any

import pytest

from crm_framework.testing import CrmClient, frozen, run_jobs

from .shop import Shop

STATE = "replay { id status causes points differences { nodes { before after corrected } } }"


@pytest.fixture
def shop(client: CrmClient) -> Shop:
    return Shop(client)


def eur(amount: str) -> dict[str, str]:
    return {"amount": amount, "currency": "EUR"}


async def replay(shop: Shop, program: str) -> dict[str, Any]:
    """A replay of May 2026, compared."""
    asked = await shop.change(
        "replayEarning", STATE, program=program, fromAt="2026-05-01T00:00:00Z", untilAt="2026-06-01T00:00:00Z"
    )  # fmt: skip
    assert asked["replay"]["status"] == "COMPARING"
    refused = await shop.refused("applyEarningReplay", STATE, replay=asked["replay"]["id"])
    assert refused == ("REFUSED", ["replay"], "The replay is not compared yet.")
    await run_jobs(shop.client)
    return await state(shop, asked["replay"]["id"])


async def state(shop: Shop, id: str) -> dict[str, Any]:
    query = "query ($id: ID!) { node(id: $id) { ... on LoyaltyEarningReplay { id status causes points"
    query += " differences { nodes { before after corrected } } } } }"
    found: dict[str, Any] = (await shop.client.data(query, id=id))["node"]
    return found


async def apply(shop: Shop, id: str) -> dict[str, Any]:
    await shop.change("applyEarningReplay", STATE, replay=id)
    await run_jobs(shop.client)
    return await state(shop, id)


async def proved(shop: Shop) -> None:
    """The ledger is what its entries come to."""
    answer = await shop.client.data("mutation { verifyLoyalty { differences errors { message } } }")
    assert answer["verifyLoyalty"] == {"differences": [], "errors": []}
    assert await shop.owed() == []


async def test_a_changed_rule_is_compared_and_then_corrected(shop: Shop) -> None:
    program = await shop.program()
    rule = await shop.rule(program, "Euro", basis="PER_AMOUNT", points=1)
    ada, bea = await shop.customer("Ada"), await shop.customer("Bea")
    await shop.buy(ada, "10.00", occurredAt="2026-05-01T10:00:00Z")
    half = await shop.buy(ada, "20.00", occurredAt="2026-05-02T10:00:00Z")
    await shop.refund(half, "10.00")
    await shop.buy(bea, "7.00", occurredAt="2026-05-03T10:00:00Z")
    await shop.buy(bea, "1.00", occurredAt="2026-06-01T00:00:00Z")  # not in the window
    await shop.change("updateEarningRule", "rule { id }", rule=rule, points=3)
    compared = await replay(shop, program)
    assert compared == {
        "id": compared["id"],
        "status": "COMPARED",
        "causes": 3,
        "points": 54,
        "differences": {
            "nodes": [
                {"before": 20, "after": 60, "corrected": False},
                {"before": 7, "after": 21, "corrected": False},
            ]
        },
    }
    assert (await shop.balance(ada), await shop.balance(bea)) == (20, 8)  # nothing has changed
    corrected = await apply(shop, compared["id"])
    assert corrected["status"] == "CORRECTED"
    assert [one["corrected"] for one in corrected["differences"]["nodes"]] == [True, True]
    assert (await shop.balance(ada), await shop.balance(bea)) == (60, 22)
    entries = await shop.account(bea, "entries { nodes { kind points reason corrects { points } } }")
    assert [entry for entry in entries["entries"]["nodes"] if entry["corrects"]] == [
        {
            "kind": "EARNED",
            "points": 14,
            "reason": "Replay: “Euro”: 3 for each 1.00 of 7.00 EUR (rounded: floor)",
            "corrects": {"points": 7},
        }
    ]
    # refunds later take their part of what it is now
    await shop.refund(half, "10.00")
    assert await shop.balance(ada) == 30
    again = await replay(shop, program)
    assert (again["points"], again["differences"]["nodes"]) == (0, [])
    await proved(shop)


async def test_a_rule_that_has_ended_takes_its_points_back(shop: Shop) -> None:
    program = await shop.program()
    rule = await shop.rule(program, "Euro", basis="PER_AMOUNT", points=1)
    ada = await shop.customer()
    await shop.buy(ada, "10.00", occurredAt="2026-05-01T10:00:00Z")
    await shop.change(
        "adjustPoints", "account { id }", program=program, customer=ada, points=-4, reason="Spent"
    )
    await shop.change("endEarningRule", "rule { id }", rule=rule)
    compared = await replay(shop, program)
    assert compared["differences"]["nodes"] == [{"before": 10, "after": 0, "corrected": False}]
    await apply(shop, compared["id"])
    assert await shop.account(ada, "balance deficit") == {"balance": -4, "deficit": 4}
    shares = await shop.account(ada, "entries { nodes { shares { points } } }")
    assert sorted(s["points"] for e in shares["entries"]["nodes"] for s in e["shares"]) == [-10, 10]
    await proved(shop)


async def test_purchases_before_the_programme_are_entered_with_a_replay(shop: Shop) -> None:
    ada = await shop.customer()
    bought = await shop.buy(ada, "10.00", occurredAt="2026-05-01T10:00:00Z")
    program = await shop.program(pointsPerUnit=1)
    assert await shop.account(ada) is None
    compared = await replay(shop, program)
    assert (compared["causes"], compared["points"]) == (1, 10)
    await apply(shop, compared["id"])
    assert await shop.balance(ada) == 10
    await shop.refund(bought, "10.00")
    assert await shop.balance(ada) == 0
    await proved(shop)


async def test_caps_hold_in_a_replay_and_go_by_what_was_before(shop: Shop) -> None:
    program = await shop.program()
    rule = await shop.rule(program, "Euro", basis="PER_AMOUNT", points=1, capPerCustomer=50, capPerDay=30)
    ada = await shop.customer()
    for day in ("2026-04-30", "2026-05-01", "2026-05-01", "2026-05-02"):
        await shop.buy(ada, "20.00", occurredAt=f"{day}T10:00:00Z")
    assert await shop.balance(ada) == 50
    await shop.change("updateEarningRule", "rule { id }", rule=rule, capPerCustomer=100, capPerDay=25)
    compared = await replay(shop, program)
    # April's 20 stay; 20 + 5 on the first, 20 on the second
    assert compared["differences"]["nodes"] == [{"before": 30, "after": 45, "corrected": False}]
    await apply(shop, compared["id"])
    assert await shop.balance(ada) == 65
    await proved(shop)


async def test_a_replay_goes_by_what_the_customer_was_then(shop: Shop) -> None:
    program = await shop.program(selection="STACKING")
    await shop.change("defineAttribute", "attributeDefinition { id }", name="age", type="NUMBER")
    vip = await shop.rule(program, "VIP", points=10, conditions={"tagsAny": ["vip"]})
    adult = await shop.rule(
        program, "Adult", points=1, conditions={"attributes": [{"name": "age", "gte": 18}]}
    )
    segment = await shop.change(
        "createSegment", "segment { id }", name="Rome", filter={"city": {"eq": "Rome"}}
    )
    romans = {"segments": [segment["segment"]["id"]], "channels": ["shop"]}
    await shop.rule(program, "Romans", points=100, conditions=romans)
    with frozen(datetime(2026, 5, 1, tzinfo=UTC)):
        ada = await shop.customer("Ada", tags=["vip"], attributes={"age": 17})
        ben = await shop.customer("Ben")
    days = ("2026-04-30", "2026-05-02", "2026-05-11", "2026-05-21")  # the first is before the records
    for day in days:
        with frozen(datetime.fromisoformat(f"{day}T12:00:00Z")):
            if day == "2026-05-11":
                await shop.change("updateCustomer", "customer { id }", id=ada, attributes={"age": 18})
                await shop.change("tagCustomers", "customers { id }", customers=[ada], remove=["vip"])
                await shop.change("tagCustomers", "customers { id }", customers=[ben], add=["vip"])
            for customer in (ada, ben):
                await shop.buy(customer, "1.00", **({"channel": "shop"} if day == "2026-05-21" else {}))
    assert (await shop.balance(ada), await shop.balance(ben)) == (22, 20)
    await shop.change("tagCustomers", "customers { id }", customers=[ada, ben], remove=["vip"])
    await shop.change("updateCustomer", "customer { id }", id=ada, city="Rome", attributes={"age": None})
    for rule, points in ((vip, 20), (adult, 2)):
        await shop.change("updateEarningRule", "rule { id }", rule=rule, points=points)
    asked = await shop.change(
        "replayEarning", "replay { id }", program=program, fromAt="0001-01-01T00:00:00Z",
        untilAt="2026-06-01T00:00:00Z",
    )  # fmt: skip
    await run_jobs(shop.client)
    query = "query ($id: ID!) { node(id: $id) { ... on LoyaltyEarningReplay { present causes bySegments"
    query += " differences { nodes { before after bySegments } } } } }"
    found = (await shop.client.data(query, id=asked["replay"]["id"]))["node"]
    assert found == {
        "present": ["segments"],
        "causes": 8,
        "bySegments": 2,
        "differences": {
            "nodes": [
                # 2 × 20 before, 2 × 2 after, and 100, as Ada lives in Rome by now
                {"before": 22, "after": 144, "bySegments": 1},
                {"before": 20, "after": 40, "bySegments": 1},
            ]
        },
    }


async def test_a_window_that_makes_no_sense_is_refused(shop: Shop) -> None:
    program = await shop.program()
    refused = await shop.refused(
        "replayEarning", STATE, program=program, fromAt="2026-05-01T00:00:00Z", untilAt="2026-05-01T00:00:00Z"
    )  # fmt: skip
    assert refused == ("BAD_INPUT", ["untilAt"], "It ends before it begins.")
