"""`analytics { unbought }`: what the customers asked about, such as a segment, have not bought yet."""

from typing import Annotated

import strawberry
from strawberry import Info

from crm_analytics import charts
from crm_analytics.asking.analytics import Analytics
from crm_analytics.asking.members import customers
from crm_analytics.asking.question import Question
from crm_analytics.metrics.measured import Definition
from crm_analytics.metrics.products import labels
from crm_analytics.tables import as_csv
from crm_analytics.windows import month_of
from crm_framework import Batch, CrmError, ErrorCode, batch, computed

JSON = strawberry.scalars.JSON
MOST = 100
DEFINITION = Definition(
    "unbought",
    "percentage points",
    "Of those who bought anything in the months that the window touches: the share of the other customers who"
    " bought the product, less the share of the customers asked about who did. Products of which it is above"
    " 0. Refunds name no product, and are not taken off.",
)


@strawberry.type(description="A product that others buy and the customers asked about mostly do not.")
class UnboughtProduct:
    sku: str = strawberry.field(description="The product.")
    name: str | None = strawberry.field(description="What a line calls it.")
    buyers: int = strawberry.field(description="Of the customers asked about, those who bought it.")
    customers: int = strawberry.field(description="How many customers are asked about who bought anything.")
    other_buyers: int = strawberry.field(description="Of the other customers, those who bought it.")
    other_customers: int = strawberry.field(description="How many others bought anything.")
    gap: float = strawberry.field(
        description="The share of buyers among the others less that among those asked about, in percent."
    )


@strawberry.type(description="What customers have not bought yet, the greatest gap first.")
class UnboughtTable:
    name: str = strawberry.field(description="What it is called.")
    definition: str = strawberry.field(description="What it means.")
    definition_version: int = strawberry.field(description="Grows when the definition changes.")
    reason: str | None = strawberry.field(description="Why there are no rows.")
    rows: list[UnboughtProduct] = strawberry.field(description="The products.")

    @computed()
    @staticmethod
    def chart(name: str, rows: list[UnboughtProduct]) -> JSON:
        """A Vega-Lite specification (version 5) with the data inline, that renders as it is."""
        called = labels((row.sku, row.name) for row in rows)
        shown = [{"label": called[row.sku], "value": row.gap} for row in rows]
        return charts.bars(name, shown, "percentage points")

    @computed()
    @staticmethod
    def csv(rows: list[UnboughtProduct]) -> str:
        """The products as CSV."""
        return as_csv(
            ("sku", "name", "buyers", "customers", "other_buyers", "other_customers", "gap"),
            [
                (row.sku, row.name, row.buyers, row.customers, row.other_buyers, row.other_customers, row.gap)
                for row in rows
            ],
        )


First = Annotated[int, strawberry.argument(description=f"How many products; {MOST} at most.")]


@batch(needs=("asked",), name="unbought")
async def unbought_field(each: Batch[Analytics], info: Info, first: First = 20) -> list[UnboughtTable]:
    """What others bought in the months that the window touches, and the customers of `filter` did not, or
    more rarely. Refunds name no product, and are not taken off.
    """
    if not 1 <= first <= MOST:
        raise CrmError(ErrorCode.BAD_INPUT, f"{first} products are not 1 to {MOST}.", path=("first",))
    return [await _table(asked, first) for asked in each.column("asked")]


async def _table(asked: Question, first: int) -> UnboughtTable:
    if asked.undefined or asked.where is None:
        reason = asked.undefined or "without a filter there are no others to compare with"
        return _told([], reason)
    members = f"SELECT t.id FROM {customers([asked.where])} WHERE {asked.where.sql}"
    span = (month_of(asked.window.first), asked.window.last)
    bought = (
        f"WITH members AS ({members}), bought AS (SELECT DISTINCT p.customer_id, p.sku,"
        " CASE WHEN m.id IS NULL THEN 0 ELSE 1 END AS inside FROM analytics_product AS p"
        " LEFT JOIN members AS m ON m.id = p.customer_id WHERE p.month BETWEEN ? AND ?)"
    )
    args = [*asked.where.args, *span]
    [sizes] = await asked.reader.rows(
        f"{bought} SELECT COUNT(DISTINCT CASE WHEN inside = 1 THEN customer_id END),"
        " COUNT(DISTINCT CASE WHEN inside = 0 THEN customer_id END) FROM bought",
        args,
    )
    inside, outside = (int(one) for one in sizes)
    if not inside or not outside:
        return _told([], "on one side nobody bought anything in these months")
    found = await asked.reader.rows(
        f"{bought} SELECT b.sku, (SELECT MAX(l.name) FROM crm_purchase_line AS l WHERE l.sku = b.sku),"
        " SUM(b.inside), SUM(1 - b.inside) FROM bought AS b GROUP BY b.sku"
        " HAVING SUM(1 - b.inside) * CAST(? AS BIGINT) > SUM(b.inside) * CAST(? AS BIGINT)"
        " ORDER BY SUM(1 - b.inside) * CAST(? AS BIGINT) - SUM(b.inside) * CAST(? AS BIGINT) DESC, b.sku"
        " LIMIT ?",
        [*args, inside, outside, inside, outside, first],
    )
    products = [
        UnboughtProduct(
            sku=sku,
            name=name,
            buyers=int(own),
            customers=inside,
            other_buyers=int(other),
            other_customers=outside,
            gap=100 * (int(other) / outside - int(own) / inside),
        )
        for sku, name, own, other in found
    ]
    return _told(products, None if products else "there is no product that more of the others bought")


def _told(products: list[UnboughtProduct], reason: str | None) -> UnboughtTable:
    return UnboughtTable(
        name=DEFINITION.name,
        definition=DEFINITION.text,
        definition_version=DEFINITION.version,
        reason=reason,
        rows=products,
    )
