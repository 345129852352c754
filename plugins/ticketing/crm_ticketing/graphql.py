"""The plugin's part of the API."""

from datetime import datetime
from typing import Annotated

import strawberry
from strawberry import ID, Info

from crm_framework import (
    INTERNAL,
    Batch,
    Connection,
    Customer,
    FilterSpec,
    Member,
    Node,
    OrderField,
    Orders,
    Own,
    SchemaParts,
    Staff,
    Through,
    UnitOfWork,
    batch,
    column,
    connection,
    describe,
    fields_of,
    key_of,
    load,
    mutation,
    node,
    optional,
    payload,
    reference,
    required,
    root,
)

from .models import MessageAuthor, TicketPriority, TicketStatus
from .settings import TicketingSettings
from .tickets import NewTicket, change_status, customer_of, open_ticket, reply_to_ticket

READ = "ticketing.read"
WRITE = "ticketing.write"

describe(
    TicketStatus,
    "How far a ticket has come.",
    NEW="Nobody has answered yet.",
    OPEN="Being dealt with.",
    WAITING_ON_CUSTOMER="The customer must answer first.",
    ON_HOLD="Something else must happen first.",
    RESOLVED="Dealt with; an answer of the customer opens it again.",
    CLOSED="Done for good; takes no more messages.",
)
describe(
    TicketPriority,
    "How urgent a ticket is.",
    LOW="When there is time.",
    NORMAL="In turn.",
    HIGH="Before others.",
    URGENT="At once.",
)
describe(
    MessageAuthor,
    "Who wrote a message.",
    CUSTOMER="The customer.",
    STAFF="A member of staff, or a program on their behalf.",
)


@node(
    table="ticketing_message",
    permission=READ,
    hidden={"staff_id": str | None},
    owner=Through("ticket_id", "ticketing_ticket"),
)
class TicketMessage(Node):
    """A message of a ticket."""

    author: MessageAuthor = column("Who wrote it.")
    body: str = column("What was written; blank once the customer was erased.")
    at: datetime = column("When it was written.")
    staff: Staff | None = reference("staff_id", "The member of staff who wrote it, where one did.")

    @batch(needs=("staff_id",))
    @staticmethod
    async def staff_name(messages: Batch["TicketMessage"], info: Info) -> list[str | None]:
        """The name of the member of staff; of all that is known of them, what customers see."""
        keys = messages.column("staff_id")
        known = [key for key in dict.fromkeys(keys) if key is not None]
        found = dict(zip(known, await load(info, Staff, known, columns=("name",)), strict=True))
        return [None if key is None or (one := found[key]) is None else one.name for key in keys]


MESSAGE_ORDERS = Orders(
    "TicketMessageOrder", [OrderField("AT", "datetime", "By the moment of writing.", column="at")]
)


@node(
    table="ticketing_ticket",
    permission=READ,
    hidden={"customer_id": str, "assignee_id": str | None},
)
class Ticket(Node):
    """A complaint or a request of a customer."""

    version: int = column("Grows by one with each change.")
    number: int = column("Its number, in the order of opening.")
    subject: str = column("What it is about; blank once the customer was erased.")
    category: str = column("One of the categories of the settings.")
    status: TicketStatus = column("How far it has come.")
    priority: TicketPriority = column("How urgent it is.")
    created_at: datetime = column("When it was opened.")
    updated_at: datetime = column("When it last changed.")
    resolved_at: datetime | None = column("When it was last resolved or closed.")
    customer: Customer = reference("customer_id", "Whose it is.")
    assignee: Staff | None = reference("assignee_id", "Who deals with it.")
    messages: Connection[TicketMessage] = connection(
        key="ticket_id",
        orders=MESSAGE_ORDERS,
        default_order=("AT",),
        description="Its messages, oldest first.",
    )


TICKET_FILTER = FilterSpec(
    "TicketFilter",
    [
        Member("number", "int", "Its number.", column="number"),
        Member("status", "enum", "How far it has come.", column="status", enum=TicketStatus),
        Member("priority", "enum", "How urgent it is.", column="priority", enum=TicketPriority),
        Member("category", "string", "One of the categories of the settings.", column="category"),
        Member("customer", "id", "Whose it is.", column="customer_id", of="Customer"),
        Member("assignee", "id", "Who deals with it.", column="assignee_id", of="Staff", permission=INTERNAL),
        Member("createdAt", "datetime", "When it was opened.", column="created_at"),
    ],
)
TICKET_ORDERS = Orders(
    "TicketOrder",
    [
        OrderField("CREATED_AT", "datetime", "By the moment of opening.", column="created_at"),
        OrderField("NUMBER", "int", "By number.", column="number"),
    ],
)


class _OfCustomer:
    tickets: Connection[Ticket] = connection(
        key="customer_id",
        filter=TICKET_FILTER,
        orders=TICKET_ORDERS,
        default_order=("-CREATED_AT",),
        permission=READ,
        description="The customer's tickets, newest first.",
    )


class _Queries:
    tickets: Connection[Ticket] = connection(
        filter=TICKET_FILTER,
        orders=TICKET_ORDERS,
        default_order=("-CREATED_AT",),
        permission=READ,
        description="Tickets, newest first.",
    )


TicketId = Annotated[ID, strawberry.argument(description="The ticket's id.")]


@root(permission=READ, restricted=True)
async def ticket(info: Info, id: TicketId) -> Ticket | None:
    """A ticket by its id; null where there is none."""
    [found] = await load(info, Ticket, [key_of(id, Ticket)], columns=())
    return found


@strawberry.input(description="A new ticket.")
class OpenTicketInput:
    customer: ID = required("Whose it is.")
    subject: str = required("What it is about, in a line.")
    body: str = required("The customer's message.")
    category: str | None = optional(
        "One of the categories of the settings; the first if left out.", default=None
    )
    priority: TicketPriority = optional("How urgent it is.", default=TicketPriority.NORMAL)
    channel: str | None = optional("How the message came.", default=None)
    idempotency_key: str | None = optional("The same key with the same input gives the first answer again.")


@strawberry.input(description="A further message of a ticket.")
class ReplyToTicketInput:
    ticket: ID = required("Which ticket.")
    body: str = required("The message.")
    author: MessageAuthor = optional("Who wrote it.", default=MessageAuthor.STAFF)
    idempotency_key: str | None = optional("The same key with the same input gives the first answer again.")


@strawberry.input(description="A change of a ticket's status.")
class ChangeTicketStatusInput:
    ticket: ID = required("Which ticket.")
    status: TicketStatus = required("The status that it gets.")
    expected_version: int | None = optional(
        "Refuses the change if the ticket has another version.", default=None
    )


@payload
class TicketPayload:
    """The ticket after the change."""

    ticket_id: strawberry.Private[str | None] = None
    ticket: Ticket | None = reference("ticket_id", "The ticket; null on failure.")


async def _customer_of_ticket(tx: UnitOfWork, input: ReplyToTicketInput) -> str | None:
    return await customer_of(tx, key_of(input.ticket, Ticket, path=("ticket",)))


@mutation(permission=WRITE, own=Own(_customer_of_ticket, only=("ticket", "body")), name="replyToTicket")
async def reply(tx: UnitOfWork, input: ReplyToTicketInput) -> TicketPayload:
    """Adds a message. One of the customer opens a resolved or waiting ticket again. What customers write
    with their own token is theirs.
    """
    key = key_of(input.ticket, Ticket, path=("ticket",))
    own = tx.actor is not None and tx.actor.kind == "CUSTOMER"
    author = MessageAuthor.CUSTOMER if own else input.author
    return TicketPayload(ticket_id=await reply_to_ticket(tx, key, input.body, author))


@mutation(permission=WRITE)
async def change_ticket_status(tx: UnitOfWork, input: ChangeTicketStatusInput) -> TicketPayload:
    """Moves a ticket to a status; to the one that it has already changes nothing."""
    key = key_of(input.ticket, Ticket, path=("ticket",))
    moved = await change_status(tx, key, input.status, expected_version=input.expected_version)
    return TicketPayload(ticket_id=moved)


def parts(settings: TicketingSettings) -> SchemaParts:
    """What the plugin adds, with the categories of the settings."""

    @mutation(
        permission=WRITE,
        own=Own("customer", only=("customer", "subject", "body", "category")),
        name="openTicket",
    )
    async def open(tx: UnitOfWork, input: OpenTicketInput) -> TicketPayload:
        """Opens a ticket. It goes to the customer's owner, or the backup while the owner is away."""
        new = NewTicket(
            customer_id=key_of(input.customer, Customer, path=("customer",)),
            subject=input.subject,
            body=input.body,
            category=input.category,
            priority=input.priority,
            channel=input.channel,
        )
        return TicketPayload(ticket_id=await open_ticket(tx, new, settings.categories))

    return SchemaParts(
        extend={Customer: fields_of(_OfCustomer)},
        query=[*fields_of(_Queries), ticket],
        mutation=[open, reply, change_ticket_status],
    )
