"""Changes of many tickets at once in the API."""

from collections.abc import Sequence
from typing import Any

import strawberry
from strawberry import ID

from crm_framework import (
    Staff,
    UnitOfWork,
    chosen,
    given,
    key_of,
    keys_of,
    mutation,
    optional,
    payload,
    required,
)
from crm_ticketing.models import TicketPriority, TicketStatus
from crm_ticketing.permissions import WRITE
from crm_ticketing.teams.graphql import TicketTeam

from .bulk import MOST, Change, change_all
from .graphql import Ticket


@strawberry.input(description="One change of many tickets. What is left out stays.")
class ChangeTicketsInput:
    tickets: list[ID] = required(f"Which tickets, {MOST} at most.")
    status: TicketStatus | None = optional("The status that they get.", default=None)
    priority: TicketPriority | None = optional("The priority that they get.", default=None)
    category: str | None = optional("The category that they get.", default=None)
    assignee: ID | None = optional("The member of staff who gets them; null for nobody.")
    team: ID | None = optional("The team that gets them.")
    add_tags: list[str] | None = optional("Tags that they get.", default=None)
    remove_tags: list[str] | None = optional("Tags that they lose.", default=None)


@strawberry.type(description="Why a ticket was not changed.")
class TicketFailure:
    index: int = strawberry.field(description="Its place in the list, from 0.")
    code: str = strawberry.field(description="What kind of failure, as in errors.")
    message: str = strawberry.field(description="Why.")
    hint: str | None = strawberry.field(description="What to do about it.")


@payload
class ChangeTicketsPayload:
    """What became of each."""

    changed: int = strawberry.field(description="How many tickets the change was made to.", default=0)
    failures: list[TicketFailure] = strawberry.field(
        description="The others, in the order of the list.", default_factory=list
    )


def field(categories: Sequence[str]) -> Any:
    """`changeTickets`, with the categories of the settings."""

    @mutation(permission=WRITE)
    async def change_tickets(tx: UnitOfWork, input: ChangeTicketsInput) -> ChangeTicketsPayload:
        """Changes many tickets in the same way, each by itself: one that is refused keeps no other back. What
        is wrong for all of them alike is an error, and changes none.
        """
        named = given(input)
        keys = keys_of(input.tickets, Ticket, ("tickets",))
        staff, team = chosen(input.assignee), chosen(input.team)
        change = Change(
            status=input.status,
            priority=input.priority,
            category=input.category,
            assigned="assignee" in named or "team" in named,
            staff_id=key_of(staff, Staff, path=("assignee",)) if staff is not None else None,
            team_id=key_of(team, TicketTeam, path=("team",)) if team is not None else None,
            add_tags=chosen(input.add_tags) or (),
            remove_tags=chosen(input.remove_tags) or (),
        )
        failures = await change_all(tx, keys, change, categories)
        return ChangeTicketsPayload(
            changed=len(set(keys)) - len(failures),
            failures=[
                TicketFailure(index=place, code=error.code, message=error.message, hint=error.hint)
                for place, error in failures.items()
            ],
        )

    return change_tickets
