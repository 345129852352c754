"""Messages of tickets, each of which is also an interaction of its customer."""

from collections.abc import Mapping
from typing import Any

from crm_framework import (
    CrmError,
    ErrorCode,
    NewInteraction,
    UnitOfWork,
    check_channel,
    log_interaction,
    new_id,
)
from crm_ticketing.clocks.store import HeldTicket, message_happened, record, settle
from crm_ticketing.events import TicketMessageAdded
from crm_ticketing.messages.attachments import checked, write
from crm_ticketing.messages.new import NewMessage
from crm_ticketing.messages.words import write_words
from crm_ticketing.models import MessageAuthor, TicketStatus

from .changes import move, reopen
from .held import BODY_LIMIT, checked_text, hold_ticket, refuse_erased, touch

LONGEST_SENDER = 320


async def reply_to_ticket(tx: UnitOfWork, ticket_id: str, message: NewMessage) -> str:
    """Adds a message; what the customer writes opens a settled or waiting ticket again. The ticket's key."""
    ticket = await hold_ticket(tx, ticket_id)
    known = await _came_before(tx, ticket, message)
    if known is not None:
        return known
    status = TicketStatus(ticket["status"])
    if status is TicketStatus.CLOSED:
        merged = ticket["merged_into_id"] is not None
        raise CrmError(
            ErrorCode.REFUSED,
            f"Ticket {ticket['number']} {'was merged into another one' if merged else 'is closed'}.",
            path=("ticket",),
            hint="Write to that one." if merged else "Open a new one, or set its status to OPEN first.",
        )
    await add_message(tx, ticket, message)
    await touch(tx, ticket)
    if message.author is MessageAuthor.CUSTOMER:
        await reopen(tx, ticket)
    elif status is TicketStatus.NEW and message.author is MessageAuthor.STAFF:
        await move(tx, ticket, TicketStatus.OPEN)
    await settle(tx, ticket)
    return ticket.id


async def add_note(tx: UnitOfWork, ticket_id: str, message: NewMessage) -> str:
    """Adds an internal note, to a closed ticket too; no clock and no customer sees it. The ticket's key."""
    ticket = await hold_ticket(tx, ticket_id)
    await add_message(tx, ticket, message)
    await touch(tx, ticket)
    return ticket.id


async def _came_before(tx: UnitOfWork, ticket: HeldTicket, message: NewMessage) -> str | None:
    """Key of the ticket that has the message: this one, or the one that it was merged into. CONFLICT where it
    is another.
    """
    if message.source is None:
        return None
    rows = await tx.fetch(
        "SELECT ticket_id FROM ticketing_message WHERE source = ? AND reference = ?",
        [message.source, message.reference],
    )
    if not rows:
        return None
    key = str(rows[0]["ticket_id"])
    if key not in (ticket.id, str(ticket["merged_into_id"])):
        raise _elsewhere(message.source, message.reference)
    return key


def _elsewhere(source: str, reference: str | None) -> CrmError:
    return CrmError(
        ErrorCode.CONFLICT,
        f"The message {reference!r:.60} of {source!r:.60} is in another ticket.",
        path=("reference",),
        hint="Send it under a reference of its own.",
    )


async def _insert(tx: UnitOfWork, row: Mapping[str, Any]) -> None:
    """CONFLICT for a message of another system that comes to another ticket at the same moment."""
    if row["source"] is None:
        tx.insert("ticketing_message", row)
        return
    marks = ", ".join("?" for _ in row)
    fresh = await tx.execute(
        f"INSERT INTO ticketing_message ({', '.join(row)}) VALUES ({marks})"
        " ON CONFLICT (source, reference) DO NOTHING",
        list(row.values()),
    )
    if not fresh:
        raise _elsewhere(row["source"], row["reference"])


async def add_message(tx: UnitOfWork, ticket: HeldTicket, new: NewMessage) -> str:
    """The message, what it is found by, its files, and the interaction in the customer's history. Its key.

    A note is an interaction of the kind that customers do not see, and is no touch of a support case.
    """
    refuse_erased(ticket)
    body = checked_text(new.body, "body", BODY_LIMIT)
    if new.channel is not None:
        check_channel(new.channel, path=("channel",))
    files = checked(new.attachments)
    inbound = new.author is MessageAuthor.CUSTOMER
    automatic = new.author is MessageAuthor.AUTOMATIC
    staff_id = None if inbound or automatic else getattr(tx.actor, "staff_id", None)
    message = new_id()
    row = {
        "id": message,
        "ticket_id": ticket.id,
        "author": new.author,
        "internal": new.internal,
        "staff_id": staff_id,
        "body": body,
        "at": ticket.at,
        "channel": new.channel,
        "sender": new.sender[:LONGEST_SENDER] if new.sender else None,
        "rest": new.rest[:BODY_LIMIT].replace("\0", "") or None,
        "source": new.source,
        "reference": new.reference,
    }
    await _insert(tx, row)
    write_words(tx, ticket.id, body, message_id=message, internal=new.internal)
    write(tx, ticket.id, message, files, internal=new.internal)
    kind, after = message_happened(new.author, internal=new.internal)
    record(tx, ticket, kind, after, reference=message)
    await log_interaction(
        tx,
        NewInteraction(
            customer_id=ticket["customer_id"],
            kind="note" if new.internal else "support",
            channel=None if new.internal else new.channel,
            direction=None if new.internal else "INBOUND" if inbound else "OUTBOUND",
            subject=ticket["subject"],
            staff_id=staff_id,
            source="ticketing",
            reference=message,
        ),
    )
    tx.emit(
        TicketMessageAdded(
            customer_id=ticket["customer_id"], ticket_id=ticket.id, message_id=message, staff_id=staff_id
        )
    )
    return message
