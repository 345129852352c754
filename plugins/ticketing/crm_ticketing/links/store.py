"""Links between tickets. A duplicate leads to another ticket, and never, by however many steps, to itself."""

import json
from collections.abc import Sequence

from crm_framework import CrmError, ErrorCode, UnitOfWork, new_id
from crm_ticketing.clocks.history import HappenedKind
from crm_ticketing.clocks.store import HeldTicket, record
from crm_ticketing.models import LinkKind
from crm_ticketing.tickets.held import hold_named

MOST = 100
"""Links of one ticket."""


async def link(tx: UnitOfWork, ticket_id: str, other_id: str, kind: LinkKind) -> str:
    """Links two tickets; a link that is there already stays. REFUSED for a circle. The first ticket's key."""
    if kind is LinkKind.MERGED:
        raise CrmError(ErrorCode.BAD_INPUT, "Tickets are merged with mergeTickets.", path=("kind",))
    if ticket_id == other_id:
        raise CrmError(ErrorCode.BAD_INPUT, "A ticket cannot be linked to itself.", path=("other",))
    ticket, other = await hold_named(tx, [(("ticket",), ticket_id), (("other",), other_id)])
    if await _known(tx, ticket, other, kind):
        return ticket.id
    if kind is LinkKind.DUPLICATE:
        await take_turns(tx)
        if await leads_to(tx, other.id, ticket.id):
            raise CrmError(
                ErrorCode.REFUSED,
                f"Ticket {other['number']} is itself a duplicate of ticket {ticket['number']}.",
                path=("other",),
                hint="Take that link away first.",
            )
    [count] = await tx.fetch("SELECT COUNT(*) AS number FROM ticketing_link WHERE ticket_id = ?", [ticket.id])
    if count["number"] >= MOST:
        raise CrmError(ErrorCode.REFUSED, f"A ticket has {MOST} links at most.", path=("ticket",))
    write(tx, ticket, other, kind)
    record(tx, ticket, HappenedKind.LINKED, other.id, detail=json.dumps({"link": kind}))
    return ticket.id


async def unlink(tx: UnitOfWork, ticket_id: str, other_id: str, kind: LinkKind) -> str:
    """Takes a link away, if there is one; not that of a merge. The first ticket's key."""
    if kind is LinkKind.MERGED:
        raise CrmError(ErrorCode.REFUSED, "A merge cannot be taken back.", path=("kind",))
    ticket, other = await hold_named(tx, [(("ticket",), ticket_id), (("other",), other_id)])
    pairs = [(ticket.id, other.id)] + ([(other.id, ticket.id)] if kind is LinkKind.RELATED else [])
    gone = 0
    for one, another in pairs:
        gone += await tx.execute(
            "DELETE FROM ticketing_link WHERE ticket_id = ? AND other_id = ? AND kind = ?",
            [one, another, kind],
        )
    if gone:
        record(tx, ticket, HappenedKind.UNLINKED, other.id, detail=json.dumps({"link": kind}))
    return ticket.id


def write(tx: UnitOfWork, ticket: HeldTicket, other: HeldTicket, kind: LinkKind) -> None:
    """Adds a link from one held ticket to another."""
    tx.insert(
        "ticketing_link",
        {"id": new_id(), "ticket_id": ticket.id, "other_id": other.id, "kind": kind, "at": ticket.at},
    )


async def leads_to(tx: UnitOfWork, start: str, goal: str) -> bool:
    """Whether duplicates and merges lead from one ticket to another."""
    rows = await tx.fetch(
        "WITH RECURSIVE chain (id) AS (SELECT ? UNION SELECT l.other_id FROM ticketing_link AS l"
        " JOIN chain ON chain.id = l.ticket_id WHERE l.kind <> 'RELATED')"
        " SELECT id FROM chain WHERE id = ?"
        if tx.dialect == "sqlite"
        else "WITH RECURSIVE chain (id) AS (SELECT CAST(? AS uuid) UNION SELECT l.other_id"
        " FROM ticketing_link AS l JOIN chain ON chain.id = l.ticket_id WHERE l.kind <> 'RELATED')"
        " SELECT id FROM chain WHERE id = ?",
        [start, goal],
    )
    return bool(rows)


async def take_turns(tx: UnitOfWork) -> None:
    """Lets one transaction at a time look whether a link makes a circle: two could close it together."""
    await tx.execute("UPDATE ticketing_counter SET last_number = last_number WHERE id = 1")


async def _known(tx: UnitOfWork, ticket: HeldTicket, other: HeldTicket, kind: LinkKind) -> bool:
    sides: Sequence[str] = [ticket.id, other.id]
    mirrored = " OR (ticket_id = ? AND other_id = ?)" if kind is LinkKind.RELATED else ""
    return bool(
        await tx.fetch(
            f"SELECT id FROM ticketing_link WHERE kind = ? AND ((ticket_id = ? AND other_id = ?){mirrored})",
            [kind, *sides, *(reversed(sides) if mirrored else ())],
        )
    )
