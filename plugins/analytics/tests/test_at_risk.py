"""Who is at risk, in which order, and how many for what."""

from datetime import timedelta

import pytest
from crm_analytics.asking import risk
from crm_analytics.metrics.at_risk import Brought, ranked

from crm_framework import now

from .shop import Shop

TABLE = "atRisk(first: 4) { total rows { customer { name } reasons { kind } } chart definitionVersion }"


def test_the_best_of_each_currency_come_first_among_those_with_as_many_reasons() -> None:
    brought = {
        "a": Brought("EUR", 300),
        "b": Brought("EUR", 200),
        "c": Brought("JPY", 9000),
        "d": Brought("JPY", 8000),
        "e": Brought(None, 0),
        "f": Brought("EUR", 100),
        "g": Brought("EUR", 200),
        "h": Brought("KWD", -5),
    }
    reasons = {**dict.fromkeys(brought, 1), "f": 2, "e": 1}
    assert ranked(reasons, brought) == ["f", "a", "c", "h", "b", "d", "g", "e"]
    assert ranked({}, brought) == []


async def unhappy(shop: Shop) -> None:
    """All are in a bad mood, also Nil, who never bought; Gap does not come back, either."""
    moment = now()
    for name, currency, *amounts in (
        ("Euro", "EUR", 300),
        ("Few", "EUR", 200),
        ("Yen", "JPY", 9000),
        ("Sen", "JPY", 8000),
        ("Nil", "EUR"),
        ("Gap", "EUR", 1, 1, 1),
    ):
        customer = await shop.customer(name)
        for place, minor in enumerate(amounts):
            day = moment - timedelta(days=60 - 10 * place)
            await shop.buy(customer, day.isoformat(), minor, currency)
        await shop.touch(customer, "call", moment.isoformat(), sentiment="NEGATIVE")


async def test_rows_and_candidates_do_not_compare_currencies(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    await unhappy(shop)
    for candidates, expected in (
        (1000, ["Gap", "Euro", "Yen", "Few"]),
        (3, ["Gap", "Euro", "Yen", "Few"]),  # by mood Euro, Yen and Few, by gap Gap
        (2, ["Gap", "Euro", "Yen"]),
    ):
        monkeypatch.setattr(risk, "CANDIDATES", candidates)
        found = (await shop.ask(TABLE))["atRisk"]
        assert [row["customer"]["name"] for row in found["rows"]] == expected, candidates
        assert found["total"] == 6
        assert found["definitionVersion"] == 3


async def test_the_chart_counts_whoever_is_at_risk(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(risk, "CANDIDATES", 2)
    assert (await shop.ask("atRisk { chart }"))["atRisk"]["chart"]["data"]["values"] == []
    await unhappy(shop)
    ask = "atRisk(first: 1) { chart rows { reasons { kind } } }"
    found = (await shop.ask(ask))["atRisk"]
    assert len(found["rows"]) == 1
    assert found["chart"]["data"]["values"] == [{"label": "gap", "value": 1}, {"label": "mood", "value": 6}]
    some = (await shop.ask(ask, more=', filter: {name: {in: ["Gap", "Nil"]}}'))["atRisk"]
    assert some["chart"]["data"]["values"] == [{"label": "gap", "value": 1}, {"label": "mood", "value": 2}]
