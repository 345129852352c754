"""All figures counted anew, in batches of customers that are each committed: whoever goes on where another
was killed comes to the same end."""

from collections import defaultdict
from collections.abc import Collection
from dataclasses import dataclass

from crm_analytics import answers, moods
from crm_framework import CrmError, ErrorCode, UnitOfWork

from . import counted, kept, raw, totals
from .quintiles import refresh
from .recount import CHUNK, held, recount
from .state import NAME, state


@dataclass(frozen=True)
class Progress:
    """`after` is the key of the last customer who was counted; None at the end."""

    after: str | None
    done: int


async def begin(tx: UnitOfWork, zone: str) -> None:
    """Has customers who come meanwhile counted for the zone from the start."""
    await tx.execute("UPDATE analytics_state SET next_zone = ? WHERE name = ?", [zone, NAME])


async def batch(tx: UnitOfWork, after: str | None, done: int = 0) -> Progress:
    """Counts the next customers."""
    more, args = ("AND id > ?", [after]) if after else ("", [])
    rows = await tx.fetch(
        f"SELECT id FROM crm_customer WHERE merged_into_id IS NULL {more} ORDER BY id LIMIT {CHUNK}", args
    )
    now = await state(tx)
    keys = [str(row["id"]) for row in rows]
    await _count(keys, now.next_zone or now.zone, tx)
    return Progress(keys[-1] if len(keys) == CHUNK else None, done + len(keys))


async def _count(keys: Collection[str], zone: str, tx: UnitOfWork) -> None:
    customers = await held(keys, tx)
    if customers:
        await recount(customers, None, tx, zone=zone)
        await answers.recount(list(customers), tx)
        await moods.recount(list(customers), tx)


async def finish(tx: UnitOfWork) -> bool:
    """Sums up over all customers and says so; False while there are customers of another zone: count them
    first.

    It holds the state, so that one process does it at a time.
    """
    await tx.execute("UPDATE analytics_state SET counted_at = counted_at WHERE name = ?", [NAME])
    now = await state(tx)
    zone = now.next_zone or now.zone
    late = await tx.fetch(f"SELECT customer_id FROM analytics_customer WHERE zone <> ? LIMIT {CHUNK}", [zone])
    if late:
        await _count([str(row["customer_id"]) for row in late], zone, tx)
        return False
    await _sum_up(zone, tx)
    await refresh(tx)
    await tx.execute(
        "UPDATE analytics_state SET zone = ?, next_zone = NULL, counted_at = ? WHERE name = ?",
        [zone, tx.now, NAME],
    )
    return True


async def all_at_once(tx: UnitOfWork, zone: str) -> int:
    """Everything in one transaction, for small companies and for tests; the number of customers counted."""
    await begin(tx, zone)
    progress = await batch(tx, None)
    while progress.after is not None:
        progress = await batch(tx, progress.after, progress.done)
    while not await finish(tx):
        pass
    return progress.done


NEW_KEY = {
    "sqlite": (
        "LOWER(HEX(RANDOMBLOB(4)) || '-' || HEX(RANDOMBLOB(2)) || '-4' || SUBSTR(HEX(RANDOMBLOB(2)), 2)"
        " || '-8' || SUBSTR(HEX(RANDOMBLOB(2)), 2) || '-' || HEX(RANDOMBLOB(6)))"
    ),
    "postgres": "gen_random_uuid()",
}
FROM_CUSTOMERS = {
    totals.SALES: (
        "SELECT day, channel, currency, SUM(purchases) AS purchases, SUM(refunds) AS refunds,"
        " SUM(revenue_minor) AS revenue_minor, SUM(refunded_minor) AS refunded_minor"
        " FROM analytics_daily GROUP BY day, channel, currency"
    ),
    totals.GOODS: (
        "SELECT month, sku, currency, SUM(quantity) AS quantity, SUM(amount_minor) AS amount_minor,"
        " SUM(purchases) AS purchases, COUNT(*) AS buyers"
        " FROM analytics_product GROUP BY month, sku, currency"
    ),
    totals.COHORTS: (
        "SELECT 'purchase' AS basis, first_month AS cohort, month, COUNT(*) AS customers"
        " FROM {active} GROUP BY first_month, month"
        " UNION ALL SELECT 'signup', signup_month, month, COUNT(*) FROM {active} GROUP BY signup_month, month"
        " UNION ALL SELECT 'purchase_last', first_month, last_month, COUNT(*) FROM analytics_customer"
        " WHERE last_month IS NOT NULL GROUP BY first_month, last_month"
        " UNION ALL SELECT 'signup_last', signup_month, last_month, COUNT(*) FROM analytics_customer"
        " WHERE last_month IS NOT NULL GROUP BY signup_month, last_month"
    ).format(
        active="(SELECT DISTINCT m.customer_id, m.month, f.first_month, f.signup_month"
        " FROM analytics_month AS m JOIN analytics_customer AS f ON f.customer_id = m.customer_id"
        " WHERE m.purchases > 0) AS a"
    ),
}
"""What the sums over all are, of the rows of customers."""


async def _sum_up(zone: str, tx: UnitOfWork) -> None:
    """The sums over all customers, of one moment: what is added at the same moment stays beside them."""
    erased = await erased_customers(tx)
    for total, select in FROM_CUSTOMERS.items():
        await _replace(total, select, tx)
    if await erased_customers(tx) != erased:
        raise CrmError(
            ErrorCode.CONFLICT, "Somebody was erased while all was summed up.", hint="Count once more."
        )
    for place in range(0, len(erased), CHUNK):
        await _add_erased(erased[place : place + CHUNK], zone, tx)


async def _replace(total: totals.Total, select: str, tx: UnitOfWork) -> None:
    columns = ", ".join(total.columns)
    inner = f"SELECT {NEW_KEY[tx.dialect]}, o.* FROM ({select}) AS o"
    if tx.dialect == "postgres":
        # one statement sees one moment: neither row that it deletes nor sum that it makes is of another
        await tx.execute(
            f"WITH gone AS (DELETE FROM {total.table}) INSERT INTO {total.table} ({columns}) {inner}"
        )
    else:
        await tx.execute(f"DELETE FROM {total.table}")
        await tx.execute(f"INSERT INTO {total.table} ({columns}) {inner}")


async def erased_customers(tx: UnitOfWork) -> list[str]:
    """Keys of all whose data was erased."""
    rows = await tx.fetch("SELECT id FROM crm_customer WHERE erased_at IS NOT NULL ORDER BY id")
    return [str(row["id"]) for row in rows]


async def _add_erased(customers: Collection[str], zone: str, tx: UnitOfWork) -> None:
    """What was bought by those whose data was erased: only the sums of it are kept."""
    sales, goods = await erased_sums(customers, zone, tx)
    totals.add(tx, totals.SALES, [(key, one.numbers) for key, one in sales.items()])
    totals.add(tx, totals.GOODS, goods.items())


async def erased_sums(
    customers: Collection[str], zone: str, tx: UnitOfWork
) -> tuple[kept.Days, dict[counted.ProductKey, tuple[int, ...]]]:
    """Days and products of all these customers together."""
    days: kept.Days = {}
    goods: dict[counted.ProductKey, tuple[int, ...]] = defaultdict(lambda: (0, 0, 0, 0))
    for sales in (await raw.sales(customers, None, tx)).values():
        for key, one in counted.days_of(sales, zone).items():
            days[key] = days[key] + one if key in days else one
    for lines in (await raw.lines(customers, None, tx)).values():
        for product, numbers in counted.products_of(lines, zone).items():
            pairs = zip(goods[product], (*numbers, 1), strict=True)
            goods[product] = tuple(one + more for one, more in pairs)
    return days, goods
