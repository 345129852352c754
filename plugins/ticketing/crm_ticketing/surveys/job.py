"""Asking customers, some time after their ticket was resolved, as far as the contact policy lets us."""

from collections.abc import Sequence
from datetime import timedelta

from crm_framework import (
    CrmError,
    ErrorCode,
    Event,
    JobRun,
    NewInteraction,
    OutgoingMessage,
    UnitOfWork,
    contact_decisions,
    log_interaction,
    now,
    parse_time,
    send_message,
    sign_link,
)
from crm_ticketing.clocks.history import SETTLED
from crm_ticketing.events import TicketStatusChanged
from crm_ticketing.settings import TicketingSettings
from crm_ticketing.tickets.held import hold_ticket

from .store import invite

NAME = PURPOSE = "ticketing.survey"
CHANNEL = "email"
PATIENCE = timedelta(days=14)
"""How long after it was resolved a ticket is still asked about."""


def plan(tx: UnitOfWork, events: Sequence[Event], settings: TicketingSettings) -> None:
    """Asks later about tickets that were resolved just now; of each ticket one question waits at most."""
    if not settings.survey:
        return
    after = timedelta(hours=settings.survey_after_hours)
    for event in events:
        if isinstance(event, TicketStatusChanged):
            before, now = event.changes["status"]
            if now in SETTLED and before not in SETTLED:
                tx.defer(NAME, {"ticket": event.ticket_id}, at=tx.now + after, key=event.ticket_id)
            elif before in SETTLED and now not in SETTLED:
                tx.cancel_deferred(NAME, event.ticket_id)


async def ask(job: JobRun) -> None:
    """Sends one invitation, or puts it off to when the customer may be reached."""
    settings: TicketingSettings = job.settings
    key = str(job.payload["ticket"])
    try:
        async with job.unit_of_work() as tx:
            await _ask(tx, key, settings)
    except CrmError as error:
        if error.code not in (ErrorCode.NOT_FOUND, ErrorCode.REFUSED):
            raise  # else the customer was erased meanwhile


async def _ask(tx: UnitOfWork, key: str, settings: TicketingSettings) -> None:
    ticket = await hold_ticket(tx, key)
    if ticket["status"] not in SETTLED or ticket["merged_into_id"] is not None or not settings.survey:
        return
    customer = ticket["customer_id"]
    rows = await tx.fetch("SELECT email FROM crm_customer WHERE id = ?", [customer])
    address = rows[0]["email"] if rows else None
    if address is None:
        return
    decision = (await contact_decisions(tx, [customer], CHANNEL, now()))[customer]
    if not decision.allowed:
        again = decision.next_allowed_at
        resolved = parse_time(ticket["resolved_at"] or tx.now)
        if again is not None and again <= resolved + PATIENCE:
            tx.defer(NAME, {"ticket": key}, at=max(again, tx.now + timedelta(minutes=1)), key=key)
        return
    survey = await invite(tx, ticket)
    if survey is None:
        return
    token = sign_link(survey, settings.survey_secrets, purpose=PURPOSE)
    link = f"{settings.survey_url.rstrip('/')}/plugins/ticketing/survey/{token}"
    subject = f"[#{ticket['number']}] How did we do?"
    await send_message(
        tx,
        OutgoingMessage(
            channel=CHANNEL,
            customer_id=customer,
            to=address,
            subject=subject,
            text=f"Your case {ticket['number']} is resolved: {ticket['subject']}\n\n"
            f"Please tell us how satisfied you are:\n{link}\n",
            headers={"Auto-Submitted": "auto-generated"},
            key=f"ticketing.survey:{survey}",
        ),
    )
    await log_interaction(
        tx,
        NewInteraction(
            customer_id=customer,
            kind="survey",
            channel=CHANNEL,
            direction="OUTBOUND",
            subject=subject,
            outcome="asked",
        ),
    )
