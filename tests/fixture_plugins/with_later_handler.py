"""Marks whoever gave something back, after the change, which does not wait for it."""

from collections.abc import Sequence

from crm_framework import Event, Handling, Plugin, RefundRecorded, UnitOfWork, among, hookimpl


def wanted(event: Event) -> bool:
    return isinstance(event, RefundRecorded)


plugin = Plugin(
    name="with_later_handler",
    requires_api="1.0",
    summary="Marks who gave something back.",
    handling=Handling(wanted=wanted, later=True),
)


@hookimpl
async def on_events(events: Sequence[Event], tx: UnitOfWork) -> None:
    customers = sorted({event.customer_id for event in events if event.customer_id})
    where = among("id", customers, tx.dialect)
    await tx.execute(f"UPDATE crm_customer SET company = 'gave back' WHERE {where.sql}", where.args)
