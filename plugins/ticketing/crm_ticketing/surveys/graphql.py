"""Ratings over the API."""

from datetime import datetime

import strawberry
from strawberry import ID, Info

from crm_framework import (
    Batch,
    Own,
    SchemaParts,
    Through,
    UnitOfWork,
    among,
    batch,
    children,
    chosen,
    column,
    fields_of,
    key_of,
    mutation,
    optional,
    record,
    required,
)
from crm_ticketing.permissions import READ, WRITE
from crm_ticketing.tickets import customer_of
from crm_ticketing.tickets.graphql import Ticket
from crm_ticketing.tickets.graphql_changes import TicketPayload

from .store import checked, rate


@record(
    table="ticketing_survey",
    permission=READ,
    hidden={"ticket_id": str},
    owner=Through("ticket_id", "ticketing_ticket"),
)
class TicketSurvey:
    """What a customer was asked, or said unasked, about a ticket that was resolved."""

    created_at: datetime = column("Since when it is there.")
    invited_at: datetime | None = column("When the customer was asked; null where they said it unasked.")
    answered_at: datetime | None = column("When they answered.")
    rating: int | None = column("1, very bad, to 5, very good.")
    comment: str | None = column("What they said; blank once the customer was erased.")


class _OfTicket:
    surveys: list[TicketSurvey] = children(
        key="ticket_id", order=("created_at",), description="Ratings, and invitations to give one."
    )

    @batch(needs=("id",))
    @staticmethod
    async def rating(tickets: Batch[Ticket], info: Info) -> list[int | None]:
        """The customer's last rating, from 1 to 5."""
        reader = info.context.reader
        where = among("ticket_id", tickets.ids, reader.dialect)
        rows = await reader.fetch(
            f"SELECT ticket_id, rating FROM ticketing_survey WHERE {where.sql} AND answered_at IS NOT NULL"
            " ORDER BY answered_at, id",
            where.args,
        )
        found = {str(row["ticket_id"]): row["rating"] for row in rows}
        return [found.get(key) for key in tickets.ids]


@strawberry.input(description="How satisfied the customer is.")
class RateTicketInput:
    ticket: ID = required("Which ticket; it is resolved.")
    rating: int = required("1, very bad, to 5, very good.")
    comment: str | None = optional("What could be better.", default=None)


async def _customer_of_ticket(tx: UnitOfWork, input: RateTicketInput) -> str | None:
    return await customer_of(tx, key_of(input.ticket, Ticket, path=("ticket",)))


@mutation(permission=WRITE, own=Own(_customer_of_ticket))
async def rate_ticket(tx: UnitOfWork, input: RateTicketInput) -> TicketPayload:
    """Rates a resolved ticket, once for each time that it was resolved: it answers an open invitation."""
    rating = checked(input.rating, chosen(input.comment))
    return TicketPayload(ticket_id=await rate(tx, key_of(input.ticket, Ticket, path=("ticket",)), rating))


PARTS = SchemaParts(extend={Ticket: fields_of(_OfTicket)}, mutation=[rate_ticket])
