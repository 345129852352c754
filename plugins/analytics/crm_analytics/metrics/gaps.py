"""At what intervals a customer buys, and when the next purchase is to be expected."""

import itertools
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta
from statistics import fmean, median

from .measured import Definition

DEFINITION = Definition(
    "purchasePattern",
    "days",
    "Days between consecutive days with a purchase, by customer: median and mean. The next purchase is"
    " expected the median after the latest. With fewer than two such days there is none.",
)


@dataclass(frozen=True)
class Gaps:
    """In days; `expected` is the day of the next purchase, rounded up."""

    median: float
    mean: float
    expected: date


def gaps(days: Iterable[date]) -> Gaps | None:
    """Of days with a purchase, in any order and as often as they come."""
    sorted_days = sorted(set(days))
    between = [(later - earlier).days for earlier, later in itertools.pairwise(sorted_days)]
    if not between:
        return None
    middle = float(median(between))
    return Gaps(middle, fmean(between), sorted_days[-1] + timedelta(days=-int(-middle // 1)))
