"""Customers as they were at the end of a day, made of their days: for what is kept of each as it is now."""

from datetime import date
from typing import Annotated

import strawberry

from crm_framework import CrmError, ErrorCode, Fragment

from .between import days_between
from .question import YEARS, Question

AsOf = Annotated[
    date | None,
    strawberry.argument(
        description="As of the end of which day, in the zone asked for; as of now, if left out. It goes"
        " by what is recorded by now of the days until then: late entries, corrections and merges count."
    ),
]

OF_NOW = "It is of now, whatever the window; `asOf` asks for another day."


def told(as_of: date | None) -> str:
    """What is told of the moment beside the definition."""
    return OF_NOW if as_of is None else f"It is of the end of {as_of}, whatever the window."


def nobody(as_of: date | None) -> str:
    """Why there is nothing to tell of any customer."""
    if as_of is None:
        return "none of the customers asked about has bought"
    return f"none of the customers asked about had bought by the end of {as_of}"


def checked(as_of: date | None, asked: Question) -> date | None:
    """The day; None for now. BAD_INPUT for one that has not begun."""
    if as_of is None:
        return None
    if as_of > asked.today or as_of.year not in YEARS:
        raise CrmError(
            ErrorCode.BAD_INPUT,
            f"{as_of} is no day until today, {asked.today}.",
            path=("asOf",),
            hint="Name a day of the past, or leave it out.",
        )
    return as_of


def customers(as_of: date) -> Fragment:
    """A query in brackets of who had bought until the end of the day: `customer_id`, the main `currency`,
    that of most purchases, `net_minor` in it, `purchases` in all currencies and `last_day`."""
    return Fragment(
        "(SELECT r.customer_id, r.currency, r.net_minor, r.all_purchases AS purchases, r.latest AS last_day"
        " FROM (SELECT d.customer_id, d.currency, SUM(d.purchases) AS bought,"
        " CAST(SUM(d.revenue_minor) AS BIGINT) AS net_minor,"
        " CAST(SUM(SUM(d.purchases)) OVER w AS BIGINT) AS all_purchases,"
        " MAX(MAX(CASE WHEN d.purchases > 0 THEN d.day END)) OVER w AS latest,"
        " ROW_NUMBER() OVER (PARTITION BY d.customer_id ORDER BY SUM(d.purchases) DESC, d.currency) AS place"
        " FROM analytics_daily AS d WHERE d.day <= ? GROUP BY d.customer_id, d.currency"
        " WINDOW w AS (PARTITION BY d.customer_id)) AS r WHERE r.place = 1 AND r.bought > 0)",
        (as_of,),
    )


def gaps(as_of: date, dialect: str) -> Fragment:
    """A query in brackets of who had bought on two days until then: `customer_id`, `gap_median` and
    `gap_mean`."""
    days = Fragment(
        "SELECT DISTINCT d.customer_id, d.day FROM analytics_daily AS d WHERE d.day <= ? AND d.purchases > 0",
        (as_of,),
    )
    return days_between(days, ("customer_id",), dialect)
