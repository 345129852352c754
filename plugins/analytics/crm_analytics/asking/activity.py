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
from crm_analytics.rollups.activity import Rows, rows_of
from crm_analytics.rollups.kept import as_day
from crm_framework import Batch, CrmError, ErrorCode, Fragment, batch, optional

from .analytics import Analytics, GroupBy
from .grouped import TRUE, Source, rows, with_whole
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
    whole = everybody(asked, rule)
    [(starting, still)] = await asked.reader.rows(whole.sql, whole.args)
    return [("", Kept(int(starting), int(still or 0)))]


def everybody(asked: Question, rule: Inactivity) -> Fragment:
    """One row: how many were active at the start, and of these who bought in the window; None where nobody
    was. Not for a rule that goes by gaps."""
    source, about = _active(asked, rule), asked.about("f.customer_id")
    # not as a group of its own, for which SQLite would sort all of them
    return Fragment(
        f"SELECT {', '.join(_KEPT)} FROM {source.table.sql} WHERE {about.sql}",
        (*source.table.args, *about.args),
    )


async def kept_with_whole(
    asked: Question, by: Grouping, rule: Inactivity
) -> tuple[list[tuple[Any, Kept]], list[tuple[Any, Kept]]]:
    """The same of everybody, and by group."""
    if rule.gaps is not None:
        return await _by_gaps(asked, None, rule), await _by_gaps(asked, by, rule)
    table = _AS_CUSTOMERS_CAME[asked.reader.dialect] if by.conditions else _ACTIVITY
    (starting, still), groups = await _by_tags(asked, by, rule) or await with_whole(
        asked, by, _KEPT, _active(asked, rule, table)
    )
    return [("", Kept(int(starting), int(still or 0)))], [
        (group, Kept(int(starting), int(still or 0))) for group, starting, still in groups
    ]


_KEPT = ("COUNT(*)", "SUM(f.kept)")


_ACTIVITY = "analytics_activity AS m"
_AS_CUSTOMERS_CAME = {"sqlite": f"{_ACTIVITY} NOT INDEXED", "postgres": _ACTIVITY}
"""For looking at the customers besides: who came together lies together there, while SQLite's index of all
this goes by tags. It took four times as long."""


def _active(asked: Question, rule: Inactivity, table: str = _ACTIVITY) -> Source:
    """Customers who were active when the window began, and whether they bought in it."""
    parts = _months(asked, rule)
    if parts:
        each = [_part("m.customer_id", one, TRUE, table) for one in parts]
        sql = " UNION ALL ".join(one.sql for one in each)
        return Source(Fragment(f"({sql}) AS f", tuple(arg for one in each for arg in one.args)))
    window, since = asked.window, rule.since(asked.window.first)
    if window.whole_months and since.day == 1:
        days, day = "analytics_month", "month"
    else:
        days, day = "analytics_daily", "day"
    return Source(
        Fragment(
            f"(SELECT m.customer_id, MAX(CASE WHEN m.{day} >= ? THEN 1 ELSE 0 END) AS kept FROM {days} AS m"
            f" WHERE m.{day} BETWEEN ? AND ? AND m.purchases > 0 GROUP BY m.customer_id"
            f" HAVING MIN(m.{day}) < ?) AS f",
            (window.first, since, window.last, window.first),
        )
    )


def _months(asked: Question, rule: Inactivity) -> Sequence[Rows] | None:
    """None where it goes by days, is about more years than a row has, or about months of another zone."""
    window, since = asked.window, rule.since(asked.window.first)
    if not asked.in_own_zone or not window.whole_months or since.day != 1:
        return None
    return rows_of(since, window.first, window.end)


def _part(column: str, rows: Rows, who: Fragment, table: str = _ACTIVITY) -> Fragment:
    """Of those who are meant, who was active when the window began; `kept` is 1 for who bought in it."""
    kept = f"CASE WHEN {rows.then.sql} THEN 1 ELSE 0 END"
    return Fragment(
        f"SELECT {column}, {kept} AS kept FROM {table}"
        f" WHERE {rows.where.sql} AND {rows.first.sql} AND {who.sql}",
        (*rows.then.args, *rows.where.args, *rows.first.args, *who.args),
    )


async def _by_tags(
    asked: Question, by: Grouping, rule: Inactivity
) -> tuple[tuple[Any, ...], list[tuple[Any, ...]]] | None:
    """As `with_whole`, from the tags that are kept beside the months: those with the same ones together."""
    parts = _months(asked, rule) if by.by is Dimension.TAG else None
    if not parts:
        return None
    about = asked.about("m.customer_id")
    each = [_part("m.tags", one, about) for one in parts]
    found = await asked.reader.rows(
        "WITH f AS MATERIALIZED ("
        + " UNION ALL ".join(
            f"SELECT tags, COUNT(*) AS starting, SUM(kept) AS kept FROM ({one.sql}) AS c GROUP BY tags"
            for one in each
        )
        + ") SELECT 0, '', COALESCE(SUM(f.starting), 0), SUM(f.kept) FROM f UNION ALL"
        f" SELECT 1, g.value, SUM(f.starting), SUM(f.kept) FROM f CROSS JOIN {_EACH[asked.reader.dialect]}"
        " GROUP BY g.value",
        [arg for one in each for arg in one.args],
    )
    groups = [(tag, starting, kept) for place, tag, starting, kept in found if place]
    return next((row[2], row[3]) for row in found if not row[0]), groups


_EACH = {
    "sqlite": "json_each(f.tags) AS g",
    "postgres": "json_array_elements_text(CAST(f.tags AS json)) AS g (value)",
}
"""A row for each of the tags."""


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
