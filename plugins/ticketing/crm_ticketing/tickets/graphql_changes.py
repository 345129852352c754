"""Changes of tickets in the API."""

from collections.abc import AsyncIterator, Sequence
from datetime import datetime
from typing import Annotated

import strawberry
from strawberry import ID, Info

from crm_framework import (
    INTERNAL,
    CrmError,
    Customer,
    ErrorCode,
    Own,
    SchemaParts,
    Staff,
    UnitOfWork,
    chosen,
    expected,
    fields_of,
    key_of,
    keys_of,
    mutation,
    optional,
    parse_time,
    payload,
    reference,
    required,
    root,
)
from crm_ticketing.attributes.rules import AttributeDefinition, checked, named
from crm_ticketing.messages.graphql import TicketAttachmentInput, attachments_of
from crm_ticketing.messages.new import NewMessage, checked_reference
from crm_ticketing.permissions import CONFIGURE, READ, WRITE
from crm_ticketing.policies.trial import RECALCULATE, recalculate
from crm_ticketing.teams.graphql import TicketTeam
from crm_ticketing.vocabulary import ClockKind, MessageAuthor, TicketPriority, TicketStatus

from .changes import assign, change_category, change_priority, change_status
from .graphql import OfCustomer, Queries, Ticket, ticket
from .held import customer_of, follows
from .messages import add_note, reply_to_ticket
from .opening import NewTicket, open_ticket

RECALCULATED_AT_ONCE = 100
JSON = strawberry.scalars.JSON


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
    attachments: list[TicketAttachmentInput] | None = optional("Files of the message.", default=None)
    tags: list[str] | None = optional("Tags of the ticket.", default=None)
    attributes: JSON | None = optional("Attributes of the ticket, by name.", default=None)
    idempotency_key: str | None = optional("The same key with the same input gives the first answer again.")


@strawberry.input(description="A further message of a ticket.")
class ReplyToTicketInput:
    ticket: ID = required("Which ticket.")
    body: str = required("The message.")
    author: MessageAuthor | None = optional(
        "Who wrote it. If left out: STAFF, or CUSTOMER where customers ask with their own token, which may "
        "give no other.",
        default=None,
    )
    channel: str | None = optional("How it came, or is sent.", default=None)
    attachments: list[TicketAttachmentInput] | None = optional("Files of the message.", default=None)
    idempotency_key: str | None = optional("The same key with the same input gives the first answer again.")


@strawberry.input(description="A note for staff alone.")
class AddTicketNoteInput:
    ticket: ID = required("Which ticket.")
    body: str = required("The note.")
    attachments: list[TicketAttachmentInput] | None = optional("Files of the note.", default=None)
    idempotency_key: str | None = optional("The same key with the same input gives the first answer again.")


@strawberry.input(description="A message of a customer that came by another system.")
class ReceiveTicketMessageInput:
    ticket: ID = required("Which ticket.")
    body: str = required("What the customer wrote.")
    source: str = required("The system that it came by.")
    reference: str = required("Its key there: the same one again adds nothing.")
    channel: str | None = optional("How it came.", default=None)
    attachments: list[TicketAttachmentInput] | None = optional("Files of the message.", default=None)


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


def _as_customer(input: ReplyToTicketInput) -> None:
    if input.author not in (None, MessageAuthor.CUSTOMER):
        raise CrmError(
            ErrorCode.FORBIDDEN,
            f"What a customer writes with their own token is not of the author {input.author}.",
            hint="Leave author out.",
        )


@mutation(
    permission=WRITE,
    own=Own(_customer_of_ticket, only=("ticket", "body", "attachments", "author"), check=_as_customer),
    name="replyToTicket",
)
async def reply(tx: UnitOfWork, input: ReplyToTicketInput) -> TicketPayload:
    """Adds a message. One of the customer opens a resolved or waiting ticket again."""
    key = key_of(input.ticket, Ticket, path=("ticket",))
    own = tx.actor is not None and tx.actor.kind == "CUSTOMER"
    message = NewMessage(
        author=input.author or (MessageAuthor.CUSTOMER if own else MessageAuthor.STAFF),
        body=input.body,
        channel=input.channel,
        attachments=attachments_of(input.attachments),
    )
    return TicketPayload(ticket_id=await reply_to_ticket(tx, key, message))


@mutation(permission=WRITE)
async def add_ticket_note(tx: UnitOfWork, input: AddTicketNoteInput) -> TicketPayload:
    """Adds a note that staff alone see; no clock goes by it."""
    key = key_of(input.ticket, Ticket, path=("ticket",))
    note = NewMessage(
        author=MessageAuthor.STAFF,
        body=input.body,
        internal=True,
        attachments=attachments_of(input.attachments),
    )
    return TicketPayload(ticket_id=await add_note(tx, key, note))


@mutation(permission=WRITE)
async def receive_ticket_message(tx: UnitOfWork, input: ReceiveTicketMessageInput) -> TicketPayload:
    """Adds a message of the customer that came by another system, once."""
    key = key_of(input.ticket, Ticket, path=("ticket",))
    source, reference = checked_reference(input.source, input.reference)
    message = NewMessage(
        author=MessageAuthor.CUSTOMER,
        body=input.body,
        channel=input.channel,
        attachments=attachments_of(input.attachments),
        source=source,
        reference=reference,
    )
    return TicketPayload(ticket_id=await reply_to_ticket(tx, key, message))


@mutation(permission=WRITE)
async def change_ticket_status(tx: UnitOfWork, input: ChangeTicketStatusInput) -> TicketPayload:
    """Moves a ticket to a status; to the one that it has already changes nothing."""
    key = key_of(input.ticket, Ticket, path=("ticket",))
    moved = await change_status(tx, key, input.status, expected_version=input.expected_version)
    return TicketPayload(ticket_id=moved)


@strawberry.input(description="Another priority of a ticket.")
class ChangeTicketPriorityInput:
    ticket: ID = required("Which ticket.")
    priority: TicketPriority = required("The priority that it gets.")
    expected_version: int | None = expected()


@strawberry.input(description="Another category of a ticket.")
class ChangeTicketCategoryInput:
    ticket: ID = required("Which ticket.")
    category: str = required("One of the categories of the settings.")
    expected_version: int | None = expected()


@strawberry.input(description="Who gets a ticket: a member of staff, or somebody of a team.")
class AssignTicketInput:
    ticket: ID = required("Which ticket.")
    assignee: ID | None = optional(
        "The member of staff; null for nobody, or for somebody of the team.", default=None
    )
    team: ID | None = optional(
        "The team; without an assignee, the member who has the fewest open tickets gets it.", default=None
    )
    expected_version: int | None = expected()


@strawberry.input(description="Tickets to put under the policies of today.")
class RecalculateTicketsInput:
    tickets: list[ID] = optional(f"Which tickets, {RECALCULATED_AT_ONCE} at most.", default_factory=list)
    all_open: bool = optional("All that are not resolved, in the background.", default=False)


@payload
class RecalculateTicketsPayload:
    """What became of the tickets."""

    changed: int = strawberry.field(
        description="How many came under another version; 0 where it is done in the background.", default=0
    )


@mutation(permission=WRITE)
async def change_ticket_priority(tx: UnitOfWork, input: ChangeTicketPriorityInput) -> TicketPayload:
    """Gives a ticket another priority, and with it the policy that then fits it."""
    key = key_of(input.ticket, Ticket, path=("ticket",))
    version = chosen(input.expected_version)
    return TicketPayload(ticket_id=await change_priority(tx, key, input.priority, expected_version=version))


@mutation(permission=WRITE)
async def assign_ticket(tx: UnitOfWork, input: AssignTicketInput) -> TicketPayload:
    """Gives a ticket to somebody. Its clocks go on."""
    key = key_of(input.ticket, Ticket, path=("ticket",))
    staff = key_of(input.assignee, Staff, path=("assignee",)) if input.assignee is not None else None
    team = key_of(input.team, TicketTeam, path=("team",)) if input.team is not None else None
    version = chosen(input.expected_version)
    return TicketPayload(
        ticket_id=await assign(tx, key, staff_id=staff, team_id=team, expected_version=version)
    )


@mutation(permission=CONFIGURE, everyone=True)
async def recalculate_tickets(tx: UnitOfWork, input: RecalculateTicketsInput) -> RecalculateTicketsPayload:
    """Puts tickets under the policies of today, each in its newest version, from now on. What was met or
    breached stays so.
    """
    if input.all_open:
        tx.defer(RECALCULATE, {}, key="all")
        return RecalculateTicketsPayload()
    if not 1 <= len(input.tickets) <= RECALCULATED_AT_ONCE:
        raise CrmError(
            ErrorCode.BAD_INPUT,
            f"1 to {RECALCULATED_AT_ONCE} tickets can be recalculated at once.",
            path=("tickets",),
            hint="Set allOpen for more.",
        )
    changed = await recalculate(tx, keys_of(input.tickets, Ticket, ("tickets",)))
    return RecalculateTicketsPayload(changed=len(changed))


@strawberry.type(description="Something that happened to a ticket.")
class TicketChange:
    type: str = strawberry.field(description="The type of the event, such as ticketing.clock_breached.")
    position: str = strawberry.field(
        description="Where it stands in the stream: `after`, to go on from there."
    )
    clock: ClockKind | None = strawberry.field(description="The clock, where it is about one.")
    cycle: int | None = strawberry.field(description="Of a clock, which time it ran.")
    at: datetime | None = strawberry.field(
        description="Of a clock, the moment at which it was breached, or the step was due."
    )
    ticket_id: strawberry.Private[str]
    ticket: Ticket | None = reference("ticket_id", "The ticket as it is now.")


CHANGES = (
    "ticketing.ticket_opened",
    "ticketing.message_added",
    "ticketing.status_changed",
    "ticketing.priority_changed",
    "ticketing.category_changed",
    "ticketing.assigned",
    "ticketing.policy_changed",
    "ticketing.clock_breached",
    "ticketing.escalated",
    "ticketing.merged",
    "ticketing.rated",
)
After = Annotated[
    str | None, strawberry.argument(description="A position in the stream of events to go on after.")
]
Followed = Annotated[
    bool, strawberry.argument(description="Of those alone that the member of staff who asks follows now.")
]
OneTicket = Annotated[ID | None, strawberry.argument(description="Of one ticket; of all, if left out.")]


@root(permission=READ, also=INTERNAL, restricted=True)
async def ticket_changed(
    info: Info, ticket: OneTicket = None, after: After = None, followed: Followed = False
) -> AsyncIterator[TicketChange]:
    """What happens to tickets, as it happens; breaches and steps of escalation too."""
    if followed and info.context.actor.staff_id is None:
        raise CrmError(
            ErrorCode.BAD_INPUT, "Only members of staff follow tickets.", hint="Ask without followed."
        )
    wanted = key_of(ticket, Ticket, path=("ticket",)) if ticket is not None else None
    async for told in info.context.events(types=list(CHANGES), after=after):
        event = told.event
        if wanted is not None and event.subject_id != wanted:
            continue
        if followed and not await follows(info.context.reader, event.subject_id, info.context.actor.staff_id):
            continue
        clock = getattr(event, "clock", None)
        yield TicketChange(
            type=event.type,
            position=told.position,
            clock=ClockKind(clock) if clock else None,
            cycle=event.cycle if clock else None,
            at=parse_time(event.at) if clock else None,
            ticket_id=event.subject_id,
        )


def parts(categories: Sequence[str], attributes: Sequence[AttributeDefinition] = ()) -> SchemaParts:
    """What tickets add to the API, with the categories of the settings."""

    @mutation(
        permission=WRITE,
        own=Own("customer", only=("customer", "subject", "body", "category", "attachments")),
        name="openTicket",
    )
    async def open(tx: UnitOfWork, input: OpenTicketInput) -> TicketPayload:
        """Opens a ticket. It goes to the customer's owner, or the backup while the owner is away."""
        new = NewTicket(
            customer_id=key_of(input.customer, Customer, path=("customer",)),
            subject=input.subject,
            body=input.body,
            attachments=attachments_of(input.attachments),
            category=input.category,
            priority=input.priority,
            channel=input.channel,
            tags=chosen(input.tags) or (),
            attributes=checked(named(chosen(input.attributes) or {}), attributes),
        )
        return TicketPayload(ticket_id=await open_ticket(tx, new, categories))

    @mutation(permission=WRITE)
    async def change_ticket_category(tx: UnitOfWork, input: ChangeTicketCategoryInput) -> TicketPayload:
        """Gives a ticket another category, and with it the policy that then fits it."""
        key = key_of(input.ticket, Ticket, path=("ticket",))
        version = chosen(input.expected_version)
        return TicketPayload(
            ticket_id=await change_category(tx, key, input.category, categories, expected_version=version)
        )

    return SchemaParts(
        extend={Customer: fields_of(OfCustomer)},
        query=[*fields_of(Queries), ticket],
        mutation=[
            open,
            reply,
            add_ticket_note,
            receive_ticket_message,
            change_ticket_status,
            change_ticket_priority,
            change_ticket_category,
            assign_ticket,
            recalculate_tickets,
        ],
        subscription=[ticket_changed],
    )
