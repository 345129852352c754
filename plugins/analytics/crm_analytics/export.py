"""All kept tables as CSV, for `crm analytics export`."""

from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Any

from crm_framework import Reader, parse_time

from .asking.money import digits_of
from .tables import as_csv

TABLES = {
    "sales": (
        ("day", "channel", "currency", "purchases", "refunds", "revenue_minor", "refunded_minor"),
        "(SELECT day, channel, currency, SUM(purchases) AS purchases, SUM(refunds) AS refunds,"
        " SUM(revenue_minor) AS revenue_minor, SUM(refunded_minor) AS refunded_minor FROM analytics_sales"
        " GROUP BY day, channel, currency HAVING SUM(purchases) <> 0 OR SUM(refunds) <> 0)",
        "day, channel, currency",
    ),
    "products": (
        ("month", "sku", "currency", "quantity", "amount_minor", "purchases", "buyers"),
        "(SELECT month, sku, currency, SUM(quantity) AS quantity, SUM(amount_minor) AS amount_minor,"
        " SUM(purchases) AS purchases, SUM(buyers) AS buyers FROM analytics_goods"
        " GROUP BY month, sku, currency HAVING SUM(purchases) <> 0)",
        "month, sku, currency",
    ),
    "cohorts": (
        ("basis", "cohort", "month", "customers"),
        "(SELECT basis, cohort, month, SUM(customers) AS customers FROM analytics_cohort"
        " WHERE basis IN ('purchase', 'signup') GROUP BY basis, cohort, month HAVING SUM(customers) <> 0)",
        "basis, cohort, month",
    ),
    "customers": (
        (
            *("customer_id", "purchases", "refunds", "purchase_days", "first_purchase_at"),
            *("last_purchase_at", "last_day", "signup_month", "currency", "net_minor", "gap_median"),
            *("gap_mean", "expected_on", "unhappy_at", "tickets", "solved", "points"),
        ),
        "analytics_customer",
        "customer_id",
    ),
    "predictions": (
        (
            *("customer_id", "currency", "main", "repeats", "recency_days", "age_days", "mean_minor"),
            *("probability_alive", "expected_purchases", "expected_value_minor", "clv_minor"),
        ),
        "analytics_prediction",
        "customer_id, currency",
    ),
    "rules": (
        (
            *("antecedent", "antecedent_name", "consequent", "consequent_name", "baskets"),
            *("with_antecedent", "with_consequent", "with_both", "support", "confidence", "lift"),
        ),
        "analytics_rule",
        "lift DESC, antecedent, consequent",
    ),
    "answers": (
        ("answered_at", "channel", "question", "score", "most"),
        "analytics_answer",
        "answered_at, interaction_id",
    ),
}
"""Name → columns, whence, and in which order. Answers are told without the persons."""


async def tables(reader: Reader) -> AsyncIterator[tuple[str, str, int]]:
    """Name, CSV, and number of rows of each. Amounts are in units of their currency, times in UTC."""
    for name, (columns, source, order) in TABLES.items():
        found = await reader.rows(f"SELECT {', '.join(columns)} FROM {source} AS o ORDER BY {order}")
        header = [column.removesuffix("_minor") for column in columns]
        yield name, as_csv(header, [_cells(columns, row) for row in found]), len(found)


def _cells(columns: tuple[str, ...], row: Any) -> list[Any]:
    """One form of each value, in whichever the database has it."""
    currency = row[columns.index("currency")] if "currency" in columns else None
    return [_cell(column, value, currency) for column, value in zip(columns, row, strict=True)]


def _cell(column: str, value: Any, currency: str | None) -> Any:
    if value is None:
        return None
    if column.endswith("_at"):
        return parse_time(value)
    if column == "main":
        return "true" if value else "false"
    if column.endswith("_minor") and currency is not None:
        return Decimal(int(value)).scaleb(-digits_of(currency))
    return value
