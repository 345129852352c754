"""The models in the API: how well they fit, and their back-test."""

import json
from collections.abc import Mapping
from datetime import date, datetime
from typing import Any

import strawberry
from strawberry.scalars import JSON

from crm_framework import (
    Connection,
    FilterSpec,
    Member,
    Money,
    Node,
    OrderField,
    Orders,
    column,
    computed,
    connection,
    fields_of,
    node,
)

from . import bgnbd, charts, gamma_gamma

READ = "analytics.read"
READ_ALL = f"@all:{READ}"
"""What tells of everybody together: who sees some customers only sees what is predicted of them."""


@strawberry.type(description="How many customers bought again so many times, against what a model expects.")
class PurchaseFrequency:
    repeats: int = strawberry.field(description="Purchases after the first; 7 stands for 7 or more.")
    actual: int = strawberry.field(description="How many customers did.")
    expected: float = strawberry.field(description="How many should have by the model.")


@strawberry.type(description="A point of the curve of repeat purchases.")
class PurchaseCurvePoint:
    day: date = strawberry.field(description="To the end of this day, in UTC.")
    actual: int = strawberry.field(description="Repeat purchases altogether.")
    expected: float = strawberry.field(description="What the model expects.")


@strawberry.type(
    description="BG/NBD (Fader, Hardie and Lee 2005): how often customers buy, and when they leave. In weeks."
)
class PurchaseModel:
    r: float = strawberry.field(description="Shape of the rates of purchase.")
    alpha: float = strawberry.field(description="Scale of the rates of purchase, in weeks.")
    a: float = strawberry.field(description="Of the probabilities to leave after a purchase: beta (a, b).")
    b: float = strawberry.field(description="Likewise.")
    warning: str | None = strawberry.field(
        description="Which parameters ended at the limit of what is tried, and are not those that fit best;"
        " null where none did."
    )
    log_likelihood: float | None = strawberry.field(description="Its logarithm; null in a back-test.")
    chi_square: float | None = strawberry.field(
        description="Of the frequencies, with 3 degrees of freedom: up to 7.8 nothing speaks against it."
    )
    frequencies: list[PurchaseFrequency] = strawberry.field(description="How well it fits.")
    chart: JSON = strawberry.field(description="The frequencies as a Vega-Lite specification.")


@strawberry.type(description="Gamma-Gamma (Fader and Hardie 2013): what customers' purchases are worth.")
class ValueModel:
    p: float = strawberry.field(description="Shape of the values of a customer's purchases.")
    q: float = strawberry.field(description="Shape of how customers differ.")
    v: float = strawberry.field(description="Scale of how customers differ, in units of the currency.")
    warning: str | None = strawberry.field(
        description="Which parameters ended at the limit of what is tried, and are not those that fit best;"
        " null where none did."
    )
    log_likelihood: float = strawberry.field(description="Its logarithm, of values in minor units.")
    correlation: float | None = strawberry.field(
        description="Between how often customers buy and for how much; the model takes it to be 0."
    )


@strawberry.type(
    description="The model of the first half of the time, compared with what was bought in the second half."
)
class PredictionBackTest:
    calibration_end: date = strawberry.field(description="The last day of the first half.")
    hold_out_end: date = strawberry.field(description="The last day of the second half.")
    customers: int = strawberry.field(description="Who bought in the first half.")
    purchase_model: PurchaseModel = strawberry.field(description="Fitted to the first half.")
    actual: int = strawberry.field(description="Purchases of these customers in the second half.")
    expected: float = strawberry.field(description="What the model expects.")
    error: float = strawberry.field(description="Mean absolute error of a customer's purchases.")
    naive_error: float = strawberry.field(
        description="The same if everybody is expected to go on at the rate of before."
    )
    correlation: float | None = strawberry.field(description="Between customers' expected and actual ones.")
    spent: Money = strawberry.field(description="What these purchases were worth, less refunds.")
    expected_spent: Money | None = strawberry.field(description="What the models expect.")
    curve: list[PurchaseCurvePoint] = strawberry.field(
        description="Repeat purchases altogether, week by week from the first day on."
    )
    chart: JSON = strawberry.field(description="The curve as a Vega-Lite specification.")


@node(
    table="analytics_model",
    permission=READ,
    shared=True,
    where="t.complete",
    hidden={
        "detail": str,
        "r": float | None,
        "alpha": float | None,
        "a": float | None,
        "b": float | None,
        "log_likelihood": float | None,
        "p": float | None,
        "q": float | None,
        "v": float | None,
        "value_log_likelihood": float | None,
    },
)
class PredictionModel(Node):
    """Models of how the customers of one currency buy, refitted every night. The latest one holds."""

    currency: str = column("ISO 4217. Currencies are never mixed.")
    fitted_at: datetime = column("When it was fitted.")
    data_through: date = column("The last day (UTC) whose purchases it knows; predictions are as of its end.")
    customers: int = column("Who has bought.", permission=READ_ALL)
    repeaters: int = column("Who has bought on a second day.", permission=READ_ALL)
    reason: str | None = column(
        "Why there is no model of purchases or values; null where there are both.", permission=READ_ALL
    )

    @computed()
    @staticmethod
    def horizon_days(detail: str) -> int:
        """For how many days purchases are predicted."""
        return int(json.loads(detail)["days"])

    @computed()
    @staticmethod
    def value_days(detail: str) -> int:
        """For how many days customers' values are predicted."""
        return int(json.loads(detail)["value_days"])

    @computed()
    @staticmethod
    def discount_percent(detail: str) -> float:
        """By how much what comes a year later counts less."""
        return float(json.loads(detail)["discount"]) * 100

    @computed(permission=READ_ALL)
    @staticmethod
    def purchase_model(
        r: float | None,
        alpha: float | None,
        a: float | None,
        b: float | None,
        log_likelihood: float | None,
        detail: str,
    ) -> PurchaseModel | None:
        """How often customers buy; null where too few did."""
        if r is None or alpha is None or a is None or b is None:
            return None
        return _purchase_model({**json.loads(detail), "r": r, "alpha": alpha, "a": a, "b": b}, log_likelihood)

    @computed(permission=READ_ALL)
    @staticmethod
    def value_model(
        p: float | None,
        q: float | None,
        v: float | None,
        value_log_likelihood: float | None,
        currency: str,
        detail: str,
    ) -> ValueModel | None:
        """What their purchases are worth; null where too little is known of that."""
        if p is None or q is None or v is None or value_log_likelihood is None:
            return None
        unit = float(Money.of(1, currency).amount)
        return ValueModel(
            p=p,
            q=q,
            v=v * unit,
            warning=gamma_gamma.Parameters(p, q, v).warning,
            log_likelihood=value_log_likelihood,
            correlation=json.loads(detail)["correlation"],
        )

    @computed(permission=READ_ALL)
    @staticmethod
    def back_test(detail: str, currency: str) -> PredictionBackTest | None:
        """How well a model of the first half of the time foretold the second; null where too little is
        known.
        """
        test = json.loads(detail)["backTest"]
        return None if "reason" in test else _back_test(test, currency)

    @computed(permission=READ_ALL)
    @staticmethod
    def back_test_reason(detail: str) -> str | None:
        """Why there is no back-test; null where there is one."""
        found: str | None = json.loads(detail)["backTest"].get("reason")
        return found


def _purchase_model(found: Mapping[str, Any], log_likelihood: float | None) -> PurchaseModel:
    return PurchaseModel(
        r=found["r"],
        alpha=found["alpha"],
        a=found["a"],
        b=found["b"],
        warning=bgnbd.Parameters(found["r"], found["alpha"], found["a"], found["b"]).warning,
        log_likelihood=log_likelihood,
        chi_square=found["chiSquare"],
        frequencies=[PurchaseFrequency(**each) for each in found["frequencies"]],
        chart=JSON(charts.frequencies(found["frequencies"])),
    )


def _back_test(test: Mapping[str, Any], currency: str) -> PredictionBackTest:
    expected = test["expectedSpentMinor"]
    return PredictionBackTest(
        calibration_end=date.fromisoformat(test["calibrationEnd"]),
        hold_out_end=date.fromisoformat(test["holdOutEnd"]),
        customers=test["customers"],
        purchase_model=_purchase_model(test, None),
        actual=test["actual"],
        expected=test["expected"],
        error=test["error"],
        naive_error=test["naiveError"],
        correlation=test["correlation"],
        spent=Money.of(test["spentMinor"], currency),
        expected_spent=None if expected is None else Money.of(expected, currency),
        curve=[
            PurchaseCurvePoint(
                day=date.fromisoformat(each["day"]), actual=each["actual"], expected=each["expected"]
            )
            for each in test["curve"]
        ],
        chart=JSON(charts.curve(test["curve"], test["calibrationEnd"])),
    )


MODEL_ORDERS = Orders(
    "PredictionModelOrder",
    [OrderField("FITTED_AT", "datetime", "By the moment of the fit.", column="fitted_at")],
)
MODEL_FILTER = FilterSpec(
    "PredictionModelFilter",
    [
        Member("currency", "string", "ISO 4217.", column="currency"),
        Member("fittedAt", "datetime", "When it was fitted.", column="fitted_at"),
    ],
)


class _Queries:
    prediction_models: Connection[PredictionModel] = connection(
        filter=MODEL_FILTER,
        orders=MODEL_ORDERS,
        default_order=("-FITTED_AT",),
        permission=READ,
        description="Models of how customers buy, the latest first: parameters, fit and back-test.",
    )


QUERY = fields_of(_Queries)
