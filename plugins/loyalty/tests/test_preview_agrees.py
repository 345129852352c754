"""What a preview says is what a purchase earns, and what a replay would give it: also for the odd ones."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

import pytest

from crm_framework.testing import CrmClient, frozen, run_jobs

from .shop import Shop, key

STEPS = 20
START = datetime(2026, 3, 20, 12, tzinfo=UTC)
"""Clocks are put nine days later where the shops are."""
PREVIEW = """query ($i: PreviewEarningInput!) { previewEarning(input: $i) {
  points unlockAt expiresAt applied { name points because } passed { name because } } }"""


@pytest.fixture
def shop(client: CrmClient) -> Shop:
    return Shop(client)


def eur(amount: str) -> dict[str, str]:
    return {"amount": amount, "currency": "EUR"}


async def programmes(shop: Shop) -> dict[str, str]:
    """By name: one that chooses, one that stacks and bounds, one whose points wait, one that has ended."""
    gold = {"percent": 150, "threshold": 40}
    found = {}
    for name, more in (
        ("Best", {"selection": "HIGHEST_PRIORITY", "pointsPerUnit": 1}),
        (
            "Bounded",
            {
                "selection": "STACKING", "rounding": "HALF_UP", "timeZone": "Europe/Berlin", "capPerDay": 60,
                "capPerPurchase": 45, "capPerCustomer": 400,
            },
        ),
        (
            "Waiting",
            {
                "selection": "STACKING", "rounding": "CEILING", "timeZone": "Australia/Lord_Howe",
                "pendingDays": 3, "expiryMonths": 1, "pointsPerUnit": 2,
            },
        ),
        ("Yen", {"currency": "JPY", "pointsPerUnit": 1}),
        ("Ended", {"pointsPerUnit": 5}),
    ):  # fmt: skip
        program = await shop.program(**{"name": name, **more})
        found[name] = program
        if name in ("Yen", "Ended"):
            continue
        rules: tuple[dict[str, Any], ...] = (
            {"name": "First", "basis": "PER_AMOUNT", "points": 3, "priority": 5, "capPerDay": 25},
            {"name": "Second", "basis": "PER_AMOUNT", "points": 2, "priority": 5, "capPerCause": 11},
            {"name": "Tea", "basis": "PER_ITEM", "points": 4, "conditions": {"categories": ["drinks"]}},
            {"name": "VIP", "points": 7, "priority": 9, "conditions": {"tagsAny": ["vip"]}},
            {"name": "Tens", "basis": "PER_AMOUNT", "points": 1, "per": eur("10"), "wholeSteps": True},
        )
        for rule in rules:
            await shop.rule(program, rule.pop("name"), **rule)
        await shop.change("createTier", "tier { id }", program=program, name="Gold", **gold)
        await shop.change(
            "createLoyaltyCampaign", "campaign { id }", program=program, name="Drinks", percent=130,
            conditions={"weekdays": ["SATURDAY", "SUNDAY"]},
        )  # fmt: skip
    await shop.change("updateLoyaltyProgram", "program { id }", program=found["Ended"], active=False)
    return found


def purchase(random: Random) -> dict[str, Any]:
    """Nothing, a little, discounts that eat it up, much; with lines or without."""
    if random.random() < 0.3:
        return {"total": eur(random.choice(["0", "0.01", "9.99", "10", "33.33", "999.99"]))}
    lines: list[dict[str, Any]] = [
        {
            "sku": random.choice(["tea", "cup"]),
            "category": random.choice([None, "drinks"]),
            "quantity": random.randint(1, 3),
            "amount": eur(f"{random.randint(0, 3000) / 100:.2f}"),
        }
        for _ in range(random.randint(1, 3))
    ]
    total = sum(round(float(line["amount"]["amount"]) * 100) for line in lines)
    if random.random() < 0.4:
        off = random.randint(0, total)
        lines.append({"sku": "off", "category": "drinks", "amount": eur(f"-{off / 100:.2f}")})
    return {"lines": lines}


@pytest.mark.parametrize("seed", [1])
async def test_a_preview_is_what_a_purchase_earns(shop: Shop, seed: int) -> None:
    random = Random(seed)
    with frozen(START):
        named = await programmes(shop)
        people = [await shop.customer("Ada", tags=["vip"]), await shop.customer("Ben")]
    now = START
    for _ in range(STEPS):
        now += random.choice([timedelta(minutes=1), timedelta(hours=5), timedelta(hours=23)])
        with frozen(now):
            at = now + random.choice(
                [timedelta(), timedelta(hours=-1), timedelta(hours=20), timedelta(days=-400)]
            )
            customer, bought = random.choice(people), purchase(random)
            await same(shop, named, customer, {**bought, "at": at.isoformat()})
        await run_jobs(shop.client, at=now, since=now - timedelta(minutes=1))
    with frozen(now):
        ada = people[0]
        yen = {"amount": "500", "currency": "JPY"}
        query = {"program": named["Yen"], "customer": ada, "total": yen}
        preview = (await shop.client.data(PREVIEW, i=query))["previewEarning"]
        await shop.buy(ada, "500", currency="JPY")
        assert await shop.balance(ada, named["Yen"]) == preview["points"] == 500
        [error] = await shop.client.errors(PREVIEW, i=query | {"program": named["Best"]})
        assert "counts EUR, not JPY" in error["message"]
        [error] = await shop.client.errors(PREVIEW, i=query | {"at": "9999-12-31T23:59:00Z"})
        assert "out of range (at input.at)" in error["message"]
        ended = {"program": named["Ended"], "customer": ada, "total": eur("10")}
        passed = (await shop.client.data(PREVIEW, i=ended))["previewEarning"]["passed"]
        assert passed == [{"name": "Ended", "because": "“Ended” was not active then"}]
        # of one that was merged, what the winner would earn
        twin = await shop.customer("Twin")
        await shop.change("mergeCustomers", "customer { id }", winner=ada, losers=[twin])
        both = [
            (
                await shop.client.data(
                    PREVIEW, i={"program": named["Best"], "customer": one, "total": eur("9")}
                )
            )
            for one in (ada, twin)
        ]
        assert both[0] == both[1]
    assert await shop.owed() == []


async def same(shop: Shop, named: Mapping[str, str], customer: str, bought: dict[str, Any]) -> None:
    """Asks each programme, buys, and compares with what each has entered."""
    previews = {}
    for name, program in named.items():
        if name != "Yen":
            query = {"program": program, "customer": customer, **bought}
            previews[name] = (await shop.client.data(PREVIEW, i=query))["previewEarning"]
    given = {key: value for key, value in bought.items() if key != "at"}
    lines = [{k: v for k, v in line.items() if v is not None} for line in given.get("lines", ())]
    made = await shop.change(
        "recordPurchase", "interaction { id }", customer=customer, currency="EUR", occurredAt=bought["at"],
        **({"lines": lines} if lines else given),
    )  # fmt: skip
    rows = await shop.client.service.database.fetch(
        "SELECT p.name, e.points, e.pending, e.id FROM loyalty_entry e"
        " JOIN loyalty_program p ON p.id = e.program_id WHERE e.source_key = ?",
        [f"purchase:{key(made['interaction']['id'], 'Interaction')}"],
    )
    entered = {row["name"]: int(row["points"]) + int(row["pending"]) for row in rows}
    assert {name: entered.get(name, 0) for name in previews} == {
        name: one["points"] for name, one in previews.items()
    }, bought
    if datetime.fromisoformat(bought["at"]) >= START:  # it still earned for what happened before
        assert "Ended" not in entered
    for row in rows:
        preview = previews[row["name"]]
        assert (int(row["pending"]) > 0) is (preview["unlockAt"] is not None), bought
        shares = await shop.client.service.database.fetch(
            "SELECT points, because FROM loyalty_share WHERE entry_id = ? ORDER BY id", [str(row["id"])]
        )
        assert [(int(one["points"]), one["because"]) for one in shares] == [
            (one["points"], one["because"]) for one in preview["applied"]
        ]
