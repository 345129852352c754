"""The address for signed requests of other systems."""

from typing import Any

from crm_framework import (
    CrmError,
    ErrorCode,
    NewCustomer,
    RouteAnswer,
    RouteRequest,
    UnitOfWork,
    create_customer,
    renamed,
)
from crm_ticketing.mail.bounded import line_of
from crm_ticketing.mail.senders import customer_at
from crm_ticketing.messages.new import NewMessage
from crm_ticketing.models import MessageAuthor
from crm_ticketing.settings import TicketingSettings
from crm_ticketing.tickets import NewTicket, open_ticket, reply_to_ticket

from .requests import Request, Writer, read_request
from .signatures import check

SOURCE = "ticketing.webhook"
CHANNEL = "webhook"
"""Of messages that do not say by which channel the other system got them."""


async def take(request: RouteRequest) -> RouteAnswer:
    """The number of the ticket; 201 for a new one. The same `webhook-id` again gives the first answer."""
    settings: TicketingSettings = request.settings
    id_ = check(request.headers, request.body, settings.webhook_secrets, request.now)
    wanted = read_request(request.body)
    try:
        return await _answer(request, id_, wanted)
    except CrmError as error:
        if error.code is not ErrorCode.CONFLICT:
            raise
        return await _answer(request, id_, wanted)  # it came twice at once, and the other one is through


async def _answer(request: RouteRequest, id_: str, wanted: Request) -> RouteAnswer:
    async with request.unit_of_work() as tx:
        number, fresh = await _taken(tx, id_, wanted, request.settings)
    return RouteAnswer(status=201 if fresh else 200, body={"ticket": number})


async def _taken(tx: UnitOfWork, id_: str, wanted: Request, settings: TicketingSettings) -> tuple[int, bool]:
    earlier = await _number(
        tx,
        "JOIN ticketing_message AS m ON m.ticket_id = t.id WHERE m.source = ? AND m.reference = ?",
        SOURCE,
        id_,
    )
    if earlier is not None:
        return earlier[1], False
    customer = await _customer(tx, wanted.customer)
    if wanted.ticket is not None:
        found = await _number(
            tx,
            "JOIN ticketing_ticket AS n ON t.id = COALESCE(n.merged_into_id, n.id)"
            " WHERE n.number = ? AND n.customer_id = ?",
            wanted.ticket,
            customer,
        )
        if found is None:
            raise CrmError(
                ErrorCode.NOT_FOUND, f"The customer has no ticket {wanted.ticket}.", path=("ticket",)
            )
        message = NewMessage(
            author=MessageAuthor.CUSTOMER,
            body=wanted.body,
            channel=wanted.channel or CHANNEL,
            attachments=wanted.files(),
            source=SOURCE,
            reference=id_,
        )
        await reply_to_ticket(tx, found[0], message)
        return found[1], False
    new = NewTicket(
        customer_id=customer,
        subject=wanted.subject or _first_line(wanted.body),
        body=wanted.body,
        category=wanted.category,
        channel=wanted.channel or CHANNEL,
        attachments=wanted.files(),
        source=SOURCE,
        reference=id_,
    )
    key = await open_ticket(tx, new, settings.categories)
    made = await _number(tx, "WHERE t.id = ?", key)
    assert made is not None
    return made[1], True


def _first_line(body: str) -> str:
    """The subject of a ticket that came without: a body may hold what no subject may."""
    return line_of(body.strip().partition("\n")[0], 80) or line_of(body, 80)


async def _number(tx: UnitOfWork, where: str, *args: Any) -> tuple[str, int] | None:
    rows = await tx.fetch(f"SELECT t.id, t.number FROM ticketing_ticket AS t {where}", args)
    return (str(rows[0]["id"]), rows[0]["number"]) if rows else None


async def _customer(tx: UnitOfWork, writer: Writer) -> str:
    with renamed("customer"):
        if writer.source and writer.reference:
            new = NewCustomer(
                name=writer.name or writer.email or writer.reference,
                email=writer.email or None,
                source=writer.source,
                reference=writer.reference,
            )
            return (await create_customer(tx, new)).id
        assert writer.email  # one of the two is there
        return await customer_at(tx, writer.email.strip().lower(), writer.name or "")
