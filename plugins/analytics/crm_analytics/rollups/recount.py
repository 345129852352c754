"""Counts customers' figures anew, from their purchases and refunds, for the days on which something happened.

Counting anew rather than adding keeps them right whatever is told twice, late or in another order. What a
customer adds to the sums over all is the difference between what is kept before and after.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Generic, TypeVar

from crm_analytics.windows import midnight, month_of, months_later
from crm_framework import CrmError, Hold, UnitOfWork, live_customers

from . import counted, kept, raw, totals
from .activity import active
from .kept import Days, Held, Products

CHUNK = 100
"""Customers whose figures are counted at once: on SQLite everybody else waits for as long with a change."""


@dataclass(frozen=True)
class Between:
    """Days from one to another, both included."""

    first: date
    last: date


Kept = TypeVar("Kept")


@dataclass(frozen=True)
class Change(Generic[Kept]):
    """What is kept of each customer, and what is to be."""

    before: Mapping[str, Kept]
    after: Mapping[str, Kept]


async def held(customers: Collection[str], tx: UnitOfWork) -> dict[str, Held]:
    """Those whom these keys mean today, without the erased: nobody else counts them meanwhile."""
    live = await live_customers(tx, set(customers), Hold.ADD)
    return await kept.hold({one.id for one in live.values() if not isinstance(one, CrmError)}, tx)


async def recount(
    customers: Mapping[str, Held],
    between: Between | None,
    tx: UnitOfWork,
    *,
    zone: str | None = None,
    products: bool = True,
) -> None:
    """Brings what is kept of these customers, who are held, up to date: on the days `between`, or on all.

    `zone` is that which they go by from now on: then all days are to be counted. `products` says whether
    lines may have changed.
    """
    before = await kept.days_of(customers, tx)
    after: dict[str, Days] = {}
    for own, group in _by_zone(customers, zone).items():
        span = None
        if between is not None:
            span = (midnight(between.first, own), midnight(between.last + timedelta(days=1), own))
        sales = await raw.sales(group, span, tx)
        for customer in group:
            now = counted.days_of(sales.get(customer, ()), own)
            if between is not None:
                old = before.get(customer, {})
                now |= {key: one for key, one in old.items() if not between.first <= key[0] <= between.last}
            after[customer] = now
    goods = await _products(customers, between, tx, zone) if products else Change({}, {})
    await store(customers, Change(before, after), goods, tx, zone=zone, exact=between is None)


async def store(
    customers: Mapping[str, Held],
    days: Change[Days],
    products: Change[Products],
    tx: UnitOfWork,
    *,
    zone: str | None = None,
    exact: bool = False,
) -> None:
    """Keeps these days and products, and all that adds up of them. `exact` looks at what is kept of that,
    too.

    Rows are changed first and added last: those go together, and with whatever else the change adds.
    """
    tags = await kept.tags_of(customers, tx)
    kept_activity = await kept.activity_of(customers, tx)
    kept_months = await kept.months_of(customers, tx) if exact else {}
    kept_revenue = await kept.currencies_of(customers, tx) if exact else {}
    months_before, months_after, revenue_before, revenue_after = {}, {}, {}, {}
    sums, activity = {}, {}
    for customer, one in customers.items():
        old, now = days.before.get(customer, {}), days.after.get(customer, {})
        own = zone or one.zone
        months_before[customer] = kept_months.get(customer, {}) if exact else counted.months_of(old)
        months_after[customer] = counted.months_of(now)
        revenue_before[customer] = kept_revenue.get(customer, {}) if exact else counted.currencies_of(old)
        revenue_after[customer] = counted.currencies_of(now)
        activity[customer] = active(months_after[customer], tags[customer])
        sums[customer] = (counted.together(now, revenue_after[customer]), one.signed_up(own), own)
    await kept.write_together(sums, tx)
    await kept.write(
        [
            (kept.DAILY, kept.as_rows(days.before), kept.as_rows(days.after)),
            (kept.MONTH, kept.as_rows(months_before), kept.as_rows(months_after)),
            (kept.ACTIVITY, kept.as_rows(kept_activity), kept.as_rows(activity)),
            (kept.REVENUE, kept.as_rows(revenue_before), kept.as_rows(revenue_after)),
            (kept.PRODUCT, kept.as_rows(products.before), kept.as_rows(products.after)),
        ],
        tx,
    )
    for customer, one in customers.items():
        old, now = days.before.get(customer, {}), days.after.get(customer, {})
        totals.add(tx, totals.SALES, counted.sales_differences(old, now))
        totals.add_cohorts(
            tx,
            counted.cohorts_of(months_before[customer], one.signup_month),
            counted.cohorts_of(months_after[customer], sums[customer][1]),
        )
        bought, buys = products.before.get(customer, {}), products.after.get(customer, {})
        totals.add(tx, totals.GOODS, counted.product_differences(bought, buys))


async def retag(customers: Mapping[str, Held], tx: UnitOfWork) -> None:
    """Keeps the tags of these customers, who are held, as they are now."""
    tags = await kept.tags_of(customers, tx)
    before = await kept.activity_of(customers, tx)
    after = {
        customer: {block: replace(one, tags=tags[customer]) for block, one in blocks.items()}
        for customer, blocks in before.items()
    }
    await kept.write([(kept.ACTIVITY, kept.as_rows(before), kept.as_rows(after))], tx)


async def _products(
    customers: Mapping[str, Held], between: Between | None, tx: UnitOfWork, zone: str | None
) -> Change[Products]:
    months = None if between is None else (month_of(between.first), month_of(between.last))
    before = await kept.products_of(customers, tx, months)
    after: dict[str, Products] = {}
    for own, group in _by_zone(customers, zone).items():
        span = None
        if months is not None:
            span = (midnight(months[0], own), midnight(months_later(months[1], 1), own))
        lines = await raw.lines(group, span, tx)
        after |= {customer: counted.products_of(lines.get(customer, ()), own) for customer in group}
    return Change(before, after)


def _by_zone(customers: Mapping[str, Held], zone: str | None) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for customer, one in customers.items():
        found.setdefault(zone or one.zone, []).append(customer)
    return found
