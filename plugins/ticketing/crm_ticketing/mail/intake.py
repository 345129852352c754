"""An e-mail into its ticket: the one that it answers, or a new one. The same message twice is one message.

A message that names a Message-ID of ours is in that thread, whoever sent it: such an id cannot be guessed. A
number in the subject can, so that it counts only if the ticket is the sender's.
"""

from collections.abc import Collection
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from crm_framework import CrmError, ErrorCode, UnitOfWork, among, new_id
from crm_ticketing.messages.attachments import NewAttachment, of_bytes
from crm_ticketing.messages.new import NewMessage
from crm_ticketing.models import MessageAuthor
from crm_ticketing.settings import TicketingSettings
from crm_ticketing.tickets import NewTicket, add_note, open_ticket, reply_to_ticket
from crm_ticketing.tickets.held import BODY_LIMIT

from .content import LONGEST_SUBJECT, Mail
from .judgement import Ignored, judge
from .quotes import own_words
from .senders import customer_of_mail, customers_with, staff_with
from .threads import number_in, plain_subject

NO_SUBJECT = "(no subject)"
NO_TEXT = "(no text)"
CHANNEL = "email"


class Outcome(StrEnum):
    OPENED = "OPENED"
    """A new ticket."""
    ADDED = "ADDED"
    """A message of the customer, in a ticket that was there."""
    NOTED = "NOTED"
    """An internal note: a member of staff wrote, or a message of ours did not arrive."""
    IGNORED = "IGNORED"
    """Nothing but the id of the message was kept."""
    SENT = "SENT"
    """Of messages that we sent ourselves to customers."""
    TOLD = "TOLD"
    """Of those that we sent to staff."""


@dataclass(frozen=True)
class Taken:
    """What became of a message. `again` says that it had come before, and nothing was changed."""

    outcome: Outcome
    ticket_id: str | None = None
    reason: str = ""
    again: bool = False


async def take_in(tx: UnitOfWork, mail: Mail, settings: TicketingSettings) -> Taken:
    """Puts a message into its ticket."""
    row = {
        "id": new_id(),
        "message_id": mail.message_id,
        "outcome": Outcome.IGNORED,
        "at": tx.now,
    }
    marks = ", ".join("?" * len(row))
    fresh = await tx.execute(
        f"INSERT INTO ticketing_mail ({', '.join(row)}) VALUES ({marks}) ON CONFLICT DO NOTHING",
        list(row.values()),
    )
    if not fresh:
        return await _known(tx, mail)
    taken = await _taken(tx, mail, settings)
    if taken.ticket_id is not None:
        await tx.execute(
            "UPDATE ticketing_mail SET outcome = ?, ticket_id = ? WHERE id = ?",
            [taken.outcome, taken.ticket_id, row["id"]],
        )
    return taken


async def _known(tx: UnitOfWork, mail: Mail) -> Taken:
    [row] = await tx.fetch(
        "SELECT outcome, ticket_id FROM ticketing_mail WHERE message_id = ?", [mail.message_id]
    )
    outcome = Outcome(row["outcome"])
    if outcome in (Outcome.SENT, Outcome.TOLD):
        return Taken(Outcome.IGNORED, None, f"{Ignored.LOOP}: we sent it ourselves.", again=True)
    return Taken(outcome, row["ticket_id"], "It had come before.", again=True)


async def _taken(tx: UnitOfWork, mail: Mail, settings: TicketingSettings) -> Taken:
    judgement = judge(mail, _own_addresses(settings))
    if judgement.ignored is Ignored.BOUNCE:
        return await _bounced(tx, mail, judgement.reason)
    if judgement.ignored is not None:
        return Taken(Outcome.IGNORED, None, f"{judgement.ignored}: {judgement.reason}")
    words = own_words(mail.text)
    body = (words.own or NO_TEXT)[:BODY_LIMIT]
    files = _files(mail, settings)
    ticket = await _ticket_of(tx, mail)
    if ticket is not None and await staff_with(tx, mail.sender) is not None:
        note = NewMessage(
            author=MessageAuthor.STAFF,
            internal=True,
            body=f"{mail.sender}:\n{body}"[:BODY_LIMIT],
            attachments=files,
            sender=mail.sender,
            rest=words.rest,
            channel=CHANNEL,
        )
        await add_note(tx, str(ticket["id"]), note)
        return Taken(Outcome.NOTED, str(ticket["id"]), "A member of staff wrote it.")
    message = NewMessage(
        author=MessageAuthor.CUSTOMER,
        body=body,
        attachments=files,
        sender=mail.sender,
        rest=words.rest,
        channel=CHANNEL,
    )
    if ticket is not None and ticket["status"] != "CLOSED":
        try:
            async with tx.savepoint():
                await reply_to_ticket(tx, str(ticket["id"]), message)
            return Taken(Outcome.ADDED, str(ticket["id"]))
        except CrmError as error:
            if error.code not in (ErrorCode.REFUSED, ErrorCode.NOT_FOUND):
                raise  # else it was closed, or its customer erased, a moment ago
    new = NewTicket(
        customer_id=await customer_of_mail(tx, mail),
        subject=plain_subject(mail.subject)[:LONGEST_SUBJECT] or NO_SUBJECT,
        body=body,
        category=settings.mail_category,
        channel=CHANNEL,
        attachments=files,
        sender=mail.sender,
        rest=words.rest,
    )
    return Taken(Outcome.OPENED, await open_ticket(tx, new, settings.categories))


def _own_addresses(settings: TicketingSettings) -> Collection[str]:
    return {address.lower() for address in (settings.mail_address, *settings.mail_own_addresses) if address}


def _files(mail: Mail, settings: TicketingSettings) -> list[NewAttachment]:
    """Bytes are kept as far as the settings allow, the first files first."""
    left = settings.mail_most_attachment_bytes
    files: list[NewAttachment] = []
    for one in mail.attachments:
        file = of_bytes(one.name, one.media_type, one.content, most_bytes=left)
        left -= len(file.content or b"")
        files.append(file)
    return files


async def _ticket_of(tx: UnitOfWork, mail: Mail) -> dict[str, Any] | None:
    found = await _by_ids(tx, mail.references)
    if found is not None:
        return found
    number = number_in(mail.subject)
    if number is None:
        return None
    rows = await tx.fetch(
        "SELECT COALESCE(w.id, t.id) AS id, COALESCE(w.status, t.status) AS status, t.customer_id"
        " FROM ticketing_ticket AS t LEFT JOIN ticketing_ticket AS w ON w.id = t.merged_into_id"
        " WHERE t.number = ?",
        [number],
    )
    if rows and str(rows[0]["customer_id"]) in await customers_with(tx, mail.sender):
        return rows[0]
    return None


async def _by_ids(tx: UnitOfWork, ids: Collection[str]) -> dict[str, Any] | None:
    """The ticket of the first of these messages that is known, or the one that it was merged into."""
    if not ids:
        return None
    where = among("m.message_id", list(ids), tx.dialect)
    rows = await tx.fetch(
        "SELECT m.message_id, COALESCE(w.id, t.id) AS id, COALESCE(w.status, t.status) AS status"
        " FROM ticketing_mail AS m JOIN ticketing_ticket AS t ON t.id = m.ticket_id"
        f" LEFT JOIN ticketing_ticket AS w ON w.id = t.merged_into_id WHERE {where.sql}",
        where.args,
    )
    known = {row["message_id"]: row for row in rows}
    return next((known[id_] for id_ in ids if id_ in known), None)


async def _bounced(tx: UnitOfWork, mail: Mail, reason: str) -> Taken:
    ticket = await _by_ids(tx, mail.reported)
    if ticket is None:
        return Taken(Outcome.IGNORED, None, f"{Ignored.BOUNCE}: {reason}")
    note = NewMessage(
        author=MessageAuthor.AUTOMATIC,
        internal=True,
        body=f"A message could not be delivered.\n\n{mail.text}"[:BODY_LIMIT],
        channel=CHANNEL,
    )
    await add_note(tx, str(ticket["id"]), note)
    return Taken(Outcome.NOTED, str(ticket["id"]), reason)
