"""What a step of escalation does to a ticket."""

import json
import logging
from datetime import datetime

from crm_framework import CrmError, OutgoingMessage, UnitOfWork, send_message
from crm_ticketing.clocks.history import SETTLED, HappenedKind
from crm_ticketing.clocks.rules import Alarm
from crm_ticketing.clocks.store import HeldTicket, record
from crm_ticketing.events import TicketEscalated
from crm_ticketing.models import TicketPriority
from crm_ticketing.policies.rules import Step, StepAction
from crm_ticketing.teams.assignment import least_busy
from crm_ticketing.tickets.changes import give, set_priority

PRIORITIES = tuple(TicketPriority)
log = logging.getLogger(__name__)


async def take(tx: UnitOfWork, ticket: HeldTicket, alarm: Alarm, at: datetime) -> None:
    """Notes that the step was due at that moment, and does what it says.

    A ticket that was resolved since, as the worker was late, keeps its priority and whoever has it.
    """
    assert alarm.step is not None
    step = alarm.version.rules.steps[alarm.step]
    applied = step.action is StepAction.NOTIFY or ticket["status"] not in SETTLED
    told = {"action": step.action.value, "to": step.to, "team": step.team, "applied": applied}
    record(
        tx,
        ticket,
        HappenedKind.ESCALATED,
        alarm.kind,
        detail=json.dumps(told),
        at=at,
        once=alarm.once,
    )
    tx.emit(
        TicketEscalated(
            customer_id=ticket["customer_id"],
            ticket_id=ticket.id,
            clock=alarm.kind,
            cycle=alarm.cycle,
            at=time_text(at),
            action=step.action.value,
            to=step.to,
        )
    )
    if step.action is StepAction.NOTIFY:
        await _notify(tx, ticket, step, alarm)
    elif applied and step.action is StepAction.RAISE_PRIORITY:
        await _raise_priority(tx, ticket)
    elif applied and step.action is StepAction.REASSIGN:
        await _reassign(tx, ticket, step)


async def _notify(tx: UnitOfWork, ticket: HeldTicket, step: Step, alarm: Alarm) -> None:
    """Writes to whoever has the ticket and to the address of the step; what cannot be sent is left."""
    rows = await tx.fetch("SELECT email FROM crm_staff WHERE id = ? AND active", [ticket["assignee_id"]])
    addresses = [row["email"] for row in rows if row["email"]] + ([step.to] if step.to else [])
    clock = alarm.kind.replace("_", " ").lower()
    for to in dict.fromkeys(addresses):
        message = OutgoingMessage(
            channel="email",
            to=to,
            subject=f"Ticket {ticket['number']}: {clock}",
            text=f"The clock of the {clock} of ticket {ticket['number']} runs: see to it.",
            key=f"ticketing {ticket.id} {alarm.once} {to}"[:200],
        )
        try:
            async with tx.savepoint():
                await send_message(tx, message)
        except CrmError as error:
            log.warning("nobody is told of ticket %s: %s", ticket["number"], error.message)


async def _raise_priority(tx: UnitOfWork, ticket: HeldTicket) -> None:
    """The next priority, and the policy that fits it if that gives no clock more time: what was promised is
    due all the same.
    """
    place = PRIORITIES.index(TicketPriority(ticket["priority"]))
    if place + 1 < len(PRIORITIES):
        await set_priority(tx, ticket, PRIORITIES[place + 1], stricter=True)


async def _reassign(tx: UnitOfWork, ticket: HeldTicket, step: Step) -> None:
    """To the member of staff, or to whoever of the team has the least to do; not if those are no more."""
    if step.to is not None:
        if await tx.fetch("SELECT 1 AS one FROM crm_staff WHERE id = ? AND active", [step.to]):
            await give(tx, ticket, step.to, ticket["team_id"])
        return
    if step.team is not None and await tx.fetch(
        "SELECT 1 AS one FROM ticketing_team WHERE id = ?", [step.team]
    ):
        await give(tx, ticket, await least_busy(tx, step.team), step.team)


def time_text(at: datetime) -> str:
    """The moment as events carry it: RFC 3339."""
    return at.isoformat().replace("+00:00", "Z")
