"""The job that deals with what is due of a ticket: `ticketing.alarm`, one waiting for each ticket at most.

What is due is a function of the ticket's history. The job notes every alarm since it last looked, each at
its own moment and once: the entry in the history, what the step does, how far it has looked and the job's
next turn are committed together, or not at all. A worker that was down for a week does the same, a week
later.
"""

from datetime import timedelta

from crm_framework import JobRun, UnitOfWork, parse_time
from crm_ticketing.calendars.calendar import micros, moment_of
from crm_ticketing.clocks.history import HappenedKind
from crm_ticketing.clocks.rules import Alarm, alarms
from crm_ticketing.clocks.store import HeldTicket, pasts, record, settle
from crm_ticketing.events import TicketClockBreached
from crm_ticketing.tickets.held import hold_ticket

from .steps import take, time_text


async def run(job: JobRun) -> None:
    """Deals with what is due of the ticket that the payload names."""
    async with job.unit_of_work() as tx:
        await sound(tx, str(job.payload["ticket"]))
        job.done(tx)


async def sound(tx: UnitOfWork, ticket_id: str) -> int:
    """Deals with every alarm of the ticket whose moment has come; how many there were.

    What the steps do is done at a moment after those, so that what follows from it is still to come.
    """
    ticket = await hold_ticket(tx, ticket_id)
    until = ticket.at = ticket.at + timedelta(microseconds=1)
    since = micros(parse_time(ticket["alarms_until"] or ticket["created_at"]))
    found, versions = await pasts(tx, [ticket_id])
    due = [one for one in alarms(found[ticket_id], versions) if since <= one.at < micros(until)]
    known = await _noted(tx, ticket_id) if due else set()
    noted = 0
    for alarm in due:
        if alarm.once not in known:  # a version that applies a second time does not begin anew
            known.add(alarm.once)
            noted += 1
            await _note(tx, ticket, alarm)
    await settle(tx, ticket, until=until)
    return noted


async def _noted(tx: UnitOfWork, ticket_id: str) -> set[str]:
    rows = await tx.fetch(
        "SELECT once FROM ticketing_history WHERE ticket_id = ? AND once IS NOT NULL", [ticket_id]
    )
    return {row["once"] for row in rows}


async def _note(tx: UnitOfWork, ticket: HeldTicket, alarm: Alarm) -> None:
    at = moment_of(alarm.at)
    if alarm.step is not None:
        await take(tx, ticket, alarm, at)
        return
    record(tx, ticket, HappenedKind.BREACHED, alarm.kind, at=at, once=alarm.once)
    tx.emit(
        TicketClockBreached(
            customer_id=ticket["customer_id"],
            ticket_id=ticket.id,
            clock=alarm.kind,
            cycle=alarm.cycle,
            at=time_text(at),
        )
    )
