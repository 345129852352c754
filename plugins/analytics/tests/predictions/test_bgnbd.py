"""BG/NBD against the published figures of its authors, and against its own definition."""

import math
import random
from collections.abc import Sequence
from datetime import date
from itertools import pairwise

import pytest
from crm_analytics.predictions.bgnbd import (
    Parameters,
    Seen,
    expected_purchases,
    expected_repeats,
    fit,
    log_likelihood,
    probability_alive,
    share_with,
    shares,
)
from crm_analytics.predictions.histories import History
from hypothesis import given, settings
from hypothesis import strategies as st

PUBLISHED = Parameters(r=0.243, alpha=4.414, a=0.793, b=2.426)


@pytest.fixture(scope="module")
def calibration(histories: Sequence[History]) -> list[Seen]:
    """As in the paper."""
    return [history.seen(date(1997, 9, 30).toordinal()) for history in histories]


def test_cdnow_gives_the_published_parameters(calibration: list[Seen]) -> None:
    found = fit(calibration)
    assert found.customers == 2357
    assert found.log_likelihood == pytest.approx(-9582.4, abs=0.05)
    for name in ("r", "alpha", "a", "b"):
        assert getattr(found.parameters, name) == pytest.approx(getattr(PUBLISHED, name), rel=0.002), name


def test_cdnow_is_distributed_as_published(calibration: list[Seen]) -> None:
    """The paper's chi-square, 4.82, is over 0 to 6 and 7 or more repeat purchases."""
    seen = calibration
    actual = [sum(1 for each in seen if min(each.repeats, 7) == n) for n in range(8)]
    assert actual == [1411, 439, 214, 100, 62, 38, 29, 64]
    expected = shares(fit(seen).parameters, [each.age for each in seen], 7)
    assert sum((a - e) ** 2 / e for a, e in zip(actual, expected, strict=True)) == pytest.approx(
        4.82, abs=0.01
    )


def test_the_customer_of_the_authors_note() -> None:
    """x = 2, t_x = 30.43, T = 38.86: 1.226 purchases in the next 39 weeks ("… in Excel", 2005)."""
    assert expected_purchases(PUBLISHED, Seen(2, 30.43, 38.86), 39) == pytest.approx(1.226, abs=0.001)


def test_the_gradient_leads_to_the_top(calibration: list[Seen]) -> None:
    seen = calibration
    best = fit(seen)
    for name in ("r", "alpha", "a", "b"):
        for factor in (0.99, 1.01):
            value = getattr(best.parameters, name) * factor
            other = Parameters(**{**vars(best.parameters), name: value})
            assert log_likelihood(other, seen) < best.log_likelihood


def test_parameters_are_found_again_in_what_the_model_makes() -> None:
    truth = Parameters(r=0.8, alpha=6.0, a=0.6, b=2.0)
    found = fit(simulated(truth, 20_000, 52.0, random.Random(2005))).parameters
    for name in ("r", "alpha", "a", "b"):
        assert getattr(found, name) == pytest.approx(getattr(truth, name), rel=0.12), name


def test_what_ended_at_the_limit_of_what_is_tried_is_told(calibration: list[Seen]) -> None:
    assert fit(calibration).parameters.warning is None
    # all buy at the same rate, and nobody leaves: they are the more alike the greater r, without an end
    same = [Seen(5, 50.0, 52.0), Seen(4, 40.0, 52.0)] * 50
    found = fit(same).parameters
    assert found.warning == (
        "r ended at the limit of what is tried: too little is known of how customers differ in this, and with"
        " another limit it would be another value."
    )
    others = Parameters(1.0, 3.2e6, 403.0, 3.1e-7).warning
    assert others == found.warning.replace("r ended", "a and b and alpha ended")


def simulated(truth: Parameters, customers: int, age: float, chance: random.Random) -> list[Seen]:
    """Customers who do as the model says."""
    found = []
    for _ in range(customers):
        rate, leaves = chance.gammavariate(truth.r, 1 / truth.alpha), chance.betavariate(truth.a, truth.b)
        at, repeats, last = 0.0, 0, 0.0
        while (at := at + chance.expovariate(rate)) < age:
            repeats, last = repeats + 1, at
            if chance.random() < leaves:
                break
        found.append(Seen(repeats, last, age))
    return found


positive = st.floats(0.5, 4.0)
parameters = st.builds(Parameters, r=positive, alpha=st.floats(0.5, 20.0), a=positive, b=positive)
ages = st.floats(1.0, 60.0)


@st.composite
def customers(draw: st.DrawFn) -> Seen:
    repeats, age = draw(st.integers(0, 12)), draw(ages)
    return Seen(repeats, draw(st.floats(0.05, 1.0)) * age if repeats else 0.0, age)


@settings(max_examples=12, deadline=None)
@given(parameters, customers(), st.floats(0.5, 60.0))
def test_it_is_the_integral_that_it_is_meant_to_be(model: Parameters, seen: Seen, time: float) -> None:
    """Likelihood, probability and expectation by brute force over all rates and all probabilities to
    leave.
    """
    likelihood, alive, bought = integrated(model, seen, time)
    assert log_likelihood(model, [seen]) == pytest.approx(math.log(likelihood), abs=1e-5)
    assert probability_alive(model, seen) == pytest.approx(alive / likelihood, rel=1e-5)
    assert expected_purchases(model, seen, time) == pytest.approx(bought / likelihood, rel=1e-4)


def integrated(model: Parameters, seen: Seen, time: float) -> tuple[float, float, float]:
    """The likelihood; the part of those who are there; and times what these will buy."""
    p, x = model, seen.repeats
    rates = [(math.exp(u / 10), u / 10) for u in range(-300, 70)]
    leaves = [(1 / (1 + math.exp(-v / 4)), v / 4) for v in range(-130, 131)]
    constant = p.r * math.log(p.alpha) - math.lgamma(p.r)
    beta = math.lgamma(p.a) + math.lgamma(p.b) - math.lgamma(p.a + p.b)
    likelihood = alive = bought = 0.0
    for leave, v in leaves:
        # log(1 - leave) without its rounding, for those who leave at once
        stays = -v - math.log1p(math.exp(-v)) if v > 0 else -math.log1p(math.exp(v))
        density = p.a * math.log(leave) + p.b * stays - beta
        for rate, log_rate in rates:
            weight = density + constant + p.r * log_rate - p.alpha * rate + x * log_rate
            here = math.exp(weight + x * stays - rate * seen.age)
            gone = math.exp(weight + math.log(leave) + (x - 1) * stays - rate * seen.last) if x else 0.0
            likelihood += here + gone
            alive += here
            bought += here * -math.expm1(-rate * leave * time) / leave
    step = 1 / 10 / 4
    return likelihood * step, alive * step, bought * step


@settings(max_examples=60, deadline=None)
@given(parameters, st.floats(0.02, 6.0))
def test_expectation_is_the_mean_of_the_distribution(model: Parameters, alphas: float) -> None:
    """Of so many alphas of time: whoever never leaves buys 400 times in them with a probability below
    1e-18. In more time the sum would have to go farther.
    """
    time = alphas * model.alpha
    shared = [share_with(model, repeats, time) for repeats in range(400)]
    assert sum(shared) == pytest.approx(1.0, abs=1e-9)
    mean = sum(repeats * share for repeats, share in enumerate(shared))
    assert expected_repeats(model, time) == pytest.approx(mean, rel=1e-5)


@pytest.mark.parametrize(
    ("model", "time", "mean", "share"),
    [
        (Parameters(4.0, 0.5, 0.5, 4.0), 30.0, 51.6371012235, 0.000113744810174),
        (Parameters(4.0, 0.5, 1.0, 4.0), 30.0, 16.4434954567, 1.29355439486e-05),
        (Parameters(0.5, 0.5, 4.0, 0.5), 30.0, 1.00212386071, 1.91859609837e-15),
        (PUBLISHED, 5200.0, 12.1481190264, 1.29498847564e-05),
    ],
)
def test_long_times_are_as_fifty_digits_give_them(
    model: Parameters, time: float, mean: float, share: float
) -> None:
    """Equations 9 and 8, the latter for 400 purchases, computed with mpmath at 50 digits."""
    assert expected_repeats(model, time) == pytest.approx(mean, rel=1e-5)
    assert share_with(model, 400, time) == pytest.approx(share, rel=1e-9, abs=1e-14)


@settings(max_examples=60, deadline=None)
@given(parameters, customers())
def test_more_time_never_brings_less(model: Parameters, seen: Seen) -> None:
    bought = [expected_purchases(model, seen, weeks) for weeks in (0.0, 0.5, 4.0, 26.0, 104.0, 1000.0)]
    assert bought[0] == pytest.approx(0.0, abs=1e-9)
    assert all(later >= earlier - 1e-9 for earlier, later in pairwise(bought))


def test_whoever_bought_once_is_there() -> None:
    assert probability_alive(PUBLISHED, Seen(0, 0.0, 300.0)) == 1.0


@pytest.mark.parametrize("repeats", [5_000, 100_000])
def test_many_purchases_do_not_overflow(repeats: int) -> None:
    assert probability_alive(PUBLISHED, Seen(repeats, 1.0, 500.0)) == 0.0
    often = Seen(repeats, 500.0, 500.0)
    assert 0.99 < probability_alive(PUBLISHED, often) <= 1.0
    assert 0 < expected_purchases(PUBLISHED, often, 10.0) < repeats
    assert math.isfinite(log_likelihood(PUBLISHED, [often]))


@pytest.mark.parametrize("a", [1.0, 1.0 - 1e-9, 1.0 + 1e-9])
def test_where_the_formula_has_a_gap(a: float) -> None:
    """At a = 1 it divides nothing by nothing; the values beside it tell what is there."""
    seen = Seen(3, 10.0, 20.0)
    beside = [expected_purchases(Parameters(0.5, 5.0, near, 2.0), seen, 10.0) for near in (0.999, 1.001)]
    assert expected_purchases(Parameters(0.5, 5.0, a, 2.0), seen, 10.0) == pytest.approx(
        sum(beside) / 2, rel=1e-4
    )
