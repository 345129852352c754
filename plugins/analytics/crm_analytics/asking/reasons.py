"""Who has a reason of our own to be at risk, in SQL: as `lengthening_gap` and the moods of a customer say."""

from collections.abc import Iterable
from datetime import date, datetime

from crm_analytics.metrics.at_risk import LOST, OVERDUE, UNHAPPY_FOR
from crm_framework import Fragment

_WAITED = {
    "sqlite": "(julianday(?) - julianday(f.last_day))",
    "postgres": "(CAST(? AS DATE) - f.last_day)",
}


def own_reasons(today: date, at: datetime, dialect: str) -> dict[str, Fragment]:
    """Kind → its condition over a customer's figures `f`. `today` is the company's day at the
    moment: by these days the figures are kept."""
    waited = _WAITED[dialect]
    return {
        "gap": Fragment(
            # the first comparison follows from the second, and has an index
            f"f.expected_on < ? AND {waited} > {OVERDUE} * f.gap_median"
            f" AND {waited} <= {LOST} * f.gap_median",
            (today, today, today),
        ),
        "mood": Fragment("f.unhappy_at >= ?", (at - UNHAPPY_FOR,)),
    }


def either(conditions: Iterable[Fragment]) -> Fragment:
    """The condition that one of them holds; there is one at least."""
    found = list(conditions)
    return Fragment(
        " OR ".join(f"({one.sql})" for one in found), tuple(arg for one in found for arg in one.args)
    )
