"""What the models say of one customer."""

from dataclasses import dataclass

from . import bgnbd, gamma_gamma
from .histories import WEEK, History

PARTS = 4
"""In how many parts the time of a customer's future value is cut; each is discounted from its middle."""


@dataclass(frozen=True)
class Horizon:
    """How far ahead is looked: `days` for purchases, `value_days` for the value, less `discount` a year."""

    days: int
    value_days: int
    discount: float


@dataclass(frozen=True)
class Score:
    """Amounts in minor units; None where nothing is known of values."""

    repeats: int
    recency_days: int
    age_days: int
    mean: float | None
    probability_alive: float
    expected_purchases: float
    expected_value: float | None
    value: float | None


def score(
    history: History,
    last: int,
    purchases: bgnbd.Parameters,
    values: gamma_gamma.Parameters | None,
    horizon: Horizon,
) -> Score:
    """As of the end of the day `last`."""
    seen = history.seen(last)
    n = seen.repeats + 1
    mean = sum(history.values[1:n]) / seen.repeats if seen.repeats else None
    each = None if values is None else gamma_gamma.expected_value(values, seen.repeats, mean or 0.0)
    return Score(
        repeats=seen.repeats,
        recency_days=history.days[n - 1] - history.days[0],
        age_days=last - history.days[0],
        mean=mean,
        probability_alive=bgnbd.probability_alive(purchases, seen),
        expected_purchases=bgnbd.expected_purchases(purchases, seen, horizon.days / WEEK),
        expected_value=each,
        value=None if each is None else each * discounted_purchases(purchases, seen, horizon),
    )


def discounted_purchases(parameters: bgnbd.Parameters, seen: bgnbd.Seen, horizon: Horizon) -> float:
    """Expected purchases within `value_days`, each counting the less the later it comes."""
    total = before = 0.0
    for part in range(1, PARTS + 1):
        days = horizon.value_days * part / PARTS
        until = bgnbd.expected_purchases(parameters, seen, days / WEEK)
        middle = (days - horizon.value_days / PARTS / 2) / 365
        total += (until - before) / (1 + horizon.discount) ** middle
        before = until
    return total
