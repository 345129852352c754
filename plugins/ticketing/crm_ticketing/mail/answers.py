"""What staff answer to a ticket that came by e-mail goes to the customer as an e-mail, in the same thread."""

from collections.abc import Sequence
from typing import Any

from crm_framework import CrmError, ErrorCode, Event, OutgoingMessage, UnitOfWork, among, new_id, send_message
from crm_ticketing.events import TicketMessageAdded
from crm_ticketing.settings import TicketingSettings

from .content import key_of_id
from .intake import CHANNEL, Outcome
from .threads import subject_of_ticket

MOST_REFERENCES = 10
LONGEST_REFERENCES = 900
"""Characters of the header."""


_WRITER = (
    "SELECT w.sender FROM ticketing_message AS w JOIN crm_contact_point AS p"
    " ON p.customer_id = c.id AND p.channel = 'email' AND p.normalized = w.sender"
    " WHERE w.ticket_id = t.id AND w.author = 'CUSTOMER' ORDER BY w.at DESC, w.id DESC LIMIT 1"
)
"""The address that the customer wrote from last: whoever writes from one of several waits there."""


async def send_answers(tx: UnitOfWork, events: Sequence[Event], settings: TicketingSettings) -> None:
    """Queues an e-mail for each public message of staff among these events, once: of tickets that came by
    e-mail, or into which such a one was merged.
    """
    added = [event.message_id for event in events if isinstance(event, TicketMessageAdded)]
    if not settings.mail_replies or not added:
        return
    where = among("m.id", added, tx.dialect)
    rows = await tx.fetch(
        "SELECT m.id, m.body, t.id AS ticket_id, t.number, t.subject, c.id AS customer_id,"
        f" COALESCE(({_WRITER}), c.email) AS email"
        " FROM ticketing_message AS m JOIN ticketing_ticket AS t ON t.id = m.ticket_id"
        " JOIN crm_customer AS c ON c.id = t.customer_id"
        f" WHERE {where.sql} AND m.author = 'STAFF' AND NOT m.internal AND (t.channel = ? OR EXISTS"
        " (SELECT 1 FROM ticketing_ticket AS l WHERE l.merged_into_id = t.id AND l.channel = ?))"
        " AND c.email IS NOT NULL ORDER BY m.at, m.id",
        [*where.args, CHANNEL, CHANNEL],
    )
    for row in rows:
        await _send(tx, row, settings)


async def _send(tx: UnitOfWork, row: dict[str, Any], settings: TicketingSettings) -> None:
    known = await tx.fetch(
        "SELECT message_id, outcome FROM ticketing_mail WHERE ticket_id = ? AND outcome <> 'TOLD'"
        " ORDER BY at DESC, id DESC LIMIT ?",
        [row["ticket_id"], MOST_REFERENCES],
    )
    headers: dict[str, str] = {}
    real = [one for one in known if not one["message_id"].endswith(".invalid")]
    if real:
        answered = next((one for one in real if one["outcome"] != Outcome.SENT), real[0])
        headers["In-Reply-To"] = f"<{answered['message_id']}>"
        named = [f"<{one['message_id']}>" for one in real]
        while len(" ".join(named)) > LONGEST_REFERENCES and len(named) > 1:
            named.pop()  # the oldest
        headers["References"] = " ".join(reversed(named))
    message = OutgoingMessage(
        channel=CHANNEL,
        to=row["email"],
        customer_id=str(row["customer_id"]),
        subject=subject_of_ticket(row["number"], row["subject"])[:500],
        text=row["body"],
        headers=headers,
        reply_to=settings.mail_address or None,
        key=f"ticketing.message:{row['id']}",
    )
    try:
        async with tx.savepoint():
            queued = await send_message(tx, message, respect_policy=False)
    except CrmError as error:
        if error.code not in (ErrorCode.BAD_INPUT, ErrorCode.REFUSED, ErrorCode.NOT_FOUND):
            raise
        return  # an address that takes no mail, or an erased customer: the answer stands in the ticket
    await tx.execute(
        "INSERT INTO ticketing_mail (id, message_id, ticket_id, outcome, at) VALUES (?, ?, ?, ?, ?)"
        " ON CONFLICT DO NOTHING",
        [new_id(), key_of_id(queued.message_id.strip("<>")), row["ticket_id"], Outcome.SENT, tx.now],
    )
