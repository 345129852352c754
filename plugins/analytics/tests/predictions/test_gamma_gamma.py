"""Gamma-Gamma against the published figures of its authors, and against its own definition."""

import math
import random
from collections.abc import Sequence
from datetime import date

import pytest
from crm_analytics.predictions.gamma_gamma import Parameters, Spent, expected_value, fit
from crm_analytics.predictions.histories import History
from hypothesis import given, settings
from hypothesis import strategies as st


def test_cdnow_gives_the_published_parameters(histories: Sequence[History]) -> None:
    """p = 6.25, q = 3.74, v = 15.44, of 946 customers, in dollars."""
    last = date(1997, 9, 30).toordinal()
    spent = [each for history in histories if (each := history.spent(last))]
    found = fit(spent)
    assert found.customers == 946
    assert found.parameters.p == pytest.approx(6.25, abs=0.01)
    assert found.parameters.q == pytest.approx(3.74, abs=0.01)
    assert found.parameters.v / 100 == pytest.approx(15.44, abs=0.01)


def simulated(truth: Parameters, customers: int, chance: random.Random) -> list[Spent]:
    """Customers who do as the model says."""
    spent = []
    for _ in range(customers):
        scale = 1 / chance.gammavariate(truth.q, 1 / truth.v)
        repeats = chance.randint(1, 8)
        values = [chance.gammavariate(truth.p, scale) for _ in range(repeats)]
        spent.append(Spent(repeats, sum(values) / repeats))
    return spent


TRUTH = Parameters(p=5.0, q=4.0, v=20.0)


def test_what_ended_at_the_limit_of_what_is_tried_is_told() -> None:
    chance = random.Random(1)
    alike = [Spent(3, chance.gauss(100, 1)) for _ in range(300)]
    found = fit(alike).parameters
    assert found.warning is not None
    assert found.warning.startswith("q ended at the limit of what is tried")
    assert Parameters(500.0, 3.0, 100.0).warning is None
    assert Parameters(3.2e6, 3.0, 100.0).warning == found.warning.replace("q ended", "p ended")


def test_the_unit_of_money_changes_the_scale_alone() -> None:
    spent = simulated(TRUTH, 500, random.Random(7))
    euros = fit(spent)
    cents = fit([Spent(each.repeats, each.mean * 100) for each in spent])
    assert cents.parameters.p == pytest.approx(euros.parameters.p, rel=1e-4)
    assert cents.parameters.q == pytest.approx(euros.parameters.q, rel=1e-4)
    assert cents.parameters.v == pytest.approx(euros.parameters.v * 100, rel=1e-4)
    assert cents.log_likelihood == pytest.approx(euros.log_likelihood - 500 * math.log(100), abs=1e-4)


def test_parameters_are_found_again_in_what_the_model_makes() -> None:
    found = fit(simulated(TRUTH, 20_000, random.Random(2013))).parameters
    assert found.p == pytest.approx(TRUTH.p, rel=0.05)
    assert found.q == pytest.approx(TRUTH.q, rel=0.05)
    assert found.v == pytest.approx(TRUTH.v, rel=0.08)


@settings(max_examples=15, deadline=None)
@given(
    st.builds(Parameters, p=st.floats(0.5, 8.0), q=st.floats(1.5, 6.0), v=st.floats(1.0, 40.0)),
    st.integers(0, 8),
    st.floats(0.5, 200.0),
)
def test_the_expected_value_is_the_mean_over_all_scales(model: Parameters, repeats: int, mean: float) -> None:
    """By brute force: nu is gamma (q, v), the mean of x values gamma (p·x, nu·x), the mean value p / nu."""
    weighted = total = 0.0
    for step in range(-3000, 750):
        log_nu = step / 50
        nu = math.exp(log_nu)
        weight = model.q * log_nu - model.v * nu
        if repeats:
            weight += model.p * repeats * log_nu - nu * repeats * mean
        density = math.exp(weight) if weight > -700 else 0.0
        total += density
        weighted += density * model.p / nu
    assert expected_value(model, repeats, mean) == pytest.approx(weighted / total, rel=1e-6)


def test_customers_without_a_mean_have_none() -> None:
    model = Parameters(p=2.0, q=0.9, v=10.0)
    assert expected_value(model, 0, 0.0) is None
    assert expected_value(model, 1, 10.0) is not None
