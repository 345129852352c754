"""Writes to new customers, and notes who could not be reached."""

from collections.abc import Sequence

from crm_framework import (
    CustomerCreated,
    Event,
    MessageFailed,
    OutgoingMessage,
    Plugin,
    UnitOfWork,
    among,
    hookimpl,
    send_messages,
    tag_customers,
)

plugin = Plugin(name="with_messages", requires_api="1.0", summary="Welcomes new customers by e-mail.")


@hookimpl
async def on_events(events: Sequence[Event], tx: UnitOfWork) -> None:
    arrived = [event.subject_id for event in events if isinstance(event, CustomerCreated)]
    if arrived:
        await welcome(tx, arrived)
    for event in events:
        if isinstance(event, MessageFailed) and event.customer_id is not None:
            await tag_customers(tx, [event.customer_id], add=["unreached"])


async def welcome(tx: UnitOfWork, customer_ids: Sequence[str]) -> None:
    """Whoever is not to be contacted is left out: the outcome in its place is a CrmError."""
    where = among("id", customer_ids, tx.dialect)
    rows = await tx.fetch(
        f"SELECT id, name, email FROM crm_customer WHERE email IS NOT NULL AND {where.sql}", where.args
    )
    letters = [
        OutgoingMessage(
            channel="email",
            to=row["email"],
            customer_id=row["id"],
            subject="Welcome",
            text=f"Dear {row['name']},\n\nit is good to have you with us.",
            key=f"with_messages.welcome.{row['id']}",
        )
        for row in rows
    ]
    await send_messages(tx, letters)
