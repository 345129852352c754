"""Each metric by hand."""

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest
from crm_analytics.answers import Score, outcome_of, score_of
from crm_analytics.charts import bars
from crm_analytics.metrics.at_risk import lengthening_gap
from crm_analytics.metrics.clv import Costs, Relationship, mean_clv
from crm_analytics.metrics.cohorts import cohorts
from crm_analytics.metrics.conversion import Funnel, conversion, steps
from crm_analytics.metrics.csat import csat
from crm_analytics.metrics.gaps import Gaps, gaps
from crm_analytics.metrics.measured import Measured
from crm_analytics.metrics.nps import nps
from crm_analytics.metrics.prospect import Prospect, prospect_score
from crm_analytics.metrics.repeat import repeat_purchase_rate
from crm_analytics.metrics.retention import Inactivity, Kept, churn, kept_of, retention
from crm_analytics.metrics.revenue import Rates, Sum, converted, revenue
from crm_analytics.metrics.rfm import NAMES, SEGMENTS, Bounds, Rfm, bounds
from crm_analytics.tables import as_csv
from crm_analytics.windows import Period, Window, day_in, midnight, months_later


def test_nps_counts_passives_below_the_line() -> None:
    # 10 answers: 5 promoters, 3 passives, 2 detractors
    answers = [(10, 2), (9, 3), (8, 1), (7, 2), (6, 1), (0, 1)]
    assert nps(answers) == Measured(30.0, 3, 10, 10)
    assert nps([(6, 4)]) == Measured(-100.0, -4, 4, 4)
    assert nps([(8, 1)]) == Measured(0.0, 0, 1, 1)


def test_undefined_is_none_with_a_reason() -> None:
    assert nps([]) == Measured(None, 0, 0, 0, "no answers in the window")
    assert csat([]).value is None
    assert retention([]) == Measured(None, 0, 0, 0, "no customer was active when the window began")
    assert churn([Kept(0, 0)]).reason == "no customer was active when the window began"
    assert repeat_purchase_rate(0, 0).value is None
    assert conversion(Funnel(0, 0, 0, 0, 0)).value is None
    assert mean_clv(0, 0, 2).value is None


def test_csat_is_the_best_two_fifths_of_whatever_scale() -> None:
    assert csat([(5, 5, 3), (4, 5, 2), (3, 5, 4), (1, 5, 1)]) == Measured(50.0, 5, 10, 10)
    assert csat([(8, 10, 1), (7, 10, 1)]) == Measured(50.0, 1, 2, 2)


D = date


def test_retention_and_churn_of_one_window() -> None:
    rule = Inactivity(months=12)
    customers = [
        [D(2023, 6, 1), D(2024, 1, 5)],  # active, kept
        [D(2023, 12, 31)],  # active, lost
        [D(2022, 12, 31), D(2024, 1, 9)],  # had lapsed and came back: in neither
        [D(2024, 1, 20)],  # new
        [D(2023, 1, 1), D(2024, 2, 1)],  # active on the last day of the rule, bought after the window
    ]
    kept = kept_of(customers, D(2024, 1, 1), D(2024, 1, 31), rule)
    assert kept == Kept(3, 1)
    assert retention([kept]).value == pytest.approx(100 / 3)
    assert churn([kept]).value == pytest.approx(200 / 3)


def test_retention_by_own_gaps() -> None:
    rule = Inactivity(gaps=2)
    customers = [
        [D(2024, 1, 1), D(2024, 1, 11), D(2024, 1, 21), D(2024, 2, 2)],  # gap 10: 11 days are not too many
        [D(2023, 11, 1), D(2023, 11, 11), D(2024, 2, 2)],  # gap 10: 82 days are
        [D(2024, 1, 31)],  # one purchase, no gap to go by
    ]
    assert kept_of(customers, D(2024, 2, 1), D(2024, 2, 29), rule) == Kept(1, 1)
    assert rule.text() == "no purchase for 2 times the customer's own median gap"


def test_cohorts_by_period_and_unbounded() -> None:
    jan, feb, mar = D(2024, 1, 1), D(2024, 2, 1), D(2024, 3, 1)
    # January: 4 customers, of whom 1 bought in February and 2 in March (one of these in both)
    active = {(jan, jan): 4, (jan, feb): 1, (jan, mar): 2, (feb, feb): 2}
    latest = {(jan, jan): 2, (jan, mar): 2, (feb, feb): 2}
    first, second = cohorts({jan: 4, feb: 2}, active, latest, mar, 12)
    assert [one.value for one in first.periods] == [100, 25, 50]
    assert [one.value for one in first.unbounded] == [100, 50, 50]
    assert [one.value for one in second.periods] == [100, 0]  # the month after March has not begun
    assert cohorts({jan: 4}, active, latest, mar, 1)[0].periods[-1].value == 25


def test_quintiles_and_their_ties() -> None:
    ten = bounds(list(range(1, 11)))
    assert [ten.score(value) for value in range(1, 11)] == [1, 1, 2, 2, 3, 3, 4, 4, 5, 5]
    # 8 of 10 are equal: they share the score of the first of them
    tied = bounds([1] * 8 + [2, 3])
    assert [tied.score(value) for value in (1, 2, 3)] == [1, 5, 5]
    assert bounds([7]).score(7) == 1
    assert bounds([]) == Bounds(())


def test_a_tie_has_the_score_of_its_strictly_worse() -> None:
    # 1 + one for each full fifth that is strictly worse
    values = [1, 1, 1, 2, 2, 2, 3, 3, 3, 4]
    found = bounds(values)
    for value in values:
        worse = sum(other < value for other in values)
        assert found.score(value) == 1 + sum(worse >= fifth * 10 / 5 for fifth in range(1, 5))


def test_segments_of_rfm() -> None:
    assert Rfm(5, 5, 5).segment == "champion"
    assert Rfm(1, 1, 1).segment == "lost"
    assert Rfm(1, 5, 5).segment == "cannot lose"
    assert Rfm(5, 1, 1).segment == "new"
    assert Rfm(3, 2, 3).segment == "needs attention"
    assert Rfm(2, 3, 4).segment == "at risk"
    assert {name for row in SEGMENTS for name in row} == set(NAMES)


def test_gaps_between_days_with_a_purchase() -> None:
    days = [D(2024, 1, 31), D(2024, 1, 1), D(2024, 1, 1), D(2024, 1, 11), D(2024, 2, 1)]
    assert gaps(days) == Gaps(10.0, 31 / 3, D(2024, 2, 11))
    assert gaps([D(2024, 1, 1), D(2024, 1, 4), D(2024, 1, 8)]) == Gaps(3.5, 3.5, D(2024, 1, 12))
    assert gaps([D(2024, 1, 1)]) is None
    assert gaps([]) is None


def test_historic_value() -> None:
    relationship = Relationship(D(2024, 1, 31), D(2024, 3, 1), 9_000, 1_500)
    assert (relationship.months, relationship.value_minor) == (3, 7_500)
    much = 2**53 + 1  # more than a quotient of it is exact for
    assert Relationship(D(2024, 1, 31), D(2024, 3, 1), much, 1).value_minor == 2**53
    costs = Costs("EUR", 1_000, 250)
    assert (costs.of("EUR", 2), costs.of("JPY", 2)) == (1_500, 0)
    assert mean_clv(7_500, 3, 2) == Measured(25.0, 75.0, 3, 3)


def test_repeat_purchase_rate() -> None:
    assert repeat_purchase_rate(8, 2) == Measured(25.0, 2, 8, 8)


def test_funnel_with_its_drop_off() -> None:
    funnel = Funnel(recorded=10, reached=8, answered=4, converted=3, converted_after=2)
    assert conversion(funnel) == Measured(30.0, 3, 10, 10)
    assert [(one.name, one.count, one.kept.value, one.dropped) for one in steps(funnel)] == [
        ("recorded", 10, 100.0, 0),
        ("reached", 8, 80.0, 2),
        ("answered", 4, 50.0, 4),
        ("converted", 2, 50.0, 2),
    ]
    assert steps(Funnel(1, 0, 0, 0, 0))[2].kept.value is None


def test_revenue_less_refunds_in_one_currency() -> None:
    sums = [Sum(D(2024, 1, 1), "EUR", 1_000, 2), Sum(D(2024, 1, 2), "EUR", -250, 0)]
    assert revenue(sums, 2) == Measured(7.5, 7.5, None, 2)


def test_revenue_converted_by_the_rate_of_the_day() -> None:
    rates = Rates("EUR", {"USD": [(D(2024, 1, 1), Decimal("0.9")), (D(2024, 1, 2), Decimal("0.8"))]})
    sums = [
        Sum(D(2024, 1, 1), "USD", 1_000, 1),
        Sum(D(2024, 1, 3), "USD", 1_000, 1),
        Sum(D(2024, 1, 3), "EUR", 100, 1),
    ]
    assert converted(sums, rates, {"USD": 2, "EUR": 2}) == Measured(18.0, 18.0, None, 3)
    missing = converted([Sum(D(2023, 12, 31), "USD", 1, 1)], rates, {"USD": 2, "EUR": 2})
    assert missing == Measured(None, None, None, 0, "no rate from USD to EUR was entered for 2023-12-31")


def test_a_gap_that_lengthens() -> None:
    assert lengthening_gap(D(2024, 1, 1), 10, D(2024, 1, 21)) is None
    found = lengthening_gap(D(2024, 1, 1), 10, D(2024, 1, 22))
    assert found is not None
    assert found.text == "no purchase for 21 days; the median between two is 10"
    assert lengthening_gap(D(2024, 1, 1), 10, D(2024, 6, 1)) is None  # gone, no risk any more


def test_a_prospects_score_is_the_sum_of_its_reasons() -> None:
    today = D(2024, 3, 1)
    assert prospect_score(Prospect(), today).value == 0
    hot = prospect_score(Prospect(3, D(2024, 2, 20), "POSITIVE", True, True), today)
    assert hot.value == 35 + 20 + 15 + 15 + 10
    assert sum(one.points for one in hot.reasons) == hot.value
    assert prospect_score(Prospect(mood="NEGATIVE"), today).value == 0


@pytest.mark.parametrize(
    ("inbound", "day", "told"),
    [
        (1, D(2024, 3, 2), ["came to us or answered once", "the latest touch was today"]),
        (1, D(2024, 3, 1), ["came to us or answered once", "the latest touch was today"]),
        (2, D(2024, 2, 29), ["came to us or answered 2 times", "the latest touch was yesterday"]),
        (2, D(2024, 2, 28), ["came to us or answered 2 times", "the latest touch was 2 days ago"]),
    ],
)
def test_a_prospects_score_in_words(inbound: int, day: date, told: list[str]) -> None:
    found = prospect_score(Prospect(inbound, day), D(2024, 3, 1))
    assert [one.text for one in found.reasons] == told


@pytest.mark.parametrize(
    ("outcome", "score"),
    [
        ("nps 9", Score("nps", 9, 10)),
        ("NPS: 0", Score("nps", 0, 10)),
        ("csat 4", Score("csat", 4, 5)),
        ("csat 8/10", Score("csat", 8, 10)),
        ("nps 11", None),
        ("csat 0", None),
        ("csat 6", None),
        ("nps 4/5", None),
        ("great", None),
        (None, None),
    ],
)
def test_what_an_outcome_says(outcome: str | None, score: Score | None) -> None:
    assert score_of(outcome) == score
    if score is not None:
        assert score_of(outcome_of(score)) == score


def test_windows_and_their_previous_ones() -> None:
    march = Window(D(2024, 3, 1), D(2024, 3, 31))
    assert march.previous == Window(D(2024, 2, 1), D(2024, 2, 29))
    assert Window(D(2024, 3, 10), D(2024, 3, 12)).previous == Window(D(2024, 3, 7), D(2024, 3, 9))
    assert list(Window(D(2024, 1, 31), D(2024, 3, 1)).periods(Period.MONTH)) == [
        D(2024, 1, 1),
        D(2024, 2, 1),
        D(2024, 3, 1),
    ]
    assert Period.WEEK.start(D(2024, 3, 3)) == D(2024, 2, 26)
    assert Period.QUARTER.start(D(2024, 6, 30)) == D(2024, 4, 1)
    assert months_later(D(2024, 1, 31), 1) == D(2024, 2, 29)
    assert months_later(D(2024, 1, 31), -11) == D(2023, 2, 28)


def test_days_of_a_zone_with_daylight_saving() -> None:
    berlin = "Europe/Berlin"
    assert day_in(datetime(2024, 3, 30, 23, 30, tzinfo=UTC), berlin) == D(2024, 3, 31)
    assert midnight(D(2024, 3, 31), berlin) == datetime(2024, 3, 30, 23, tzinfo=UTC)
    assert midnight(D(2024, 4, 1), berlin) == datetime(2024, 3, 31, 22, tzinfo=UTC)
    assert day_in(datetime(2024, 1, 1, 18, 29, tzinfo=UTC), "Asia/Kolkata") == D(2024, 1, 1)
    assert day_in(datetime(2024, 1, 1, 18, 30, tzinfo=UTC), "Asia/Kolkata") == D(2024, 1, 2)


def test_csv_keeps_texts_from_being_formulas() -> None:
    assert as_csv(("a", "b"), [("=1+1", None), ('say "hi"', -1.5)]) == (
        'a,b\r\n\'=1+1,\r\n"say ""hi""",-1.5\r\n'
    )


def test_a_chart_has_its_data_inline() -> None:
    chart: Any = bars("nps", [{"label": "mail", "value": 3.0}], "points")
    assert chart["$schema"].endswith("/vega-lite/v5.json")
    assert chart["data"] == {"values": [{"label": "mail", "value": 3.0}]}
    assert chart["encoding"]["x"]["field"] == "value"
