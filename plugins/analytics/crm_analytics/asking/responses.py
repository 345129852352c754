"""`analytics { surveyResponseRate }`, from the invitations."""

from collections.abc import Sequence
from typing import Annotated, Any

import strawberry
from strawberry import Info

from crm_analytics.metrics.measured import Definition, Measured, share
from crm_analytics.windows import day_in
from crm_framework import Batch, Fragment, batch, decode_key, parse_time

from .analytics import Analytics, GroupBy
from .grouped import Source, rows
from .metric import Answer, Metric, by_group, metric
from .question import Dimension, Grouping, Question, grouping

DEFINITION = Definition(
    "surveyResponseRate",
    "%",
    "Invitations that were answered by now / invitations of surveys that were sent in the window and could be"
    " delivered. Who was passed over counts in neither.",
)
NOTHING = "nobody was asked in the window"
OfSurvey = Annotated[
    strawberry.ID | None,
    strawberry.argument(description="Of which survey; of all together, if left out."),
]


def _rate(counted: Sequence[Sequence[Any]]) -> Measured:
    return share(sum(row[2] for row in counted), sum(row[1] for row in counted), nothing=NOTHING)


async def _counted(asked: Question, survey: str | None, by: Grouping | None) -> list[tuple[Any, int, int]]:
    """Group (of PERIOD: day), sent, answered."""
    of_one = "" if survey is None else " AND f.survey_id = ?"
    found = await rows(
        asked,
        by,
        "COUNT(*), COUNT(f.answered_at)",
        Source(
            Fragment("analytics_invitation AS f"),
            Fragment(
                f"f.sent_at >= ? AND f.sent_at < ? AND f.state <> 'FAILED'{of_one}",
                (*asked.window.bounds(asked.zone), *(() if survey is None else (survey,))),
            ),
        ),
        time="f.sent_at",
        channel="f.channel",
    )
    timed = by is not None and by.by is Dimension.PERIOD
    return [
        (day_in(parse_time(group), asked.zone) if timed else group, int(sent), int(answered))
        for group, sent, answered in found
    ]


@batch(needs=("asked",), name="surveyResponseRate")
async def response_field(
    each: Batch[Analytics], info: Info, survey: OfSurvey = None, group_by: GroupBy = None
) -> list[Metric]:
    """How many of those who were asked by surveys answered."""
    key = None if survey is None else decode_key(survey, "Survey")
    return [await _metric(asked, key, await grouping(asked, group_by)) for asked in each.column("asked")]


async def _metric(asked: Question, survey: str | None, by: Grouping | None) -> Metric:
    async def again(earlier: Question) -> Measured:
        return _rate(await _counted(earlier, survey, None))

    whole = _rate(await _counted(asked, survey, None))
    groups = by_group(asked, by, await _counted(asked, survey, by), _rate) if by is not None else []
    return metric(asked, DEFINITION, Answer(whole, groups), grouping=by, again=again)
