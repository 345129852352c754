"""Who stays, by hand: retention, churn, cohorts and RFM, also of segments as they were."""

import json
from datetime import date, datetime, timedelta

import pytest
from crm_analytics.rollups import membership, quintiles
from crm_analytics.segments import freezing
from crm_analytics.segments.graphql import NOT_FROZEN

from crm_framework.testing import run_jobs

from .shop import PARTS, Shop, people


@pytest.mark.parametrize(("first", "last"), [("2024-01-01", "2024-01-31"), ("2024-01-02", "2024-01-31")])
async def test_retention_and_churn_from_months_and_from_days(shop: Shop, first: str, last: str) -> None:
    keys = await people(shop)
    await shop.tag(keys["Ada"], "vip")
    await shop.tag(keys["Ben"], "vip", "odd")
    found = await shop.ask(
        f"retention(groupBy: {{by: TAG}}) {{ {PARTS} definition groups {{ label value n }} }} churn {{"
        f" {PARTS} }}"
        " repeatPurchaseRate { value n }"
        " gaps: retention(inactivity: {gaps: 2}) { n } days: retention(inactivity: {days: 30}) { value n }",
        first,
        last,
    )
    assert found["retention"]["value"] == 50.0
    assert found["retention"]["definition"].endswith("Inactive is: no purchase for 12 months.")
    assert found["retention"]["groups"] == [
        {"label": "odd", "value": 0.0, "n": 1},
        {"label": "vip", "value": 50.0, "n": 2},
    ]
    assert (found["churn"]["value"], found["churn"]["n"]) == (50.0, 2)
    assert found["repeatPurchaseRate"] == {"value": pytest.approx(100 / 3), "n": 3}
    assert found["gaps"] == {"n": 0}
    assert found["days"] == {"value": 0.0, "n": 1}


async def test_cohorts_with_and_without_a_filter(shop: Shop) -> None:
    keys = await people(shop)
    await shop.buy(keys["Dee"], "2024-03-01")
    select = "cohorts(periods: 3) { rows { month size periods { label value n } unbounded { value } } csv }"
    expected = [
        {
            "month": "2024-01-01", "size": 1,
            "periods": [
                {"label": "0", "value": 100.0, "n": 1},
                {"label": "1", "value": 0.0, "n": 1},
                {"label": "2", "value": 100.0, "n": 1},
                {"label": "3", "value": 0.0, "n": 1},
            ],
            "unbounded": [{"value": 100.0}, {"value": 100.0}, {"value": 100.0}, {"value": 0.0}],
        }
    ]  # fmt: skip
    for more in ("", ', filter: {name: {in: ["Dee", "Ben"]}}'):
        found = (await shop.ask(select, more=more))["cohorts"]
        assert found["rows"] == expected
        assert found["csv"].splitlines()[1] == "2024-01-01,1,0,1,100.0,1,100.0"
    signed_up = (await shop.ask("cohorts(basis: SIGN_UP) { rows { size } }", "2024-01-01", "2033-01-01"))[
        "cohorts"
    ]
    assert signed_up["rows"] == [{"size": 5}]


async def test_rfm_by_hand(shop: Shop) -> None:
    # five customers, each better than the one before in everything
    for number in range(1, 6):
        one = await shop.customer(f"C{number}")
        for _ in range(number):
            await shop.buy(one, f"2024-01-0{number}", 1000)
    [found] = (
        await shop.ask(
            "rfm { currency customers cells { recency frequency monetary customers segment } csv }"
        )
    )["rfm"]
    assert (found["currency"], found["customers"]) == ("EUR", 5)
    assert [(one["recency"], one["frequency"], one["monetary"]) for one in found["cells"]] == [
        (n, n, n) for n in (5, 4, 3, 2, 1)
    ]
    assert found["cells"][0]["segment"] == "champion"
    assert len(found["csv"].splitlines()) == 6
    async with shop.client.service.database.unit_of_work() as tx:
        await quintiles.refresh(tx)
    each = await shop.client.data(
        '{ customers(filter: {rfmSegment: {eq: "champion"}, clvMinor: {gte: 3000}}) { nodes { name metrics {'
        " rfm { recency frequency monetary segment currency } clv { amount currency } mainCurrency } } } }"
    )
    assert [node["name"] for node in each["customers"]["nodes"]] == ["C4", "C5"]
    assert each["customers"]["nodes"][1]["metrics"] == {
        "rfm": {"recency": 5, "frequency": 5, "monetary": 5, "segment": "champion", "currency": "EUR"},
        "clv": {"amount": "50.00", "currency": "EUR"},
        "mainCurrency": "EUR",
    }


async def test_retention_by_segment_goes_by_its_members_when_the_window_began(shop: Shop) -> None:
    keys = await people(shop)
    await shop.tag(keys["Ada"], "vip")
    made = await shop.client.data(
        'mutation { createSegment(input: {name: "VIP", filter: {tags: {any: ["vip"]}}}) { segment { id } } }'
    )
    segment = made["createSegment"]["segment"]["id"]
    select = f'retentionBySegment(segments: ["{segment}"]) {{ value groups {{ label value n reason }} }}'
    [group] = (await shop.ask(select))["retentionBySegment"]["groups"]
    assert (group["value"], group["reason"]) == (None, NOT_FROZEN)
    for _ in range(2):
        frozen = await shop.client.data(
            f'mutation {{ freezeSegments(input: {{segments: ["{segment}"]}}) {{'
            " members errors { message } } }"
        )
        assert frozen["freezeSegments"] == {"members": 1, "errors": []}
    async with shop.client.service.database.unit_of_work() as tx:
        for table in ("membership", "freeze"):
            await tx.execute(f"UPDATE analytics_{table} SET day = ?", [date(2023, 12, 31)])
        await membership.recount(keys.values(), tx)
    await shop.tag(keys["Ben"], "vip")  # too late for January
    found = (await shop.ask(select))["retentionBySegment"]
    assert (found["value"], found["groups"][0]["value"], found["groups"][0]["n"]) == (50.0, 100.0, 1)


async def test_segments_are_kept_each_month_without_anybody_calling(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In batches of one customer, one of whom came later than the first."""
    monkeypatch.setattr(freezing, "CUSTOMERS", 1)
    keys = await people(shop)
    ids = []
    for tag in ("vip", "none"):
        made = await shop.client.data(
            f'mutation {{ createSegment(input: {{name: "{tag}", filter: {{tags: {{any: ["{tag}"]}}}}}}) {{'
            " segment { id } } }"
        )
        ids.append(made["createSegment"]["segment"]["id"])
    kept = "SELECT day, customer_id FROM analytics_membership ORDER BY day, customer_id"
    fetch = shop.client.service.database.fetch

    async def night(day: str) -> int:
        """How many batches it took."""
        at = datetime.fromisoformat(f"{day}T00:20:00+00:00")
        ran = await run_jobs(shop.client, at=at, since=at - timedelta(minutes=10))
        return ran.count("analytics.freeze")

    await shop.tag(keys["Ada"], "vip")
    assert await night("2035-03-01") == len(keys) + 2
    await shop.tag(keys["Ben"], "vip")
    assert await night("2035-03-02") == 1  # kept in this month already
    assert [str(row["customer_id"]) for row in await fetch(kept)] == [keys["Ada"]]
    await night("2035-04-01")
    assert [(str(row["day"]), str(row["customer_id"])) for row in await fetch(kept)] == [
        ("2035-03-01", keys["Ada"]),
        *(("2035-04-01", key) for key in sorted((keys["Ada"], keys["Ben"]))),
    ]
    select = f"retentionBySegment(segments: {json.dumps(ids)}) {{ groups {{ n reason }} }}"
    [vip, none] = (await shop.ask(select, "2035-03-01", "2035-03-31"))["retentionBySegment"]["groups"]
    # a segment that had no members was kept, too
    assert NOT_FROZEN not in (vip["reason"], none["reason"])
    assert (none["n"], none["reason"] is not None) == (0, True)
