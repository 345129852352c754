"""Rules, and recommendations by them, in the API."""

from datetime import date, datetime
from typing import Annotated, Any

import strawberry
from strawberry import Info

from crm_framework import (
    Batch,
    Connection,
    CrmError,
    Customer,
    ErrorCode,
    FilterSpec,
    Fragment,
    Member,
    Node,
    OrderField,
    Orders,
    Reader,
    among,
    batch,
    column,
    connection,
    fields_of,
    node,
    optional,
)

from .pattern import product_pattern
from .recommended import recommended
from .store import KEPT

READ = "analytics.read"
READ_ALL = f"@all:{READ}"
"""Rules are made of everybody's baskets: who sees some customers only sees what is recommended to them."""
MOST = 20
"""Recommendations that one customer may be given."""


@node(table="analytics_rule", permission=READ_ALL, shared=True)
class BasketRule(Node):
    """Who has one product in the basket often has another one too. Found every night."""

    antecedent: str = column("The SKU of the one.")
    antecedent_name: str | None = column("Its name, as the purchases have it.")
    consequent: str = column("The SKU of the other.")
    consequent_name: str | None = column("Its name.")
    baskets: int = column("How many baskets were looked at: purchases that were not wholly given back.")
    with_antecedent: int = column("How many have the one.")
    with_consequent: int = column("How many have the other.")
    with_both: int = column("How many have both.")
    support: float = column("The share of the baskets that have both.")
    confidence: float = column("Of the baskets with the one, the share that have the other too.")
    lift: float = column("How many times as often as if the two had nothing to do with each other.")
    since: date = column("The first day (UTC) that was looked at.")
    found_at: datetime = column("When it was found.")


@strawberry.type(description="A product that a customer may want, and why.")
class Recommendation:
    sku: str = strawberry.field(description="Its SKU.")
    name: str | None = strawberry.field(description="Its name, as the purchases have it.")
    because: str = strawberry.field(description="The SKU that the customer has bought.")
    because_name: str | None = strawberry.field(description="Its name.")
    support: float = strawberry.field(description="The share of the baskets that have both.")
    confidence: float = strawberry.field(
        description="Of the baskets with what the customer bought, the share that have this too."
    )
    lift: float = strawberry.field(description="How many times as often as by chance.")
    baskets: int = strawberry.field(description="How many baskets have both.")


@strawberry.input(description="Which recommendations; all that is given holds of each.")
class RecommendationFilter:
    skus: list[str] | None = optional("One of these products; 100 at most.", default=None)
    not_skus: list[str] | None = optional("None of these products; 100 at most.", default=None)
    categories: list[str] | None = optional(
        "Products that lines have in one of these categories; 100 at most.", default=None
    )
    min_confidence: float | None = optional("A confidence of so much or more, 0 to 1.", default=None)
    min_lift: float | None = optional("A lift of so much or more.", default=None)


First = Annotated[int, strawberry.argument(description=f"How many, {MOST} at most.")]
Which = Annotated[RecommendationFilter | None, strawberry.argument(description="Which; all, if left out.")]
MOST_NAMED = 100

_RECOMMENDED = (
    "WITH bought AS (SELECT i.customer_id, l.sku, MAX(CASE WHEN {kept} THEN 1 ELSE 0 END) AS kept"
    " FROM crm_interaction AS i JOIN crm_purchase_line AS l ON l.interaction_id = i.id"
    " WHERE i.kind = 'purchase' AND {chosen} GROUP BY i.customer_id, l.sku),"
    " found AS (SELECT b.customer_id, r.*, ROW_NUMBER() OVER (PARTITION BY b.customer_id, r.consequent"
    " ORDER BY r.confidence DESC, r.lift DESC, r.antecedent) AS place"
    " FROM bought AS b JOIN analytics_rule AS r ON r.antecedent = b.sku WHERE b.kept = 1 AND {which}"
    " AND NOT EXISTS (SELECT 1 FROM bought AS o"
    " WHERE o.customer_id = b.customer_id AND o.sku = r.consequent)),"
    " ranked AS (SELECT f.*, ROW_NUMBER() OVER (PARTITION BY customer_id"
    " ORDER BY confidence DESC, lift DESC, consequent) AS rank FROM found AS f WHERE place = 1)"
    " SELECT CAST(customer_id AS TEXT), consequent, consequent_name, antecedent, antecedent_name, support,"
    " confidence, lift, with_both FROM ranked WHERE rank <= ? ORDER BY customer_id, rank"
)


@batch(needs=("id",), permission=READ)
async def recommendations(
    customers: Batch[Customer], info: Info, first: First = 5, filter: Which = None
) -> list[list[Recommendation]]:
    """Products that the customer has not bought, or given back, by the rules about what was bought; the
    likeliest first.
    """
    if not 1 <= first <= MOST:
        raise CrmError(
            ErrorCode.BAD_INPUT, f"{first} is not from 1 to {MOST}.", path=("first",), hint="Ask for fewer."
        )
    reader = info.context.reader
    where = among("i.customer_id", customers.ids, reader.dialect)
    which = _which(filter or RecommendationFilter(), reader)
    rows = await reader.rows(
        _RECOMMENDED.format(kept=KEPT, chosen=where.sql, which=which.sql), [*where.args, *which.args, first]
    )
    found: dict[Any, list[Recommendation]] = {key: [] for key in customers.ids}
    for customer, sku, name, because, because_name, support, confidence, lift, baskets in rows:
        found[customer].append(
            Recommendation(
                sku=sku,
                name=name,
                because=because,
                because_name=because_name,
                support=support,
                confidence=confidence,
                lift=lift,
                baskets=baskets,
            )
        )
    return [found[key] for key in customers.ids]


def _which(given: RecommendationFilter, reader: Reader) -> Fragment:
    """The condition on a rule `r`."""
    parts = [Fragment("1 = 1")]
    for member, name, condition in (
        ("skus", "r.consequent", "{}"),
        ("not_skus", "r.consequent", "NOT {}"),
        (
            "categories",
            "c.category",
            "EXISTS (SELECT 1 FROM crm_purchase_line AS c WHERE c.sku = r.consequent AND {})",
        ),
    ):
        named = getattr(given, member)
        if named is None:
            continue
        if len(named) > MOST_NAMED:
            raise CrmError(
                ErrorCode.BAD_INPUT,
                f"{len(named)} are more than {MOST_NAMED}.",
                path=("filter", {"not_skus": "notSkus"}.get(member, member)),
                hint="Name fewer.",
            )
        where = among(name, sorted(set(named)), reader.dialect)
        parts.append(Fragment(condition.format(where.sql), tuple(where.args)))
    for least, name in ((given.min_confidence, "r.confidence"), (given.min_lift, "r.lift")):
        if least is not None:
            parts.append(Fragment(f"{name} >= ?", (least,)))
    return Fragment(
        " AND ".join(part.sql for part in parts), tuple(arg for part in parts for arg in part.args)
    )


RULE_ORDERS = Orders(
    "BasketRuleOrder",
    [
        OrderField("WITH_BOTH", "int", "By the baskets that have both.", column="with_both"),
        OrderField("ANTECEDENT", "string", "By the SKU of the one.", column="antecedent"),
    ],
)
RULE_FILTER = FilterSpec(
    "BasketRuleFilter",
    [
        Member("antecedent", "string", "The SKU of the one.", column="antecedent"),
        Member("consequent", "string", "The SKU of the other.", column="consequent"),
        Member("lift", "decimal", "How many times as often as by chance.", column="lift"),
        Member("confidence", "decimal", "The share that have the other too.", column="confidence"),
        Member("withBoth", "int", "How many baskets have both.", column="with_both"),
    ],
)


class _Queries:
    basket_rules: Connection[BasketRule] = connection(
        filter=RULE_FILTER,
        orders=RULE_ORDERS,
        default_order=("-WITH_BOTH",),
        permission=READ,
        description="What is bought together, the most frequent first.",
    )


CUSTOMER = [recommendations, product_pattern]
MEMBERS = [recommended]
QUERY = fields_of(_Queries)
