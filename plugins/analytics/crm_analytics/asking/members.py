"""What customers can be filtered by, and so what segments and groups can be made of: from one row each."""

from typing import Any

from crm_analytics.metrics.at_risk import LOST, OVERDUE, UNHAPPY_FOR
from crm_analytics.metrics.clv import Costs
from crm_analytics.metrics.rfm import SEGMENTS
from crm_analytics.settings import AnalyticsSettings
from crm_framework import Fragment, Member, OrderField, now

READ = "analytics.read"


def _score(measure: str, column: str) -> str:
    return "1" + "".join(
        f" + (CASE WHEN f.{column} > q.{measure}_{fifth} THEN 1 ELSE 0 END)" for fifth in range(1, 5)
    )


def _of_figures(expression: str) -> str:
    return f"(SELECT {expression} FROM analytics_customer AS f WHERE f.customer_id = t.id)"


def _scored(expression: str) -> str:
    return (
        f"(SELECT {expression} FROM analytics_customer AS f JOIN analytics_quintile AS q"
        " ON q.currency = f.currency WHERE f.customer_id = t.id)"
    )


_SCORES = {
    "rfmRecency": _score("recency", "last_day"),
    "rfmFrequency": _score("frequency", "purchases"),
    "rfmMonetary": _score("monetary", "net_minor"),
}


def _segment() -> str:
    recency = _SCORES["rfmRecency"]
    mean = f"(({_SCORES['rfmFrequency']} + {_SCORES['rfmMonetary']} + 1) / 2)"
    cases = " ".join(
        f"WHEN {10 * (r + 1) + fm + 1} THEN '{name}'"
        for r, row in enumerate(SEGMENTS)
        for fm, name in enumerate(row)
    )
    return f"CASE 10 * ({recency}) + {mean} {cases} END"


def _clv(costs: Costs) -> str:
    if not costs.currency:
        return "f.net_minor"
    return (
        f"f.net_minor - CASE WHEN f.currency = '{costs.currency}' THEN {costs.acquisition_minor}"
        f" + {costs.ticket_minor} * COALESCE(f.tickets, 0) ELSE 0 END"
    )


def _at_risk(value: Any, dialect: str) -> Fragment:
    today = now().date()
    waited = (
        "(CAST(? AS DATE) - f.last_day)"
        if dialect == "postgres"
        else "(julianday(?) - julianday(f.last_day))"
    )
    own = (
        f"f.gap_median > 0 AND {waited} > {OVERDUE} * f.gap_median AND {waited} <= {LOST} * f.gap_median"
        " OR f.unhappy_at >= ?"
    )
    exists = f"EXISTS (SELECT 1 FROM analytics_customer AS f WHERE f.customer_id = t.id AND ({own}))"
    return Fragment(exists if value else f"NOT {exists}", (today, today, now() - UNHAPPY_FOR))


def filter_members(settings: AnalyticsSettings) -> list[Member]:
    """What customers can be filtered by, and so what segments and groups can be made of."""
    at_risk = Member(
        "atRisk",
        "custom",
        "Whether a gap that lengthens, or a bad mood, puts the customer at risk. What other plugins have"
        " signals about is not looked at here, as it is in the metric of this name.",
        input=bool,
        condition=_at_risk,
        permission="interactions.read",
    )
    unhappy = Member(
        "lastUnhappyAt",
        "datetime",
        "The latest interaction in a bad mood.",
        sql=_of_figures("f.unhappy_at"),
        permission="interactions.read",
    )
    return [*_compared(settings), unhappy, at_risk]


def _compared(settings: AnalyticsSettings) -> list[Member]:
    return [
        Member(name, kind, description, sql=sql, permission=READ)  # type: ignore[arg-type]  # a Kind each
        for name, kind, description, sql in (
            ("purchases", "int", "How many purchases were recorded.", _of_figures("f.purchases")),
            ("lastPurchaseOn", "date", "The day of the latest purchase.", _of_figures("f.last_day")),
            ("mainCurrency", "string", "The currency of most of the purchases.", _of_figures("f.currency")),
            (
                "clvMinor",
                "bigint",
                "Historic lifetime value in minor units (cents) of the main currency; name that too.",
                _of_figures(_clv(settings.costs)),
            ),
            ("purchaseGapDays", "decimal", "The median days between purchases.", _of_figures("f.gap_median")),
            (
                "nextPurchaseExpected",
                "date",
                "The day on which the next purchase is to be expected.",
                _of_figures("f.expected_on"),
            ),
            ("rfmRecency", "int", "Recency, 1 to 5, 5 best.", _scored(_SCORES["rfmRecency"])),
            ("rfmFrequency", "int", "Frequency, 1 to 5, 5 best.", _scored(_SCORES["rfmFrequency"])),
            ("rfmMonetary", "int", "Monetary value, 1 to 5, 5 best.", _scored(_SCORES["rfmMonetary"])),
            ("rfmSegment", "string", "The segment's name, such as champion.", _scored(_segment())),
        )
    ]


def order_fields(settings: AnalyticsSettings) -> list[OrderField]:
    """What customers can be ordered by; who has no figures has no value."""
    return [
        OrderField(name, kind, description, sql=_of_figures(sql), nullable=True, permission=READ)  # type: ignore[arg-type]  # a kind each
        for name, kind, description, sql in (
            (
                "CLV",
                "int",
                "By historic lifetime value, in minor units of the main currency: filter by that too.",
                _clv(settings.costs),
            ),
            ("PURCHASES", "int", "By the number of purchases.", "f.purchases"),
            ("LAST_PURCHASE", "date", "By the day of the latest purchase.", "f.last_day"),
            ("NEXT_PURCHASE_EXPECTED", "date", "By when the next is to be expected.", "f.expected_on"),
        )
    ]
