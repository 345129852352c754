"""Followers are told by e-mail what happens to their tickets: that it happens, not what was said, as e-mails
go where access to a customer does not reach.
"""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from crm_framework import (
    CrmError,
    Event,
    OutgoingMessage,
    UnitOfWork,
    among,
    new_id,
    parse_time,
    send_messages,
)
from crm_ticketing.events import TicketClockBreached, TicketMessageAdded, TicketStatusChanged
from crm_ticketing.settings import TicketingSettings

from .content import key_of_id
from .intake import CHANNEL, Outcome
from .threads import subject_of_ticket

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class News:
    """Something that happened to a ticket, in words, and who did it: a member of staff, or None."""

    ticket_id: str
    text: str
    by: str | None


@dataclass(frozen=True)
class Follower:
    """A member of staff who follows a ticket, and can be told."""

    ticket_id: str
    number: int
    staff_id: str
    email: str


async def tell_followers(tx: UnitOfWork, events: Sequence[Event], settings: TicketingSettings) -> None:
    """Queues one e-mail for each follower of each ticket that these events are about: public replies, notes,
    changes of status, breaches. Nobody is told of what they did themselves.
    """
    concerned = {
        event.ticket_id
        for event in events
        if isinstance(event, TicketMessageAdded | TicketStatusChanged | TicketClockBreached)
    }
    followers = await _followers(tx, sorted(concerned)) if concerned else []
    if not followers:
        return
    news = await _news(tx, events)
    waiting: list[tuple[Follower, OutgoingMessage]] = []
    for one in followers:
        told = [each.text for each in news if each.ticket_id == one.ticket_id and each.by != one.staff_id]
        if told:
            waiting.append((one, _message(one, told, settings)))
    queued = await send_messages(tx, [message for _, message in waiting])
    for (one, _), outcome in zip(waiting, queued, strict=True):
        if isinstance(outcome, CrmError):
            log.warning("a follower of ticket %s is not told: %s", one.number, outcome.message)
            continue
        # so that an answer to it becomes a note of the ticket
        await tx.execute(
            "INSERT INTO ticketing_mail (id, message_id, ticket_id, outcome, at) VALUES (?, ?, ?, ?, ?)"
            " ON CONFLICT DO NOTHING",
            [new_id(), key_of_id(outcome.message_id.strip("<>")), one.ticket_id, Outcome.TOLD, tx.now],
        )


async def _followers(tx: UnitOfWork, ticket_ids: Sequence[str]) -> list[Follower]:
    where = among("f.ticket_id", ticket_ids, tx.dialect)
    rows = await tx.fetch(
        "SELECT f.ticket_id, f.staff_id, t.number, s.email FROM ticketing_follower AS f"
        " JOIN crm_staff AS s ON s.id = f.staff_id JOIN ticketing_ticket AS t ON t.id = f.ticket_id"
        f" WHERE {where.sql} AND s.active AND s.email IS NOT NULL ORDER BY t.number, f.id",
        where.args,
    )
    return [
        Follower(str(row["ticket_id"]), row["number"], str(row["staff_id"]), row["email"]) for row in rows
    ]


async def _news(tx: UnitOfWork, events: Sequence[Event]) -> list[News]:
    written = [event.message_id for event in events if isinstance(event, TicketMessageAdded)]
    messages = await _messages(tx, written) if written else {}
    found: list[News] = []
    for event in events:
        if isinstance(event, TicketMessageAdded) and event.message_id in messages:
            found.append(News(event.ticket_id, messages[event.message_id], event.staff_id))
        elif isinstance(event, TicketStatusChanged):
            found.append(
                News(event.ticket_id, f"It is {_words(event.changes['status'][1])}.", event.staff_id)
            )
        elif isinstance(event, TicketClockBreached):
            moment = f"{parse_time(event.at):%Y-%m-%d %H:%M} UTC"
            text = f"The time for the {_words(event.clock)} ran out at {moment}."
            found.append(News(event.ticket_id, text, None))
    return found


async def _messages(tx: UnitOfWork, keys: Sequence[str]) -> Mapping[str, str]:
    """What to say of messages. Automatic ones are no news: a notice that comes back as undeliverable is noted
    by one, and would lead to the next.
    """
    where = among("m.id", keys, tx.dialect)
    rows = await tx.fetch(
        "SELECT m.id, m.author, m.internal, s.name FROM ticketing_message AS m"
        f" LEFT JOIN crm_staff AS s ON s.id = m.staff_id WHERE {where.sql} AND m.author <> 'AUTOMATIC'",
        where.args,
    )
    said: dict[str, str] = {}
    for row in rows:
        who = "The customer" if row["author"] == "CUSTOMER" else row["name"] or "A member of staff"
        did = "made a note" if row["internal"] else "wrote" if row["author"] == "CUSTOMER" else "answered"
        said[str(row["id"])] = f"{who} {did}."
    return said


def _message(to: Follower, told: Sequence[str], settings: TicketingSettings) -> OutgoingMessage:
    lines = [f"Ticket {to.number}, which you follow:", "", *told]
    return OutgoingMessage(
        channel=CHANNEL,
        to=to.email,
        subject=subject_of_ticket(to.number, told[0]),
        text="\n".join(lines),
        headers={"Auto-Submitted": "auto-generated"},
        reply_to=settings.mail_address or None,
    )


def _words(constant: str) -> str:
    return constant.replace("_", " ").lower()
