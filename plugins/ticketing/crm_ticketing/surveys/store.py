"""Surveys and ratings as they are kept: one answer for each time that a ticket was resolved."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from crm_framework import (
    CrmError,
    ErrorCode,
    NewInteraction,
    UnitOfWork,
    log_interaction,
    new_id,
    parse_time,
    stream_safe,
)
from crm_ticketing.clocks.history import SETTLED, HappenedKind
from crm_ticketing.clocks.store import HeldTicket, record
from crm_ticketing.events import TicketRated
from crm_ticketing.tickets.held import hold_ticket, refuse_erased

from .rules import sentiment

COMMENT_LIMIT = 5_000
OPEN_FOR = timedelta(days=30)
"""How long after the invitation it can be answered."""


@dataclass(frozen=True)
class Rating:
    """1, very bad, to 5, very good."""

    stars: int
    comment: str | None = None


def checked(stars: int, comment: str | None) -> Rating:
    """BAD_INPUT for what is no rating."""
    if not 1 <= stars <= 5:
        raise CrmError(ErrorCode.BAD_INPUT, "A rating is 1 to 5.", path=("rating",))
    said = stream_safe((comment or "").strip())
    if len(said) > COMMENT_LIMIT or "\0" in said:
        raise CrmError(
            ErrorCode.BAD_INPUT, f"A comment has {COMMENT_LIMIT} characters at most.", path=("comment",)
        )
    return Rating(stars, said or None)


async def resolutions(tx: UnitOfWork, ticket_id: str) -> int:
    """How often the ticket was resolved."""
    [row] = await tx.fetch(
        "SELECT COUNT(*) AS number FROM ticketing_history WHERE ticket_id = ? AND kind = 'STATUS'"
        " AND after IN ('RESOLVED', 'CLOSED') AND before NOT IN ('RESOLVED', 'CLOSED')",
        [ticket_id],
    )
    return int(row["number"])


async def invite(tx: UnitOfWork, ticket: HeldTicket) -> str | None:
    """Key of the new invitation; None if the customer was asked, or said it unasked, before."""
    key = new_id()
    fresh = await tx.execute(
        "INSERT INTO ticketing_survey (id, ticket_id, resolution, staff_id, created_at, invited_at)"
        " VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
        [key, ticket.id, await resolutions(tx, ticket.id), ticket["assignee_id"], tx.now, tx.now],
    )
    return key if fresh else None


async def answer(tx: UnitOfWork, survey_id: str, rating: Rating) -> None:
    """Answers an invitation. REFUSED if it was answered, or is too old; NOT_FOUND."""
    rows = await tx.fetch("SELECT ticket_id FROM ticketing_survey WHERE id = ?", [survey_id])
    if not rows:
        raise CrmError(ErrorCode.NOT_FOUND, "There is no such survey.")
    ticket = await hold_ticket(tx, str(rows[0]["ticket_id"]))
    [row] = await tx.fetch("SELECT * FROM ticketing_survey WHERE id = ?", [survey_id])
    refuse_late(row, tx.now)
    await _write(tx, ticket, str(row["id"]), rating)


def refuse_late(row: dict[str, Any], now: datetime) -> None:
    """REFUSED for a survey that was answered, or asked too long ago."""
    if row["answered_at"] is not None:
        raise CrmError(ErrorCode.REFUSED, "It has been answered already. Thank you.")
    if row["invited_at"] is not None and parse_time(row["invited_at"]) + OPEN_FOR < now:
        raise CrmError(ErrorCode.REFUSED, "It can no longer be answered.")


async def rate(tx: UnitOfWork, ticket_id: str, rating: Rating) -> str:
    """Rates a settled ticket, once for each time that it was resolved. Its key."""
    ticket = await hold_ticket(tx, ticket_id)
    if ticket["status"] not in SETTLED or ticket["merged_into_id"] is not None:
        raise CrmError(
            ErrorCode.REFUSED,
            f"Ticket {ticket['number']} is not resolved.",
            path=("ticket",),
            hint="Rate it when it is.",
        )
    number = await resolutions(tx, ticket.id)
    await tx.execute(
        "INSERT INTO ticketing_survey (id, ticket_id, resolution, staff_id, created_at)"
        " VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
        [new_id(), ticket.id, number, ticket["assignee_id"], tx.now],
    )
    [row] = await tx.fetch(
        "SELECT * FROM ticketing_survey WHERE ticket_id = ? AND resolution = ?", [ticket.id, number]
    )
    if row["answered_at"] is not None:
        raise CrmError(ErrorCode.REFUSED, f"Ticket {ticket['number']} has been rated.", path=("ticket",))
    await _write(tx, ticket, str(row["id"]), rating)
    return ticket.id


async def _write(tx: UnitOfWork, ticket: HeldTicket, survey_id: str, rating: Rating) -> None:
    """The rating is also an interaction, in the words in which answers to surveys are told to all."""
    refuse_erased(ticket)
    await tx.execute(
        "UPDATE ticketing_survey SET answered_at = ?, rating = ?, comment = ? WHERE id = ?",
        [tx.now, rating.stars, rating.comment, survey_id],
    )
    await log_interaction(
        tx,
        NewInteraction(
            customer_id=ticket["customer_id"],
            kind="survey",
            direction="INBOUND",
            subject=ticket["subject"],
            body=rating.comment,
            outcome=f"csat {rating.stars}",
            sentiment=sentiment(rating.stars),
            source="ticketing",
            reference=survey_id,
        ),
    )
    record(tx, ticket, HappenedKind.RATED, str(rating.stars), reference=survey_id)
    tx.emit(TicketRated(customer_id=ticket["customer_id"], ticket_id=ticket.id, rating=rating.stars))
