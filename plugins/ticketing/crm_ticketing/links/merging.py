"""Merging tickets: the messages of several become those of one, which goes on; the others' clocks end."""

from collections.abc import Sequence

from crm_framework import CrmError, ErrorCode, UnitOfWork
from crm_ticketing.clocks.history import HappenedKind, waits
from crm_ticketing.clocks.store import HeldTicket, histories, record, settle
from crm_ticketing.events import TicketsMerged
from crm_ticketing.models import LinkKind, MessageAuthor, TicketStatus
from crm_ticketing.tickets.changes import move, reopen
from crm_ticketing.tickets.held import Path, hold_named, touch

from .store import leads_to, take_turns, write

MOST = 50
"""Tickets that are merged into one at once."""


async def merge_tickets(tx: UnitOfWork, winner_id: str, loser_ids: Sequence[str]) -> str:
    """The winner's key. Messages, attachments, e-mails, followers and tags move to it; the losers are closed.

    A customer who waits for an answer in a loser waits for it in the winner, which is open again if it was
    resolved or waited for the customer.

    REFUSED for tickets of another customer, whose words would be shown to this one, and for those that were
    merged before.
    """
    losers = list(dict.fromkeys(loser_ids))
    if not 1 <= len(losers) <= MOST:
        raise CrmError(ErrorCode.BAD_INPUT, f"1 to {MOST} tickets are merged at once.", path=("losers",))
    if winner_id in losers:
        raise CrmError(
            ErrorCode.BAD_INPUT,
            "A ticket cannot be merged into itself.",
            path=("losers", losers.index(winner_id)),
        )
    named: list[tuple[Path, str]] = [(("winner",), winner_id)]
    named += [(("losers", place), key) for place, key in enumerate(losers)]
    winner, *held = await hold_named(tx, named)
    await take_turns(tx)
    _refuse_merged(winner, ("winner",))
    for place, loser in enumerate(held):
        _refuse_merged(loser, ("losers", place))
        if loser["customer_id"] != winner["customer_id"]:
            raise CrmError(
                ErrorCode.REFUSED,
                f"Ticket {loser['number']} is another customer's than ticket {winner['number']}.",
                path=("losers", place),
                hint="Merge the customers first if they are one, or link the tickets.",
            )
        if await leads_to(tx, winner.id, loser.id):
            await tx.execute(
                "DELETE FROM ticketing_link WHERE ticket_id = ? AND other_id = ? AND kind = 'DUPLICATE'",
                [winner.id, loser.id],
            )
            if await leads_to(tx, winner.id, loser.id):
                raise CrmError(
                    ErrorCode.REFUSED,
                    f"Ticket {winner['number']} is a duplicate that leads to ticket {loser['number']}.",
                    path=("losers", place),
                    hint="Take away the links between them first.",
                )
    await touch(tx, winner)
    pasts = await histories(tx, [loser.id for loser in held])
    for loser in held:
        await _absorb(tx, winner, loser)
    if winner["status"] != TicketStatus.CLOSED and any(waits(past) for past in pasts.values()):
        # from now on, not from when it was written: what the winner's clocks have shown stays true
        record(tx, winner, HappenedKind.MESSAGE, MessageAuthor.CUSTOMER)
        await reopen(tx, winner)
    await settle(tx, winner)
    tx.emit(
        TicketsMerged(
            customer_id=winner["customer_id"], ticket_id=winner.id, merged=tuple(one.id for one in held)
        )
    )
    return winner.id


def _refuse_merged(ticket: HeldTicket, path: Sequence[str | int]) -> None:
    if ticket["merged_into_id"] is not None:
        raise CrmError(
            ErrorCode.REFUSED,
            f"Ticket {ticket['number']} was merged into another one.",
            path=path,
            hint="Name that one.",
        )


async def _absorb(tx: UnitOfWork, winner: HeldTicket, loser: HeldTicket) -> None:
    for table in ("message", "attachment", "mail"):
        await tx.execute(
            f"UPDATE ticketing_{table} SET ticket_id = ? WHERE ticket_id = ?", [winner.id, loser.id]
        )
    await tx.execute(
        "UPDATE ticketing_words SET ticket_id = ? WHERE ticket_id = ? AND message_id IS NOT NULL",
        [winner.id, loser.id],
    )
    for table, column in (("follower", "staff_id"), ("ticket_tag", "tag")):
        await tx.execute(
            f"UPDATE ticketing_{table} SET ticket_id = ? WHERE ticket_id = ? AND {column} NOT IN"
            f" (SELECT {column} FROM ticketing_{table} WHERE ticket_id = ?)",
            [winner.id, loser.id, winner.id],
        )
    await tx.execute(
        "UPDATE ticketing_ticket SET merged_into_id = ? WHERE id = ? OR merged_into_id = ?",
        [winner.id, loser.id, loser.id],
    )
    await tx.execute("DELETE FROM ticketing_link WHERE ticket_id = ? AND other_id = ?", [loser.id, winner.id])
    write(tx, loser, winner, LinkKind.MERGED)
    # before the status: the clocks are cancelled, not met
    record(tx, loser, HappenedKind.MERGED, winner.id)
    if loser["status"] != TicketStatus.CLOSED:
        await move(tx, loser, TicketStatus.CLOSED)
    await settle(tx, loser)
    record(tx, winner, HappenedKind.ABSORBED, loser.id)
