"""What is not told says why: in windows to come, and where nothing is to be told of."""

from datetime import timedelta

import pytest

from crm_framework import now

from .shop import Shop

TO_COME = "the window has not begun"


def days_ahead(*ahead: int) -> list[str]:
    return [(now() + timedelta(days=days)).date().isoformat() for days in ahead]


async def test_a_window_to_come_has_no_figures_but_those_of_now(shop: Shop) -> None:
    ada = await shop.customer()
    for day in ("2024-01-01", "2024-01-11"):
        await shop.buy(ada, day)
    asked = """revenue { unit value n reason } byMonth: revenue(groupBy: {by: PERIOD, period: YEAR}) {
          groups { value n reason } }
        clvHistoric { unit value n reason } then: clvHistoric(asOf: "2024-01-01") { unit value }
        purchasePattern { medianGap { value reason } meanGap { value reason } }
        rfm { currency customers reason } repeatPurchaseRate { value reason }
        serviceRecovery { groups { label customers value reason } }
        cohorts { reason } products { reason } productPattern { reason } unbought { reason }
        forecast(currency: "EUR") { reason }"""
    found = await shop.ask(asked, *days_ahead(400, 400))
    assert found["revenue"] == [{"unit": "money", "value": None, "n": 0, "reason": TO_COME}]
    assert found["byMonth"] == [{"groups": [{"value": None, "n": 0, "reason": TO_COME}]}]
    assert found["clvHistoric"] == [{"unit": "EUR", "value": 20.0, "n": 1, "reason": None}]
    assert found["then"] == [{"unit": "EUR", "value": 10.0}]
    gap = {"value": 10.0, "reason": None}
    assert found["purchasePattern"] == {"medianGap": gap, "meanGap": gap}
    assert found["rfm"] == [{"currency": "EUR", "customers": 1, "reason": None}]
    assert found["serviceRecovery"]["groups"] == [
        {"label": label, "customers": customers, "value": None, "reason": TO_COME}
        for label, customers in (("solved", 0), ("unsolved", 0), ("none", 1))
    ]
    for name in ("repeatPurchaseRate", "cohorts", "products", "productPattern", "unbought", "forecast"):
        assert found[name]["reason"] == TO_COME, name


@pytest.mark.parametrize("by", ["PERIOD", "TAG"])
async def test_whom_a_filter_selects_may_have_bought_nothing(shop: Shop, by: str) -> None:
    await shop.buy(await shop.customer(), "2024-01-02")
    group = f"(groupBy: {{by: {by}}}) {{ unit value reason groups {{ label value reason }} }}"
    found = await shop.ask(
        f"revenue{group} clvHistoric{group} rfm {{ currency customers reason }}",
        more=', filter: {name: {eq: "Ben"}}',
    )
    for name, reason in (
        ("revenue", "nothing was bought or given back"),
        ("clvHistoric", "none of the customers asked about has bought"),
    ):
        empty = {"value": None, "reason": reason}
        groups = [{"label": "2024-01-01", **empty}] if by == "PERIOD" else []
        assert found[name] == [{"unit": "money", **empty, "groups": groups}]
    reason = "none of the customers asked about has bought"
    assert found["rfm"] == [{"currency": "EUR", "customers": 0, "reason": reason}]
