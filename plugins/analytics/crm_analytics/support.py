"""What the plugins for tickets and loyalty tell of customers, where they are enabled."""

from collections import defaultdict
from collections.abc import Sequence

from crm_framework import CrmError, Event, Hold, UnitOfWork, live_customers, new_id

TICKET_OPENED = "ticketing.ticket_opened"
POINTS_CHANGED = "loyalty.points_changed"


async def count(events: Sequence[Event], tx: UnitOfWork) -> None:
    """Adds up tickets opened and points. Known by the types' names: neither plugin need be installed."""
    told = [event for event in events if event.customer_id and event.type in (TICKET_OPENED, POINTS_CHANGED)]
    if not told:
        return
    live = await live_customers(tx, {event.customer_id for event in told if event.customer_id}, Hold.ADD)
    sums: dict[str, list[int]] = defaultdict(lambda: [0, 0])
    for event in told:
        customer = live[event.customer_id or ""]
        if isinstance(customer, CrmError):
            continue  # erased meanwhile
        total = sums[customer.id]
        if event.type == TICKET_OPENED:
            total[0] += 1
        else:
            total[1] += int(getattr(event, "points", 0))
    await add({customer: (tickets, points) for customer, (tickets, points) in sums.items()}, tx)


async def add(sums: dict[str, tuple[int, int]], tx: UnitOfWork) -> None:
    """Adds tickets and points to what is known of each customer."""
    await tx.execute_many(
        "INSERT INTO analytics_activity (id, customer_id, tickets, points) VALUES (?, ?, ?, ?)"
        " ON CONFLICT (customer_id) DO UPDATE SET tickets = analytics_activity.tickets + excluded.tickets,"
        " points = analytics_activity.points + excluded.points",
        [(new_id(), customer, *sums[customer]) for customer in sorted(sums)],
    )
