"""From the purchases of a currency's customers to its models, and how well they fit."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt

from . import bgnbd, gamma_gamma
from .bgnbd import Seen
from .histories import History

FEWEST = 30
"""Customers who bought on a second day; with fewer, the parameters would say more of chance than of them."""
SEPARATE = 7
"""How well the model fits is told for 0 to 6 repeat purchases, and for this many or more."""


@dataclass(frozen=True)
class Frequency:
    """How many customers bought again so many times, and how many the model expects."""

    repeats: int
    actual: int
    expected: float


@dataclass(frozen=True)
class Fitted:
    """The models of one currency; those are None that too little was known for, and `reason` says so."""

    customers: int
    repeaters: int
    purchases: bgnbd.Fit | None
    values: gamma_gamma.Fit | None
    reason: str | None
    frequencies: tuple[Frequency, ...] = ()
    correlation: float | None = None
    """Between the number of repeat purchases and their mean value, which Gamma-Gamma takes to be 0."""

    @property
    def chi_square(self) -> float | None:
        """Of `frequencies`, with 3 degrees of freedom (8 groups, 4 parameters)."""
        if not self.frequencies:
            return None
        return sum((each.actual - each.expected) ** 2 / max(each.expected, 1e-9) for each in self.frequencies)


def fitted(histories: Sequence[History], last: int) -> Fitted:
    """The models of what was bought to the end of the day `last`; all of `histories` begin before."""
    seen = [history.seen(last) for history in histories]
    repeaters = sum(1 for each in seen if each.repeats)
    if repeaters < FEWEST:
        few = f"{repeaters} customers bought on a second day; {FEWEST} are needed."
        return Fitted(len(seen), repeaters, None, None, few)
    purchases = bgnbd.fit(seen)
    spent = [each for history in histories if (each := history.spent(last)) is not None]
    reason: str | None = None
    values = None
    if len(spent) < FEWEST:
        reason = f"{len(spent)} customers paid on a second day; {FEWEST} are needed for values."
    elif len({each.mean for each in spent}) == 1:
        reason = "All customers pay the same, so that nothing can be learnt of how values differ."
    else:
        values = gamma_gamma.fit(spent)
    return Fitted(
        customers=len(seen),
        repeaters=repeaters,
        purchases=purchases,
        values=values,
        reason=reason,
        frequencies=frequencies(purchases.parameters, seen),
        correlation=correlation([each.repeats for each in spent], [each.mean for each in spent]),
    )


def frequencies(parameters: bgnbd.Parameters, seen: Sequence[Seen]) -> tuple[Frequency, ...]:
    """How the numbers of repeat purchases are distributed, and how they should be."""
    actual = Counter(min(each.repeats, SEPARATE) for each in seen)
    expected = bgnbd.shares(parameters, [each.age for each in seen], SEPARATE)
    return tuple(Frequency(n, actual[n], expected[n]) for n in range(SEPARATE + 1))


def correlation(one: Sequence[float], other: Sequence[float]) -> float | None:
    """Pearson's; None where one of them does not vary."""
    n = len(one)
    if n < 2:
        return None
    mean_one, mean_other = sum(one) / n, sum(other) / n
    both = sum((a - mean_one) * (b - mean_other) for a, b in zip(one, other, strict=True))
    spread = sum((a - mean_one) ** 2 for a in one) * sum((b - mean_other) ** 2 for b in other)
    return both / sqrt(spread) if spread > 0 else None
