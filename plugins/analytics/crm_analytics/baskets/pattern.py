"""How often products are bought again: by one customer, and by all. From the lines of the purchases."""

from datetime import date, timedelta
from math import ceil
from typing import Annotated, Any

import strawberry
from strawberry import Info

from crm_analytics import charts
from crm_analytics.asking.analytics import Analytics
from crm_analytics.asking.between import days_between, middle
from crm_analytics.asking.question import Question
from crm_analytics.metrics.products import labels
from crm_analytics.rollups.kept import as_day
from crm_analytics.tables import as_csv
from crm_framework import Batch, CrmError, Customer, ErrorCode, Fragment, Reader, among, batch, computed

from .store import KEPT

JSON = strawberry.scalars.JSON
MOST = 100
READ = "analytics.read"


@strawberry.type(description="How often a customer buys a product.")
class ProductGap:
    sku: str = strawberry.field(description="The product.")
    name: str | None = strawberry.field(description="What a line calls it.")
    days: int = strawberry.field(description="Days (UTC) on which the customer bought it; two or more.")
    median_days: float = strawberry.field(description="The median of the days between them.")
    mean_days: float = strawberry.field(description="Their mean.")
    last_bought_on: date = strawberry.field(description="The latest of these days.")
    next_expected: date = strawberry.field(description="The median after that, rounded up.")


@strawberry.type(description="How often a product is bought again.")
class ProductPattern:
    sku: str = strawberry.field(description="The product.")
    name: str | None = strawberry.field(description="What a line calls it.")
    customers: int = strawberry.field(description="How many bought it on two days or more.")
    median_days: float = strawberry.field(
        description="The median of these customers' median days between two days with it."
    )
    mean_days: float = strawberry.field(description="The mean of their mean days.")


@strawberry.type(description="How often products are bought again, those that most customers do first.")
class ProductPatternTable:
    definition: str = strawberry.field(description="What it means.")
    definition_version: int = strawberry.field(description="Grows when the definition changes.")
    reason: str | None = strawberry.field(description="Why there are no rows.")
    rows: list[ProductPattern] = strawberry.field(description="The products.")

    @computed()
    @staticmethod
    def chart(rows: list[ProductPattern]) -> JSON:
        """A Vega-Lite specification (version 5) with the data inline, that renders as it is."""
        called = labels((row.sku, row.name) for row in rows)
        shown = [{"label": called[row.sku], "value": row.median_days} for row in rows]
        return charts.bars("productPattern", shown, "days between purchases")

    @computed()
    @staticmethod
    def csv(rows: list[ProductPattern]) -> str:
        """The products as CSV."""
        return as_csv(
            ("sku", "name", "customers", "median_days", "mean_days"),
            [(row.sku, row.name, row.customers, row.median_days, row.mean_days) for row in rows],
        )


DEFINITION = (
    "Days between two days (UTC) of the window on which the same customer bought the product: by customer the"
    " median and the mean, of these the median and the mean. Purchases that were wholly given back, and lines"
    " that take off, do not count."
)
First = Annotated[int, strawberry.argument(description=f"How many products; {MOST} at most.")]
Skus = Annotated[
    list[str] | None,
    strawberry.argument(description=f"Of which products, {MOST} at most; of all, if left out."),
]


def _days(chosen: Fragment, dialect: str) -> Fragment:
    """Customers, products, and the days on which they were bought."""
    day = "CAST(i.occurred_at AT TIME ZONE 'UTC' AS DATE)" if dialect == "postgres" else "date(i.occurred_at)"
    return Fragment(
        f"SELECT DISTINCT i.customer_id, l.sku, {day} AS day FROM crm_interaction AS i"
        " JOIN crm_purchase_line AS l ON l.interaction_id = i.id"
        f" WHERE i.kind = 'purchase' AND l.amount_minor >= 0 AND {KEPT} AND {chosen.sql}",
        chosen.args,
    )


_NAME = (
    "(SELECT n.name FROM crm_purchase_line AS n WHERE n.sku = {of}.sku AND n.name IS NOT NULL LIMIT 1)"
    " AS name"
)


def _check(first: int, skus: list[str] | None) -> None:
    if not 1 <= first <= MOST:
        raise CrmError(ErrorCode.BAD_INPUT, f"{first} products are not 1 to {MOST}.", path=("first",))
    if skus is not None and len(skus) > MOST:
        raise CrmError(ErrorCode.BAD_INPUT, f"{len(skus)} products are more than {MOST}.", path=("skus",))


def _of(skus: list[str] | None, reader: Reader) -> Fragment:
    if skus is None:
        return Fragment("1 = 1")
    where = among("l.sku", sorted(set(skus)), reader.dialect)
    return Fragment(where.sql, tuple(where.args))


@batch(needs=("id",), permission=READ)
async def product_pattern(
    customers: Batch[Customer], info: Info, first: First = 20, skus: Skus = None
) -> list[list[ProductGap]]:
    """How often the customer buys each product, and when it is expected next; the earliest next day first."""
    _check(first, skus)
    reader = info.context.reader
    who, what = among("i.customer_id", customers.ids, reader.dialect), _of(skus, reader)
    days = _days(Fragment(f"{who.sql} AND {what.sql}", (*who.args, *what.args)), reader.dialect)
    gaps = days_between(days, ("customer_id", "sku"), reader.dialect)
    rows = await reader.rows(
        f"SELECT CAST(g.customer_id AS TEXT), g.sku, {_NAME.format(of='g')}, g.gaps, g.gap_median,"
        f" g.gap_mean, g.day FROM {gaps.sql} AS g",
        gaps.args,
    )
    found: dict[Any, list[ProductGap]] = {key: [] for key in customers.ids}
    for customer, sku, name, number, median, mean, last in rows:
        found[customer].append(
            ProductGap(
                sku=sku,
                name=name,
                days=int(number) + 1,
                median_days=float(median),
                mean_days=float(mean),
                last_bought_on=as_day(last),
                next_expected=as_day(last) + timedelta(days=ceil(float(median))),
            )
        )
    return [sorted(found[key], key=lambda one: (one.next_expected, one.sku))[:first] for key in customers.ids]


@batch(needs=("asked",), name="productPattern")
async def pattern_field(
    each: Batch[Analytics], info: Info, first: First = 20, skus: Skus = None
) -> list[ProductPatternTable]:
    """At what intervals products are bought again by the same customer, in the window. It reads the lines of
    all its purchases."""
    _check(first, skus)
    return [await _table(asked, first, skus) for asked in each.column("asked")]


async def _table(asked: Question, first: int, skus: list[str] | None) -> ProductPatternTable:
    found = [] if asked.undefined else await _patterns(asked, first, skus)
    return ProductPatternTable(
        definition=DEFINITION,
        definition_version=1,
        reason=asked.undefined or (None if found else "no product was bought by a customer on two days"),
        rows=found,
    )


async def _patterns(asked: Question, first: int, skus: list[str] | None) -> list[ProductPattern]:
    dialect = asked.reader.dialect
    who, what = asked.about("i.customer_id"), _of(skus, asked.reader)
    chosen = Fragment(
        f"i.occurred_at >= ? AND i.occurred_at < ? AND {who.sql} AND {what.sql}",
        (*asked.window.bounds(asked.zone), *who.args, *what.args),
    )
    gaps = days_between(_days(chosen, dialect), ("customer_id", "sku"), dialect)
    rows = await asked.reader.rows(
        f"SELECT s.*, {_NAME.format(of='s')} FROM (SELECT m.sku, COUNT(*) AS customers,"
        f" {middle('m.place', 'm.n', 'm.gap_median')} AS median, AVG(m.gap_mean) AS mean FROM (SELECT g.*,"
        " ROW_NUMBER() OVER (PARTITION BY g.sku ORDER BY g.gap_median) AS place,"
        f" COUNT(*) OVER (PARTITION BY g.sku) AS n FROM {gaps.sql} AS g) AS m GROUP BY m.sku"
        " ORDER BY 2 DESC, 1 LIMIT ?) AS s ORDER BY 2 DESC, 1",
        [*gaps.args, first],
    )
    return [
        ProductPattern(
            sku=sku, name=name, customers=int(number), median_days=float(median), mean_days=float(mean)
        )
        for sku, number, median, mean, name in rows
    ]
