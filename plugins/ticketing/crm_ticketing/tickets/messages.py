"""Messages of tickets, each of which is also an interaction of its customer."""

from crm_framework import CrmError, ErrorCode, NewInteraction, UnitOfWork, log_interaction, new_id
from crm_ticketing.clocks.store import HeldTicket, message_happened, record, settle
from crm_ticketing.events import TicketMessageAdded
from crm_ticketing.models import MessageAuthor, TicketStatus

from .changes import move
from .held import BODY_LIMIT, checked_text, hold_ticket


async def reply_to_ticket(tx: UnitOfWork, ticket_id: str, body: str, author: MessageAuthor) -> str:
    """Adds a message; what the customer writes opens a settled or waiting ticket again. The ticket's key."""
    ticket = await hold_ticket(tx, ticket_id)
    await add_message(tx, ticket, author, checked_text(body, "body", BODY_LIMIT))
    status = TicketStatus(ticket["status"])
    if status is TicketStatus.CLOSED:
        raise CrmError(
            ErrorCode.REFUSED,
            f"Ticket {ticket['number']} is closed.",
            path=("ticket",),
            hint="Open a new one, or set its status to OPEN first.",
        )
    reopens = (TicketStatus.RESOLVED, TicketStatus.WAITING_ON_CUSTOMER)
    if status in (reopens if author is MessageAuthor.CUSTOMER else (TicketStatus.NEW,)):
        await move(tx, ticket, TicketStatus.OPEN)
    await settle(tx, ticket)
    return ticket.id


async def add_message(
    tx: UnitOfWork,
    ticket: HeldTicket,
    author: MessageAuthor,
    body: str,
    *,
    channel: str | None = None,
) -> str:
    """The message, and the interaction that it is in the customer's history. Its key."""
    inbound = author is MessageAuthor.CUSTOMER
    staff_id = None if inbound else getattr(tx.actor, "staff_id", None)
    message = new_id()
    tx.insert(
        "ticketing_message",
        {
            "id": message,
            "ticket_id": ticket.id,
            "author": author,
            "internal": False,
            "staff_id": staff_id,
            "body": body,
            "at": ticket.at,
        },
    )
    kind, after = message_happened(author, internal=False)
    record(tx, ticket, kind, after, reference=message)
    await log_interaction(
        tx,
        NewInteraction(
            customer_id=ticket["customer_id"],
            kind="support",
            channel=channel,
            direction="INBOUND" if inbound else "OUTBOUND",
            subject=ticket["subject"],
            staff_id=staff_id,
            source="ticketing",
            reference=message,
        ),
    )
    tx.emit(TicketMessageAdded(customer_id=ticket["customer_id"], ticket_id=ticket.id, message_id=message))
    return message
