"""`analytics { forecast unbought }`: what is to come, and what could be sold, by cases worked by hand."""

import json
import re
from typing import Any

import pytest
from crm_analytics.report.pictures import report
from crm_analytics.settings import AnalyticsSettings

from crm_framework import NewLine

from .shop import Shop, at

FORECAST = """forecast(currency: "%s", months: 2) { name definition definitionVersion
  currency method probability reason compared errorPercent
  errorPercentReason  error { amount } otherError { amount } known { month revenue { amount } low { amount } }
  expected { month revenue { amount } low { amount } high { amount } } csv chart }"""
MONTHS = [f"2023-0{month}-01" for month in range(1, 9)]


async def sales(shop: Shop) -> None:
    """In euros Ada spends 100, 110, 120 and so on in eight months, and Ben 50 in each; in yen it is little.

    September is not over when the window ends.
    """
    ada, ben = await shop.customer(), await shop.customer("Ben")
    for place, month in enumerate(MONTHS):
        bought = await shop.buy(ada, month, 12_000 + 1_000 * place)
        await shop.refund(bought, month[:8] + "28", 2_000)
        await shop.buy(ben, month, 5_000)
    await shop.buy(ada, "2023-09-10", 99_900)
    await shop.buy(ben, "2023-02-10", 500, "JPY")


async def forecast(shop: Shop, currency: str = "EUR", more: str = "") -> Any:
    return (await shop.ask(FORECAST % currency, "2023-09-01", "2023-09-15", more))["forecast"]


@pytest.mark.parametrize(("more", "less"), [("", 0), (', filter: {name: {eq: "Ada"}}', 50)])
async def test_a_straight_line_of_revenue_goes_on(shop: Shop, more: str, less: int) -> None:
    await sales(shop)
    found = await forecast(shop, more=more)
    assert [(each["month"], each["revenue"]["amount"], each["low"]) for each in found["known"]] == [
        (month, f"{150 - less + 10 * place}.00", None) for place, month in enumerate(MONTHS)
    ]
    assert found["expected"] == [
        {
            "month": month,
            **{name: {"amount": f"{amount - less}.00"} for name in ("revenue", "low", "high")},
        }
        for month, amount in (("2023-09-01", 230), ("2023-10-01", 240))
    ]
    assert (found["currency"], found["method"], found["probability"]) == ("EUR", "HOLT_WINTERS", 0.8)
    # the other method errs by 10 one month ahead (5 times) and by 20 two months ahead (4 times)
    assert (found["compared"], found["error"], found["otherError"]) == (
        9, {"amount": "0.00"}, {"amount": "14.44"},
    )  # fmt: skip
    assert found["errorPercent"] == pytest.approx(0, abs=1e-9)
    assert found["csv"].splitlines()[-1] == f"2023-10-01,{240 - less}.00,{240 - less}.00,{240 - less}.00"
    band, line = found["chart"]["layer"]
    assert [row["month"] for row in band["data"]["values"]] == ["2023-09-01", "2023-10-01"]
    assert [row["what"] for row in line["data"]["values"]] == ["known"] * 8 + ["expected"] * 2


async def test_months_without_revenue_are_known_to_be_without(shop: Shop) -> None:
    await sales(shop)
    found = await forecast(shop, "jpy")
    assert [(each["month"], each["revenue"]["amount"]) for each in found["known"]] == [
        (month, "500" if month == "2023-02-01" else "0") for month in MONTHS[1:]
    ]
    assert found["currency"] == "JPY"
    assert (found["errorPercent"], found["errorPercentReason"]) == (
        None, "next to nothing was to be foretold in the back-test",
    )  # fmt: skip
    assert len(found["expected"]) == 2


async def test_too_little_is_known_for_a_forecast(shop: Shop) -> None:
    await shop.buy(await shop.customer(), "2023-06-01")
    found = await forecast(shop)
    assert found["definition"].startswith("Revenue (purchases less refunds) of the months that follow")
    assert (found["name"], found["definitionVersion"]) == ("forecast", 1)
    assert found["reason"] == "3 whole months are known; 6 are needed."
    assert (found["method"], found["error"], found["expected"]) == (None, None, [])
    assert len(found["known"]) == 3
    assert (await forecast(shop, "USD"))["reason"] == "0 whole months are known; 6 are needed."


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ('currency: "EUR", months: 0', "0 months are not 1 to 24 (at "),
        ('currency: "EUR", months: 25', "25 months are not 1 to 24 (at "),
        ('currency: "EUR", probability: 0.49', "0.49 is not from 0.5 to 0.99 (at "),
        ('currency: "EUR", probability: 1', "1.0 is not from 0.5 to 0.99 (at "),
        ('currency: "EURO"', "'EURO' is no currency"),
    ],
)
async def test_a_forecast_of_what_is_not_there_is_refused(shop: Shop, arguments: str, told: str) -> None:
    [error] = await shop.client.errors(
        '{ analytics(window: {first: "2024-01-01", last: "2024-01-31"}) {'
        f" forecast({arguments}) {{ reason }} }} }}"
    )
    assert (error["extensions"]["code"], error["path"]) == ("BAD_INPUT", ["analytics", "forecast"])
    assert error["message"].startswith(told)


UNBOUGHT = """{ reason csv rows { sku name buyers customers otherBuyers otherCustomers gap } }"""
VIP = ', filter: {tags: {any: ["vip"]}}'


async def baskets(shop: Shop) -> None:
    """Ada and Ben are VIPs. The three others all buy tea, two of them rugs, one milk and a cup."""
    for name, day, *skus in (
        ("Ada", "2024-01-10", "milk", "cup"),
        ("Ben", "2024-01-31", "milk", "rug"),
        ("Cy", "2024-01-01", "tea", "rug"),
        ("Dee", "2024-01-20", "tea", "rug", "rug"),
        ("Eve", "2024-01-20", "tea", "milk", "cup"),
        ("Fay", "2024-01-20"),
    ):
        customer = await shop.customer(name)
        if name in ("Ada", "Ben"):
            await shop.tag(customer, "vip")
            await shop.buy(customer, "2023-12-31", lines=[NewLine(sku="tea", amount_minor=100)])
        for sku in skus:
            await shop.buy(customer, day, lines=[NewLine(sku=sku, name=sku.title(), amount_minor=100)])


async def test_what_a_segment_has_not_bought_yet(shop: Shop) -> None:
    await baskets(shop)
    found = await shop.ask(
        f"unbought {UNBOUGHT} one: unbought(first: 1) {{ name definition definitionVersion rows {{ sku }} }}",
        more=VIP,
    )
    numbers = {"customers": 2, "otherCustomers": 3}
    assert found["unbought"]["rows"] == [
        {"sku": "tea", "name": "Tea", "buyers": 0, "otherBuyers": 3, "gap": 100.0, **numbers},
        {"sku": "rug", "name": "Rug", "buyers": 1, "otherBuyers": 2, "gap": pytest.approx(50 / 3), **numbers},
    ]
    assert found["unbought"]["reason"] is None
    assert found["unbought"]["csv"].splitlines()[:2] == [
        "sku,name,buyers,customers,other_buyers,other_customers,gap",
        "tea,Tea,0,2,3,3,100.0",
    ]
    assert found["one"].pop("definition").startswith("Of those who bought anything in the months that the")
    assert found["one"] == {"name": "unbought", "definitionVersion": 1, "rows": [{"sku": "tea"}]}


async def test_others_may_have_bought_nothing_more(shop: Shop) -> None:
    for name in ("Ann", "Fay"):
        await shop.buy(await shop.customer(name), "2024-01-02")
    found = (await shop.ask(f"unbought {UNBOUGHT}", more=', filter: {name: {eq: "Fay"}}'))["unbought"]
    assert (found["rows"], found["reason"]) == ([], "there is no product that more of the others bought")


async def test_without_others_there_is_nothing_to_compare_with(shop: Shop) -> None:
    await baskets(shop)
    found = (await shop.ask(f"unbought {UNBOUGHT}"))["unbought"]
    assert (found["rows"], found["reason"]) == ([], "without a filter there are no others to compare with")
    for more in (', filter: {name: {eq: "Fay"}}', ', filter: {not: {name: {eq: "Nobody"}}}'):
        found = (await shop.ask(f"unbought {UNBOUGHT}", more=more))["unbought"]
        assert (found["rows"], found["reason"]) == (
            [], "on one side nobody bought anything in these months",
        )  # fmt: skip


@pytest.mark.parametrize("first", [0, 101])
async def test_how_many_products_is_bounded(shop: Shop, first: int) -> None:
    [error] = await shop.client.errors(
        '{ analytics(window: {first: "2024-01-01", last: "2024-01-31"}) {'
        f" unbought(first: {first}) {{ reason }} }} }}"
    )
    assert error["extensions"]["code"] == "BAD_INPUT"


@pytest.mark.parametrize("database_kind", ["sqlite"], indirect=True)
async def test_the_report_of_a_shop_that_sells_nothing_any_more(shop: Shop) -> None:
    """Nothing is expected below zero, no error told in percent of nothing, and two teas are told apart."""
    ada = await shop.customer()
    teas = [NewLine(sku=sku, name="Tea", amount_minor=5000) for sku in ("A", "B")]
    for day in ("2022-10-05", "2022-11-05", "2022-12-05", "2023-01-05"):
        await shop.buy(ada, day, lines=teas)
    database = shop.client.service.database
    page = await report(database, AnalyticsSettings(), at("2023-12-20"), "Shop")
    [told] = re.findall(r"its mean error in the back-test is ([^<]*)<", page)
    assert re.fullmatch(r"\d+ EUR\.", told)
    numbers = re.findall(r'"(?:low|high|revenue)": ?(-?[\d.]+)', page)
    assert len(numbers) > 12
    assert min(map(float, numbers)) == 0
    assert "Tea [A]" in page
    assert "Tea [B]" in page
    chart = json.dumps((await shop.ask("products { chart }", "2023-01-01", "2023-12-20"))["products"])
    assert "Tea [A] (EUR)" in chart
