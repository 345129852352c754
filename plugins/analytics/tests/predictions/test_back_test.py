"""The back-test on CDNOW is the comparison of the paper of 2005, and says why where there is none."""

from array import array
from collections.abc import Sequence
from datetime import date

import pytest
from crm_analytics.predictions.backtest import BackTest, back_test
from crm_analytics.predictions.fitting import fitted
from crm_analytics.predictions.histories import History


@pytest.fixture(scope="module")
def tested(histories: Sequence[History]) -> BackTest:
    found = back_test(histories, date(1998, 6, 30).toordinal())
    assert isinstance(found, BackTest)
    return found


def test_the_halves_are_those_of_the_paper(tested: BackTest) -> None:
    assert date.fromordinal(tested.cut) == date(1997, 9, 30)
    assert date.fromordinal(tested.last) == date(1998, 6, 30)
    assert tested.fitted.customers == 2357


def test_the_curve_of_the_hold_out(tested: BackTest) -> None:
    """78 weeks; at their end the paper's curve lies 4 % below the 4,339 repeat purchases that there were."""
    assert len(tested.curve) == 78
    week_39, week_78 = tested.curve[38], tested.curve[77]
    assert (week_39.actual, week_78.actual) == (2457, 4339)
    assert week_39.expected / week_39.actual == pytest.approx(1.015, abs=0.002)
    assert week_78.expected / week_78.actual == pytest.approx(0.959, abs=0.002)


def test_customers_of_the_hold_out(tested: BackTest) -> None:
    """The correlation of the paper's table is 0.626; who goes on as before would be a worse guess."""
    assert tested.correlation == pytest.approx(0.626, abs=0.001)
    assert tested.actual == 1882
    assert tested.error < tested.naive_error


def test_too_short_a_time_is_told() -> None:
    known = [History("c", array("l", [1, 20]), array("q", [5, 5]))]
    assert back_test(known, 40) == "Purchases of 39 days are known; 56 are needed."


def test_too_few_customers_are_told() -> None:
    known = [History(str(n), array("l", [n + 1, n + 201]), array("q", [5, 5])) for n in range(29)]
    found = fitted(known, 400)
    assert (found.purchases, found.values) == (None, None)
    assert found.reason == "29 customers bought on a second day; 30 are needed."
    assert back_test(known, 400) == ("In the first half of the time 0 customers bought again; 30 are needed.")


def test_equal_values_teach_nothing() -> None:
    known = [History(str(n), array("l", [n + 1, n + 90]), array("q", [5, 5])) for n in range(40)]
    found = fitted(known, 400)
    assert found.purchases is not None
    assert found.values is None
    assert found.reason == "All customers pay the same, so that nothing can be learnt of how values differ."
