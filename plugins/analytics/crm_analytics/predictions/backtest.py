"""How well a model would have done: fitted to the first half of the time, compared with the second."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from . import bgnbd, gamma_gamma
from .fitting import FEWEST, Fitted, correlation, fitted
from .histories import WEEK, History

SHORTEST = 28
"""Days of each half; of less nothing is learnt."""


@dataclass(frozen=True)
class CurvePoint:
    """Repeat purchases altogether, to the end of a day, of the customers of the first half."""

    day: int
    actual: int
    expected: float


@dataclass(frozen=True)
class BackTest:
    """The first half ends with the day `cut` (an ordinal), the second with `last`.

    `expected` and `actual` are purchases of the second half, `spent` and `expected_spent` what they were
    worth, in minor units. The errors are means per customer; the naive forecast is that everybody goes on as
    before.
    """

    cut: int
    last: int
    fitted: Fitted
    expected: float
    actual: int
    error: float
    naive_error: float
    correlation: float | None
    spent: int
    expected_spent: float | None
    curve: tuple[CurvePoint, ...]


def back_test(histories: Sequence[History], last: int) -> BackTest | str:
    """The test, or why there is none. `histories` is not empty."""
    first = min(history.days[0] for history in histories)
    cut = first + (last - first) // 2
    if last - cut < SHORTEST:
        return f"Purchases of {last - first} days are known; {2 * SHORTEST} are needed."
    known = [history for history in histories if history.days[0] <= cut]
    model = fitted(known, cut)
    if model.purchases is None:
        return f"In the first half of the time {model.repeaters} customers bought again; {FEWEST} are needed."
    parameters = model.purchases.parameters
    weeks = (last - cut) / WEEK
    expected, actual, naive = [], [], []
    spent, expected_spent = 0, 0.0
    for history in known:
        seen = history.seen(cut)
        n = history.until(cut)
        expected.append(bgnbd.expected_purchases(parameters, seen, weeks))
        naive.append(seen.repeats / seen.age * weeks if seen.age else 0.0)
        actual.append(history.until(last) - n)
        spent += sum(history.values[n : n + actual[-1]])
        if model.values is not None:
            mean = sum(history.values[1:n]) / (n - 1) if n > 1 else 0.0
            value = gamma_gamma.expected_value(model.values.parameters, n - 1, mean)
            expected_spent += expected[-1] * (value or 0.0)
    return BackTest(
        cut=cut,
        last=last,
        fitted=model,
        expected=sum(expected),
        actual=sum(actual),
        error=_mean_error(expected, actual),
        naive_error=_mean_error(naive, actual),
        correlation=correlation(expected, actual),
        spent=spent,
        expected_spent=expected_spent if model.values is not None else None,
        curve=_curve(parameters, known, first, last),
    )


def _mean_error(expected: Sequence[float], actual: Sequence[int]) -> float:
    return sum(abs(a - b) for a, b in zip(expected, actual, strict=True)) / len(actual)


def _curve(
    parameters: bgnbd.Parameters, known: Sequence[History], first: int, last: int
) -> tuple[CurvePoint, ...]:
    """Week by week. Expected: of each customer by equation 9, since the own first purchase."""
    joined = Counter(history.days[0] for history in known)
    again = Counter(day for history in known for day in history.days[1:])
    after = [bgnbd.expected_repeats(parameters, days / WEEK) for days in range(last - first + 1)]
    points, actual, done = [], 0, first
    for day in range(first + 6, last + 1, 7):
        actual += sum(again[each] for each in range(done, day + 1))
        done = day + 1
        expected = sum(n * after[day - start] for start, n in joined.items() if start <= day)
        points.append(CurvePoint(day, actual, expected))
    return tuple(points)
