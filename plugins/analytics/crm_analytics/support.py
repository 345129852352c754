"""What the plugins for tickets and loyalty tell of customers, where they are enabled."""

from collections import defaultdict
from collections.abc import Sequence

from crm_framework import CrmError, Event, Hold, UnitOfWork, live_customers

from .figures import add

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
