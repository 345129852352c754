"""Two well-known ways to carry a series on.

Hyndman and Athanasopoulos, "Forecasting: Principles and Practice" (3rd edition, 2021): the seasonal naive
method (5.2), and Holt-Winters' additive one (8.3), which without a season is Holt's linear one (8.2).
"""

from collections.abc import Sequence
from functools import partial
from itertools import product

SEASON = 12
"""Months."""
_TRIED = (0.05, 0.15, 0.3, 0.5, 0.8)
_TREND = (0.0, 0.05, 0.15, 0.3)


def seasonal_naive(series: Sequence[float], ahead: int, season: int = SEASON) -> list[float]:
    """What was a season ago comes again; before a whole season is known, the latest value does."""
    if len(series) < season:
        return [series[-1]] * ahead
    return [series[len(series) - season + step % season] for step in range(ahead)]


def holt_winters(series: Sequence[float], ahead: int, season: int = SEASON) -> list[float]:
    """Level, trend and, where two seasons are known, season, each smoothed; the weights are those that
    would have foretold the series best, one step ahead each time.
    """
    if len(series) < 3:
        return [series[-1]] * ahead
    seasonal = season > 1 and len(series) >= 2 * season
    walk = partial(_seasonal, season=season) if seasonal else _linear
    weights = product(_TRIED, _TREND, _TRIED if seasonal else (0.0,))
    best = min(weights, key=lambda each: walk(series, each, 0)[0])
    return walk(series, best, ahead)[1]


def _linear(
    series: Sequence[float], weights: tuple[float, float, float], ahead: int
) -> tuple[float, list[float]]:
    """The sum of squared errors one step ahead, and what comes next."""
    alpha, beta, _ = weights
    level, trend, wrong = series[0], series[1] - series[0], 0.0
    for value in series[1:]:
        expected = level + trend
        wrong += (value - expected) ** 2
        new = alpha * value + (1 - alpha) * expected
        trend = beta * (new - level) + (1 - beta) * trend
        level = new
    return wrong, [level + (step + 1) * trend for step in range(ahead)]


def _seasonal(
    series: Sequence[float], weights: tuple[float, float, float], ahead: int, season: int
) -> tuple[float, list[float]]:
    alpha, beta, gamma = weights
    level = sum(series[:season]) / season
    trend = (sum(series[season : 2 * season]) / season - level) / season
    seasons = [value - level for value in series[:season]]
    wrong = 0.0
    for place, value in enumerate(series[season:]):
        here = place % season
        expected = level + trend
        wrong += (value - expected - seasons[here]) ** 2
        new = alpha * (value - seasons[here]) + (1 - alpha) * expected
        seasons[here] = gamma * (value - expected) + (1 - gamma) * seasons[here]
        trend = beta * (new - level) + (1 - beta) * trend
        level = new
    start = len(series) - season
    return wrong, [level + (step + 1) * trend + seasons[(start + step) % season] for step in range(ahead)]
