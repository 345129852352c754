"""Followers, tags and attributes of tickets."""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from crm_framework import CrmError, ErrorCode, UnitOfWork, new_id
from crm_ticketing.attributes.rules import AttributeDefinition, attributes_of, checked
from crm_ticketing.clocks.history import HappenedKind
from crm_ticketing.clocks.store import record
from crm_ticketing.teams.assignment import check_staff
from crm_ticketing.tickets.held import hold_ticket, refuse_erased, touch

from .tags import MOST_TAGS, check_apart, checked_tags, remove_tags, write_tags

MOST_FOLLOWERS = 100
"""Each of them is told of what happens."""


async def follow(
    tx: UnitOfWork, ticket_id: str, *, add: Sequence[str] = (), remove: Sequence[str] = ()
) -> str:
    """Lets members of staff follow a ticket, or no longer. Its key."""
    check_apart(add, remove)
    await check_staff(tx, list(add), ("add",))
    ticket = await hold_ticket(tx, ticket_id)
    for staff in dict.fromkeys(add):
        fresh = await tx.execute(
            "INSERT INTO ticketing_follower (id, ticket_id, staff_id, at) VALUES (?, ?, ?, ?)"
            " ON CONFLICT DO NOTHING",
            [new_id(), ticket.id, staff, ticket.at],
        )
        if fresh:
            record(tx, ticket, HappenedKind.FOLLOWED, staff)
    for staff in dict.fromkeys(remove):
        gone = await tx.execute(
            "DELETE FROM ticketing_follower WHERE ticket_id = ? AND staff_id = ?", [ticket.id, staff]
        )
        if gone:
            record(tx, ticket, HappenedKind.UNFOLLOWED, staff)
    [count] = await tx.fetch(
        "SELECT COUNT(*) AS number FROM ticketing_follower WHERE ticket_id = ?", [ticket.id]
    )
    if count["number"] > MOST_FOLLOWERS:
        raise CrmError(ErrorCode.REFUSED, f"A ticket has {MOST_FOLLOWERS} followers at most.", path=("add",))
    return ticket.id


async def tag(tx: UnitOfWork, ticket_id: str, *, add: Sequence[str] = (), remove: Sequence[str] = ()) -> str:
    """Adds tags to a ticket and takes others away. Its key."""
    added, removed = checked_tags(add, "add"), checked_tags(remove, "remove")
    check_apart(added, removed)
    ticket = await hold_ticket(tx, ticket_id)
    if added:
        refuse_erased(ticket)
    if await write_tags(tx, ticket, added) + await remove_tags(tx, ticket, removed):
        await touch(tx, ticket)
    [count] = await tx.fetch(
        "SELECT COUNT(*) AS number FROM ticketing_ticket_tag WHERE ticket_id = ?", [ticket.id]
    )
    if count["number"] > MOST_TAGS:
        raise CrmError(ErrorCode.REFUSED, f"A ticket has {MOST_TAGS} tags at most.", path=("add",))
    return ticket.id


async def set_attributes(
    tx: UnitOfWork,
    ticket_id: str,
    given: Mapping[str, Any],
    definitions: Sequence[AttributeDefinition],
    *,
    expected_version: int | None = None,
) -> str:
    """Changes attributes: what is not named stays, null removes. Its key."""
    ticket = await hold_ticket(tx, ticket_id, expected_version=expected_version)
    before = attributes_of(ticket["attributes"])
    after = checked(given, definitions, before=before)
    if after != before:
        refuse_erased(ticket)
        await tx.execute(
            "UPDATE ticketing_ticket SET attributes = ?, version = version + 1, updated_at = ? WHERE id = ?",
            [msgspec.json.encode(after).decode(), ticket.at, ticket.id],
        )
        for name in sorted({*before, *after}):
            if before.get(name) != after.get(name):
                record(tx, ticket, HappenedKind.ATTRIBUTE, name[:100])
    return ticket.id
