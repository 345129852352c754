"""Links, followers, tags and attributes over the API, and what is done to many tickets at once."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import strawberry
from strawberry import ID, Info

from crm_framework import (
    INTERNAL,
    Batch,
    SchemaParts,
    Staff,
    Through,
    UnitOfWork,
    among,
    batch,
    children,
    chosen,
    column,
    describe,
    fields_of,
    key_of,
    keys_of,
    mutation,
    optional,
    record,
    reference,
    required,
)
from crm_ticketing.attributes.rules import attributes_of, named
from crm_ticketing.models import LinkKind
from crm_ticketing.permissions import READ, WRITE
from crm_ticketing.settings import TicketingSettings
from crm_ticketing.tickets.graphql import Ticket
from crm_ticketing.tickets.graphql_changes import TicketPayload

from . import labels, store
from .merging import merge_tickets as merge

JSON = strawberry.scalars.JSON

describe(
    LinkKind,
    "How a ticket hangs together with another.",
    RELATED="They have to do with each other.",
    DUPLICATE="It says the same as the other.",
    MERGED="It was merged into the other.",
)


@record(
    table="ticketing_link",
    permission=READ,
    hidden={"ticket_id": str, "other_id": str},
    owner=Through("ticket_id", "ticketing_ticket"),
)
class TicketLink:
    """A link from one ticket to another."""

    kind: LinkKind = column("How they hang together.")
    at: datetime = column("Since when it is there.")
    ticket: Ticket | None = reference("ticket_id", "The ticket that it begins at.")
    other: Ticket | None = reference("other_id", "The ticket that it leads to.")


@record(
    table="ticketing_follower",
    permission=READ,
    hidden={"staff_id": str | None},
    owner=Through("ticket_id", "ticketing_ticket"),
)
class TicketFollower:
    """A member of staff who follows a ticket."""

    at: datetime = column("Since when.")
    staff: Staff | None = reference("staff_id", "Who.")


class _OfTicket:
    links: list[TicketLink] = children(
        key="ticket_id", order=("at",), permission=INTERNAL, description="Its links to other tickets."
    )
    linked_from: list[TicketLink] = children(
        key="other_id", order=("at",), permission=INTERNAL, description="Links of other tickets to it."
    )
    followers: list[TicketFollower] = children(
        key="ticket_id", order=("at",), permission=INTERNAL, description="The members of staff who follow it."
    )
    merged_into: Ticket | None = reference(
        "merged_into_id", "The ticket that it was merged into, which has its messages."
    )

    @batch(needs=("id",), permission=INTERNAL)
    @staticmethod
    async def tags(tickets: Batch[Ticket], info: Info) -> list[list[str]]:
        """Its tags, in order."""
        where = among("ticket_id", tickets.ids, info.context.reader.dialect)
        rows = await info.context.reader.fetch(
            f"SELECT ticket_id, tag FROM ticketing_ticket_tag WHERE {where.sql} ORDER BY tag", where.args
        )
        found: dict[str, list[str]] = {}
        for row in rows:
            found.setdefault(str(row["ticket_id"]), []).append(row["tag"])
        return [found.get(key, []) for key in tickets.ids]

    @batch(needs=("attributes",), permission=INTERNAL)
    @staticmethod
    def attributes(tickets: Batch[Ticket]) -> list[JSON]:
        """Its attributes, by name, as the settings define them."""
        found: list[Any] = [attributes_of(value) for value in tickets.column("attributes")]
        return found


@strawberry.input(description="Tickets to merge into one.")
class MergeTicketsInput:
    winner: ID = required("The one that goes on.")
    losers: list[ID] = required("Those that are merged into it, of the same customer.")


@strawberry.input(description="A link between two tickets.")
class LinkTicketsInput:
    ticket: ID = required("Which ticket.")
    other: ID = required("The other one.")
    kind: LinkKind = optional("How they hang together.", default=LinkKind.RELATED)


@strawberry.input(description="Who follows a ticket from now on, and who no longer.")
class FollowTicketInput:
    ticket: ID = required("Which ticket.")
    add: list[ID] | None = optional("Members of staff.", default=None)
    remove: list[ID] | None = optional("Members of staff.", default=None)


@strawberry.input(description="Tags to add and to take away.")
class TagTicketInput:
    ticket: ID = required("Which ticket.")
    add: list[str] | None = optional("Words.", default=None)
    remove: list[str] | None = optional("Words.", default=None)


@strawberry.input(description="Attributes of a ticket. What is not named stays; null removes.")
class SetTicketAttributesInput:
    ticket: ID = required("Which ticket.")
    attributes: JSON = required("Values by name.")
    expected_version: int | None = optional(
        "Refuses the change if the ticket has another version.", default=None
    )


@mutation(permission=WRITE)
async def merge_tickets(tx: UnitOfWork, input: MergeTicketsInput) -> TicketPayload:
    """Merges tickets of one customer. Messages, followers and tags move; the losers' clocks are cancelled."""
    winner = key_of(input.winner, Ticket, path=("winner",))
    return TicketPayload(ticket_id=await merge(tx, winner, keys_of(input.losers, Ticket, ("losers",))))


@mutation(permission=WRITE)
async def link_tickets(tx: UnitOfWork, input: LinkTicketsInput) -> TicketPayload:
    """Links two tickets. Duplicates may not form a circle."""
    ticket, other = _pair(input)
    return TicketPayload(ticket_id=await store.link(tx, ticket, other, input.kind))


@mutation(permission=WRITE)
async def unlink_tickets(tx: UnitOfWork, input: LinkTicketsInput) -> TicketPayload:
    """Takes a link away, if there is one."""
    ticket, other = _pair(input)
    return TicketPayload(ticket_id=await store.unlink(tx, ticket, other, input.kind))


@mutation(permission=WRITE)
async def follow_ticket(tx: UnitOfWork, input: FollowTicketInput) -> TicketPayload:
    """Lets members of staff follow a ticket, or no longer."""
    ticket = key_of(input.ticket, Ticket, path=("ticket",))
    add = keys_of(chosen(input.add) or [], Staff, ("add",))
    remove = keys_of(chosen(input.remove) or [], Staff, ("remove",))
    return TicketPayload(ticket_id=await labels.follow(tx, ticket, add=add, remove=remove))


@mutation(permission=WRITE)
async def tag_ticket(tx: UnitOfWork, input: TagTicketInput) -> TicketPayload:
    """Adds tags to a ticket, and takes others away."""
    ticket = key_of(input.ticket, Ticket, path=("ticket",))
    add, remove = chosen(input.add) or [], chosen(input.remove) or []
    return TicketPayload(ticket_id=await labels.tag(tx, ticket, add=add, remove=remove))


def _pair(input: LinkTicketsInput) -> Sequence[str]:
    return key_of(input.ticket, Ticket, path=("ticket",)), key_of(input.other, Ticket, path=("other",))


def parts(settings: TicketingSettings) -> SchemaParts:
    """With the attributes of the settings."""

    @mutation(permission=WRITE)
    async def set_ticket_attributes(tx: UnitOfWork, input: SetTicketAttributesInput) -> TicketPayload:
        """Changes attributes of a ticket."""
        given: Any = input.attributes
        changed = await labels.set_attributes(
            tx,
            key_of(input.ticket, Ticket, path=("ticket",)),
            named(given),
            settings.attributes,
            expected_version=input.expected_version,
        )
        return TicketPayload(ticket_id=changed)

    return SchemaParts(
        extend={Ticket: fields_of(_OfTicket)},
        mutation=[
            merge_tickets,
            link_tickets,
            unlink_tickets,
            follow_ticket,
            tag_ticket,
            set_ticket_attributes,
        ],
    )
