"""`analytics { clvHistoric purchasePattern }`: from one row a customer, or of a
day from the days until then."""

from collections.abc import Callable, Sequence
from datetime import date
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
from .metric import Again, Answer, Metric, by_group, metric, without_currency
from .money import digits_of
from .periods import each_period
from .question import Dimension, Grouping, Question, grouping
from .then import AsOf, checked, customers, gaps, nobody, told

TICKETS_THEN = "how many tickets customers had by then is not kept, and they cost something"


@batch(needs=("asked",), name="clvHistoric")
async def clv_field(
    each: Batch[Analytics], info: Info, group_by: GroupBy = None, as_of: AsOf = None
) -> list[list[Metric]]:
    """Historic customer lifetime value up to now or another day, whatever the window, the mean over
    customers: one metric for each currency, or one without a value where nobody bought. `previous` is of the
    end of the window before."""
    return [
        await _clv(asked, await grouping(asked, group_by), checked(as_of, asked))
        for asked in each.column("asked")
    ]


async def _values(asked: Question, by: Grouping | None, as_of: date | None) -> list[tuple[Any, ...]]:
    """Group, currency, what customers brought, how many they are, and how many tickets they had. Groups of
    PERIOD are not known here."""
    if as_of is None:
        source = Source(Fragment("analytics_customer AS f"), Fragment("f.currency IS NOT NULL"))
        tickets = "SUM(COALESCE(f.tickets, 0))"
    else:
        known = customers(as_of)
        source, tickets = Source(Fragment(f"{known.sql} AS f", known.args)), "0"
    return await rows(asked, by, f"SUM(f.net_minor), COUNT(*), {tickets}", source, keys=("f.currency",))


async def _clv(asked: Question, by: Grouping | None, as_of: date | None) -> list[Metric]:
    asked.not_converted("clvHistoric")
    periods = by is not None and by.by is Dimension.PERIOD
    whole = await _values(asked, None, as_of)
    parts = [] if by is None or periods else await _values(asked, by, as_of)
    costs = asked.settings.costs

    def measure(found: Sequence[Sequence[Any]], *, currency: str, then: bool = as_of is not None) -> Measured:
        own = [row for row in found if row[1] == currency]
        customers = sum(int(row[3]) for row in own)
        if then and costs.ticket_minor and currency == costs.currency:
            return Measured(None, None, customers, customers, TICKETS_THEN)
        cost = customers * costs.of(currency, 0) + sum(
            costs.of(currency, int(row[4])) - costs.of(currency, 0) for row in own
        )
        return mean_clv(sum(int(row[2]) for row in own) - cost, customers, digits_of(currency))

    if not whole:
        reason = asked.uncounted or nobody(as_of)
        return [without_currency(asked, CLV, reason, grouping=by, more=told(as_of), of_window=False)]
    made = []
    for currency in sorted({row[1] for row in whole}):
        again = _again(partial(measure, currency=currency, then=True))
        own = [row for row in parts if row[1] == currency]
        groups = (
            await each_period(asked, by, again)
            if by is not None and periods
            else by_group(asked, by, own, partial(measure, currency=currency))
        )
        answer = Answer(measure(whole, currency=currency), groups)
        made.append(
            metric(
                *(asked, CLV, answer),
                grouping=by,
                again=again,
                unit=currency,
                more=told(as_of),
                of_window=False,
            )
        )
    return made


def _again(measure: Callable[[Sequence[Sequence[Any]]], Measured]) -> Again:
    """The value at the end of a window."""

    async def again(part: Question) -> Measured:
        return measure(await _values(part, None, min(part.window.last, part.today)))

    return again


@strawberry.type(description="At what intervals customers buy, as they are now or were on a day.")
class PurchasePattern:
    median_gap: Metric = strawberry.field(description="The median of the customers' median gaps.")
    mean_gap: Metric = strawberry.field(description="The mean of the customers' mean gaps.")


@batch(needs=("asked",), name="purchasePattern")
async def pattern_field(
    each: Batch[Analytics], info: Info, group_by: GroupBy = None, as_of: AsOf = None
) -> list[PurchasePattern]:
    """At what intervals customers buy, as of now or another day, whatever the window. Per customer, see
    `Customer.metrics`; per product, `productPattern`. `previous` is of the end of the window before."""
    return [
        await _pattern(asked, await grouping(asked, group_by), checked(as_of, asked))
        for asked in each.column("asked")
    ]


async def _gaps(asked: Question, by: Grouping | None, as_of: date | None) -> list[tuple[Any, ...]]:
    if as_of is None:
        source = Source(Fragment("analytics_customer AS f"), Fragment("f.gap_median IS NOT NULL"))
    else:
        known = gaps(as_of, asked.reader.dialect)
        source = Source(Fragment(f"{known.sql} AS f", known.args))
    return await rows(asked, by, "COUNT(*)", source, keys=("f.gap_median", "f.gap_mean"))


async def _pattern(asked: Question, by: Grouping | None, as_of: date | None) -> PurchasePattern:
    periods = by is not None and by.by is Dimension.PERIOD
    whole = await _gaps(asked, None, as_of)
    parts = [] if by is None or periods else await _gaps(asked, by, as_of)

    async def made(place: int, middle: Callable[[list[float]], float]) -> Metric:
        measure = partial(_middle, place=place, of=middle)

        async def again(part: Question) -> Measured:
            return measure(await _gaps(part, None, min(part.window.last, part.today)))

        groups = (
            await each_period(asked, by, again)
            if by is not None and periods
            else by_group(asked, by, parts, measure)
        )
        answer = Answer(measure(whole), groups)
        return metric(asked, PATTERN, answer, grouping=by, again=again, more=told(as_of), of_window=False)

    return PurchasePattern(median_gap=await made(1, median), mean_gap=await made(2, fmean))


def _middle(found: Sequence[Sequence[Any]], *, place: int, of: Callable[[list[float]], float]) -> Measured:
    gaps = [row[place] for row in found for _ in range(int(row[3]))]
    if not gaps:
        return Measured(None, None, None, 0, "no customer has bought on two days")
    return Measured(float(of(gaps)), None, None, len(gaps))
