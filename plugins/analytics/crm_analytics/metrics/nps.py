"""Net promoter score."""

from collections.abc import Iterable

from .measured import Definition, Measured, share

DEFINITION = Definition(
    "nps",
    "points",
    "100 · (promoters, 9 or 10, less detractors, 0 to 6) / all answers of the window to the question on"
    " recommending, 0 to 10. Passives, 7 or 8, count below the line.",
)
NOTHING = "no answers in the window"


def nps(answers: Iterable[tuple[int, int]]) -> Measured:
    """Of (score, number of answers with it)."""
    counted = list(answers)
    promoters = sum(number for score, number in counted if score >= 9)
    detractors = sum(number for score, number in counted if score <= 6)
    return share(promoters - detractors, sum(number for _, number in counted), nothing=NOTHING)
