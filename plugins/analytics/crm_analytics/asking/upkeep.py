"""Sales by day, and the mutations that count all figures anew and prove them."""

from datetime import date
from typing import Annotated

import strawberry
from strawberry import Info
from strawberry.types.field import StrawberryField

from crm_analytics.proof import verify
from crm_analytics.rollups.kept import as_day
from crm_analytics.rollups.rebuild import all_at_once
from crm_analytics.settings import AnalyticsSettings
from crm_framework import CrmError, ErrorCode, Money, UnitOfWork, mutation, payload, root

READ = "analytics.read"
LONGEST = 3660
"""Days that one request may ask for."""


@strawberry.type(description="Sales of one day of the company's time zone in one currency.")
class DailyRevenue:
    day: date = strawberry.field(description="The day, in the company's time zone.")
    currency: str = strawberry.field(description="ISO 4217.")
    purchases: int = strawberry.field(description="How many purchases there were.")
    refunds: int = strawberry.field(description="How many refunds there were.")
    revenue: Money = strawberry.field(description="Purchases less refunds.")


FirstDay = Annotated[date, strawberry.argument(description="The first day, in the company's time zone.")]
LastDay = Annotated[
    date, strawberry.argument(description="The last day, in the company's time zone; 3,660 days at most.")
]


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
        " SUM(revenue_minor) AS revenue FROM analytics_sales WHERE day BETWEEN ? AND ?"
        " GROUP BY day, currency HAVING SUM(purchases) <> 0 OR SUM(refunds) <> 0 ORDER BY day, currency",
        [first, last],
    )
    return [
        DailyRevenue(
            day=as_day(row["day"]),
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


def rebuild_field(settings: AnalyticsSettings) -> StrawberryField:
    """The mutation, for a company with these settings."""

    @mutation(permission="analytics.rebuild", everyone=True)
    async def rebuild_daily_figures(tx: UnitOfWork) -> RebuildPayload:
        """Counts all figures anew, with what was recorded while the plugin was off, in one transaction; not
        tickets, solved and points, which are what other plugins told.

        For large companies, `crm analytics rebuild` does it in batches.
        """
        return RebuildPayload(customers=await all_at_once(tx, settings.time_zone))

    return rebuild_daily_figures


@payload
class VerifyPayload:
    """Whether the figures are those of the interactions; nothing is said of tickets, solved and points."""

    customers: int | None = strawberry.field(
        description="How many customers were looked at; null on failure.", default=None
    )
    differences: list[str] | None = strawberry.field(
        description="Where they are not, the first 100 of these; null on failure.", default=None
    )
    owed: int | None = strawberry.field(
        description="Customers of whom something is still to be counted by the worker, which is no"
        " difference; null on failure.",
        default=None,
    )


@mutation(permission="analytics.rebuild", everyone=True)
async def verify_figures(tx: UnitOfWork) -> VerifyPayload:
    """Compares figures with a scan of the interactions, and changes none. Tickets, solved and points are not
    compared: they are what other plugins told, and nothing is there to prove them by."""
    found = await verify(tx)
    return VerifyPayload(customers=found.customers, differences=found.differences, owed=found.owed)
