"""Reacts to purchases, with an event of its own."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from crm_framework import Event, Plugin, PurchaseRecorded, UnitOfWork, among, hookimpl


@dataclass(frozen=True, kw_only=True)
class FirstPurchase(Event):
    """The customer had bought nothing before."""

    type = "with_event_handler.first_purchase"


plugin = Plugin(
    name="with_event_handler",
    requires_api="1.0",
    summary="Notes who bought for the first time.",
    events=[FirstPurchase],
)


@hookimpl
async def on_events(events: Sequence[Event], tx: UnitOfWork) -> None:
    bought = Counter(event.customer_id for event in events if isinstance(event, PurchaseRecorded))
    if not bought:
        return
    where = among("customer_id", list(bought), tx.dialect)
    rows = await tx.fetch(
        "SELECT customer_id, COUNT(*) AS count FROM crm_interaction"
        f" WHERE kind = 'purchase' AND {where.sql} GROUP BY customer_id ORDER BY customer_id",
        where.args,
    )
    for row in rows:
        if row["count"] == bought[row["customer_id"]]:
            tx.emit(FirstPurchase(customer_id=row["customer_id"]))
