"""Changes of a ticket: status, priority, category, who deals with it, and the policy that follows from
them.
"""

from collections.abc import Sequence

from crm_framework import CrmError, ErrorCode, UnitOfWork
from crm_ticketing.calendars.calendar import micros
from crm_ticketing.clocks.history import SETTLED, Happened, HappenedKind
from crm_ticketing.clocks.rules import clocks
from crm_ticketing.clocks.store import HeldTicket, pasts, record, settle
from crm_ticketing.events import (
    TicketAssigned,
    TicketCategoryChanged,
    TicketPolicyChanged,
    TicketPriorityChanged,
    TicketStatusChanged,
)
from crm_ticketing.models import TicketPriority, TicketStatus
from crm_ticketing.policies.matching import Looked, active_offers, fitting
from crm_ticketing.policies.rules import PAUSABLE
from crm_ticketing.policies.versions import versions_of
from crm_ticketing.teams.assignment import check_staff, check_team, least_busy

from .held import change_column, check_category, hold_ticket


async def change_status(
    tx: UnitOfWork, ticket_id: str, status: TicketStatus, *, expected_version: int | None = None
) -> str:
    """Moves the ticket; to the status that it has already changes nothing. CONFLICT for a stale version."""
    ticket = await hold_ticket(tx, ticket_id, expected_version=expected_version)
    if status is TicketStatus.NEW and ticket["status"] != TicketStatus.NEW:
        raise CrmError(
            ErrorCode.BAD_INPUT,
            "A ticket cannot become new again.",
            path=("status",),
            hint="Set it to OPEN.",
        )
    if ticket["merged_into_id"] is not None:
        raise CrmError(
            ErrorCode.REFUSED,
            f"Ticket {ticket['number']} was merged into another one.",
            path=("ticket",),
            hint="Change that one.",
        )
    if ticket["status"] != status:
        await move(tx, ticket, status)
        await settle(tx, ticket)
    return ticket.id


async def change_priority(
    tx: UnitOfWork, ticket_id: str, priority: TicketPriority, *, expected_version: int | None = None
) -> str:
    """Gives the ticket another priority, and the policy that then fits it."""
    ticket = await hold_ticket(tx, ticket_id, expected_version=expected_version)
    if ticket["priority"] != priority:
        await set_priority(tx, ticket, priority)
        await settle(tx, ticket)
    return ticket.id


async def change_category(
    tx: UnitOfWork,
    ticket_id: str,
    category: str,
    categories: Sequence[str],
    *,
    expected_version: int | None = None,
) -> str:
    """Gives the ticket another category, and the policy that then fits it."""
    check_category(category, categories)
    ticket = await hold_ticket(tx, ticket_id, expected_version=expected_version)
    if ticket["category"] != category:
        before = ticket["category"]
        await change_column(tx, ticket, "category", category)
        record(tx, ticket, HappenedKind.CATEGORY, category, before=before)
        changes = {"category": (before, category)}
        tx.emit(
            TicketCategoryChanged(customer_id=ticket["customer_id"], ticket_id=ticket.id, changes=changes)
        )
        await rematch(tx, ticket)
        await settle(tx, ticket)
    return ticket.id


async def assign(
    tx: UnitOfWork,
    ticket_id: str,
    *,
    staff_id: str | None = None,
    team_id: str | None = None,
    expected_version: int | None = None,
) -> str:
    """Gives the ticket to a member of staff, or to whoever of a team has the least to do; to nobody, if
    neither is named. Its clocks go on.
    """
    if staff_id is not None:
        await check_staff(tx, [staff_id], ("assignee",))
    if team_id is not None:
        await check_team(tx, team_id, ("team",))
    ticket = await hold_ticket(tx, ticket_id, expected_version=expected_version)
    if staff_id is None and team_id is not None:
        staff_id = await least_busy(tx, team_id)
    await give(tx, ticket, staff_id, team_id)
    await settle(tx, ticket)
    return ticket.id


async def give(tx: UnitOfWork, ticket: HeldTicket, staff_id: str | None, team_id: str | None) -> bool:
    """Notes who deals with the ticket; whether that is a change."""
    changes = {}
    for column, kind, after in (
        ("assignee_id", HappenedKind.ASSIGNED, staff_id),
        ("team_id", HappenedKind.TEAM, team_id),
    ):
        before = ticket[column]
        if before != after:
            record(tx, ticket, kind, after, before=before)
            await change_column(tx, ticket, column, after)
            changes[column] = (before, after)
    if changes:
        tx.emit(TicketAssigned(customer_id=ticket["customer_id"], ticket_id=ticket.id, changes=changes))
    return bool(changes)


async def set_priority(
    tx: UnitOfWork, ticket: HeldTicket, priority: TicketPriority, *, stricter: bool = False
) -> None:
    """Notes another priority of a ticket, and the policy that then fits it; with `stricter`, as of `rematch`,
    unless that gives more time.
    """
    before = ticket["priority"]
    await change_column(tx, ticket, "priority", priority)
    record(tx, ticket, HappenedKind.PRIORITY, priority, before=before)
    changes = {"priority": (before, priority.value)}
    tx.emit(TicketPriorityChanged(customer_id=ticket["customer_id"], ticket_id=ticket.id, changes=changes))
    await rematch(tx, ticket, stricter=stricter)


async def rematch(
    tx: UnitOfWork, ticket: HeldTicket, *, newest: bool = False, stricter: bool = False
) -> bool:
    """Puts the ticket under the policy that fits it now; whether that is another version.

    Under the policy that it has it keeps its version, unless `newest` asks for that of today. With `stricter`
    it keeps what it has where a clock that runs would be due later under the other one, or not at all.
    """
    offers = await active_offers(tx)
    looked = Looked(ticket["customer_id"], ticket["priority"], ticket["category"], ticket["channel"])
    offer = (await fitting(tx, offers, {ticket.id: looked}))[ticket.id]
    before = ticket["policy_version_id"]
    after = offer.version_id if offer is not None else None
    if before is not None and offer is not None and not newest:
        rows = await tx.fetch("SELECT policy_id FROM ticketing_policy_version WHERE id = ?", [before])
        if rows and str(rows[0]["policy_id"]) == offer.policy_id:
            return False
    if after == before or (after is None and not newest):
        return False
    if stricter and after is not None and await _gives_time(tx, ticket, after):
        return False
    record(tx, ticket, HappenedKind.POLICY, after, before=before)
    await change_column(tx, ticket, "policy_version_id", after)
    changes = {"policy_version_id": (before, after)}
    tx.emit(TicketPolicyChanged(customer_id=ticket["customer_id"], ticket_id=ticket.id, changes=changes))
    return True


async def _gives_time(tx: UnitOfWork, ticket: HeldTicket, version_id: str) -> bool:
    """Whether a clock that runs would be due later under this version, or not at all. One that is paused
    counts as if it went on now.
    """
    found, versions = await pasts(tx, [ticket.id])
    versions = {**versions, **await versions_of(tx, [version_id])}
    now = micros(ticket.at)
    history = found[ticket.id]
    if ticket["status"] in PAUSABLE:
        history = [*history, Happened(now, "STATUS", TicketStatus.OPEN)]
    changed = clocks([*history, Happened(now, "POLICY", version_id)], versions, now)
    dues = {(clock.kind, clock.cycle): clock.due for clock in changed}
    for clock in clocks(history, versions, now):
        if clock.running and clock.due is not None:
            due = dues.get((clock.kind, clock.cycle))
            if due is None or due > clock.due:
                return True
    return False


async def move(tx: UnitOfWork, ticket: HeldTicket, status: TicketStatus) -> None:
    """Notes another status of a held ticket."""
    before = ticket["status"]
    settled = status in SETTLED and before not in SETTLED
    await tx.execute(
        "UPDATE ticketing_ticket SET status = ?, version = version + 1, updated_at = ?,"
        " resolved_at = COALESCE(?, resolved_at) WHERE id = ?",
        [status, ticket.at, ticket.at if settled else None, ticket.id],
    )
    ticket.row["status"] = status
    record(tx, ticket, HappenedKind.STATUS, status, before=before)
    tx.emit(
        TicketStatusChanged(
            customer_id=ticket["customer_id"],
            ticket_id=ticket.id,
            changes={"status": (before, status)},
            staff_id=getattr(tx.actor, "staff_id", None),
        )
    )


async def reopen(tx: UnitOfWork, ticket: HeldTicket) -> None:
    """Opens a ticket that was resolved, or waited for the customer, as the customer wrote."""
    if ticket["status"] in (TicketStatus.RESOLVED, TicketStatus.WAITING_ON_CUSTOMER):
        await move(tx, ticket, TicketStatus.OPEN)
