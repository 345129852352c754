"""`recommended`, a member of CustomerFilter: to whom a product is recommended, by the rules that are kept."""

from typing import Any

from crm_analytics.rollups.raw import KIND
from crm_framework import Fragment, Member

from .store import KEPT

_BOUGHT = (
    "FROM crm_interaction AS i JOIN crm_purchase_line AS l ON l.interaction_id = i.id"
    " WHERE i.customer_id = t.id AND {kind} = 'purchase'"
)


def _condition(value: Any, dialect: str) -> Fragment:
    bought = _BOUGHT.format(kind=KIND[dialect])
    return Fragment(
        f"(NOT EXISTS (SELECT 1 {bought} AND l.sku = ?) AND EXISTS (SELECT 1 {bought} AND {KEPT} AND l.sku"
        " IN (SELECT k.antecedent FROM analytics_rule AS k WHERE k.consequent = ?)))",
        (value, value),
    )


recommended = Member(
    "recommended",
    "custom",
    "The SKU of a product that is recommended to the customer: it goes with what was bought, and was not"
    " bought itself.",
    input=str,
    condition=_condition,
    permission="analytics.read",
)
