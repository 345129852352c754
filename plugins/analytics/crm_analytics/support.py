"""What the plugins for tickets and loyalty tell of customers, where they are enabled."""

from collections import defaultdict
from collections.abc import Sequence

from crm_framework import CrmError, Event, Hold, UnitOfWork, live_customers, new_id

TICKET_OPENED = "ticketing.ticket_opened"
TICKET_CHANGED = "ticketing.status_changed"
POINTS_CHANGED = "loyalty.points_changed"
SOLVED = ("RESOLVED", "CLOSED")

_ADD = (
    "INSERT INTO analytics_customer (id, customer_id, tickets, solved, points, zone) VALUES (?, ?, ?, ?, ?,"
    " (SELECT COALESCE(next_zone, zone) FROM analytics_state WHERE name = 'rollups'))"
    " ON CONFLICT (customer_id) DO UPDATE SET"
    " tickets = COALESCE(analytics_customer.tickets, 0) + excluded.tickets,"
    " solved = COALESCE(analytics_customer.solved, 0) + excluded.solved,"
    " points = COALESCE(analytics_customer.points, 0) + excluded.points"
)


def concerns(event: Event) -> bool:
    """Whether it is one of these."""
    return event.customer_id is not None and event.type in (TICKET_OPENED, TICKET_CHANGED, POINTS_CHANGED)


async def count(events: Sequence[Event], tx: UnitOfWork) -> None:
    """Adds up tickets opened and solved, and points. Known by the types' names: neither plugin need be
    installed."""
    told = [event for event in events if event.customer_id and any(_told(event))]
    if not told:
        return
    live = await live_customers(tx, {event.customer_id for event in told if event.customer_id}, Hold.ADD)
    sums: dict[str, list[int]] = defaultdict(lambda: [0, 0, 0])
    for event in told:
        customer = live[event.customer_id or ""]
        if isinstance(customer, CrmError):
            continue  # erased meanwhile
        for place, number in enumerate(_told(event)):
            sums[customer.id][place] += number
    await add({customer: (one[0], one[1], one[2]) for customer, one in sums.items()}, tx)


def _told(event: Event) -> tuple[int, int, int]:
    """Tickets opened, tickets solved (or opened again, below zero), and points."""
    if event.type == TICKET_OPENED:
        return 1, 0, 0
    if event.type == TICKET_CHANGED:
        before, after = event.changes.get("status", (None, None))
        return 0, (after in SOLVED) - (before in SOLVED), 0
    if event.type == POINTS_CHANGED:
        return 0, 0, int(getattr(event, "points", 0))
    return 0, 0, 0


async def add(told: dict[str, tuple[int, int, int]], tx: UnitOfWork) -> None:
    """Adds tickets opened, tickets solved and points to what is known of each customer."""
    await tx.execute_many(_ADD, [(new_id(), customer, *told[customer]) for customer in sorted(told)])
