"""What was known of customers at the end of a day: lifetime value, intervals, and rates period by period."""

from datetime import timedelta

import pytest

from crm_framework import NewLine, now
from crm_framework.testing import CrmClient

from .shop import Shop

GROUPS = "value n groups { label value n }"


async def history(shop: Shop) -> dict[str, str]:
    """Ada buys four times in euros and once in dollars; Ben began with dollars; Cy bought once."""
    keys = {name: await shop.customer(name) for name in ("Ada", "Ben", "Cy")}
    for name, day, minor, currency in (
        ("Ada", "2024-01-01", 1000, "EUR"),
        ("Ada", "2024-01-03", 1000, "EUR"),
        ("Ada", "2024-01-13", 3000, "EUR"),
        ("Ada", "2024-02-20", 500, "USD"),
        ("Ada", "2024-02-29", 1000, "EUR"),
        ("Ben", "2024-01-10", 700, "USD"),
        ("Ben", "2024-02-01", 900, "EUR"),
        ("Ben", "2024-02-02", 900, "EUR"),
        ("Cy", "2024-02-10", 400, "EUR"),
    ):
        last = await shop.buy(
            keys[name], day, minor, currency, channel="web" if name == "Ada" else "shop",
            lines=[NewLine(sku="A", amount_minor=minor)],
        )  # fmt: skip
        if (name, day) == ("Ada", "2024-01-13"):
            await shop.refund(last, "2024-02-05", 600)
    await shop.tag(keys["Ada"], "vip")
    return keys


async def test_lifetime_value_and_intervals_of_a_day(shop: Shop) -> None:
    await history(shop)
    found = await shop.ask(
        f"""then: clvHistoric(asOf: "2024-01-31") {{
          unit {GROUPS} definition previous {{ value window {{ last }} }} }}
        eve: clvHistoric(asOf: "2024-02-04", groupBy: {{by: TAG}}) {{ unit {GROUPS} }}
        today: clvHistoric(asOf: "{now().date()}") {{ unit value n }}
        now: clvHistoric {{ unit value n definition }}
        months: clvHistoric(groupBy: {{by: PERIOD}}) {{ unit groups {{ label value n reason }} }}
        none: clvHistoric(asOf: "2023-12-31") {{ unit value n reason }}
        nobody: rfm(asOf: "2023-12-31") {{ currency customers reason cells {{ customers }} chart csv }}
        gaps: purchasePattern(asOf: "2024-01-31") {{ medianGap {{ {GROUPS} }} meanGap {{ value n }} }}
        before: purchasePattern(asOf: "2024-01-02") {{ medianGap {{ value reason }} }}
        all: purchasePattern(groupBy: {{by: PERIOD}}) {{
          medianGap {{ {GROUPS} previous {{ value }} }} meanGap {{ value n }} }}
        quintiles: rfm(asOf: "2024-02-01") {{ currency cells {{ recency frequency monetary customers }} }}
        everybody: rfm(asOf: "{now().date()}") {{
          currency customers cells {{ recency frequency monetary customers }} }}
        rfm {{
          currency customers cells {{ recency frequency monetary customers }} }}
        same: purchasePattern(asOf: "{now().date()}") {{ medianGap {{ value n }} meanGap {{ value n }} }}""",
        last="2024-02-29",
    )
    euro, dollar = found["then"]
    assert euro.pop("definition").endswith("It is of the end of 2024-01-31, whatever the window.")
    empty = {"value": None, "window": {"last": "2023-12-31"}}
    assert euro == {"unit": "EUR", "value": 50.0, "n": 1, "groups": [], "previous": empty}
    assert (dollar["unit"], dollar["value"], dollar["n"]) == ("USD", 7.0, 1)  # Ben's main currency then
    assert [(one["unit"], one["value"], one["n"]) for one in found["eve"]] == [("EUR", 34.0, 2)]
    assert found["eve"][0]["groups"] == [{"label": "vip", "value": 50.0, "n": 1}]
    [today] = found["now"]
    assert "`asOf` asks for another day" in today.pop("definition")
    assert found["today"] == [today] == [{"unit": "EUR", "value": pytest.approx((54 + 18 + 4) / 3), "n": 3}]
    assert found["months"] == [{"unit": "EUR", "groups": [
        {"label": "2024-01-01", "value": 50.0, "n": 1, "reason": None},
        {"label": "2024-02-01", "value": pytest.approx((54 + 18 + 4) / 3), "n": 3, "reason": None},
    ]}]  # fmt: skip
    reason = "none of the customers asked about had bought by the end of 2023-12-31"
    assert found["none"] == [{"unit": "money", "value": None, "n": 0, "reason": reason}]
    [nobody] = found["nobody"]
    assert nobody.pop("chart")["title"] == "rfm"
    assert nobody.pop("csv").splitlines() == ["currency,recency,frequency,monetary,segment,customers"]
    assert nobody == {"currency": None, "customers": 0, "reason": reason, "cells": []}
    assert found["gaps"] == {
        "medianGap": {"value": 6.0, "n": 1, "groups": []}, "meanGap": {"value": 6.0, "n": 1},
    }  # fmt: skip
    assert found["before"]["medianGap"] == {"value": None, "reason": "no customer has bought on two days"}
    # Ada: 2, 10, 38 and 9 days; Ben: 22 and 1
    whole = {"value": (9.5 + 11.5) / 2, "n": 2}
    assert found["all"]["medianGap"] == {
        **whole,
        "groups": [{"label": "2024-01-01", "value": 6.0, "n": 1}, {"label": "2024-02-01", **whole}],
        "previous": {"value": None},
    }
    # Ben had bought once in either currency, of which the first by name counts: later, and less than Ada
    ben = {"recency": 3, "frequency": 1, "monetary": 1, "customers": 1}
    ada = {"recency": 1, "frequency": 3, "monetary": 3, "customers": 1}
    assert found["quintiles"] == [{"currency": "EUR", "cells": [ben, ada]}]
    assert found["everybody"] == found["rfm"]
    assert found["same"] == {"medianGap": whole, "meanGap": found["all"]["meanGap"]}


async def test_a_day_to_come_is_refused_and_costs_of_then_are_not_made_up(open_client: object) -> None:
    settings = {"cost_currency": "EUR", "acquisition_cost_minor": 100, "ticket_cost_minor": 50}
    client: CrmClient = await open_client("analytics", analytics=settings)  # type: ignore[operator]  # a fixture
    shop = Shop(client)
    await history(shop)
    found = await shop.ask(
        'clvHistoric { value } then: clvHistoric(asOf: "2024-02-29") { unit value reason }', last="2024-02-29"
    )
    assert found["clvHistoric"] == [{"value": pytest.approx((54 + 18 + 4) / 3 - 1)}]
    assert found["then"] == [
        {
            "unit": "EUR",
            "value": None,
            "reason": "how many tickets customers had by then is not kept, and they cost something",
        }
    ]
    for day in (now().date() + timedelta(days=2), "0001-01-01"):
        for field in ("clvHistoric { value }", "purchasePattern { meanGap { value } }"):
            name, rest = field.split(" ", 1)
            [error] = await client.errors(
                '{ analytics(window: {first: "2024-01-01", last: "2024-01-31"}) {'
                f' {name}(asOf: "{day}") {rest} }} }}'
            )
            assert (error["extensions"]["code"], "asOf" in error["message"]) == ("BAD_INPUT", True)


async def test_rates_of_each_period(shop: Shop) -> None:
    await history(shop)
    found = await shop.ask(
        f"""retention(groupBy: {{by: PERIOD}}) {{ {GROUPS} }}
        churn(groupBy: {{by: PERIOD, period: QUARTER}}) {{ {GROUPS} }}
        repeatPurchaseRate(groupBy: {{by: PERIOD}}) {{ {GROUPS} chart }}
        weeks: repeatPurchaseRate(groupBy: {{by: PERIOD, period: WEEK}}) {{ groups {{ label value }} }}
        channels: repeatPurchaseRate(groupBy: {{by: CHANNEL}}) {{ {GROUPS} }}""",
        last="2024-02-15",
    )
    assert found["retention"]["groups"] == [
        {"label": "2024-01-01", "value": None, "n": 0},
        {"label": "2024-02-01", "value": 50.0, "n": 2},  # Ben bought until the window's end, Ada after it
    ]
    assert found["churn"]["groups"] == [{"label": "2024-01-01", "value": None, "n": 0}]
    assert found["repeatPurchaseRate"]["groups"] == [
        {"label": "2024-01-01", "value": 50.0, "n": 2},
        {"label": "2024-02-01", "value": 50.0, "n": 2},
    ]
    assert (found["repeatPurchaseRate"]["value"], found["repeatPurchaseRate"]["n"]) == (
        pytest.approx(200 / 3),
        3,
    )
    assert found["repeatPurchaseRate"]["chart"]["mark"]["type"] == "line"
    assert found["weeks"]["groups"][:2] == [
        {"label": "2024-01-01", "value": 100.0},
        {"label": "2024-01-08", "value": 0.0},
    ]
    assert found["channels"]["groups"] == [
        {"label": "shop", "value": 50.0, "n": 2},
        {"label": "web", "value": 100.0, "n": 1},
    ]
    [error] = await shop.client.errors(
        '{ analytics(window: {first: "2024-01-01", last: "2024-12-31"}) {'
        " retention(groupBy: {by: PERIOD, period: DAY}) { value } } }"
    )
    assert "366 periods are more than 60" in error["message"]
