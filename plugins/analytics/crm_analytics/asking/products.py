"""`analytics { products }`: from the sums over all customers or of those asked about, or from the lines."""

from collections import defaultdict
from collections.abc import Sequence
from typing import Annotated, Any

import strawberry
from strawberry import Info

from crm_analytics import charts
from crm_analytics.metrics.products import DEFINITION, labels, repeat_rate
from crm_analytics.rollups.kept import as_day
from crm_analytics.tables import as_csv
from crm_analytics.windows import Period, month_of
from crm_framework import Batch, BigInt, CrmError, ErrorCode, Fragment, Money, among, batch, computed

from .analytics import Analytics, GroupBy
from .grouped import Source, rows
from .lines import sold
from .metric import by_group
from .periods import not_too_many
from .question import Dimension, Grouping, Question, grouping

JSON = strawberry.scalars.JSON
MOST, MOST_WITH_GROUPS = 500, 50


@strawberry.type(description="What was sold of one product in one currency, in one group.")
class ProductGroup:
    label: str | None = strawberry.field(
        description="The group: the first day of a period, a channel, a tag, an attribute's value, the id of"
        " a segment, the name of a filter; null for what has none."
    )
    quantity: BigInt = strawberry.field(description="How many were sold.")
    revenue: Money = strawberry.field(description="What its lines add to the totals, before refunds.")
    purchases: int = strawberry.field(description="Purchases with such a line.")
    buyers: int = strawberry.field(
        description="Customers who bought it, without those whose data was erased."
    )


@strawberry.type(description="What was sold of one product in one currency.")
class ProductSales:
    sku: str = strawberry.field(description="The product.")
    name: str | None = strawberry.field(description="What a line calls it.")
    quantity: BigInt = strawberry.field(description="How many were sold.")
    revenue: Money = strawberry.field(description="What its lines add to the totals, before refunds.")
    purchases: int = strawberry.field(description="Purchases with such a line.")
    buyers: int = strawberry.field(
        description="Customers who bought it, without those whose data was erased."
    )
    repeat_buyers: int = strawberry.field(description="Of these, those who bought it in two months or more.")
    repeat_rate: float | None = strawberry.field(
        description="Their share in percent; null without buyers, and of a window within one month."
    )
    repeat_rate_reason: str | None = strawberry.field(description="Why there is no such share.")
    groups: list[ProductGroup] = strawberry.field(
        description="What was sold in each group; empty unless `groupBy` was given."
    )


@strawberry.type(
    description="What was sold, by product and currency: the one with the most revenue in each currency"
    " first, then the second of each."
)
class ProductTable:
    name: str = strawberry.field(description="What it is called.")
    definition: str = strawberry.field(description="What it means.")
    definition_version: int = strawberry.field(description="Grows when the definition changes.")
    reason: str | None = strawberry.field(description="Why there are no rows.")
    rows: list[ProductSales] = strawberry.field(description="The products.")
    by_period: strawberry.Private[bool]

    @computed()
    @staticmethod
    def chart(name: str, rows: list[ProductSales], by_period: bool) -> JSON:
        """A Vega-Lite specification (version 5) with the data inline, that renders as it is: a panel for each
        currency."""
        called = labels((row.sku, row.name) for row in rows)
        if by_period:
            points = [
                {
                    "product": f"{called[row.sku]} ({row.revenue.currency})",
                    "currency": row.revenue.currency,
                    "day": group.label,
                    "value": float(group.revenue.amount),
                }
                for row in rows
                for group in row.groups
            ]
            return charts.lines(
                name, points, "revenue", time="day", value="value", each="product", panel="currency"
            )
        shown = [
            {
                "label": f"{called[row.sku]} ({row.revenue.currency})",
                "currency": row.revenue.currency,
                "value": float(row.revenue.amount),
            }
            for row in rows
        ]
        return charts.bars(name, shown, "revenue", panel="currency")

    @computed()
    @staticmethod
    def csv(rows: list[ProductSales]) -> str:
        """The products as CSV, or what was sold of them in each group."""
        if any(row.groups for row in rows):
            return as_csv(
                ("sku", "name", "group", "quantity", "revenue", "currency", "purchases", "buyers"),
                [
                    (
                        *(row.sku, row.name, one.label, one.quantity, one.revenue.amount),
                        *(one.revenue.currency, one.purchases, one.buyers),
                    )
                    for row in rows
                    for one in row.groups
                ],
            )
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


First = Annotated[int, strawberry.argument(description="How many products; 500 at most, 50 with `groupBy`.")]


@batch(needs=("asked",), name="products")
async def products_field(
    each: Batch[Analytics], info: Info, first: First = 20, group_by: GroupBy = None
) -> list[ProductTable]:
    """What was sold in the window, by product and currency. Of whole months it reads what is kept; of other
    days, and by groups, the lines of the purchases."""
    most = MOST if group_by is None else MOST_WITH_GROUPS
    if not 1 <= first <= most:
        raise CrmError(ErrorCode.BAD_INPUT, f"{first} products are not 1 to {most}.", path=("first",))
    return [await _table(asked, first, await grouping(asked, group_by)) for asked in each.column("asked")]


async def _table(asked: Question, first: int, by: Grouping | None) -> ProductTable:
    asked.not_converted("products")
    found = [] if asked.undefined else await _rows(asked, first, by)
    return ProductTable(
        name=DEFINITION.name,
        definition=DEFINITION.text,
        definition_version=DEFINITION.version,
        reason=asked.undefined or (None if found else "nothing with lines was bought"),
        rows=found,
        by_period=by is not None and by.by is Dimension.PERIOD,
    )


def _kept(asked: Question, table: str) -> Source:
    """Sales by product: of whole months from the table, of other days from the lines."""
    if asked.window.whole_months:
        months = (month_of(asked.window.first), month_of(asked.window.last))
        return Source(Fragment(f"{table} AS f"), Fragment("f.month BETWEEN ? AND ?", months))
    lines = sold(asked, Period.MONTH, asked.about("i.customer_id"))
    return Source(Fragment(f"{lines.sql} AS f", lines.args))


async def _rows(asked: Question, first: int, by: Grouping | None) -> list[ProductSales]:
    most_sold = _kept(asked, "analytics_goods" if asked.where is None else "analytics_product")
    about = asked.about("f.customer_id")
    rows_sold = await asked.reader.rows(
        # amounts of different currencies are no more and no less than each other
        "SELECT sku, currency, quantity, minor, purchases FROM (SELECT f.sku, f.currency,"
        " SUM(f.quantity) AS quantity, SUM(f.amount_minor) AS minor, SUM(f.purchases) AS purchases,"
        " ROW_NUMBER() OVER (PARTITION BY f.currency ORDER BY SUM(f.amount_minor) DESC, f.sku) AS place"
        f" FROM {most_sold.table.sql} WHERE {most_sold.where.sql} AND {about.sql}"
        " GROUP BY f.sku, f.currency HAVING SUM(f.purchases) > 0) AS s"
        f" ORDER BY place, currency LIMIT {first}",
        [*most_sold.table.args, *most_sold.where.args, *about.args],
    )
    skus = sorted({row[0] for row in rows_sold})
    where = among("f.sku", skus, asked.reader.dialect)
    each = _kept(asked, "analytics_product")
    bought = await asked.reader.rows(
        "SELECT b.sku, b.currency, COUNT(*), SUM(CASE WHEN b.months > 1 THEN 1 ELSE 0 END) FROM (SELECT"
        f" f.sku, f.currency, f.customer_id, COUNT(DISTINCT f.{_MONTH[asked.window.whole_months]}) AS months"
        f" FROM {each.table.sql} WHERE {each.where.sql} AND {where.sql} AND {about.sql}"
        " AND f.customer_id IS NOT NULL"
        " GROUP BY f.sku, f.currency, f.customer_id) AS b GROUP BY b.sku, b.currency",
        [*each.table.args, *each.where.args, *where.args, *about.args],
    )
    buyers = {(sku, currency): (int(all_), int(again)) for sku, currency, all_, again in bought}
    named = among("k.sku", skus, asked.reader.dialect)
    called = await asked.reader.rows(
        "SELECT DISTINCT k.sku, (SELECT l.name FROM crm_purchase_line AS l WHERE l.sku = k.sku"
        f" AND l.name IS NOT NULL LIMIT 1) FROM analytics_goods AS k WHERE {named.sql}",
        named.args,
    )
    names: dict[str, str | None] = {row[0]: row[1] for row in called}
    keys = [(row[0], row[1]) for row in rows_sold]
    groups = {} if by is None else await _groups(asked, keys, by)
    return [
        _sales(
            asked, sku, names.get(sku), currency, int(quantity), int(minor), int(purchases), buyers,
            groups.get((sku, currency), []),
        )
        for sku, currency, quantity, minor, purchases in rows_sold
    ]  # fmt: skip


_MONTH = {True: "month", False: "period"}


async def _groups(
    asked: Question, products: Sequence[tuple[str, str]], by: Grouping
) -> dict[tuple[str, str], list[ProductGroup]]:
    """What was sold in each group, by product and currency."""
    if by.by is Dimension.PERIOD:
        not_too_many(asked, by)
    skus = sorted({sku for sku, _ in products})
    about, where = asked.about("i.customer_id"), among("l.sku", skus, asked.reader.dialect)
    lines = sold(asked, by.period, Fragment(f"{where.sql} AND {about.sql}", (*where.args, *about.args)))
    found = await rows(
        asked,
        by,
        "SUM(f.quantity), SUM(f.amount_minor), SUM(f.purchases), COUNT(DISTINCT f.customer_id)",
        Source(Fragment(f"{lines.sql} AS f", lines.args)),
        keys=("f.sku", "f.currency"),
        time="f.period",
        channel="f.channel",
    )
    of_each: dict[tuple[str, str], list[Sequence[Any]]] = defaultdict(list)
    for group, sku, currency, *numbers in found:
        label = as_day(group) if by.by is Dimension.PERIOD else group
        of_each[sku, currency].append((label, *map(int, numbers)))
    return {
        (sku, currency): [
            ProductGroup(
                label=label,
                quantity=BigInt(quantity),
                revenue=Money.of(minor, currency),
                purchases=purchases,
                buyers=buyers,
            )
            for label, (quantity, minor, purchases, buyers) in by_group(
                asked, by, of_each[sku, currency], _together
            )
        ]
        for sku, currency in products
    }


def _together(found: Sequence[Sequence[Any]]) -> tuple[int, int, int, int]:
    """Of one group there is one row, or none."""
    if not found:
        return 0, 0, 0, 0
    [(_, quantity, minor, purchases, buyers)] = found
    return quantity, minor, purchases, buyers


def _sales(
    asked: Question,
    sku: str,
    name: str | None,
    currency: str,
    quantity: int,
    minor: int,
    purchases: int,
    buyers: dict[tuple[str, str], tuple[int, int]],
    groups: list[ProductGroup],
) -> ProductSales:
    all_, again = buyers.get((sku, currency), (0, 0))
    window = asked.window
    rate = repeat_rate(all_, again, one_month=month_of(window.first) == month_of(window.last))
    return ProductSales(
        sku=sku,
        name=name,
        quantity=BigInt(quantity),
        revenue=Money.of(minor, currency),
        purchases=purchases,
        buyers=all_,
        repeat_buyers=again,
        repeat_rate=rate.value,
        repeat_rate_reason=rate.reason,
        groups=groups,
    )
