"""The plugin's part of the API."""

from collections import defaultdict
from datetime import date, datetime
from typing import Annotated, Any

import strawberry
from strawberry import Info

from crm_framework import (
    Batch,
    CrmError,
    Customer,
    ErrorCode,
    Money,
    SchemaParts,
    UnitOfWork,
    among,
    batch,
    mutation,
    parse_time,
    payload,
    root,
)

from .daily import rebuild

READ = "analytics.read"
LONGEST = 3660
"""Days that one request may ask for."""


@strawberry.type(description="Figures about one customer.")
class CustomerMetrics:
    purchases: int = strawberry.field(description="How many purchases were recorded.")
    refunds: int = strawberry.field(description="How many refunds were recorded.")
    revenue: list[Money] = strawberry.field(description="Purchases less refunds, an amount per currency.")
    first_purchase_at: datetime | None = strawberry.field(description="The first purchase, if any.")
    last_purchase_at: datetime | None = strawberry.field(description="The latest purchase, if any.")
    tickets_opened: int | None = strawberry.field(
        description="Tickets opened since this plugin is enabled; null where nothing was told."
    )
    points: int | None = strawberry.field(
        description="Loyalty points gained less lost since this plugin is enabled; null likewise."
    )


@strawberry.type(description="Sales of one day (UTC) in one currency.")
class DailyRevenue:
    day: date = strawberry.field(description="The day, in UTC.")
    currency: str = strawberry.field(description="ISO 4217.")
    purchases: int = strawberry.field(description="How many purchases there were.")
    refunds: int = strawberry.field(description="How many refunds there were.")
    revenue: Money = strawberry.field(description="Purchases less refunds.")


@batch(needs=("id",), permission=READ)
async def metrics(customers: Batch[Customer], info: Info) -> list[CustomerMetrics]:
    """Figures about the customer, read from purchases and refunds as they are recorded now."""
    reader = info.context.reader
    where = among("c.id", customers.ids, reader.dialect)
    rows = await reader.fetch(
        "SELECT c.id AS customer_id, i.currency, MAX(a.tickets) AS tickets, MAX(a.points) AS points,"
        " SUM(CASE WHEN i.kind = 'purchase' THEN 1 ELSE 0 END) AS purchases,"
        " SUM(CASE WHEN i.kind = 'refund' THEN 1 ELSE 0 END) AS refunds, SUM(i.total_minor) AS revenue,"
        " MIN(CASE WHEN i.kind = 'purchase' THEN i.occurred_at END) AS first,"
        " MAX(CASE WHEN i.kind = 'purchase' THEN i.occurred_at END) AS last"
        " FROM crm_customer AS c LEFT JOIN analytics_activity AS a ON a.customer_id = c.id"
        " LEFT JOIN crm_interaction AS i ON i.customer_id = c.id AND i.kind IN ('purchase', 'refund')"
        f" WHERE {where.sql} GROUP BY c.id, i.currency ORDER BY c.id, i.currency",
        where.args,
    )
    by_customer: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in rows:
        by_customer[row["customer_id"]].append(row)
    return [_metrics(by_customer[key]) for key in customers.ids]


def _metrics(rows: list[dict[str, Any]]) -> CustomerMetrics:
    sales = [row for row in rows if row["currency"]]
    activity = rows[0] if rows else None
    first = [parse_time(row["first"]) for row in sales if row["first"]]
    last = [parse_time(row["last"]) for row in sales if row["last"]]
    return CustomerMetrics(
        purchases=sum(int(row["purchases"]) for row in sales),
        refunds=sum(int(row["refunds"]) for row in sales),
        revenue=[Money.of(int(row["revenue"]), row["currency"]) for row in sales],
        first_purchase_at=min(first, default=None),
        last_purchase_at=max(last, default=None),
        tickets_opened=activity["tickets"] if activity else None,
        points=activity["points"] if activity else None,
    )


FirstDay = Annotated[date, strawberry.argument(description="The first day, in UTC.")]
LastDay = Annotated[date, strawberry.argument(description="The last day, in UTC; 3,660 days at most.")]


@root(permission=READ)
async def daily_revenue(info: Info, first: FirstDay, last: LastDay) -> list[DailyRevenue]:
    """Sales per day and currency, both days included; days without sales are left out."""
    if not 0 <= (last - first).days < LONGEST:
        raise CrmError(
            ErrorCode.BAD_INPUT,
            f"From {first} to {last} are not 1 to {LONGEST} days.",
            path=("last",),
            hint="Ask for a shorter time, that ends after it begins.",
        )
    rows = await info.context.reader.fetch(
        "SELECT day, currency, SUM(purchases) AS purchases, SUM(refunds) AS refunds,"
        " SUM(revenue_minor) AS revenue FROM analytics_daily WHERE day BETWEEN ? AND ?"
        " GROUP BY day, currency ORDER BY day, currency",
        [first, last],
    )
    return [
        DailyRevenue(
            day=row["day"] if isinstance(row["day"], date) else date.fromisoformat(row["day"]),
            currency=row["currency"],
            purchases=int(row["purchases"]),
            refunds=int(row["refunds"]),
            revenue=Money.of(int(row["revenue"]), row["currency"]),
        )
        for row in rows
    ]


@payload
class RebuildPayload:
    """What was counted anew."""

    customers: int | None = strawberry.field(
        description="How many customers were looked at; null on failure.", default=None
    )


@mutation(permission="analytics.rebuild", everyone=True)
async def rebuild_daily_figures(tx: UnitOfWork) -> RebuildPayload:
    """Counts the daily figures anew, with what was recorded while the plugin was off."""
    return RebuildPayload(customers=await rebuild(tx))


PARTS = SchemaParts(
    extend={Customer: [metrics]},
    query=[daily_revenue],
    mutation=[rebuild_daily_figures],
)
