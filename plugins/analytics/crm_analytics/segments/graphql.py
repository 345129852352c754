"""`retentionBySegment` goes by who belonged to segments; `freezeSegments` keeps that beside the job."""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Annotated, Any

import strawberry
from strawberry import Info

from crm_analytics.asking.activity import Rule, kept, kept_with_whole, rule_of
from crm_analytics.asking.analytics import Analytics
from crm_analytics.asking.metric import Answer, Metric, metric
from crm_analytics.asking.question import MOST_GROUPS, Dimension, Grouping, Question
from crm_analytics.metrics.measured import Measured
from crm_analytics.metrics.retention import RETENTION, Inactivity, Kept, retention
from crm_analytics.rollups.state import state
from crm_analytics.windows import day_in
from crm_framework import (
    Batch,
    CrmError,
    ErrorCode,
    Fragment,
    UnitOfWork,
    batch,
    decode_key,
    matching_customers,
    mutation,
    payload,
    required,
)

from .freezing import freeze, latest
from .staying import kept_of_members

NOT_FROZEN = (
    "who belonged to the segment was not kept on or before the window's first day: that begins in the hour"
    " after the segment is made"
)


@strawberry.input(description="Segments whose members are to be kept as they are today.")
class FreezeSegmentsInput:
    segments: list[strawberry.ID] = required("Which; 50 at most.")


@payload
class FreezeSegmentsPayload:
    """What was kept."""

    day: date | None = strawberry.field(
        description="The day, in the company's time zone; null on failure.", default=None
    )
    members: int | None = strawberry.field(
        description="Members of all these segments; null on failure.", default=None
    )


@mutation(permission="analytics.freeze", everyone=True)
async def freeze_segments(tx: UnitOfWork, info: Info, input: FreezeSegmentsInput) -> FreezeSegmentsPayload:
    """Keeps who belongs to these segments today, for `retentionBySegment`. Of one day the last time holds.

    Every month it is done for all segments by itself; this is for other days.
    """
    keys = _keys(input.segments)
    conditions = await matching_customers(info, [{"segment": one} for one in dict.fromkeys(input.segments)])
    today = day_in(tx.now, (await state(tx)).zone)
    members = await freeze(dict(zip(keys, conditions, strict=True)), today, tx)
    return FreezeSegmentsPayload(day=today, members=members)


def _keys(segments: Sequence[str]) -> list[str]:
    if not 1 <= len(segments) <= MOST_GROUPS:
        raise CrmError(
            ErrorCode.BAD_INPUT, f"{len(segments)} segments are not 1 to {MOST_GROUPS}.", path=("segments",)
        )
    return [decode_key(one, "Segment") for one in dict.fromkeys(segments)]


Segments = Annotated[list[strawberry.ID], strawberry.argument(description="Which segments; 50 at most.")]


@batch(needs=("asked",), also="settings.read", name="retentionBySegment")
async def by_segment_field(
    each: Batch[Analytics], info: Info, segments: Segments, inactivity: Rule = None
) -> list[Metric]:
    """Retention of each segment, of those who belonged to it when the window began: as it was last kept on or
    before the window's first day. All segments are kept early on the first day of each month, and when they
    are new; `freezeSegments` keeps them besides.
    """
    return [await _metric(asked, segments, rule_of(asked, inactivity)) for asked in each.column("asked")]


async def _metric(asked: Question, segments: Sequence[strawberry.ID], rule: Inactivity) -> Metric:
    keys = dict(zip(_keys(segments), dict.fromkeys(segments), strict=True))
    days = await latest(keys, asked.window.first, asked.reader)
    by = Grouping(
        Dimension.SEGMENT,
        conditions=[
            (
                str(keys[key]),
                Fragment(
                    "t.id IN (SELECT b.customer_id FROM analytics_membership AS b"
                    " WHERE b.segment_id = ? AND b.day = ?)",
                    (key, day),
                ),
            )
            for key, day in days.items()
        ],
    )
    everybody, parts = await _counted(asked, by, days, rule)
    counted = dict(parts)
    groups: list[tuple[str | None, Measured]] = []
    for key, label in keys.items():
        if key in days:
            one = counted.get(str(label))
            groups.append((str(label), retention([one] if one else [])))
        else:
            groups.append((str(label), Measured(None, None, None, 0, NOT_FROZEN)))

    async def again(earlier: Question) -> Measured:
        return retention(one for _, one in await kept(earlier, None, rule))

    whole = retention(one for _, one in everybody)
    more = f"Inactive is: {rule.text()}. Members are those of the latest day on which they were kept."
    return metric(asked, RETENTION, Answer(whole, groups), grouping=by, again=again, more=more)


async def _counted(
    asked: Question, by: Grouping, days: Mapping[str, date], rule: Inactivity
) -> tuple[list[tuple[Any, Kept]], list[tuple[Any, Kept]]]:
    """Everybody, and the members of each segment."""
    if not days:
        return await kept(asked, None, rule), []
    found = await kept_of_members(asked, days, rule)
    if found is None:
        return await kept_with_whole(asked, by, rule)
    whole, members = found
    return [("", whole)], [(label, one) for (label, _), one in zip(by.conditions, members, strict=True)]
