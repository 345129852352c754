"""Counts customers' figures anew, from their purchases and refunds, for the days on which something happened.

Counting anew rather than adding keeps them right whatever is told twice, late or in another order. What a
customer adds to the sums over all is the difference between what is kept before and after.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date, timedelta

from crm_analytics.windows import midnight, month_of, months_later
from crm_framework import CrmError, Hold, UnitOfWork, live_customers

from . import counted, figures, kept, membership, raw, totals
from .counted import DaySums
from .figures import Change, Figures
from .kept import Days, Held, Products

CHUNK = 100
"""Customers whose figures are counted at once: on SQLite everybody else waits for as long with a change."""


@dataclass(frozen=True)
class Between:
    """Days from one to another, both included."""

    first: date
    last: date


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
    sums: bool = True,
) -> None:
    """Brings what is kept of these customers, who are held, up to date: on the days `between`, or on all.

    `zone` is that which they go by from now on: then all days are to be counted. `products` says whether
    lines may have changed, where only some days are counted. Without `sums` those over all stay.
    """
    zones = {customer: zone or one.zone for customer, one in customers.items()}
    if between is None:
        await keep(customers, await figures.scanned(zones, tx), zones, tx, sums=sums)
        return
    before = await kept.days_of(customers, tx)
    after: dict[str, Days] = {}
    for own, group in _by_zone(zones).items():
        span = (midnight(between.first, own), midnight(between.last + timedelta(days=1), own))
        sales = await raw.sales(group, span, tx)
        for customer in group:
            old = before.get(customer, {})
            other = {key: one for key, one in old.items() if not between.first <= key[0] <= between.last}
            after[customer] = counted.days_of(sales.get(customer, ()), own) | other
    goods = await _products(customers, between, tx, zones) if products else Change({}, {})
    await store(customers, Change(before, after), goods, tx)


async def store(
    customers: Mapping[str, Held],
    days: Change[DaySums],
    products: Change[tuple[int, int, int]],
    tx: UnitOfWork,
) -> None:
    """Keeps these days and products of customers, who are held, and all that adds up of them."""
    tags = await kept.tags_of(customers, tx)
    activity = await kept.activity_of(customers, tx)
    whole = Change(days.before, {customer: days.after.get(customer, {}) for customer in customers})
    zones = {customer: one.zone for customer, one in customers.items()}
    await keep(customers, figures.derived(whole, products, tags, activity, None), zones, tx)


async def keep(
    customers: Mapping[str, Held],
    found: Figures,
    zones: Mapping[str, str],
    tx: UnitOfWork,
    *,
    sums: bool = True,
) -> None:
    """Keeps the figures of these customers, who are held, and adds what differs to the sums over all.

    Rows are changed first and added last: those go together, and with whatever else the change adds. Where
    somebody bought in another month than before, memberships follow what is kept of the months by then.
    """
    signups = {customer: one.signed_up(zones[customer]) for customer, one in customers.items()}
    await kept.write_together(
        {customer: (found.together[customer], signups[customer], zones[customer]) for customer in customers},
        tx,
    )
    await kept.write(
        [
            (kept.DAILY, found.days.before, found.days.after),
            (kept.MONTH, found.months.before, found.months.after),
            (kept.ACTIVITY, found.activity.before, found.activity.after),
            (kept.REVENUE, found.revenue.before, found.revenue.after),
            (kept.PRODUCT, found.products.before, found.products.after),
        ],
        tx,
    )
    if moved := found.moved:
        await membership.recount(moved, tx)
    if sums:
        _add(customers, found, signups, tx)


def _add(customers: Mapping[str, Held], found: Figures, signups: Mapping[str, date], tx: UnitOfWork) -> None:
    days, goods, cohorts = totals.Sum(), totals.Sum(), totals.Sum()
    for customer, one in customers.items():
        if found.days.differs(customer):
            old, now = found.days.before.get(customer, {}), found.days.after.get(customer, {})
            days.add(counted.sales_differences(old, now))
        if found.products.differs(customer):
            bought, buys = found.products.before.get(customer, {}), found.products.after.get(customer, {})
            goods.add(counted.product_differences(bought, buys))
        if one.signup_month != signups[customer] or found.months.differs(customer):
            months, own = found.months.before.get(customer, {}), found.months.after.get(customer, {})
            cohorts.add(
                counted.cohort_differences(
                    counted.cohorts_of(months, one.signup_month), counted.cohorts_of(own, signups[customer])
                )
            )
    totals.add(tx, totals.SALES, days.items())
    totals.add(tx, totals.COHORTS, cohorts.items())
    totals.add(tx, totals.GOODS, goods.items())


async def retag(customers: Mapping[str, Held], tx: UnitOfWork) -> None:
    """Keeps the tags of these customers, who are held, as they are now."""
    tags = await kept.tags_of(customers, tx)
    before = await kept.activity_of(customers, tx)
    after = {
        customer: {block: one._replace(tags=tags[customer]) for block, one in blocks.items()}
        for customer, blocks in before.items()
    }
    await kept.write([(kept.ACTIVITY, before, after)], tx)


async def _products(
    customers: Mapping[str, Held], between: Between, tx: UnitOfWork, zones: Mapping[str, str]
) -> Change[tuple[int, int, int]]:
    months = month_of(between.first), month_of(between.last)
    before = await kept.products_of(customers, tx, months)
    after: dict[str, Products] = {}
    for own, group in _by_zone(zones).items():
        span = (midnight(months[0], own), midnight(months_later(months[1], 1), own))
        lines = await raw.lines(group, span, tx)
        after |= {customer: counted.products_of(lines.get(customer, ()), own) for customer in group}
    return Change(before, after)


def _by_zone(zones: Mapping[str, str]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for customer, zone in zones.items():
        found.setdefault(zone, []).append(customer)
    return found
