"""The fit through the database: the job, what it keeps, and how it shows."""

import random
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from crm_analytics.predictions import store
from crm_analytics.predictions.refit import refit
from crm_analytics.settings import AnalyticsSettings

from crm_framework import (
    CrmError,
    NewCustomer,
    NewPurchase,
    NewRefund,
    Reader,
    UnitOfWork,
    create_customer,
    encode_id,
    now,
    record_purchase,
    record_refund,
)
from crm_framework.testing import CrmClient, run_jobs

IMPORT = """mutation ($input: ImportInteractionsInput!) { importInteractions(input: $input) {
  created failed errors { message } } }"""
MODELS = """{ predictionModels { nodes { currency dataThrough customers repeaters reason horizonDays valueDays
  discountPercent backTestReason purchaseModel { r alpha a b warning logLikelihood chiSquare chart
  frequencies { repeats actual } } valueModel { p q v warning correlation }
  backTest { calibrationEnd holdOutEnd customers actual expected error naiveError chart
  correlation spent { amount } purchaseModel { r alpha a b } curve { day actual expected } } } } }"""
PREDICTED = """{ customers(first: 50) { nodes { name metrics { probabilityAlive expectedPurchases
  ninety: expectedPurchases(days: 90) year: expectedPurchases(days: 365)
  clvPredicted { amount currency } } predictions { currency main repeats recencyDays ageDays
  probabilityAlive
  expectedPurchases meanValue { amount } expectedValue { amount }
  clv { amount } model { dataThrough } } } } }"""


class Run:
    """What a job has, for a fit without a worker."""

    def __init__(self, client: CrmClient, settings: AnalyticsSettings | None = None) -> None:
        self.settings = settings or AnalyticsSettings()
        self._database = client.service.database

    @property
    def reader(self) -> Reader:
        return self._database

    @property
    def now(self) -> datetime:
        return now()

    def unit_of_work(self) -> AbstractAsyncContextManager[UnitOfWork]:
        return self._database.unit_of_work()


async def fill(client: CrmClient, purchases: Sequence[tuple[str, date, int]], currency: str = "USD") -> None:
    """Customers by name, with what they bought; the plugin's other figures are not counted."""
    client.service.database.handlers = ()
    for start in range(0, len(purchases), 2_000):
        rows = [
            {
                "kind": "purchase",
                "customerSource": "shop",
                "customerReference": customer,
                "customerName": customer,
                "source": "shop",
                "reference": f"{currency} {start + index}",
                "occurredAt": f"{day}T12:00:00Z",
                "total": {"amount": str(cents if currency == "JPY" else cents / 100), "currency": currency},
            }
            for index, (customer, day, cents) in enumerate(purchases[start : start + 2_000])
        ]
        answer = await client.data(IMPORT, input={"rows": rows, "createMissingCustomers": True})
        assert answer["importInteractions"] == {"created": len(rows), "failed": 0, "errors": []}


async def test_cdnow_through_the_job(client: CrmClient, cdnow: Sequence[tuple[str, date, int]]) -> None:
    """The same figures as the paper's, from purchases that came in through the API."""
    await fill(client, cdnow)
    async with client.service.database.unit_of_work() as tx:
        tx.defer("analytics.fit", {"through": "1998-06-30"})
    assert "analytics.fit" in await run_jobs(client)
    [model] = (await client.data(MODELS))["predictionModels"]["nodes"]
    assert (model["currency"], model["dataThrough"]) == ("USD", "1998-06-30")
    assert (model["customers"], model["repeaters"], model["reason"]) == (2357, 1139, None)
    assert (model["horizonDays"], model["valueDays"], model["discountPercent"]) == (90, 365, 10.0)
    assert (model["purchaseModel"]["warning"], model["valueModel"]["warning"]) == (None, None)
    test = model["backTest"]
    assert (test["calibrationEnd"], test["holdOutEnd"]) == ("1997-09-30", "1998-06-30")
    for name, published in (("r", 0.243), ("alpha", 4.414), ("a", 0.793), ("b", 2.426)):
        assert test["purchaseModel"][name] == pytest.approx(published, rel=0.002)
    assert test["actual"] == 1882
    assert test["correlation"] == pytest.approx(0.626, abs=0.001)
    assert len(test["curve"]) == 78
    assert test["curve"][-1]["actual"] == 4339
    answer = await client.data('{ customers(filter: {probabilityAlive: {gte: "0.9"}}) { totalCount } }')
    rows = await client.service.database.fetch(
        "SELECT COUNT(*) AS n FROM analytics_prediction WHERE probability_alive >= 0.9"
    )
    assert 1000 < answer["customers"]["totalCount"] == rows[0]["n"] < 2357


def made_up(customers: int, seed: int = 1) -> list[tuple[str, date, int]]:
    """Purchases from 2023 on, by chance."""
    chance = random.Random(seed)
    found = []
    for number in range(customers):
        day = date(2023, 1, 1) + timedelta(days=chance.randrange(300))
        each = chance.choice((9, 30, 120))
        while day < date(2024, 6, 30):
            found.append((f"Customer {number:03}", day, chance.randrange(500, 9_000)))
            if chance.random() < 0.25:
                break
            day += timedelta(days=1 + int(chance.expovariate(1 / each)))
    return found


async def test_what_is_said_of_each_customer(client: CrmClient) -> None:
    await fill(client, made_up(120))
    [found] = await refit(Run(client), date(2024, 6, 30))
    assert (found.currency, found.predictions) == ("USD", 120)
    nodes = (await client.data(PREDICTED))["customers"]["nodes"]
    for node in nodes:
        [each] = node["predictions"]
        ninety, year = (node["metrics"].pop(name) for name in ("ninety", "year"))
        assert ninety == pytest.approx(each["expectedPurchases"], rel=1e-9, abs=1e-12)
        assert year >= ninety
        assert node["metrics"] == {
            "probabilityAlive": each["probabilityAlive"],
            "expectedPurchases": each["expectedPurchases"],
            "clvPredicted": {"amount": each["clv"]["amount"], "currency": "USD"},
        }
        assert each["main"]
        assert each["model"] == {"dataThrough": "2024-06-30"}
        assert 0 < each["probabilityAlive"] <= 1
        assert 0 <= each["recencyDays"] <= each["ageDays"]
        assert (each["meanValue"] is None) == (each["repeats"] == 0)
        assert float(each["expectedValue"]["amount"]) > 0
    for days in (0, 3651):
        [error] = await client.errors(
            f"{{ customers(first: 1) {{ nodes {{ metrics {{ expectedPurchases(days: {days}) }} }} }} }}"
        )
        assert error["extensions"]["code"] == "BAD_INPUT"


async def test_a_page_of_customers_takes_as_many_statements_as_one(client: CrmClient) -> None:
    await fill(client, made_up(120))
    await refit(Run(client), date(2024, 6, 30))
    counts = []
    for first in (1, 50):
        with client.statements() as statements:
            await client.data(PREDICTED.replace("first: 50", f"first: {first}"))
        counts.append(len(statements))
    assert counts[0] == counts[1]


async def test_currencies_are_never_mixed(client: CrmClient) -> None:
    await fill(client, made_up(60, seed=1), "EUR")
    await fill(client, made_up(60, seed=2), "JPY")
    results = await refit(Run(client), date(2024, 6, 30))
    assert [(each.currency, each.predictions) for each in results] == [("EUR", 60), ("JPY", 60)]
    nodes = (await client.data(PREDICTED))["customers"]["nodes"]
    for node in nodes:
        assert [each["currency"] for each in node["predictions"]] == ["EUR", "JPY"]
        euros, yen = node["predictions"]
        assert euros["main"] is (euros["repeats"] >= yen["repeats"])
        assert yen["main"] is not euros["main"]
    euros_only = 'clvPredicted: {currency: "EUR", gte: "0.01"}'
    answer = await client.data(f"{{ customers(filter: {{{euros_only}}}) {{ totalCount }} }}")
    [counted] = await client.service.database.fetch(
        "SELECT COUNT(*) AS n FROM analytics_prediction WHERE currency = 'EUR' AND clv_minor >= 1"
    )
    assert answer["customers"]["totalCount"] == counted["n"] > 0


async def test_what_was_wholly_given_back_was_no_purchase(client: CrmClient) -> None:
    await fill(client, made_up(60))
    database = client.service.database
    async with database.unit_of_work() as tx:
        ada = (await create_customer(tx, NewCustomer(name="Ada"))).id
        keys = []
        for day, minor in ((1, 1_000), (5, 3_000), (9, 4_000)):
            at = datetime(2024, 1, day, 12, tzinfo=UTC)
            new = NewPurchase(customer_id=ada, currency="USD", total_minor=minor, occurred_at=at)
            keys.append(await record_purchase(tx, new))
        for key, minor in ((keys[1], 3_000), (keys[2], 1_500)):
            at = datetime(2024, 2, 1, tzinfo=UTC)
            await record_refund(tx, NewRefund(purchase_id=key, amount_minor=minor, occurred_at=at))
    await refit(Run(client), date(2024, 6, 30))
    [row] = await database.fetch("SELECT * FROM analytics_prediction WHERE customer_id = ?", [ada])
    assert (row["repeats"], row["recency_days"], row["mean_minor"]) == (1, 8, 2_500)


async def test_a_later_fit_takes_the_place_of_the_earlier_one(client: CrmClient) -> None:
    await fill(client, made_up(60))
    await refit(Run(client), date(2024, 3, 31))
    await refit(Run(client), date(2024, 6, 30))
    nodes = (await client.data(MODELS))["predictionModels"]["nodes"]
    assert [node["dataThrough"] for node in nodes] == ["2024-06-30", "2024-03-31"]
    rows = await client.service.database.fetch("SELECT DISTINCT model_id FROM analytics_prediction")
    assert len(rows) == 1


async def test_a_fit_that_was_killed_leaves_the_earlier_one_until_the_next(
    client: CrmClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    await fill(client, made_up(60))
    await refit(Run(client), date(2024, 3, 31))
    put = store.put

    async def killed(*_: Any) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr(store, "put", killed)
    with pytest.raises(KeyboardInterrupt):
        await refit(Run(client), date(2024, 6, 30))
    nodes = (await client.data(MODELS))["predictionModels"]["nodes"]
    assert [node["dataThrough"] for node in nodes] == ["2024-03-31"]
    monkeypatch.setattr(store, "put", put)
    await refit(Run(client), date(2024, 6, 29))
    [kept] = await client.service.database.fetch(
        "SELECT COUNT(*) AS n FROM analytics_model WHERE complete = ?", [False]
    )
    assert kept["n"] == 0


async def test_too_little_is_told(client: CrmClient) -> None:
    await fill(client, [("Ada", date(2024, 1, 1), 500), ("Ada", date(2024, 2, 1), 500)])
    await refit(Run(client), date(2024, 6, 30))
    [model] = (await client.data(MODELS))["predictionModels"]["nodes"]
    assert model["reason"] == "1 customers bought on a second day; 30 are needed."
    assert (model["purchaseModel"], model["valueModel"], model["backTest"]) == (None, None, None)
    [node] = (await client.data(PREDICTED))["customers"]["nodes"]
    assert node["metrics"]["probabilityAlive"] is None


async def test_a_day_that_is_not_over_is_refused(client: CrmClient) -> None:
    with pytest.raises(CrmError, match="is not over yet"):
        await refit(Run(client), now().date())


async def test_a_merge_predicts_anew_from_what_is_now_the_winners(client: CrmClient) -> None:
    await fill(client, made_up(80))
    await refit(Run(client), date(2024, 6, 30))
    database = client.service.database
    rows = await database.fetch("SELECT id, name FROM crm_customer ORDER BY name LIMIT 2")
    winner, loser = (str(row["id"]) for row in rows)
    answer = await client.data(
        "mutation ($input: MergeCustomersInput!) { mergeCustomers(input: $input) { errors { message } } }",
        input={"winner": encode_id("Customer", winner), "losers": [encode_id("Customer", loser)]},
    )
    assert answer["mergeCustomers"]["errors"] == []
    merged = await database.fetch("SELECT * FROM analytics_prediction WHERE customer_id = ?", [winner])
    assert await database.fetch("SELECT 1 FROM analytics_prediction WHERE customer_id = ?", [loser]) == []
    model = merged[0]["model_id"]
    async with database.unit_of_work() as tx:
        await tx.execute("DELETE FROM analytics_prediction WHERE customer_id <> ?", [winner])
    bought = {day for name, day, _ in made_up(80) if name in (rows[0]["name"], rows[1]["name"])}
    assert merged[0]["repeats"] == len(bought) - 1
    assert merged[0]["age_days"] == (date(2024, 6, 30) - min(bought)).days
    assert model is not None


async def test_a_filter_without_a_currency_is_refused(client: CrmClient) -> None:
    [error] = await client.errors("{ customers(filter: {clvPredicted: {gte: 1}}) { totalCount } }")
    assert "currency" in error["message"]


async def test_predictions_need_a_permission(
    open_client: Callable[..., Awaitable[CrmClient]],
) -> None:
    client = await open_client("analytics")
    reader = await client.acting_with("customers.read")
    for query in (
        "{ customers { nodes { predictions { currency } } } }",
        '{ customers(filter: {probabilityAlive: {gte: "0.5"}}) { totalCount } }',
        "{ predictionModels { nodes { currency } } }",
    ):
        [error] = await reader.errors(query)
        assert error["extensions"]["code"] == "FORBIDDEN"
