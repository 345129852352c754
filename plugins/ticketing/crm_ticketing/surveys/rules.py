"""What ratings come to."""

from collections.abc import Mapping
from typing import NamedTuple

SATISFIED = 4
"""From this rating on, of 5, a customer counts as satisfied."""
UNHAPPY = 2
"""Up to this rating a customer is unhappy."""


def sentiment(rating: int) -> str:
    """As interactions say it."""
    return "POSITIVE" if rating >= SATISFIED else "NEGATIVE" if rating <= UNHAPPY else "NEUTRAL"


class Satisfaction(NamedTuple):
    """`satisfied` of `answers`, and the sum of their stars."""

    satisfied: int
    answers: int
    stars: int

    @property
    def csat(self) -> float | None:
        """The share of satisfied answers; None without any."""
        return self.satisfied / self.answers if self.answers else None


def satisfaction(ratings: Mapping[int, int]) -> Satisfaction:
    """Of how often each rating from 1 to 5 was given."""
    return Satisfaction(
        sum(number for rating, number in ratings.items() if rating >= SATISFIED),
        sum(ratings.values()),
        sum(rating * number for rating, number in ratings.items()),
    )
