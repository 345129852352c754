"""The plugin's part of the API."""

from datetime import date, datetime
from typing import Annotated

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

from .daily import day_of, rebuild
from .proof import verify

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
    counted_tickets: strawberry.Private[int | None]
    counted_points: strawberry.Private[int | None]

    @batch(needs=("counted_tickets",), permission="ticketing.read", about=Customer)
    @staticmethod
    def tickets_opened(each: Batch["CustomerMetrics"]) -> list[int | None]:
        """Tickets opened since this plugin is enabled; null where nothing was told."""
        return list(each.column("counted_tickets"))

    @batch(needs=("counted_points",), permission="loyalty.read", about=Customer)
    @staticmethod
    def points(each: Batch["CustomerMetrics"]) -> list[int | None]:
        """Loyalty points gained less lost since this plugin is enabled; null likewise."""
        return list(each.column("counted_points"))


@strawberry.type(description="Sales of one day (UTC) in one currency.")
class DailyRevenue:
    day: date = strawberry.field(description="The day, in UTC.")
    currency: str = strawberry.field(description="ISO 4217.")
    purchases: int = strawberry.field(description="How many purchases there were.")
    refunds: int = strawberry.field(description="How many refunds there were.")
    revenue: Money = strawberry.field(description="Purchases less refunds.")


MOST_AT_ONCE = 200
"""Customers whose figures are a short read."""


@batch(needs=("id",), permission=READ)
async def metrics(customers: Batch[Customer], info: Info) -> list[CustomerMetrics]:
    """Figures about the customer, kept with each purchase and refund since this plugin is enabled."""
    reader = info.context.reader
    where = among("f.customer_id", customers.ids, reader.dialect)
    rows = await reader.rows(
        "SELECT CAST(f.customer_id AS TEXT), f.purchases, f.refunds, f.first_purchase_at,"
        " f.last_purchase_at, f.tickets, f.points, r.currency, r.purchased_minor - r.refunded_minor"
        " FROM analytics_customer AS f"
        " LEFT JOIN analytics_revenue AS r ON r.customer_id = f.customer_id"
        f" WHERE {where.sql} ORDER BY f.customer_id, r.currency",
        where.args,
        bounded=len(customers) <= MOST_AT_ONCE,
    )
    by_customer: dict[str, CustomerMetrics] = {}
    for customer, purchases, refunds, first, last, tickets, points, currency, revenue in rows:
        if customer not in by_customer:
            by_customer[customer] = CustomerMetrics(
                purchases=purchases,
                refunds=refunds,
                revenue=[],
                first_purchase_at=None if first is None else parse_time(first),
                last_purchase_at=None if last is None else parse_time(last),
                counted_tickets=tickets,
                counted_points=points,
            )
        if currency is not None:
            by_customer[customer].revenue.append(Money.of(revenue, currency))
    return [by_customer.get(key) or _nothing() for key in customers.ids]


def _nothing() -> CustomerMetrics:
    """Of a customer about whom nothing was counted."""
    return CustomerMetrics(
        purchases=0,
        refunds=0,
        revenue=[],
        first_purchase_at=None,
        last_purchase_at=None,
        counted_tickets=None,
        counted_points=None,
    )


FirstDay = Annotated[date, strawberry.argument(description="The first day, in UTC.")]
LastDay = Annotated[date, strawberry.argument(description="The last day, in UTC; 3,660 days at most.")]


CURRENCIES = 10
"""In how many currencies a day's sales are taken to be."""


def _most_days(first: date, last: date) -> int:
    return min(max(0, (last - first).days + 1), LONGEST) * CURRENCIES


@root(permission=READ, most=_most_days)
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
            day=day_of(row),
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
    """Counts all figures anew, with what was recorded while the plugin was off."""
    return RebuildPayload(customers=await rebuild(tx))


@payload
class VerifyPayload:
    """Whether the figures are those of the purchases and refunds."""

    customers: int | None = strawberry.field(
        description="How many customers were looked at; null on failure.", default=None
    )
    differences: list[str] | None = strawberry.field(
        description="Where they are not, the first 100 of these; null on failure.", default=None
    )


@mutation(permission="analytics.rebuild", everyone=True)
async def verify_figures(tx: UnitOfWork) -> VerifyPayload:
    """Compares all figures with a scan of the purchases and refunds, and changes none.

    What is still owed to the plugin counts as a difference.
    """
    customers, differences = await verify(tx)
    return VerifyPayload(customers=customers, differences=differences)


PARTS = SchemaParts(
    extend={Customer: [metrics]},
    query=[daily_revenue],
    mutation=[rebuild_daily_figures, verify_figures],
)
