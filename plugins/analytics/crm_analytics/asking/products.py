"""`analytics { products }`: from the sums over all customers, or of those asked about."""

from typing import Annotated

import strawberry
from strawberry import Info

from crm_analytics import charts
from crm_analytics.metrics.measured import Measured, share
from crm_analytics.metrics.products import DEFINITION
from crm_analytics.tables import as_csv
from crm_analytics.windows import month_of
from crm_framework import Batch, BigInt, CrmError, ErrorCode, Money, among, batch, computed

from .analytics import Analytics
from .question import Question

JSON = strawberry.scalars.JSON
MOST = 500


@strawberry.type(description="What was sold of one product in one currency.")
class ProductSales:
    sku: str = strawberry.field(description="The product.")
    name: str | None = strawberry.field(description="What a line calls it.")
    quantity: BigInt = strawberry.field(description="How many were sold.")
    revenue: Money = strawberry.field(description="What its lines add to the totals, before refunds.")
    purchases: int = strawberry.field(description="Purchases with such a line.")
    buyers: int = strawberry.field(description="Customers who bought it.")
    repeat_buyers: int = strawberry.field(description="Of these, those who bought it in two months or more.")
    repeat_rate: float | None = strawberry.field(description="Their share in percent; null without buyers.")


@strawberry.type(description="What was sold, by product and currency, the most revenue first.")
class ProductTable:
    name: str = strawberry.field(description="What it is called.")
    definition: str = strawberry.field(description="What it means.")
    definition_version: int = strawberry.field(description="Grows when the definition changes.")
    reason: str | None = strawberry.field(description="Why there are no rows.")
    rows: list[ProductSales] = strawberry.field(description="The products.")

    @computed()
    @staticmethod
    def chart(name: str, rows: list[ProductSales]) -> JSON:
        """A Vega-Lite specification (version 5) with the data inline, that renders as it is."""
        shown = [
            {"label": f"{row.name or row.sku} ({row.revenue.currency})", "value": float(row.revenue.amount)}
            for row in rows
        ]
        return charts.bars(name, shown, "revenue")

    @computed()
    @staticmethod
    def csv(rows: list[ProductSales]) -> str:
        """The products as CSV."""
        header = (
            *("sku", "name", "quantity", "revenue", "currency", "purchases", "buyers", "repeat_buyers"),
            "repeat_rate",
        )
        return as_csv(
            header,
            [
                (
                    *(row.sku, row.name, row.quantity, row.revenue.amount, row.revenue.currency),
                    *(row.purchases, row.buyers, row.repeat_buyers, row.repeat_rate),
                )
                for row in rows
            ],
        )


First = Annotated[int, strawberry.argument(description="How many products; 500 at most.")]


@batch(needs=("asked",), name="products")
async def products_field(each: Batch[Analytics], info: Info, first: First = 20) -> list[ProductTable]:
    """What was sold in the months that the window touches, by product and currency."""
    if not 1 <= first <= MOST:
        raise CrmError(ErrorCode.BAD_INPUT, f"{first} products are not 1 to {MOST}.", path=("first",))
    return [await _table(asked, first) for asked in each.column("asked")]


async def _table(asked: Question, first: int) -> ProductTable:
    found = [] if asked.undefined else await _rows(asked, first)
    return ProductTable(
        name=DEFINITION.name,
        definition=DEFINITION.text,
        definition_version=DEFINITION.version,
        reason=asked.undefined or (None if found else "nothing with lines was bought"),
        rows=found,
    )


async def _rows(asked: Question, first: int) -> list[ProductSales]:
    months = (month_of(asked.window.first), month_of(asked.window.last))
    table = "analytics_goods" if asked.where is None else "analytics_product"
    about = asked.about("f.customer_id")
    sold = await asked.reader.rows(
        f"SELECT f.sku, f.currency, SUM(f.quantity), SUM(f.amount_minor), SUM(f.purchases) FROM {table} AS f"
        f" WHERE f.month BETWEEN ? AND ? AND {about.sql}"
        f" GROUP BY f.sku, f.currency HAVING SUM(f.purchases) > 0 ORDER BY 4 DESC, 1, 2 LIMIT {first}",
        [*months, *about.args],
    )
    skus = sorted({row[0] for row in sold})
    where = among("f.sku", skus, asked.reader.dialect)
    bought = await asked.reader.rows(
        "SELECT b.sku, b.currency, COUNT(*), SUM(CASE WHEN b.months > 1 THEN 1 ELSE 0 END) FROM (SELECT"
        " f.sku,"
        " f.currency, f.customer_id, COUNT(*) AS months FROM analytics_product AS f WHERE"
        f" f.month BETWEEN ? AND ? AND {where.sql} AND {about.sql} GROUP BY f.sku, f.currency, f.customer_id)"
        " AS b GROUP BY b.sku, b.currency",
        [*months, *where.args, *about.args],
    )
    buyers = {(sku, currency): (int(all_), int(again)) for sku, currency, all_, again in bought}
    named = among("k.sku", skus, asked.reader.dialect)
    called = await asked.reader.rows(
        "SELECT DISTINCT k.sku, (SELECT l.name FROM crm_purchase_line AS l WHERE l.sku = k.sku"
        f" AND l.name IS NOT NULL LIMIT 1) FROM analytics_goods AS k WHERE {named.sql}",
        named.args,
    )
    names: dict[str, str | None] = {row[0]: row[1] for row in called}
    return [
        _sales(sku, names.get(sku), currency, int(quantity), int(minor), int(purchases), buyers)
        for sku, currency, quantity, minor, purchases in sold
    ]


def _sales(
    sku: str,
    name: str | None,
    currency: str,
    quantity: int,
    minor: int,
    purchases: int,
    buyers: dict[tuple[str, str], tuple[int, int]],
) -> ProductSales:
    all_, again = buyers.get((sku, currency), (0, 0))
    rate: Measured = share(again, all_, nothing="nobody bought it")
    return ProductSales(
        sku=sku,
        name=name,
        quantity=BigInt(quantity),
        revenue=Money.of(minor, currency),
        purchases=purchases,
        buyers=all_,
        repeat_buyers=again,
        repeat_rate=rate.value,
    )
