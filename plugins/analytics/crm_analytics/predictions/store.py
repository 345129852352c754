"""Models and predictions in the database.

Keys grow with time, and a prediction is only replaced by one of a later model: two fits at the same moment
leave those of one of them.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import date
from typing import Any

from crm_framework import CrmError, ErrorCode, Hold, UnitOfWork, live_customers, new_id

from . import bgnbd, gamma_gamma
from .backtest import BackTest
from .fitting import Fitted, Frequency
from .scoring import Horizon, Score

KEPT = 30
"""Models of each currency that are kept, for comparison."""

_COLUMNS = (
    *("id", "customer_id", "currency", "model_id", "main", "repeats", "recency_days", "age_days"),
    *("mean_minor", "probability_alive", "expected_purchases", "expected_value_minor", "clv_minor"),
)
_PUT = (
    f"INSERT INTO analytics_prediction ({', '.join(_COLUMNS)}) VALUES ({', '.join('?' * len(_COLUMNS))})"
    " ON CONFLICT (customer_id, currency) DO UPDATE SET "
    + ", ".join(f"{name} = excluded.{name}" for name in _COLUMNS[3:])
    + " WHERE analytics_prediction.model_id <= excluded.model_id"
)


def begin(
    tx: UnitOfWork,
    currency: str,
    through: date,
    model: Fitted,
    test: BackTest | str,
    horizon: Horizon,
) -> str:
    """Keeps a model whose predictions are still to be written; its key."""
    key = new_id()
    purchases = model.purchases.parameters if model.purchases else None
    values = model.values.parameters if model.values else None
    tx.insert(
        "analytics_model",
        {
            "id": key,
            "currency": currency,
            "fitted_at": tx.now,
            "data_through": through,
            "complete": False,
            "customers": model.customers,
            "repeaters": model.repeaters,
            "r": purchases and purchases.r,
            "alpha": purchases and purchases.alpha,
            "a": purchases and purchases.a,
            "b": purchases and purchases.b,
            "log_likelihood": model.purchases and model.purchases.log_likelihood,
            "p": values and values.p,
            "q": values and values.q,
            "v": values and values.v,
            "value_log_likelihood": model.values and model.values.log_likelihood,
            "reason": model.reason,
            "detail": json.dumps({**asdict(horizon), **_detail(model), "backTest": _test(test)}),
        },
    )
    return key


async def put(tx: UnitOfWork, model: str, currency: str, scores: Mapping[str, tuple[Score, bool]]) -> int:
    """Customers' predictions, each with whether it is the one in their main currency; how many were kept.

    Those who were erased or merged meanwhile are left out. CONFLICT if a later fit came first.
    """
    lock = "FOR KEY SHARE" if tx.dialect == "postgres" else ""
    if not await tx.fetch(f"SELECT 1 FROM analytics_model WHERE id = ? {lock}", [model]):
        raise CrmError(
            ErrorCode.CONFLICT, "A fit that began later has come to its end.", hint="Nothing is to be done."
        )
    live = await live_customers(tx, list(scores), Hold.ADD)
    rows = [
        _row(customer, currency, model, each, main)
        for customer, (each, main) in sorted(scores.items())
        if not isinstance(found := live[customer], CrmError) and found.id == customer
    ]
    await tx.execute_many(_PUT, rows)
    return len(rows)


async def complete(tx: UnitOfWork, models: Sequence[str]) -> None:
    """Marks the models of one fit as the ones that hold, and removes what earlier ones left behind."""
    for model in models:
        await tx.execute("UPDATE analytics_model SET complete = ? WHERE id = ?", [True, model])
    first = min(models)
    await tx.execute("DELETE FROM analytics_prediction WHERE model_id < ?", [first])
    await tx.execute("DELETE FROM analytics_model WHERE complete = ? AND id < ?", [False, first])
    await tx.execute(
        "DELETE FROM analytics_model WHERE id < ? AND id IN (SELECT id FROM (SELECT id, ROW_NUMBER() OVER"
        " (PARTITION BY currency ORDER BY id DESC) AS place FROM analytics_model) AS m WHERE place > ?)",
        [first, KEPT],
    )


def _row(customer: str, currency: str, model: str, each: Score, main: bool) -> tuple[Any, ...]:
    return (
        new_id(),
        customer,
        currency,
        model,
        main,
        each.repeats,
        each.recency_days,
        each.age_days,
        _minor(each.mean),
        each.probability_alive,
        each.expected_purchases,
        _minor(each.expected_value),
        _minor(each.value),
    )


def _minor(amount: float | None) -> int | None:
    return None if amount is None else round(amount)


def _detail(model: Fitted) -> dict[str, Any]:
    return {
        "frequencies": [_frequency(each) for each in model.frequencies],
        "chiSquare": model.chi_square,
        "correlation": model.correlation,
    }


def _frequency(each: Frequency) -> dict[str, Any]:
    return {"repeats": each.repeats, "actual": each.actual, "expected": each.expected}


def _test(test: BackTest | str) -> dict[str, Any]:
    if isinstance(test, str):
        return {"reason": test}
    purchases = test.fitted.purchases
    assert purchases is not None
    return {
        "calibrationEnd": date.fromordinal(test.cut).isoformat(),
        "holdOutEnd": date.fromordinal(test.last).isoformat(),
        "customers": test.fitted.customers,
        "r": purchases.parameters.r,
        "alpha": purchases.parameters.alpha,
        "a": purchases.parameters.a,
        "b": purchases.parameters.b,
        "chiSquare": test.fitted.chi_square,
        "frequencies": [_frequency(each) for each in test.fitted.frequencies],
        "expected": test.expected,
        "actual": test.actual,
        "error": test.error,
        "naiveError": test.naive_error,
        "correlation": test.correlation,
        "spentMinor": test.spent,
        "expectedSpentMinor": None if test.expected_spent is None else round(test.expected_spent),
        "curve": [
            {"day": date.fromordinal(each.day).isoformat(), "actual": each.actual, "expected": each.expected}
            for each in test.curve
        ],
    }


async def current(reader: Any) -> dict[str, dict[str, Any]]:
    """Currency → the row of the model that holds."""
    rows = await reader.fetch("SELECT * FROM analytics_model WHERE complete = ? ORDER BY id", [True])
    return {row["currency"]: row for row in rows}


def parameters(row: Mapping[str, Any]) -> tuple[bgnbd.Parameters | None, gamma_gamma.Parameters | None]:
    """Those of a model's row; amounts are in minor units."""
    purchases = None if row["r"] is None else bgnbd.Parameters(row["r"], row["alpha"], row["a"], row["b"])
    values = None if row["p"] is None else gamma_gamma.Parameters(row["p"], row["q"], row["v"])
    return purchases, values


def horizon(row: Mapping[str, Any]) -> Horizon:
    """How far ahead a model's row looks."""
    known = json.loads(row["detail"])
    return Horizon(known["days"], known["value_days"], known["discount"])


def day_of(row: Mapping[str, Any]) -> date:
    """The day of a model's row, which is text on SQLite."""
    found = row["data_through"]
    return found if isinstance(found, date) else date.fromisoformat(found)
