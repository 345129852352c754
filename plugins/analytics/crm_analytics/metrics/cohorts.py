"""Cohorts: customers by the month in which they came, and how many of them buy in the months after."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

from crm_analytics.windows import months_between, months_later

from .measured import Definition, Measured, share

DEFINITION = Definition(
    "cohorts",
    "%",
    "Of the customers who first bought (or signed up) in a month, those who bought in the n-th month after"
    " it; unbounded: who bought in the n-th month or later. Months that have not begun are left out.",
)
NOTHING = "the cohort is empty"


@dataclass(frozen=True)
class Cohort:
    """`periods[n]` is the share that bought in the n-th month after; `unbounded[n]` in that or later."""

    month: date
    size: int
    periods: tuple[Measured, ...]
    unbounded: tuple[Measured, ...]


def cohorts(
    sizes: Mapping[date, int],
    active: Mapping[tuple[date, date], int],
    latest: Mapping[tuple[date, date], int],
    through: date,
    periods: int,
) -> list[Cohort]:
    """`sizes` by the cohort's month; `active` by cohort and month: customers who bought in it; `latest` by
    cohort and month: customers whose latest purchase was in it. `through` is the last month that began."""
    found = []
    ends: dict[date, dict[date, int]] = {month: {} for month in sizes}
    for (cohort, last), number in latest.items():
        if cohort in ends:
            ends[cohort][last] = number
    for month in sorted(sizes):
        reached = min(periods, months_between(month, through))
        later = [months_later(month, n) for n in range(reached + 1)]
        own = ends[month]
        left = sum(number for last, number in own.items() if last >= month)
        lasting = []
        for one in later:
            lasting.append(left)
            left -= own.get(one, 0)
        found.append(
            Cohort(
                month,
                sizes[month],
                tuple(share(active.get((month, one), 0), sizes[month], nothing=NOTHING) for one in later),
                tuple(share(number, sizes[month], nothing=NOTHING) for number in lasting),
            )
        )
    return found
