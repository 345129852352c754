"""A forecast with its interval: by the method that would have erred least, and as wide as it erred."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum
from math import sqrt
from statistics import NormalDist

from crm_analytics.metrics.measured import Definition

from .methods import SEASON, holt_winters, seasonal_naive

FEWEST = 6
"""Months that must be known."""
SMALLEST = 0.1
"""The mean that was to be foretold in a back-test, as a part of that of all months known, below which an
error in percent of it tells nothing."""
DEFINITION = Definition(
    "forecast",
    "money",
    "Revenue (purchases less refunds) of the months that follow the last whole one of the window, carried on"
    " from up to 120 whole months before by the seasonal naive method or Holt-Winters': the one that erred"
    " less where the months of the last year were foretold from those before them. The intervals are as wide"
    " as its errors were.",
)
FARTHEST = 24
"""Months ahead at most."""
ORIGINS = 12
"""Past months from which the back-test foretells those that followed."""


class Method(Enum):
    SEASONAL_NAIVE = "SEASONAL_NAIVE"
    HOLT_WINTERS = "HOLT_WINTERS"


Carry = Callable[[Sequence[float], int], list[float]]


def _not_below_zero(carry: Carry) -> Carry:
    """More than was sold is not given back month after month: a trend that falls ends at nothing."""
    return lambda series, ahead: [max(0.0, value) for value in carry(series, ahead)]


METHODS: dict[Method, Carry] = {
    Method.SEASONAL_NAIVE: _not_below_zero(seasonal_naive),
    Method.HOLT_WINTERS: _not_below_zero(holt_winters),
}


@dataclass(frozen=True)
class Expected:
    """One month: what is expected, and between which values it will lie with the probability asked for."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Forecast:
    """`errors` is each method's mean absolute error in the back-test; `share` that of the one taken, of
    the mean absolute value that was to be foretold (None where that is next to nothing); `compared` is how
    many values that were.
    """

    method: Method
    months: tuple[Expected, ...]
    errors: dict[Method, float]
    share: float | None
    compared: int


def forecast(series: Sequence[float], ahead: int, probability: float) -> Forecast | str:
    """The months that follow `series`, or why nothing can be said of them.

    The interval takes errors to be normal, about 0, with the mean square that those of the back-test had
    so many months ahead; farther than it looked, they grow with the square root of the time. Neither it nor
    the value is below zero.
    """
    if len(series) < FEWEST:
        return f"{len(series)} whole months are known; {FEWEST} are needed."
    tested = {method: _back_test(series, ahead, carry) for method, carry in METHODS.items()}
    errors = {
        method: _mean([abs(error) for step in steps for error in step]) for method, steps in tested.items()
    }
    method = min(METHODS, key=lambda each: errors[each])
    steps = tested[method]
    compared = [value for origin in _origins(series) for value in series[origin : origin + ahead]]
    size = _mean([abs(value) for value in compared])
    width = NormalDist().inv_cdf(0.5 + probability / 2)
    months = []
    spread = 0.0
    for step, value in enumerate(METHODS[method](series, ahead)):
        wrong = steps[step]
        # an interval that became narrower the farther it lies would be chance
        spread = max(spread, sqrt(_mean([error**2 for error in wrong])) if wrong else 0.0)
        grown = spread if wrong else spread * sqrt((step + 1) / max(1, sum(1 for each in steps if each)))
        months.append(Expected(value, max(0.0, value - width * grown), value + width * grown))
    told = size > SMALLEST * _mean([abs(value) for value in series])
    return Forecast(method, tuple(months), errors, errors[method] / size if told else None, len(compared))


def _origins(series: Sequence[float]) -> range:
    """How long the known part of the series was, each time."""
    shortest = SEASON + 1 if len(series) > SEASON + 3 else 3
    return range(max(shortest, len(series) - ORIGINS), len(series))


def _back_test(series: Sequence[float], ahead: int, carry: Carry) -> list[list[float]]:
    """The errors one month ahead, two months ahead and so on, of the forecasts that would have been made."""
    steps: list[list[float]] = [[] for _ in range(ahead)]
    for origin in _origins(series):
        for step, value in enumerate(carry(series[:origin], min(ahead, len(series) - origin))):
            steps[step].append(series[origin + step] - value)
    return steps


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values) if values else 0.0
