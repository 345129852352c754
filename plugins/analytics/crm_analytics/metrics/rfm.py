"""Recency, frequency, monetary value: quintiles 1–5, 5 best, over everybody who buys in the same currency.

Ties share a score: a customer's is 1 and one more for each fifth of the population that all is strictly
worse, so equal values never differ, and a score may be missing where many are equal.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from .measured import Definition

DEFINITION = Definition(
    "rfm",
    "score",
    "Quintiles 1 to 5, 5 best, of the day of the latest purchase, the number of purchases, and purchases less"
    " refunds, over all customers with a purchase whose main currency is the same. Equal values have equal"
    " scores: 1, and 1 more for each fifth of the customers that is strictly worse.",
)

SEGMENTS = (
    ("lost", "hibernating", "at risk", "cannot lose", "cannot lose"),
    ("hibernating", "hibernating", "at risk", "at risk", "cannot lose"),
    ("about to sleep", "needs attention", "needs attention", "loyal", "loyal"),
    ("promising", "potential loyalist", "loyal", "champion", "champion"),
    ("new", "potential loyalist", "loyal", "champion", "champion"),
)
"""By recency 1 to 5, and by the mean of frequency and monetary value 1 to 5, rounded half up."""

NAMES = tuple(dict.fromkeys(name for row in reversed(SEGMENTS) for name in reversed(row)))
"""All segments, the best first."""


@dataclass(frozen=True)
class Bounds:
    """Of one measure: the largest value of each of the four worse fifths, the worst first."""

    values: tuple[Any, ...]

    def score(self, value: Any) -> int:
        return 1 + sum(1 for bound in self.values if value > bound)


def ranks(population: int) -> tuple[int, ...]:
    """Which values are the bounds, counted from 0 in ascending order."""
    return tuple(-(-fifth * population // 5) - 1 for fifth in range(1, 5))


def bounds(values: Sequence[Any]) -> Bounds:
    """Of all values. Of fewer than five some fifths are empty, and no bound."""
    ascending = sorted(values)
    return Bounds(tuple(ascending[rank] for rank in ranks(len(ascending)))) if ascending else Bounds(())


@dataclass(frozen=True)
class Rfm:
    """Scores from 1 to 5."""

    recency: int
    frequency: int
    monetary: int

    @property
    def segment(self) -> str:
        return SEGMENTS[self.recency - 1][(self.frequency + self.monetary + 1) // 2 - 1]
