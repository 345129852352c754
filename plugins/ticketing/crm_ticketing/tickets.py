"""Opening tickets, answering them, and moving them from status to status."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from crm_framework import (
    CrmError,
    ErrorCode,
    Hold,
    NewInteraction,
    UnitOfWork,
    live_customer,
    live_customers,
    log_interaction,
    new_id,
    responsible,
)

from .events import TicketMessageAdded, TicketOpened, TicketStatusChanged
from .models import MessageAuthor, TicketPriority, TicketStatus

SUBJECT_LIMIT = 500
BODY_LIMIT = 100_000
SETTLED = (TicketStatus.RESOLVED, TicketStatus.CLOSED)


@dataclass(frozen=True, kw_only=True)
class NewTicket:
    customer_id: str
    subject: str
    body: str
    category: str | None = None
    priority: TicketPriority = TicketPriority.NORMAL
    channel: str | None = None


async def open_ticket(tx: UnitOfWork, new: NewTicket, categories: Sequence[str]) -> str:
    """The new ticket's key. It goes to the customer's owner, or the backup while the owner is away."""
    subject = _text(new.subject, "subject", SUBJECT_LIMIT)
    body = _text(new.body, "body", BODY_LIMIT)
    category = new.category or categories[0]
    if category not in categories:
        raise CrmError(
            ErrorCode.BAD_INPUT,
            f"{category!r:.60} is no category of tickets.",
            path=("category",),
            hint=f"Known are: {', '.join(categories)}.",
        )
    customer = await live_customer(tx, new.customer_id, Hold.ADD, path=("customer",))
    [counter] = await tx.fetch(
        "UPDATE ticketing_counter SET last_number = last_number + 1 RETURNING last_number"
    )
    key = new_id()
    await tx.execute(
        "INSERT INTO ticketing_ticket (id, number, customer_id, subject, category, status, priority,"
        " assignee_id, created_at, updated_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        [
            key, counter["last_number"], customer.id, subject, category, TicketStatus.NEW, new.priority,
            await responsible(tx, customer.id, tx.now), tx.now, tx.now,
        ],
    )  # fmt: skip
    tx.emit(
        TicketOpened(customer_id=customer.id, ticket_id=key, changes={"status": (None, TicketStatus.NEW)})
    )
    ticket = {"id": key, "customer_id": customer.id, "subject": subject}
    await _add_message(tx, ticket, MessageAuthor.CUSTOMER, body, channel=new.channel)
    return key


async def reply_to_ticket(tx: UnitOfWork, ticket_id: str, body: str, author: MessageAuthor) -> str:
    """Adds a message; what the customer writes opens a settled or waiting ticket again. The ticket's key."""
    ticket = await _held(tx, ticket_id)
    await _add_message(tx, ticket, author, _text(body, "body", BODY_LIMIT))
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
        await _move(tx, ticket, TicketStatus.OPEN)
    return str(ticket["id"])


async def change_status(
    tx: UnitOfWork, ticket_id: str, status: TicketStatus, *, expected_version: int | None = None
) -> str:
    """Moves the ticket; to the status that it has already changes nothing. CONFLICT for a stale version."""
    ticket = await _held(tx, ticket_id)
    if expected_version is not None and expected_version != ticket["version"]:
        raise CrmError(
            ErrorCode.CONFLICT,
            f"The ticket is at version {ticket['version']}, not at {expected_version}: it changed meanwhile.",
            path=("expected_version",),
            hint="Read it again, and repeat the change if it still fits.",
        )
    if status is TicketStatus.NEW and ticket["status"] != TicketStatus.NEW:
        raise CrmError(
            ErrorCode.BAD_INPUT,
            "A ticket cannot become new again.",
            path=("status",),
            hint="Set it to OPEN.",
        )
    if ticket["status"] != status:
        await _move(tx, ticket, status)
    return str(ticket["id"])


async def _move(tx: UnitOfWork, ticket: dict[str, Any], status: TicketStatus) -> None:
    settled = status in SETTLED and ticket["status"] not in SETTLED
    await tx.execute(
        "UPDATE ticketing_ticket SET status = ?, version = version + 1, updated_at = ?,"
        " resolved_at = COALESCE(?, resolved_at) WHERE id = ?",
        [status, tx.now, tx.now if settled else None, ticket["id"]],
    )
    await tx.execute(
        "INSERT INTO ticketing_status_change (id, ticket_id, status, at) VALUES (?, ?, ?, ?)",
        [new_id(), ticket["id"], status, tx.now],
    )
    tx.emit(
        TicketStatusChanged(
            customer_id=ticket["customer_id"],
            ticket_id=ticket["id"],
            changes={"status": (ticket["status"], status)},
        )
    )


async def _add_message(
    tx: UnitOfWork,
    ticket: dict[str, Any],
    author: MessageAuthor,
    body: str,
    *,
    channel: str | None = None,
) -> None:
    """The message, and the interaction that it is in the customer's history."""
    inbound = author is MessageAuthor.CUSTOMER
    staff_id = None if inbound else getattr(tx.actor, "staff_id", None)
    message = new_id()
    await tx.execute(
        "INSERT INTO ticketing_message (id, ticket_id, author, staff_id, body, at) VALUES (?, ?, ?, ?, ?, ?)",
        [message, ticket["id"], author, staff_id, body, tx.now],
    )
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
    tx.emit(TicketMessageAdded(customer_id=ticket["customer_id"], ticket_id=ticket["id"], message_id=message))


async def customer_of(tx: UnitOfWork, ticket_id: str) -> str | None:
    """Key of the customer whose ticket it is; None where there is no such ticket."""
    rows = await tx.fetch("SELECT customer_id FROM ticketing_ticket WHERE id = ?", [ticket_id])
    return rows[0]["customer_id"] if rows else None


async def _held(tx: UnitOfWork, ticket_id: str) -> dict[str, Any]:
    """The ticket as it stays until the end of the transaction.

    Its customer is held first: a merge holds the customer when it comes to the tickets.
    """
    owner = await customer_of(tx, ticket_id)
    found = await live_customers(tx, [owner] if owner else [], Hold.ADD)
    if any(isinstance(one, CrmError) and one.code is ErrorCode.NOT_FOUND for one in found.values()):
        raise _no_ticket()  # the customer is out of reach
    await tx.lock("ticketing_ticket", [ticket_id])
    rows = await tx.fetch(
        "SELECT id, number, customer_id, subject, status, version FROM ticketing_ticket WHERE id = ?",
        [ticket_id],
    )
    if not rows:
        raise _no_ticket()
    return rows[0]


def _no_ticket() -> CrmError:
    return CrmError(ErrorCode.NOT_FOUND, "There is no such ticket.", path=("ticket",))


def _text(value: str, name: str, limit: int) -> str:
    text = value.strip()
    if not 1 <= len(text) <= limit:
        raise CrmError(
            ErrorCode.BAD_INPUT, f"The {name} of a ticket has 1 to {limit} characters.", path=(name,)
        )
    if "\0" in text:  # which PostgreSQL cannot keep
        raise CrmError(
            ErrorCode.BAD_INPUT,
            f"The {name} holds the control character U+0000.",
            path=(name,),
            hint="Remove it.",
        )
    return text
