"""`analytics { nps csat }`, from the answers that are kept."""

from collections.abc import Callable, Sequence
from typing import Any

from strawberry import Info

from crm_analytics.metrics import csat, nps
from crm_analytics.metrics.measured import Definition, Measured
from crm_analytics.windows import day_in
from crm_framework import Batch, Fragment, batch, parse_time

from .analytics import Analytics, GroupBy
from .grouped import Source, rows
from .metric import Answer, Metric, by_group, metric
from .question import Dimension, Grouping, Question, grouping

Measure = Callable[[Sequence[Sequence[Any]]], Measured]


def _nps(counted: Sequence[Sequence[Any]]) -> Measured:
    return nps.nps((score, number) for _, score, _, number in counted)


def _csat(counted: Sequence[Sequence[Any]]) -> Measured:
    return csat.csat((score, most, number) for _, score, most, number in counted)


async def _answers(asked: Question, question: str, by: Grouping | None) -> list[tuple[Any, int, int, int]]:
    """Group (of PERIOD: day), score, best score, number of answers."""
    found = await rows(
        asked,
        by,
        "COUNT(*)",
        Source(
            Fragment("analytics_answer AS f"),
            Fragment(
                "f.question = ? AND f.answered_at >= ? AND f.answered_at < ?",
                (question, *asked.window.bounds(asked.zone)),
            ),
        ),
        keys=("f.score", "f.most"),
        time="f.answered_at",
        channel="f.channel",
    )
    timed = by is not None and by.by is Dimension.PERIOD
    return [
        (day_in(parse_time(group), asked.zone) if timed else group, int(score), int(most), int(number))
        for group, score, most, number in found
    ]


async def _metric(
    asked: Question, by: Grouping | None, question: str, definition: Definition, measure: Measure
) -> Metric:
    async def again(earlier: Question) -> Measured:
        return measure(await _answers(earlier, question, None))

    whole = measure(await _answers(asked, question, None))
    groups = by_group(asked, by, await _answers(asked, question, by), measure) if by is not None else []
    return metric(asked, definition, Answer(whole, groups), grouping=by, again=again)


@batch(needs=("asked",), name="nps")
async def nps_field(each: Batch[Analytics], info: Info, group_by: GroupBy = None) -> list[Metric]:
    """Net promoter score."""
    return [
        await _metric(asked, await grouping(asked, group_by), "nps", nps.DEFINITION, _nps)
        for asked in each.column("asked")
    ]


@batch(needs=("asked",), name="csat")
async def csat_field(each: Batch[Analytics], info: Info, group_by: GroupBy = None) -> list[Metric]:
    """Customer satisfaction."""
    return [
        await _metric(asked, await grouping(asked, group_by), "csat", csat.DEFINITION, _csat)
        for asked in each.column("asked")
    ]
