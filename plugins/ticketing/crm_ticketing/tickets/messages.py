"""Messages of tickets, each of which is also an interaction of its customer."""

from crm_framework import CrmError, ErrorCode, NewInteraction, UnitOfWork, log_interaction, new_id
from crm_ticketing.clocks.store import HeldTicket, message_happened, record, settle
from crm_ticketing.events import TicketMessageAdded
from crm_ticketing.messages.attachments import checked, write
from crm_ticketing.messages.new import NewMessage
from crm_ticketing.messages.words import write_words
from crm_ticketing.models import MessageAuthor, TicketStatus

from .changes import move, reopen
from .held import BODY_LIMIT, checked_text, hold_ticket, touch

LONGEST_SENDER = 320


async def reply_to_ticket(tx: UnitOfWork, ticket_id: str, message: NewMessage) -> str:
    """Adds a message; what the customer writes opens a settled or waiting ticket again. The ticket's key."""
    ticket = await hold_ticket(tx, ticket_id)
    if await _came_before(tx, message):
        return ticket.id
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


async def _came_before(tx: UnitOfWork, message: NewMessage) -> bool:
    if message.source is None:
        return False
    return bool(
        await tx.fetch(
            "SELECT id FROM ticketing_message WHERE source = ? AND reference = ?",
            [message.source, message.reference],
        )
    )


async def add_message(tx: UnitOfWork, ticket: HeldTicket, new: NewMessage) -> str:
    """The message, what it is found by, its files, and the interaction in the customer's history. Its key.

    A note is an interaction of the kind that customers do not see, and is no touch of a support case.
    """
    body = checked_text(new.body, "body", BODY_LIMIT)
    files = checked(new.attachments)
    inbound = new.author is MessageAuthor.CUSTOMER
    automatic = new.author is MessageAuthor.AUTOMATIC
    staff_id = None if inbound or automatic else getattr(tx.actor, "staff_id", None)
    message = new_id()
    tx.insert(
        "ticketing_message",
        {
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
        },
    )
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
