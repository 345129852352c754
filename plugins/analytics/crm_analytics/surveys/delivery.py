"""Invitations whose message could not be delivered, until it is tried again."""

from collections.abc import Sequence

from crm_framework import Event, MessageFailed, MessageQueued, UnitOfWork, among

NOT_DELIVERED = ("NOT_DELIVERED", "The message could not be sent.")


def concerns(event: Event) -> bool:
    """Whether a message was given up, or is tried once more after that. Those that are sent are many, and
    change nothing."""
    return isinstance(event, MessageFailed) or _again(event)


def _again(event: Event) -> bool:
    return isinstance(event, MessageQueued) and tuple(event.changes.get("state", ())) == ("FAILED", "QUEUED")


async def count(events: Sequence[Event], tx: UnitOfWork) -> None:
    """Marks the invitations whose messages these were, unless they were answered meanwhile."""
    failed: dict[str, bool] = {}  # the last event of each message counts
    for event in events:
        if isinstance(event, MessageQueued) and concerns(event):
            failed[event.message] = isinstance(event, MessageFailed)
    await _mark(tx, "SENT", "FAILED", NOT_DELIVERED, [key for key, is_so in failed.items() if is_so])
    await _mark(tx, "FAILED", "SENT", (None, None), [key for key, is_so in failed.items() if not is_so])


async def _mark(
    tx: UnitOfWork, before: str, after: str, why: tuple[str | None, str | None], messages: Sequence[str]
) -> None:
    if messages:
        where = among("message_id", messages, tx.dialect)
        await tx.execute(
            "UPDATE analytics_invitation SET state = ?, reason = ?, explanation = ?"
            f" WHERE {where.sql} AND state = ?",
            [after, *why, *where.args, before],
        )
