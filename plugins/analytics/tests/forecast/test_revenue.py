"""Forecasts: what the methods must give by their definition, and what is said where little is known."""

import math
import random
from statistics import mean

import pytest
from crm_analytics.forecast.methods import holt_winters, seasonal_naive
from crm_analytics.forecast.revenue import Forecast, Method, forecast
from hypothesis import given
from hypothesis import strategies as st


def seasonal(month: int) -> float:
    return 1_000 + 10 * month + 200 * math.sin(2 * math.pi * month / 12)


def test_seasonal_naive_repeats_the_last_season() -> None:
    series = [float(month) for month in range(30)]
    assert seasonal_naive(series, 14) == [*[float(month) for month in range(18, 30)], 18.0, 19.0]
    assert seasonal_naive([3.0, 7.0], 2) == [7.0, 7.0]


@given(st.floats(-1e6, 1e6), st.floats(-1e4, 1e4), st.integers(3, 40))
def test_a_straight_line_goes_on(start: float, slope: float, length: int) -> None:
    """Without a season, or with one that is flat, the errors are 0 and so the line is carried on exactly."""
    series = [start + slope * month for month in range(length)]
    expected = [start + slope * month for month in range(length, length + 5)]
    assert holt_winters(series, 5, season=1) == pytest.approx(expected, rel=1e-6, abs=1e-3)


def test_a_season_goes_on() -> None:
    series = [1_000 + 200 * math.sin(2 * math.pi * month / 12) for month in range(48)]
    expected = [1_000 + 200 * math.sin(2 * math.pi * month / 12) for month in range(48, 60)]
    assert holt_winters(series, 12) == pytest.approx(expected, abs=1e-6)


def test_the_method_that_errs_less_is_taken() -> None:
    rising = [seasonal(month) for month in range(60)]
    found = forecast(rising, 6, 0.8)
    assert isinstance(found, Forecast)
    assert found.method is Method.HOLT_WINTERS
    assert found.errors[Method.HOLT_WINTERS] < found.errors[Method.SEASONAL_NAIVE]
    chance = random.Random(1)
    wild = [100 + 80 * (month % 12 == 11) + chance.gauss(0, 30) for month in range(26)]
    other = forecast(wild, 6, 0.8)
    assert isinstance(other, Forecast)
    assert other.errors[other.method] == min(other.errors.values())


def test_the_interval_holds_as_often_as_it_says() -> None:
    """Of many series of one kind, about 80 % of the months to come must lie within the interval of 80 %."""
    held = []
    for seed in range(60):
        chance = random.Random(seed)
        series = [seasonal(month) + chance.gauss(0, 40) for month in range(66)]
        found = forecast(series[:60], 6, 0.8)
        assert isinstance(found, Forecast)
        held += [
            month.low <= actual <= month.high for month, actual in zip(found.months, series[60:], strict=True)
        ]
    assert 0.7 <= mean(held) <= 0.95


def test_intervals_grow_with_the_distance() -> None:
    chance = random.Random(3)
    found = forecast([seasonal(month) + chance.gauss(0, 40) for month in range(40)], 24, 0.8)
    assert isinstance(found, Forecast)
    widths = [month.high - month.low for month in found.months]
    assert widths == sorted(widths)
    assert widths[-1] > widths[0]


def test_the_error_is_told_beside_what_was_to_be_foretold() -> None:
    found = forecast([100.0, 120.0, 90.0, 110.0, 100.0, 130.0, 80.0], 2, 0.8)
    assert isinstance(found, Forecast)
    assert found.share is not None
    assert found.compared == 7
    assert found.share == pytest.approx(found.errors[found.method] / mean([110, 100, 100, 130, 130, 80, 80]))


def test_too_few_months_are_told() -> None:
    assert forecast([1.0] * 5, 3, 0.8) == "5 whole months are known; 6 are needed."


def test_nothing_sold_is_nothing_expected() -> None:
    found = forecast([0.0] * 12, 3, 0.8)
    assert isinstance(found, Forecast)
    assert [(month.low, month.value, month.high) for month in found.months] == [(0.0, 0.0, 0.0)] * 3
    assert found.share is None


def test_what_stopped_is_not_expected_to_fall_below_nothing() -> None:
    """Nor is the error told in percent of the next to nothing that was to be foretold."""
    found = forecast([*[seasonal(month) for month in range(25)], *[0.0] * 11], 6, 0.8)
    assert isinstance(found, Forecast)
    assert all(0 <= month.low <= month.value <= month.high for month in found.months)
    assert found.errors[found.method] > 0
    assert found.share is None


def test_what_falls_ends_at_nothing() -> None:
    found = forecast([float(value) for value in range(100, 10, -10)], 4, 0.8)
    assert isinstance(found, Forecast)
    assert [month.value for month in found.months] == pytest.approx([10, 0, 0, 0], abs=1e-6)
    assert min(month.low for month in found.months) >= 0
