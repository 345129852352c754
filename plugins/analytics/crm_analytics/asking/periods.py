"""Metrics of which each period has a value of its own, that those of shorter ones do not add up to."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, timedelta

from crm_analytics.metrics.measured import Measured
from crm_analytics.windows import Window
from crm_framework import CrmError, ErrorCode

from .metric import Again
from .question import Grouping, Question

MOST = 60
"""Periods: each is asked about by itself."""


def not_too_many(asked: Question, by: Grouping) -> Sequence[date]:
    """The first days of the periods that the window touches. BAD_INPUT for more than 60."""
    starts = list(asked.window.periods(by.period))
    if len(starts) > MOST:
        raise CrmError(
            ErrorCode.BAD_INPUT,
            f"{len(starts)} periods are more than {MOST}, which this metric can be broken down by.",
            path=("groupBy", "period"),
            hint="Ask for longer periods, or a shorter window.",
        )
    return starts


async def each_period(asked: Question, by: Grouping, again: Again) -> list[tuple[str | None, Measured]]:
    """The value of each period that the window touches, of the days that belong to both."""
    window, starts = asked.window, not_too_many(asked, by)
    found: list[tuple[str | None, Measured]] = []
    for start in starts:
        last = min(by.period.next(start) - timedelta(days=1), window.last)
        part = replace(asked, window=Window(max(start, window.first), last))
        value = await again(part)
        found.append((start.isoformat(), value.because(part.undefined) if part.undefined else value))
    return found
