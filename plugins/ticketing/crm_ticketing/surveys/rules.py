"""What ratings come to."""

from collections.abc import Iterable
from typing import NamedTuple

SATISFIED = 4
"""From this rating on, of 5, a customer counts as satisfied."""


class Satisfaction(NamedTuple):
    """`satisfied` of `answers`, and the sum of their stars."""

    satisfied: int
    answers: int
    stars: int

    @property
    def csat(self) -> float | None:
        """The share of satisfied answers; None without any."""
        return self.satisfied / self.answers if self.answers else None


def satisfaction(ratings: Iterable[int]) -> Satisfaction:
    """Of ratings from 1 to 5."""
    all_ = list(ratings)
    return Satisfaction(sum(1 for one in all_ if one >= SATISFIED), len(all_), sum(all_))
