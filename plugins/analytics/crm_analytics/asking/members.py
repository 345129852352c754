"""What customers can be filtered by, and so what segments and groups can be made of: from one row each."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from crm_analytics.metrics.clv import Costs
from crm_analytics.metrics.rfm import SEGMENTS
from crm_analytics.rollups.state import state
from crm_analytics.settings import AnalyticsSettings
from crm_analytics.windows import day_in
from crm_framework import CrmError, ErrorCode, FilterContext, Fragment, Member, OrderField, now

from .reasons import either, own_reasons

READ = "analytics.read"
COUNTS = ("purchases", "refunds", "net_minor")
"""Columns of the figures that are 0 of who has no row: nothing was counted of them yet, or nothing is kept
of them any more."""


def customers(conditions: Iterable[Fragment]) -> str:
    """The customers `t`, with what conditions that `beside_figures` made go by: at most one row each."""
    used = " ".join(one.sql for one in conditions)
    figures = " LEFT JOIN analytics_customer AS figures ON figures.customer_id = t.id"
    fifths = " LEFT JOIN analytics_quintile AS fifths ON fifths.currency = figures.currency"
    scored = "fifths." in used
    return "crm_customer AS t" + figures * (scored or "figures." in used) + fifths * scored


def beside_figures(where: Fragment, settings: AnalyticsSettings) -> Fragment:
    """The same condition over `customers`.

    To look up one customer's figures at a time is right for a page of a list. Of everybody it takes ten times
    as long as a join.
    """
    sql = where.sql
    for expression in {**_figures(settings), **_SCORED}.values():
        for alone, beside in ((_of_figures, expression), (_scored, _if_scored(expression))):
            sql = sql.replace(alone(expression), beside)
    return Fragment(sql, where.args)


def _score(measure: str, column: str) -> str:
    fifths = " ".join(
        f"WHEN figures.{column} > fifths.{measure}_{fifth} THEN {fifth + 1}" for fifth in (4, 3, 2, 1)
    )
    return f"CASE {fifths} ELSE 1 END"


def _of_figures(expression: str) -> str:
    return f"(SELECT {expression} FROM analytics_customer AS figures WHERE figures.customer_id = t.id)"


def _of_everybody(expression: str) -> str:
    """Of who has no row, what it is where the counts are 0. That is said outside of the look-up, so that it
    stays where a join takes its place."""
    found = _of_figures(expression)
    return f"COALESCE({found}, 0)" if any(f"figures.{one}" in expression for one in COUNTS) else found


def _scored(expression: str) -> str:
    return (
        f"(SELECT {expression} FROM analytics_customer AS figures JOIN analytics_quintile AS fifths"
        " ON fifths.currency = figures.currency WHERE figures.customer_id = t.id)"
    )


def _if_scored(expression: str) -> str:
    return f"(CASE WHEN fifths.currency IS NOT NULL THEN {expression} END)"


_RECENCY, _FREQUENCY, _MONETARY = (
    _score(measure, column)
    for measure, column in (("recency", "last_day"), ("frequency", "purchases"), ("monetary", "net_minor"))
)


def _segment() -> str:
    """One choice within another: a third of the comparisons that one among 25 takes."""
    rows = []
    for recency, row in enumerate(SEGMENTS, 1):
        names = " ".join(f"WHEN {mean} THEN '{name}'" for mean, name in enumerate(row, 1))
        rows.append(f"WHEN {recency} THEN CASE ({_FREQUENCY} + {_MONETARY} + 1) / 2 {names} END")
    return f"CASE {_RECENCY} {' '.join(rows)} END"


_SCORED = {
    "rfmRecency": _RECENCY,
    "rfmFrequency": _FREQUENCY,
    "rfmMonetary": _MONETARY,
    "rfmSegment": _segment(),
}
"""Member → its expression over the figures and the fifths of the customers."""


def _figures(settings: AnalyticsSettings) -> dict[str, str]:
    """Member or order → its expression over the figures."""
    return {
        "purchases": "figures.purchases",
        "lastPurchaseOn": "figures.last_day",
        "mainCurrency": "figures.currency",
        "clvMinor": _clv(settings.costs),
        "purchaseGapDays": "figures.gap_median",
        "nextPurchaseExpected": "figures.expected_on",
        "lastUnhappyAt": "figures.unhappy_at",
    }


def _clv(costs: Costs) -> str:
    if not costs.currency:
        return "figures.net_minor"
    return (
        f"figures.net_minor - CASE WHEN figures.currency = '{costs.currency}' THEN {costs.acquisition_minor}"
        f" + {costs.ticket_minor} * COALESCE(figures.tickets, 0) ELSE 0 END"
    )


async def _at_risk(context: FilterContext, values: Sequence[Any]) -> Callable[[Any, str], Fragment]:
    """As the metric of this name: what the plugins have signals about, where the actor may see that, too."""
    signalled = await context.signalled()
    if signalled.failures:  # without their signals more customers would seem to be at no risk
        raise CrmError(
            ErrorCode.UNAVAILABLE,
            " ".join(signalled.failures.values()),
            path=("filter", "atRisk"),
            hint="Ask without it, or for those at risk by their metrics, until the plugin is mended.",
        )
    at = now()
    today = day_in(at, (await state(context.reader)).zone)

    def condition(value: Any, dialect: str) -> Fragment:
        own = either(own_reasons(today, at, dialect).values())
        exists = "EXISTS (SELECT 1 FROM analytics_customer AS f WHERE f.customer_id = t.id AND ({0}))"
        any_ = either([Fragment(exists.format(own.sql), own.args), *signalled.conditions.values()])
        return Fragment(f"({any_.sql}) IS {'' if value else 'NOT '}TRUE", any_.args)

    return condition


def filter_members(settings: AnalyticsSettings) -> list[Member]:
    """What customers can be filtered by, and so what segments and groups can be made of."""
    at_risk = Member(
        "atRisk",
        "custom",
        "Whether there is a reason that puts the customer at risk, as in the metric of this name: a gap that"
        " lengthens, a bad mood, or what another plugin has a signal about, where you may see that.",
        input=bool,
        lookup=_at_risk,
        permission=READ,
        also="interactions.read",
    )
    unhappy = Member(
        "lastUnhappyAt",
        "datetime",
        "The latest interaction in a bad mood.",
        sql=_of_figures(_figures(settings)["lastUnhappyAt"]),
        permission="interactions.read",
    )
    return [*_compared(settings), unhappy, at_risk]


def _compared(settings: AnalyticsSettings) -> list[Member]:
    figures = _figures(settings)
    return [
        Member(
            name,
            kind,  # type: ignore[arg-type]  # a Kind each
            description,
            sql=_scored(_SCORED[name]) if name in _SCORED else _of_everybody(figures[name]),
            permission=READ,
        )
        for name, kind, description in (
            ("purchases", "int", "How many purchases were recorded; 0 of who never bought."),
            ("lastPurchaseOn", "date", "The day of the latest purchase."),
            ("mainCurrency", "string", "The currency of most of the purchases."),
            (
                "clvMinor",
                "bigint",
                "Historic lifetime value in minor units (cents) of the main currency; name that too. 0 of who"
                " never bought.",
            ),
            ("purchaseGapDays", "decimal", "The median days between purchases."),
            ("nextPurchaseExpected", "date", "The day on which the next purchase is to be expected."),
            ("rfmRecency", "int", "Recency, 1 to 5, 5 best."),
            ("rfmFrequency", "int", "Frequency, 1 to 5, 5 best."),
            ("rfmMonetary", "int", "Monetary value, 1 to 5, 5 best."),
            ("rfmSegment", "string", "The segment's name, such as champion."),
        )
    ]


def order_fields(settings: AnalyticsSettings) -> list[OrderField]:
    """What customers can be ordered by."""
    figures = _figures(settings)
    value = (
        "By historic lifetime value, in minor units of the main currency: filter by that too. 0 of who never"
        " bought."
    )
    return [
        OrderField(
            name,
            kind,  # type: ignore[arg-type]  # a kind each
            description,
            sql=_of_everybody(figures[member]),
            nullable=kind == "date",
            permission=READ,
        )
        for name, kind, description, member in (
            ("CLV", "int", value, "clvMinor"),
            ("PURCHASES", "int", "By the number of purchases.", "purchases"),
            ("LAST_PURCHASE", "date", "By the day of the latest purchase.", "lastPurchaseOn"),
            ("NEXT_PURCHASE_EXPECTED", "date", "By when the next is to be expected.", "nextPurchaseExpected"),
        )
    ]
