"""`analytics { conversion }`: the prospects recorded in the window, and how far they got."""

from collections.abc import Sequence
from typing import Any

import strawberry
from strawberry import Info

from crm_analytics import charts
from crm_analytics.metrics.conversion import DEFINITION, Funnel, conversion, steps
from crm_analytics.metrics.measured import Measured
from crm_analytics.tables import as_csv
from crm_analytics.windows import day_in
from crm_framework import Batch, Fragment, batch, computed, parse_time

from .analytics import Analytics, GroupBy
from .grouped import Source, rows
from .metric import Answer, Metric, by_group, metric
from .question import Dimension, Grouping, Question, grouping

JSON = strawberry.scalars.JSON


@strawberry.type(description="A step of the funnel.")
class FunnelStep:
    name: str = strawberry.field(description="recorded, reached, answered or converted.")
    count: int = strawberry.field(description="Prospects that got there through all steps before.")
    kept: float | None = strawberry.field(
        description="Of the step before, in percent; null where that is empty."
    )
    dropped: int = strawberry.field(description="How many the step before has more.")


@strawberry.type(description="Conversion of prospects, with its funnel.")
class Conversion:
    rate: Metric = strawberry.field(
        description="Converted prospects of those recorded in the window, by whatever way."
    )
    funnel: list[FunnelStep] = strawberry.field(description="From being recorded to being a customer.")

    @computed()
    @staticmethod
    def chart(funnel: list[FunnelStep]) -> JSON:
        """A Vega-Lite specification (version 5) with the data inline, that renders as it is."""
        return charts.bars(
            DEFINITION.name, [{"label": one.name, "value": one.count} for one in funnel], "prospects"
        )

    @computed()
    @staticmethod
    def csv(funnel: list[FunnelStep]) -> str:
        """The funnel as CSV."""
        return as_csv(
            ("step", "count", "kept", "dropped"),
            [(one.name, one.count, one.kept, one.dropped) for one in funnel],
        )


@batch(needs=("asked",), name="conversion")
async def conversion_field(each: Batch[Analytics], info: Info, group_by: GroupBy = None) -> list[Conversion]:
    """How many of the prospects recorded in the window have become customers, and where the others
    stopped."""
    return [await _conversion(asked, await grouping(asked, group_by)) for asked in each.column("asked")]


_TOUCHED = (
    "EXISTS (SELECT 1 FROM crm_interaction AS i WHERE i.customer_id = c.id AND i.direction = '{}'"
    " AND (c.converted_at IS NULL OR i.occurred_at <= c.converted_at))"
)
_NUMBERS = (
    "COUNT(*), SUM(f.reached), SUM(f.reached * f.answered), SUM(f.converted),"
    " SUM(f.reached * f.answered * f.converted)"
)


async def _funnels(asked: Question, by: Grouping | None) -> list[tuple[Any, Funnel]]:
    """Group (of PERIOD: the day on which it was recorded), and the funnel of its prospects."""
    flag = "CASE WHEN {} THEN 1 ELSE 0 END AS {}"
    reached, answered = _TOUCHED.format("OUTBOUND"), _TOUCHED.format("INBOUND")
    prospects = Fragment(
        f"(SELECT c.id AS customer_id, c.created_at, {flag.format(reached, 'reached')},"
        f" {flag.format(answered, 'answered')},"
        f" {flag.format('c.converted_at IS NOT NULL', 'converted')} FROM crm_customer AS c"
        " WHERE c.created_at >= ? AND c.created_at < ? AND c.merged_into_id IS NULL AND c.erased_at IS NULL"
        # who was recorded as a customer was no prospect here; history may date the conversion back
        " AND (c.stage = 'PROSPECT' OR c.converted_at IS NOT NULL)) AS f",
        asked.window.bounds(asked.zone),
    )
    found = await rows(asked, by, _NUMBERS, Source(prospects), time="f.created_at")
    return [(_group(asked, by, row[0]), Funnel(*map(int, row[1:]))) for row in found]


def _group(asked: Question, by: Grouping | None, group: Any) -> Any:
    timed = by is not None and by.by is Dimension.PERIOD
    return day_in(parse_time(group), asked.zone) if timed else group


def _whole(found: Sequence[tuple[Any, Funnel]]) -> Funnel:
    every = [funnel for _, funnel in found]
    return Funnel(
        sum(one.recorded for one in every),
        sum(one.reached for one in every),
        sum(one.answered for one in every),
        sum(one.converted for one in every),
        sum(one.converted_after for one in every),
    )


async def _conversion(asked: Question, by: Grouping | None) -> Conversion:
    async def again(earlier: Question) -> Measured:
        return conversion(_whole(await _funnels(earlier, None)))

    funnel = _whole(await _funnels(asked, None))
    parts = [] if by is None else await _funnels(asked, by)
    groups = by_group(asked, by, parts, lambda found: conversion(_whole([(one[0], one[1]) for one in found])))
    return Conversion(
        rate=metric(asked, DEFINITION, Answer(conversion(funnel), groups), grouping=by, again=again),
        funnel=[
            FunnelStep(name=one.name, count=one.count, kept=one.kept.value, dropped=one.dropped)
            for one in steps(funnel)
        ],
    )
