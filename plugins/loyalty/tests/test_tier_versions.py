"""Tiers and programmes that change: what was reached and lost, and what earned, stays as it was."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from crm_framework.testing import CrmClient, frozen, run_jobs

from .shop import Shop

MAY = datetime(2026, 5, 13, 12, tzinfo=UTC)
SEEN = """tier { name benefits nextTier pointsToNext until } tierHistory { nodes { at tier { name } } }
  asOf(at: "%s") { tier { name benefits nextTier pointsToNext } }"""


@pytest.fixture
def shop(client: CrmClient) -> Shop:
    return Shop(client)


async def tier(shop: Shop, program: str, name: str, threshold: int, **input: Any) -> str:
    given = {"program": program, "name": name, "threshold": threshold, "benefits": []} | input
    return str((await shop.change("createTier", "tier { id }", **given))["tier"]["id"])


async def proved(shop: Shop) -> None:
    await run_jobs(shop.client)
    proof = await shop.client.data("mutation { verifyLoyalty { differences } }")
    assert proof["verifyLoyalty"] == {"differences": []}


async def test_another_threshold_leaves_what_was_reached(shop: Shop) -> None:
    with frozen(MAY):
        program = await shop.program(pointsPerUnit=1, tierPeriod="LIFETIME", tierGraceDays=5)
        silver = await tier(shop, program, "Silver", 10, benefits=["a smile"])
        gold = await tier(shop, program, "Gold", 50)
        ada, ben = await shop.customer(), await shop.customer("Ben")
        await shop.buy(ada, "30.00")
        await shop.buy(ben, "12.00")
        await proved(shop)
    day = MAY + timedelta(days=1)
    with frozen(day):
        changed = await shop.change(
            "updateTier",
            "tier { version versions { nodes { number threshold benefits fromAt untilAt } } }",
            tier=silver, threshold=20, benefits=["a cake"], expectedVersion=1,
        )  # fmt: skip
        assert changed["tier"] == {
            "version": 2,
            "versions": {
                "nodes": [
                    {
                        "number": 2,
                        "threshold": 20,
                        "benefits": ["a cake"],
                        "fromAt": "2026-05-14T12:00:00Z",
                        "untilAt": None,
                    },
                    {
                        "number": 1,
                        "threshold": 10,
                        "benefits": ["a smile"],
                        "fromAt": None,
                        "untilAt": "2026-05-14T12:00:00Z",
                    },
                ]
            },
        }
        stale = await shop.refused("updateTier", "tier { id }", tier=silver, threshold=5, expectedVersion=1)
        assert stale[:2] == ("CONFLICT", ["expectedVersion"])
        taken = await shop.refused("updateTier", "tier { id }", tier=silver, threshold=50)
        assert taken == ("CONFLICT", ["threshold"], "The programme has the tier 'Gold' from 50 on.")
        await shop.change("updateTier", "tier { id }", tier=gold, threshold=25)
        await proved(shop)
        before = (day - timedelta(hours=1)).isoformat()
        assert await shop.account(ada, SEEN % before) == {
            "tier": {"name": "Gold", "benefits": [], "nextTier": None, "pointsToNext": None, "until": None},
            "tierHistory": {
                "nodes": [
                    {"at": "2026-05-14T12:00:00Z", "tier": {"name": "Gold"}},
                    {"at": "2026-05-13T12:00:00Z", "tier": {"name": "Silver"}},
                ]
            },
            "asOf": {
                "tier": {"name": "Silver", "benefits": ["a smile"], "nextTier": "Gold", "pointsToNext": 20}
            },
        }
        # who has earned less than it takes now keeps it until the grace period is over
        assert (await shop.account(ben, SEEN % before))["tier"] == {
            "name": "Silver", "benefits": ["a cake"], "nextTier": "Gold", "pointsToNext": 13,
            "until": "2026-05-19T12:00:00Z",
        }  # fmt: skip
    with frozen(day + timedelta(days=6)):
        found = await shop.account(ben, SEEN % before)
        assert (found["tier"]["name"], found["asOf"]["tier"]["name"]) == (None, "Silver")
        await shop.buy(ben, "1.00")
        await proved(shop)
        history = (await shop.account(ben, "tierHistory { nodes { at tier { name } } }"))["tierHistory"]
        assert history["nodes"] == [
            {"at": "2026-05-19T12:00:00Z", "tier": None},
            {"at": "2026-05-13T12:00:00Z", "tier": {"name": "Silver"}},
        ]


async def test_other_rules_of_a_programme_and_a_tier_from_a_day_on_leave_the_past(shop: Shop) -> None:
    with frozen(MAY):
        program = await shop.program(pointsPerUnit=2, tierPeriod="LIFETIME")
        await tier(shop, program, "Silver", 1_000)
        ada = await shop.customer()
        await shop.buy(ada, "600.00")
        for odd in ("0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z"):
            given = {"program": program, "name": "Odd", "threshold": 5, "fromAt": odd}
            assert (await shop.refused("createTier", "tier { id }", **given))[:2] == ("BAD_INPUT", ["fromAt"])
        gold = await tier(shop, program, "Gold", 1_150, fromAt="2026-05-20T00:00:00Z")
        # a change of one that is to begin later does not have it begin now
        await shop.change("updateTier", "tier { id }", tier=gold, threshold=1_100)
        await proved(shop)
        assert (await shop.account(ada, "tier { name nextTier }"))["tier"] == {
            "name": "Silver",
            "nextTier": None,
        }
    with frozen(MAY + timedelta(days=10)):
        await run_jobs(shop.client)
        await shop.buy(ada, "1.00")
        await proved(shop)
        seen = await shop.account(ada, SEEN % MAY.isoformat())
        assert (seen["tier"]["name"], seen["asOf"]["tier"]["name"]) == ("Gold", "Silver")
        assert [one["at"] for one in seen["tierHistory"]["nodes"]] == [
            "2026-05-20T00:00:00Z",
            "2026-05-13T12:00:00Z",
        ]
        # 60,100 cents are more than either takes, and what counted before stays what it was
        await shop.change("updateLoyaltyProgram", "program { id }", program=program, tierBasis="SPEND")
        await proved(shop)
        assert await shop.account(ada, SEEN % MAY.isoformat()) == seen


async def test_a_programme_knows_when_it_was_active(shop: Shop) -> None:
    with frozen(MAY):
        program = await shop.program(pointsPerUnit=1)
        ada = await shop.customer()
        await shop.buy(ada, "10.00")
    with frozen(MAY + timedelta(days=1)):
        ended = await shop.change(
            "updateLoyaltyProgram", "program { active versions { nodes { active fromAt } } }",
            program=program, active=False,
        )  # fmt: skip
        assert ended["program"] == {
            "active": False,
            "versions": {
                "nodes": [
                    {"active": False, "fromAt": "2026-05-14T12:00:00Z"},
                    {"active": True, "fromAt": None},
                ]
            },
        }
        await shop.buy(ada, "20.00")
        await shop.buy(ada, "5.00", occurredAt="2026-05-14T11:00:00Z")  # told late
        assert await shop.balance(ada) == 15
        preview = await shop.client.data(
            """query ($p: ID!, $c: ID!) { previewEarning(input: {program: $p, customer: $c,
            total: {amount: "9", currency: "EUR"}}) { points passed { because } } }""",
            p=program,
            c=ada,
        )
        assert preview["previewEarning"] == {
            "points": 0,
            "passed": [{"because": "“Stars” was not active then"}],
        }
    with frozen(MAY + timedelta(days=2)):
        await shop.change(
            "updateLoyaltyProgram", "program { id }", program=program, active=True, pointsPerUnit=2
        )
        await shop.buy(ada, "20.00", occurredAt="2026-05-15T11:00:00Z")  # it was not active then
        await shop.buy(ada, "30.00")
        assert await shop.balance(ada) == 75
        window = {"fromAt": "2026-05-01T00:00:00Z", "untilAt": "2026-06-01T00:00:00Z"}
        asked = await shop.change("replayEarning", "replay { id }", program=program, **window)
        await run_jobs(shop.client)
        await shop.change("applyEarningReplay", "replay { id }", replay=asked["replay"]["id"])
        await proved(shop)
        assert await shop.balance(ada) == 90  # two points for what was bought while it was active
