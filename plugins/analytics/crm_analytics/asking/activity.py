"""`analytics { retention churn repeatPurchaseRate }`: who buys, again and still."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from datetime import date
from typing import Annotated, Any

import strawberry
from strawberry import Info

from crm_analytics.metrics.measured import Definition, Measured
from crm_analytics.metrics.repeat import DEFINITION as REPEAT
from crm_analytics.metrics.repeat import repeat_purchase_rate
from crm_analytics.metrics.retention import CHURN, RETENTION, Inactivity, Kept, churn, kept_of, retention
from crm_analytics.rollups.kept import as_day
from crm_framework import Batch, CrmError, ErrorCode, Fragment, batch, optional

from .analytics import Analytics, GroupBy
from .grouped import Source, rows, with_whole
from .metric import Answer, Metric, by_group, metric
from .periods import each_period
from .question import Dimension, Grouping, Question, grouping


@strawberry.input(description="When a customer counts as inactive. Exactly one of them is given.")
class InactivityInput:
    months: int | None = optional("After so many calendar months without a purchase.", default=None)
    days: int | None = optional("After so many days without a purchase.", default=None)
    gaps: float | None = optional(
        "After so many times the customer's own median gap between two days with a purchase. Customers with"
        " one such day have no gap and are in no set. It reads all days of all customers asked about.",
        default=None,
    )

    def rule(self) -> Inactivity:
        given = [one for one in (self.months, self.days, self.gaps) if one is not None]
        if len(given) != 1 or not 0 < given[0] <= 10_000:
            raise CrmError(
                ErrorCode.BAD_INPUT,
                "Not exactly one of months, days and gaps is given, or it is not positive.",
                path=("inactivity",),
            )
        return Inactivity(self.months, self.days, self.gaps)


Rule = Annotated[
    InactivityInput | None,
    strawberry.argument(
        description="When a customer counts as inactive; if left out, as the company set it."
    ),
]


async def kept(asked: Question, by: Grouping | None, rule: Inactivity) -> list[tuple[Any, Kept]]:
    """Group, and how many of its customers were active at the start and bought in the window.

    Groups of PERIOD are not known here: a customer is kept in a window.
    """
    if rule.gaps is not None:
        return await _by_gaps(asked, by, rule)
    if by is not None:
        return (await kept_with_whole(asked, by, rule))[1]
    found = await rows(asked, None, _KEPT, _active(asked, rule))
    return [(group, Kept(int(starting), int(still))) for group, starting, still in found]


async def kept_with_whole(
    asked: Question, by: Grouping, rule: Inactivity
) -> tuple[list[tuple[Any, Kept]], list[tuple[Any, Kept]]]:
    """The same of everybody, and by group."""
    if rule.gaps is not None:
        return await _by_gaps(asked, None, rule), await _by_gaps(asked, by, rule)
    (starting, still), groups = await with_whole(asked, by, _KEPT, _active(asked, rule))
    return [("", Kept(int(starting), int(still or 0)))], [
        (group, Kept(int(starting), int(still or 0))) for group, starting, still in groups
    ]


_KEPT = "COUNT(*), SUM(f.kept)"


def _active(asked: Question, rule: Inactivity) -> Source:
    """Customers who were active when the window began, and whether they bought in it."""
    window, since = asked.window, rule.since(asked.window.first)
    if window.whole_months and since.day == 1:
        table, day = "analytics_month", "month"
    else:
        table, day = "analytics_daily", "day"
    return Source(
        Fragment(
            f"(SELECT m.customer_id, MAX(CASE WHEN m.{day} >= ? THEN 1 ELSE 0 END) AS kept FROM {table} AS m"
            f" WHERE m.{day} BETWEEN ? AND ? AND m.purchases > 0 GROUP BY m.customer_id"
            f" HAVING MIN(m.{day}) < ?) AS f",
            (window.first, since, window.last, window.first),
        )
    )


async def _by_gaps(asked: Question, by: Grouping | None, rule: Inactivity) -> list[tuple[Any, Kept]]:
    window = asked.window
    source = Source(
        Fragment("analytics_daily AS f"), Fragment("f.day <= ? AND f.purchases > 0", (window.last,))
    )
    days: dict[Any, dict[str, list[date]]] = defaultdict(lambda: defaultdict(list))
    for group, customer, day in await rows(asked, by, "", source, keys=("f.customer_id", "f.day")):
        days[group][str(customer)].append(as_day(day))
    return [
        (group, kept_of((sorted(one) for one in each.values()), window.first, window.last, rule))
        for group, each in days.items()
    ]


Measure = Callable[[Iterable[Kept]], Measured]


def _over(measure: Measure) -> Callable[[Sequence[Sequence[Any]]], Measured]:
    return lambda found: measure(one for _, one in found)


async def _metric(
    asked: Question, by: Grouping | None, rule: Inactivity, definition: Definition, measure: Measure
) -> Metric:
    async def again(earlier: Question) -> Measured:
        return measure(one for _, one in await kept(earlier, None, rule))

    parts: list[tuple[Any, Kept]] = []
    periods = by is not None and by.by is Dimension.PERIOD
    if by is None or periods:
        everybody = await kept(asked, None, rule)
    else:
        everybody, parts = await kept_with_whole(asked, by, rule)
    whole = measure(one for _, one in everybody)
    groups = (
        await each_period(asked, by, again)
        if by is not None and periods
        else by_group(asked, by, parts, _over(measure))
    )
    more = f"Inactive is: {rule.text()}."
    return metric(asked, definition, Answer(whole, groups), grouping=by, again=again, more=more)


@batch(needs=("asked",), name="retention")
async def retention_field(
    each: Batch[Analytics], info: Info, group_by: GroupBy = None, inactivity: Rule = None
) -> list[Metric]:
    """How many of the customers who were active when the window began bought in it; of PERIOD, when each
    period began and in it."""
    return [
        await _metric(
            asked, await grouping(asked, group_by), rule_of(asked, inactivity), RETENTION, retention
        )
        for asked in each.column("asked")
    ]


@batch(needs=("asked",), name="churn")
async def churn_field(
    each: Batch[Analytics], info: Info, group_by: GroupBy = None, inactivity: Rule = None
) -> list[Metric]:
    """How many of the customers who were active when the window began did not buy in it; of PERIOD, when each
    period began and in it."""
    return [
        await _metric(asked, await grouping(asked, group_by), rule_of(asked, inactivity), CHURN, churn)
        for asked in each.column("asked")
    ]


def rule_of(asked: Question, given: InactivityInput | None) -> Inactivity:
    """The rule that was asked for, or the company's."""
    return asked.settings.inactivity if given is None else given.rule()


async def _buyers(asked: Question, by: Grouping | None) -> list[tuple[Any, int, int]]:
    """Group, customers who bought in the window, those who did twice or more: of CHANNEL, by way of it."""
    window = asked.window
    table, day = ("analytics_month", "month") if window.whole_months else ("analytics_daily", "day")
    keys = "m.customer_id, m.channel" if by is not None and by.by is Dimension.CHANNEL else "m.customer_id"
    bought = Fragment(
        f"(SELECT {keys}, SUM(m.purchases) AS purchases FROM {table} AS m"
        f" WHERE m.{day} BETWEEN ? AND ? AND m.purchases > 0 GROUP BY {keys}) AS f",
        (window.first, window.last),
    )
    numbers = "COUNT(*), SUM(CASE WHEN f.purchases > 1 THEN 1 ELSE 0 END)"
    found = await rows(asked, by, numbers, Source(bought), channel="f.channel")
    return [(group, int(buyers), int(repeating)) for group, buyers, repeating in found]


def _repeat(found: Sequence[Sequence[Any]]) -> Measured:
    return repeat_purchase_rate(sum(row[1] for row in found), sum(row[2] for row in found))


@batch(needs=("asked",), name="repeatPurchaseRate")
async def repeat_field(each: Batch[Analytics], info: Info, group_by: GroupBy = None) -> list[Metric]:
    """How many of those who bought in the window did so more than once: of CHANNEL, by way of it, and of
    PERIOD, in each."""
    return [await _repeat_metric(asked, await grouping(asked, group_by)) for asked in each.column("asked")]


async def _repeat_metric(asked: Question, by: Grouping | None) -> Metric:
    async def again(earlier: Question) -> Measured:
        return _repeat(await _buyers(earlier, None))

    whole = _repeat(await _buyers(asked, None))
    groups: Sequence[tuple[str | None, Measured]] = []
    if by is not None and by.by is Dimension.PERIOD:
        groups = await each_period(asked, by, again)
    elif by is not None:
        groups = by_group(asked, by, await _buyers(asked, by), _repeat)
    return metric(asked, REPEAT, Answer(whole, groups), grouping=by, again=again)
