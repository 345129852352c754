"""What a programme says about earning: its rate, its caps and what tiers give, each from a moment on."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from crm_framework.testing import CrmClient, frozen, run_jobs

from .shop import Shop

MAY = datetime(2026, 5, 13, 12, tzinfo=UTC)
PREVIEW = """query ($i: PreviewEarningInput!) { previewEarning(input: $i) { points applied { because }
  passed { because } multipliers { percent tier { name } campaign { name } } } }"""
REPLAY = "query ($id: ID!) { node(id: $id) { ... on LoyaltyEarningReplay { %s } } }"


@pytest.fixture
def shop(client: CrmClient) -> Shop:
    return Shop(client)


async def replayed(shop: Shop, program: str) -> list[dict[str, int]]:
    """What a replay of May finds, and then enters."""
    window = {"fromAt": "2026-05-13T12:30:00Z", "untilAt": "2026-06-01T00:00:00Z"}
    asked = await shop.change("replayEarning", "replay { id }", program=program, **window)
    await run_jobs(shop.client)
    query = REPLAY % "differences { nodes { before after } }"
    found = (await shop.client.data(query, id=asked["replay"]["id"]))["node"]["differences"]["nodes"]
    await shop.change("applyEarningReplay", "replay { id }", replay=asked["replay"]["id"])
    await run_jobs(shop.client)
    proof = await shop.client.data("mutation { verifyLoyalty { differences } }")
    assert proof["verifyLoyalty"] == {"differences": []}
    return list(found)


def at(day: int, hour: int = 13) -> str:
    return f"2026-05-{day}T{hour}:00:00Z"


async def test_another_rate_leaves_the_past_unless_it_is_replayed(shop: Shop) -> None:
    with frozen(MAY):
        program = await shop.program(pointsPerUnit=1)
        ada = await shop.customer()
        await shop.buy(ada, "10.00", occurredAt=at(13, 12))
        await shop.buy(ada, "10.40")
    with frozen(MAY + timedelta(days=1)):
        changed = await shop.change(
            "updateLoyaltyProgram",
            "program { versions { nodes { number pointsPerUnit rounding fromAt untilAt } } }",
            program=program, pointsPerUnit=3, rounding="CEILING",
        )  # fmt: skip
        moment = "2026-05-14T12:00:00Z"
        assert changed["program"]["versions"]["nodes"] == [
            {"number": 2, "pointsPerUnit": 3, "rounding": "CEILING", "fromAt": moment, "untilAt": None},
            {"number": 1, "pointsPerUnit": 1, "rounding": "FLOOR", "fromAt": None, "untilAt": moment},
        ]
        await shop.change("updateLoyaltyProgram", "program { id }", program=program, tierGraceDays=3)
        await shop.buy(ada, "10.40")
        assert await shop.balance(ada) == 10 + 10 + 32
        await shop.buy(ada, "10.40", occurredAt=at(13))  # told late: what was said then counts
        assert await shop.balance(ada) == 10 + 10 + 32 + 10
        found = await replayed(shop, program)
    # what happened before the window stays
    assert found == [{"before": 42, "after": 64}]
    assert await shop.balance(ada) == 10 + 10 + 64


async def test_a_programmes_caps_bound_all_its_rules_together(shop: Shop) -> None:
    with frozen(MAY):
        caps = {"capPerPurchase": 100, "capPerDay": 150, "capPerCustomer": 200}
        program = await shop.program(pointsPerUnit=1, selection="STACKING", **caps)
        await shop.rule(program, "Welcome", trigger="SIGN_UP", points=20)
        await shop.rule(program, "Bonus", points=70)
        ada = await shop.customer()
    with frozen(MAY + timedelta(days=5)):
        for day, hour, balance in ((13, 13, 120), (13, 14, 150), (14, 13, 200), (15, 13, 200)):
            await shop.buy(ada, "500.00", occurredAt=at(day, hour))
            assert await shop.balance(ada) == balance
        shares = await shop.account(ada, "entries { nodes { points reason shares { points because } } }")
        given = [(one["points"], one["shares"]) for one in shares["entries"]["nodes"]]
        assert shares["entries"]["nodes"][0]["reason"] == "200 a customer in “Stars” is reached"
        assert given[2] == (
            30,
            [{"points": 30, "because": "“Bonus”: 70, at most 150 a day in “Stars”"}],
        )
        assert given[3][1] == [
            {"points": 70, "because": "“Bonus”: 70"},
            {
                "points": 30,
                "because": "“Stars”: 1 for each 1.00 of 500.00 EUR, at most 100 a purchase in “Stars”",
            },
        ]
        query = {"program": program, "customer": ada, "total": {"amount": "9", "currency": "EUR"}}
        preview = (await shop.client.data(PREVIEW, i=query))["previewEarning"]
        assert preview["points"] == 0
        assert {"because": "200 a customer in “Stars” is reached"} in preview["passed"]
    with frozen(MAY + timedelta(days=6)):
        none = {"capPerPurchase": 200, "capPerDay": 300, "capPerCustomer": None}
        await shop.change("updateLoyaltyProgram", "program { id }", program=program, **none)
        # the 20 of the welcome are before the window, and count for its first day
        assert await replayed(shop, program) == [{"before": 180, "after": 200 + 80 + 200 + 200}]
    code, path, _ = await shop.refused(
        "createLoyaltyProgram", "program { id }", name="X", currency="EUR", capPerDay=0
    )
    assert (code, path) == ("BAD_INPUT", ["capPerDay"])


async def test_what_is_not_replayed_counts_for_caps_too(shop: Shop) -> None:
    """A sign-up within the window."""
    with frozen(MAY + timedelta(days=1)):
        program = await shop.program(pointsPerUnit=1, capPerCustomer=100)
        await shop.rule(program, "Welcome", trigger="SIGN_UP", points=60)
        ada = await shop.customer()
        await shop.buy(ada, "50.00")
        assert await shop.balance(ada) == 100
        await shop.change("updateLoyaltyProgram", "program { id }", program=program, pointsPerUnit=2)
        assert await replayed(shop, program) == []
        await shop.change("updateLoyaltyProgram", "program { id }", program=program, capPerCustomer=130)
        assert await replayed(shop, program) == [{"before": 40, "after": 70}]


async def test_a_tier_earns_more_from_when_it_is_said(shop: Shop) -> None:
    with frozen(MAY):
        program = await shop.program(pointsPerUnit=1)
        given = {"program": program, "name": "Gold", "threshold": 100, "percent": 150}
        gold = (await shop.change("createTier", "tier { id percent }", **given))["tier"]
        assert gold["percent"] == 150
        ada = await shop.customer()
        await shop.buy(ada, "100.00", occurredAt=at(13, 12))
    with frozen(MAY + timedelta(hours=1)):
        query = {"program": program, "customer": ada, "total": {"amount": "9", "currency": "EUR"}}
        preview = (await shop.client.data(PREVIEW, i=query))["previewEarning"]
        assert preview == {
            "points": 13,
            "applied": [{"because": "“Stars”: 1 for each 1.00 of 9.00 EUR × 1.5 (“Gold”)"}],
            "passed": [],
            "multipliers": [{"percent": 150, "tier": {"name": "Gold"}, "campaign": None}],
        }
        await shop.buy(ada, "9.00")
        assert await shop.balance(ada) == 113
    with frozen(MAY + timedelta(days=1)):
        changed = await shop.change(
            "updateTier", "tier { name percent benefits }", tier=gold["id"], percent=300, benefits=["Tea"]
        )
        assert changed["tier"] == {"name": "Gold", "percent": 300, "benefits": ["Tea"]}
        await shop.buy(ada, "9.00")
        await shop.buy(ada, "9.00", occurredAt=at(13, 14))
        assert await shop.balance(ada) == 113 + 27 + 13
        assert await replayed(shop, program) == [{"before": 53, "after": 81}]
        types = await shop.client.service.database.fetch(
            "SELECT type FROM crm_event WHERE type LIKE 'loyalty.tier_upd%'"
        )
        assert len(types) == 1


async def test_a_tier_that_is_lost_gives_nothing_before_the_job_has_run(shop: Shop) -> None:
    with frozen(MAY):
        program = await shop.program(pointsPerUnit=1)
        given = {"program": program, "name": "Gold", "threshold": 100, "percent": 200}
        gold = (await shop.change("createTier", "tier { id }", **given))["tier"]["id"]
        cup = {"program": program, "name": "Cup", "kind": "PRODUCT", "sku": "cup", "costPoints": 1}
        reward = (await shop.change("createReward", "reward { id }", tiers=[gold], **cup))["reward"]["id"]
        ada, ben = await shop.customer(), await shop.customer("Ben")
        for customer in (ada, ben):
            await shop.buy(customer, "100.00", occurredAt=at(13, 12))
    with frozen(datetime(2027, 12, 31, 23, tzinfo=UTC)):
        await shop.buy(ada, "9.00")
        await shop.change("redeemReward", "redemption { id }", customer=ben, reward=reward)
    with frozen(datetime(2028, 1, 1, 1, tzinfo=UTC)):
        await shop.buy(ada, "9.00")
        assert await shop.balance(ada) == 100 + 18 + 9
        refused = await shop.refused("redeemReward", "redemption { id }", customer=ben, reward=reward)
        assert refused[2] == "The reward “Cup” needs Gold."


async def test_a_replay_says_what_it_takes_as_it_is_now(shop: Shop) -> None:
    with frozen(MAY + timedelta(hours=1)):
        program = await shop.program(pointsPerUnit=1)
        window = {"fromAt": "2026-05-01T00:00:00Z", "untilAt": "2026-06-01T00:00:00Z"}
        asked = await shop.change("replayEarning", "replay { present }", program=program, **window)
        assert asked["replay"] == {"present": []}
        made = await shop.change("createSegment", "segment { id }", name="All", filter={})
        fits = {"tagsAny": ["vip"], "segments": [made["segment"]["id"]]}
        await shop.rule(program, "VIP", points=50, conditions=fits)
        asked = await shop.change("replayEarning", "replay { present }", program=program, **window)
        assert asked["replay"] == {"present": ["segments"]}


@pytest.mark.parametrize(
    ("input", "code", "path"),
    [
        ({"percent": 0}, "BAD_INPUT", ["percent"]),
        ({"name": None}, "BAD_INPUT", ["name"]),
        ({"name": "Silver"}, "CONFLICT", ["name"]),
        ({"benefits": [" "]}, "BAD_INPUT", ["benefits"]),
    ],
)
async def test_a_tier_that_makes_no_sense_is_refused(
    shop: Shop, input: dict[str, Any], code: str, path: list[str]
) -> None:
    program = await shop.program()
    for name, threshold in (("Silver", 1), ("Gold", 2)):
        made = await shop.change("createTier", "tier { id }", program=program, name=name, threshold=threshold)
    assert (await shop.refused("updateTier", "tier { id }", tier=made["tier"]["id"], **input))[:2] == (
        code,
        path,
    )
    rows = await shop.client.service.database.fetch(
        "SELECT name, percent FROM loyalty_tier ORDER BY threshold"
    )
    assert [(row["name"], row["percent"]) for row in rows] == [("Silver", 100), ("Gold", 100)]


async def test_names_are_printable_and_compared_letter_by_letter(shop: Shop) -> None:
    program = await shop.program(name=" Stars ")
    await shop.program(name="stars")
    assert await shop.refused("createLoyaltyProgram", "program { id }", name="Stars", currency="EUR") == (
        "CONFLICT", ["name"], "There is a loyalty programme 'Stars' already.",
    )  # fmt: skip
    for name in ("", " ", "a\u0007b", "x" * 201):
        for made, more in (
            ("createLoyaltyProgram", {"currency": "EUR"}),
            ("createTier", {"program": program, "threshold": 1}),
        ):
            refused = await shop.refused(made, "errors { code }", name=name, **more)
            assert refused == ("BAD_INPUT", ["name"], "A name has 1 to 200 printable characters.")
