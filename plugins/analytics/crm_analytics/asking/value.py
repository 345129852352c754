"""`analytics { clvHistoric purchasePattern }`: from one row a customer."""

from collections.abc import Callable, Sequence
from functools import partial
from statistics import fmean, median
from typing import Any

import strawberry
from strawberry import Info

from crm_analytics.metrics.clv import DEFINITION as CLV
from crm_analytics.metrics.clv import mean_clv
from crm_analytics.metrics.gaps import DEFINITION as PATTERN
from crm_analytics.metrics.measured import Measured
from crm_framework import Batch, Fragment, batch

from .analytics import Analytics, GroupBy
from .grouped import Source, rows
from .metric import Answer, Metric, by_group, metric
from .money import digits_of
from .question import Grouping, Question, grouping

OF_NOW = "It is of now, whatever the window: what customers were like before is not kept."

_WITH_CURRENCY = Source(Fragment("analytics_customer AS f"), Fragment("f.currency IS NOT NULL"))


@batch(needs=("asked",), name="clvHistoric")
async def clv_field(each: Batch[Analytics], info: Info, group_by: GroupBy = None) -> list[list[Metric]]:
    """Historic customer lifetime value up to now, whatever the window, the mean over customers: one metric
    for each currency."""
    return [await _clv(asked, await grouping(asked, group_by)) for asked in each.column("asked")]


async def _clv(asked: Question, by: Grouping | None) -> list[Metric]:
    numbers = "SUM(f.net_minor), COUNT(*), SUM(COALESCE(f.tickets, 0))"
    whole = await rows(asked, None, numbers, _WITH_CURRENCY, keys=("f.currency",))
    parts = [] if by is None else await rows(asked, by, numbers, _WITH_CURRENCY, keys=("f.currency",))
    costs = asked.settings.costs

    def measure(found: Sequence[Sequence[Any]], *, currency: str) -> Measured:
        own = [row for row in found if row[1] == currency]
        customers = sum(int(row[3]) for row in own)
        cost = customers * costs.of(currency, 0) + sum(
            costs.of(currency, int(row[4])) - costs.of(currency, 0) for row in own
        )
        return mean_clv(sum(int(row[2]) for row in own) - cost, customers, digits_of(currency))

    made = []
    for currency in sorted({row[1] for row in whole}):
        own = [row for row in parts if row[1] == currency]
        groups = by_group(asked, by, own, partial(measure, currency=currency))
        answer = Answer(measure(whole, currency=currency), groups)
        made.append(metric(asked, CLV, answer, grouping=by, unit=currency, more=OF_NOW))
    return made


@strawberry.type(description="At what intervals customers buy, as they are now.")
class PurchasePattern:
    median_gap: Metric = strawberry.field(description="The median of the customers' median gaps.")
    mean_gap: Metric = strawberry.field(description="The mean of the customers' mean gaps.")


@batch(needs=("asked",), name="purchasePattern")
async def pattern_field(
    each: Batch[Analytics], info: Info, group_by: GroupBy = None
) -> list[PurchasePattern]:
    """At what intervals customers buy, as of now, whatever the window. Per customer, see
    `Customer.metrics`."""
    return [await _pattern(asked, await grouping(asked, group_by)) for asked in each.column("asked")]


async def _pattern(asked: Question, by: Grouping | None) -> PurchasePattern:
    source = Source(Fragment("analytics_customer AS f"), Fragment("f.gap_median IS NOT NULL"))
    keys = ("f.gap_median", "f.gap_mean")
    whole = await rows(asked, None, "COUNT(*)", source, keys=keys)
    parts = [] if by is None else await rows(asked, by, "COUNT(*)", source, keys=keys)

    def made(place: int, of: Callable[[list[float]], float]) -> Metric:
        measure = partial(_middle, place=place, of=of)
        answer = Answer(measure(whole), by_group(asked, by, parts, measure))
        return metric(asked, PATTERN, answer, grouping=by, more=OF_NOW)

    return PurchasePattern(median_gap=made(1, median), mean_gap=made(2, fmean))


def _middle(found: Sequence[Sequence[Any]], *, place: int, of: Callable[[list[float]], float]) -> Measured:
    gaps = [row[place] for row in found for _ in range(int(row[3]))]
    if not gaps:
        return Measured(None, None, None, 0, "no customer has bought on two days")
    return Measured(float(of(gaps)), None, None, len(gaps))
