"""Customer satisfaction."""

from collections.abc import Iterable

from .measured import Definition, Measured, share

DEFINITION = Definition(
    "csat",
    "%",
    "Satisfied answers / all answers of the window to the question on satisfaction. Satisfied is the best"
    " fifth of the scale and the one below: 4 and 5 of 5, 8 to 10 of 10.",
)
NOTHING = "no answers in the window"


def satisfied(score: int, most: int) -> bool:
    return score * 5 >= most * 4


def csat(answers: Iterable[tuple[int, int, int]]) -> Measured:
    """Of (score, the best score of its scale, number of such answers)."""
    counted = list(answers)
    good = sum(number for score, most, number in counted if satisfied(score, most))
    return share(good, sum(number for _, _, number in counted), nothing=NOTHING)
