"""Teams in the API."""

import json
from collections.abc import Sequence
from datetime import datetime

import strawberry
from strawberry import ID, Info

from crm_framework import (
    Batch,
    Connection,
    Node,
    OrderField,
    Orders,
    SchemaParts,
    Staff,
    UnitOfWork,
    batch,
    chosen,
    column,
    computed,
    connection,
    expected,
    fields_of,
    key_of,
    keys_of,
    load,
    mutation,
    node,
    optional,
    payload,
    reference,
    required,
    retry_key,
)
from crm_ticketing.permissions import CONFIGURE, POLICIES

from .store import create_team, update_team


@node(table="ticketing_team", permission=POLICIES, shared=True, hidden={"categories": str, "members": str})
class TicketTeam(Node):
    """Who takes tickets of customers without an owner."""

    version: int = column("Grows by one with each change.")
    name: str = column("Its name.")
    created_at: datetime = column("When it was made.")

    @computed(name="categories")
    @staticmethod
    def of_categories(categories: str) -> list[str]:
        """The categories of tickets that it takes; empty for all that no other team takes."""
        found: list[str] = json.loads(categories)
        return found

    @batch(needs=("members",), permission=POLICIES, restricted=True, name="members")
    @staticmethod
    async def of_members(each: Batch["TicketTeam"], info: Info) -> list[list[Staff]]:
        """Its members, in the order in which they were given."""
        lists: list[list[str]] = [json.loads(members) for members in each.column("members")]
        keys = list(dict.fromkeys(key for members in lists for key in members))
        known = dict(zip(keys, await load(info, Staff, keys, columns=()), strict=True))
        return [[one for key in members if (one := known[key]) is not None] for members in lists]


class _Queries:
    ticket_teams: Connection[TicketTeam] = connection(
        orders=Orders("TicketTeamOrder", [OrderField("NAME", "string", "By name.", column="name")]),
        default_order=("NAME",),
        permission=POLICIES,
        description="Teams, by name.",
    )


@strawberry.input(description="A new team.")
class CreateTicketTeamInput:
    name: str = required("Its name; no two share one.")
    categories: list[str] = optional(
        "The categories of tickets that it takes; none for all that no other team takes.",
        default_factory=list,
    )
    members: list[ID] = optional("Members of staff.", default_factory=list)
    idempotency_key: str | None = retry_key()


@strawberry.input(description="A change of a team.")
class UpdateTicketTeamInput:
    id: ID = required("Which team.")
    name: str | None = optional("Another name.", default=None)
    categories: list[str] | None = optional("Other categories, as a whole.", default=None)
    members: list[ID] | None = optional("Other members, as a whole.", default=None)
    expected_version: int | None = expected()


@payload
class TicketTeamPayload:
    """The team after the change."""

    team_id: strawberry.Private[str | None] = None
    team: TicketTeam | None = reference("team_id", "The team; null on failure.")


def parts(categories: Sequence[str]) -> SchemaParts:
    """What teams add to the API, with the categories of the settings."""

    @mutation(permission=CONFIGURE, everyone=True)
    async def create_ticket_team(tx: UnitOfWork, input: CreateTicketTeamInput) -> TicketTeamPayload:
        """Makes a team."""
        members = keys_of(input.members, Staff, ("members",))
        return TicketTeamPayload(
            team_id=await create_team(tx, input.name, input.categories, members, categories)
        )

    @mutation(permission=CONFIGURE, everyone=True)
    async def update_ticket_team(tx: UnitOfWork, input: UpdateTicketTeamInput) -> TicketTeamPayload:
        """Changes a team. Tickets stay with whoever has them."""
        key = await update_team(
            tx,
            key_of(input.id, TicketTeam),
            name=input.name,
            categories=input.categories,
            members=None if input.members is None else keys_of(input.members, Staff, ("members",)),
            known=categories,
            expected_version=chosen(input.expected_version),
        )
        return TicketTeamPayload(team_id=key)

    return SchemaParts(query=fields_of(_Queries), mutation=[create_ticket_team, update_ticket_team])
