"""Invitations whose message could not be delivered: nobody waits for their answer."""

from collections.abc import Sequence

from crm_framework import Event, MessageFailed, UnitOfWork, among

NOT_DELIVERED = ("NOT_DELIVERED", "The message could not be sent.")


def concerns(event: Event) -> bool:
    """Whether a message was given up. Those that are sent are many, and change nothing."""
    return isinstance(event, MessageFailed)


async def count(events: Sequence[Event], tx: UnitOfWork) -> None:
    """Marks the invitations whose messages these were, unless they were answered meanwhile."""
    failed = [event.message for event in events if isinstance(event, MessageFailed)]
    if failed:
        where = among("message_id", failed, tx.dialect)
        await tx.execute(
            "UPDATE analytics_invitation SET state = 'FAILED', reason = ?, explanation = ?"
            f" WHERE {where.sql} AND state = 'SENT'",
            [*NOT_DELIVERED, *where.args],
        )
