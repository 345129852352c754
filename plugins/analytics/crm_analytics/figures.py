"""What is known of each customer altogether: a row per customer, and one per customer and currency.

They are the sums of the customer's days, made anew whenever one of these was: so they too are right whatever
is told twice or late, and cost as much as a customer has days with sales.
"""

from collections.abc import Sequence

from crm_framework import UnitOfWork, among, new_id

TABLES = ("analytics_customer", "analytics_revenue")

_HOLD = (
    "INSERT INTO analytics_customer (id, customer_id) VALUES (?, ?)"
    " ON CONFLICT (customer_id) DO UPDATE SET purchases = analytics_customer.purchases"
)
_ADD = (
    "INSERT INTO analytics_customer (id, customer_id, tickets, points) VALUES (?, ?, ?, ?)"
    " ON CONFLICT (customer_id) DO UPDATE SET"
    " tickets = COALESCE(analytics_customer.tickets, 0) + excluded.tickets,"
    " points = COALESCE(analytics_customer.points, 0) + excluded.points"
)
_TOGETHER = (
    "UPDATE analytics_customer SET"
    " (purchases, refunds, purchase_days, first_purchase_at, last_purchase_at) ="
    " (SELECT COALESCE(SUM(d.purchases), 0), COALESCE(SUM(d.refunds), 0),"
    " COUNT(DISTINCT CASE WHEN d.purchases > 0 THEN d.day END), MIN(d.first_purchase_at),"
    " MAX(d.last_purchase_at) FROM analytics_daily AS d"
    " WHERE d.customer_id = analytics_customer.customer_id)"
)
_PER_CURRENCY = (
    "SELECT customer_id, currency, SUM(purchases) AS purchases,"
    " SUM(CASE WHEN purchases > 0 THEN 1 ELSE 0 END) AS days,"
    " SUM(revenue_minor + refunded_minor) AS purchased, SUM(refunded_minor) AS refunded FROM analytics_daily"
)
_INSERT = (
    "INSERT INTO analytics_revenue"
    " (id, customer_id, currency, purchases, purchase_days, purchased_minor, refunded_minor)"
    " VALUES (?, ?, ?, ?, ?, ?, ?)"
)


async def hold(customers: Sequence[str], tx: UnitOfWork) -> None:
    """Their rows, made where there are none, until the end of the transaction. `customers` is sorted."""
    await tx.execute_many(_HOLD, [(new_id(), customer) for customer in customers])


async def sum_up(customers: Sequence[str], tx: UnitOfWork) -> None:
    """Makes the sums of these customers, who are held, those of their days."""
    where = among("customer_id", customers, tx.dialect)
    await tx.execute(f"DELETE FROM analytics_revenue WHERE {where.sql}", where.args)
    rows = await tx.fetch(f"{_PER_CURRENCY} WHERE {where.sql} GROUP BY customer_id, currency", where.args)
    numbers = ("purchases", "days", "purchased", "refunded")
    await tx.execute_many(
        _INSERT,
        [
            (new_id(), row["customer_id"], row["currency"], *(int(row[number]) for number in numbers))
            for row in rows
        ],
    )
    await tx.execute(f"{_TOGETHER} WHERE {where.sql}", where.args)


async def add(told: dict[str, tuple[int, int]], tx: UnitOfWork) -> None:
    """Adds tickets and points to what is known of each customer."""
    await tx.execute_many(_ADD, [(new_id(), customer, *told[customer]) for customer in sorted(told)])
