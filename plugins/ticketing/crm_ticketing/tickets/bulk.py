"""One change of many tickets: each by itself, so that one that is refused does not keep the others back."""

from collections.abc import Sequence
from dataclasses import dataclass

from crm_framework import CrmError, ErrorCode, UnitOfWork, renamed
from crm_ticketing.links.labels import tag
from crm_ticketing.links.tags import check_apart, checked_tags
from crm_ticketing.models import TicketPriority, TicketStatus
from crm_ticketing.teams.assignment import check_staff, check_team

from .changes import assign, change_category, change_priority, change_status
from .held import check_category, hold_tickets

MOST = 200
"""Tickets that are changed at once."""


@dataclass(frozen=True, kw_only=True)
class Change:
    """What all of them get; None stays. `assigned` gives them to the member of staff, or to the team."""

    status: TicketStatus | None = None
    priority: TicketPriority | None = None
    category: str | None = None
    assigned: bool = False
    staff_id: str | None = None
    team_id: str | None = None
    add_tags: Sequence[str] = ()
    remove_tags: Sequence[str] = ()


async def change_all(
    tx: UnitOfWork, ticket_ids: Sequence[str], change: Change, categories: Sequence[str]
) -> dict[int, CrmError]:
    """Place in the list → why that one was not changed. A ticket named twice is changed once."""
    if change == Change():
        raise CrmError(
            ErrorCode.BAD_INPUT,
            "The change is empty.",
            hint="Give status, priority, category, assignee, team, addTags or removeTags.",
        )
    if not 1 <= len(ticket_ids) <= MOST:
        raise CrmError(ErrorCode.BAD_INPUT, f"1 to {MOST} tickets are changed at once.", path=("tickets",))
    await _check(tx, change, categories)
    await hold_tickets(tx, list(dict.fromkeys(ticket_ids)))  # all in one order, whatever the list's
    failures: dict[int, CrmError] = {}
    done: set[str] = set()
    for place, key in enumerate(ticket_ids):
        if key in done:
            continue
        done.add(key)
        try:
            async with tx.savepoint():
                await _change(tx, key, change, categories)
        except CrmError as error:
            if error.code in (ErrorCode.INTERNAL, ErrorCode.UNAVAILABLE, ErrorCode.CONFIGURATION):
                raise
            failures[place] = error
    return failures


async def _check(tx: UnitOfWork, change: Change, categories: Sequence[str]) -> None:
    """Raises what would be said of every ticket alike."""
    if change.category is not None:
        check_category(change.category, categories)
    with renamed(add="add_tags", remove="remove_tags"):
        check_apart(checked_tags(change.add_tags, "add"), checked_tags(change.remove_tags, "remove"))
    if change.staff_id is not None:
        await check_staff(tx, [change.staff_id], ("assignee",))
    if change.team_id is not None:
        await check_team(tx, change.team_id, ("team",))


async def _change(tx: UnitOfWork, key: str, change: Change, categories: Sequence[str]) -> None:
    if change.category is not None:
        await change_category(tx, key, change.category, categories)
    if change.priority is not None:
        await change_priority(tx, key, change.priority)
    if change.assigned:
        await assign(tx, key, staff_id=change.staff_id, team_id=change.team_id)
    if change.add_tags or change.remove_tags:
        await tag(tx, key, add=change.add_tags, remove=change.remove_tags)
    if change.status is not None:
        await change_status(tx, key, change.status)
