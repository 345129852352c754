"""`analytics { revenue }`: from the sums over all customers, or of those asked about from their days."""

from collections.abc import Sequence
from typing import Any

from strawberry import Info

from crm_analytics.metrics.measured import Measured
from crm_analytics.metrics.revenue import DEFINITION, NOTHING, Sum, converted, revenue
from crm_analytics.rollups.kept import as_day
from crm_framework import Batch, Fragment, batch

from .analytics import Analytics, GroupBy
from .grouped import Source, rows
from .metric import Answer, Metric, by_group, metric, without_currency
from .money import digits_of, rates
from .question import Dimension, Grouping, Question, grouping


async def sums_of(asked: Question, by: Grouping | None) -> list[tuple[Any, Sum]]:
    """Group, and what was sold in it in one currency: on one day, or in one month where that is enough."""
    span = (asked.window.first, asked.window.last)
    of_customers = asked.where is not None or (
        by is not None and by.by not in (Dimension.PERIOD, Dimension.CHANNEL)
    )
    monthly = asked.convert_to is None and _monthly(by)
    if of_customers and monthly and asked.window.whole_months:
        table, day, minor = "analytics_month AS f", "f.month", "f.purchased_minor - f.refunded_minor"
        within = day
    else:
        table = f"{'analytics_daily' if of_customers else 'analytics_sales'} AS f"
        within, minor = "f.day", "f.revenue_minor"
        day = _MONTH[asked.reader.dialect] if monthly else within
    found = await rows(
        asked,
        by,
        f"SUM({minor}), SUM(f.purchases)",
        Source(Fragment(table), Fragment(f"{within} BETWEEN ? AND ?", span)),
        keys=(day, "f.currency"),
        time=day,
        channel="f.channel",
    )
    return [
        (
            as_day(group) if by is not None and by.by is Dimension.PERIOD else group,
            Sum(as_day(on), currency, int(minor), int(purchases)),
        )
        for group, on, currency, minor, purchases in found
        if minor or purchases  # of what was corrected, nothing is left until it is folded
    ]


_MONTH = {
    "sqlite": "SUBSTR(f.day, 1, 7) || '-01'",
    "postgres": "CAST(DATE_TRUNC('month', f.day) AS DATE)",
}
"""Of a day."""


def _monthly(by: Grouping | None) -> bool:
    return by is None or by.by is not Dimension.PERIOD or by.period.value in ("MONTH", "QUARTER", "YEAR")


def _measure(asked: Question, currency: str, sums: Sequence[Sum]) -> Measured:
    return revenue([one for one in sums if one.currency == currency], digits_of(currency))


@batch(needs=("asked",), name="revenue")
async def revenue_field(each: Batch[Analytics], info: Info, group_by: GroupBy = None) -> list[list[Metric]]:
    """Revenue: one metric for each currency, or one where `convertTo` names the currency. Where nothing was
    bought or given back there is one metric without a value, in no currency."""
    return [await _revenue(asked, await grouping(asked, group_by)) for asked in each.column("asked")]


async def _revenue(asked: Question, by: Grouping | None) -> list[Metric]:
    sums = await sums_of(asked, by)
    # by tags, segments and filters a sale may be in several groups, or in none
    whole = (
        sums
        if by is None or by.by is Dimension.PERIOD or by.by is Dimension.CHANNEL
        else await sums_of(asked, None)
    )
    if asked.convert_to is not None:
        return [await _converted(asked, asked.convert_to, by, sums, [one for _, one in whole])]
    currencies = sorted({one.currency for _, one in whole} | {one.currency for _, one in sums})
    if not currencies:
        return [without_currency(asked, DEFINITION, asked.undefined or NOTHING, grouping=by)]
    return [_of_currency(asked, by, currency, sums, [one for _, one in whole]) for currency in currencies]


def _of_currency(
    asked: Question, by: Grouping | None, currency: str, sums: list[tuple[Any, Sum]], whole: Sequence[Sum]
) -> Metric:
    async def again(earlier: Question) -> Measured:
        return _measure(earlier, currency, [one for _, one in await sums_of(earlier, None)])

    own = [(group, one) for group, one in sums if one.currency == currency]
    groups = by_group(asked, by, own, lambda rows: _measure(asked, currency, [one for _, one in rows]))
    answer = Answer(_measure(asked, currency, whole), groups)
    return metric(asked, DEFINITION, answer, grouping=by, again=again, unit=currency)


async def _converted(
    asked: Question, base: str, by: Grouping | None, sums: list[tuple[Any, Sum]], whole: Sequence[Sum]
) -> Metric:
    known = await rates(asked.reader, base)

    def measure(some: Sequence[Sum]) -> Measured:
        digits = {currency: digits_of(currency) for currency in {base, *(one.currency for one in some)}}
        return converted(some, known, digits)

    async def again(earlier: Question) -> Measured:
        return measure([one for _, one in await sums_of(earlier, None)])

    total = measure(whole) if whole else Measured(None, None, None, 0, NOTHING)
    groups = by_group(asked, by, sums, lambda rows: measure([one for _, one in rows]))
    return metric(asked, DEFINITION, Answer(total, groups), grouping=by, again=again, unit=base)
