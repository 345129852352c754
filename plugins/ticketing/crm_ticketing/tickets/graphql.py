"""Tickets and their messages in the API: what can be read."""

from collections.abc import Awaitable
from datetime import datetime
from typing import Annotated, Any

import strawberry
from strawberry import ID, Info

from crm_framework import (
    INTERNAL,
    AttributeFilter,
    Connection,
    CrmError,
    Customer,
    ErrorCode,
    FilterSpec,
    Fragment,
    KeptList,
    Member,
    Node,
    OrderField,
    Orders,
    Staff,
    attribute_condition,
    column,
    computed,
    connection,
    decode_key,
    fold,
    key_of,
    load,
    node,
    reference,
    root,
)
from crm_ticketing.clocks.graphql import HISTORY_ORDERS, TicketHistoryEntry, ticket_clocks
from crm_ticketing.clocks.store import NEVER
from crm_ticketing.desk.views import kept_list
from crm_ticketing.links.conditions import TicketTagFilter, tagged
from crm_ticketing.messages.graphql import MESSAGE_ORDERS, TicketMessage
from crm_ticketing.messages.words import LONGEST_SEARCH, condition
from crm_ticketing.permissions import DESK, POLICIES, READ, SEE_CUSTOMERS
from crm_ticketing.policies.graphql import SlaPolicyVersion
from crm_ticketing.teams.graphql import TicketTeam
from crm_ticketing.vocabulary import ClockState, TicketPriority, TicketStatus


@node(
    table="ticketing_ticket",
    permission=READ,
    hidden={
        "customer_id": str,
        "assignee_id": str | None,
        "team_id": str | None,
        "policy_version_id": str | None,
        "due_at": datetime,
        "merged_into_id": str | None,
        "attributes": strawberry.scalars.JSON,
    },
)
class Ticket(Node):
    """A complaint or a request of a customer."""

    version: int = column("Grows by one with each change.")
    number: int = column("Its number, in the order of opening.")
    subject: str = column("What it is about; blank once the customer was erased.")
    category: str = column("One of the categories of the settings.")
    status: TicketStatus = column("How far it has come.")
    priority: TicketPriority = column("How urgent it is.")
    created_at: datetime = column("When it was opened.")
    updated_at: datetime = column("When it last changed, by a message or a note too.")
    resolved_at: datetime | None = column("When it was last resolved or closed.")
    customer: Customer = reference("customer_id", "Whose it is.")
    assignee: Staff | None = reference("assignee_id", "Who deals with it.")
    team: TicketTeam | None = reference("team_id", "The team that has it.", permission=POLICIES)
    channel: str | None = column("How its first message came.", permission=INTERNAL)
    policy: SlaPolicyVersion | None = reference(
        "policy_version_id", "The version of the policy that applies to it.", permission=POLICIES
    )
    breached_at: datetime | None = column(
        "When the first of its clocks was breached, as it was kept at the last change or alarm.",
        permission=INTERNAL,
    )
    clock_state: ClockState | None = column(
        "The gravest state of its clocks, as it was kept at the last change or alarm; `clocks` tells "
        "exactly.",
        permission=INTERNAL,
    )
    clocks = ticket_clocks
    history: Connection[TicketHistoryEntry] = connection(
        key="ticket_id",
        orders=HISTORY_ORDERS,
        default_order=("AT",),
        permission=INTERNAL,
        description="Everything that happened to it, oldest first, with who did it.",
    )

    @computed(permission=INTERNAL, name="dueAt")
    @staticmethod
    def next_due_at(due_at: datetime) -> datetime | None:
        """The next due time of a clock that runs; in the past, if it was missed. Null if none runs."""
        return None if due_at >= NEVER else due_at

    messages: Connection[TicketMessage] = connection(
        key="ticket_id",
        orders=MESSAGE_ORDERS,
        default_order=("AT",),
        description="Its messages, oldest first.",
    )


def _tagged(value: Any, dialect: str) -> Fragment:
    return tagged({name: value[name] for name in ("any", "all", "none") if value.get(name) is not None})


def _followed(value: Any, dialect: str) -> Fragment:
    key = decode_key(value, "Staff")
    return Fragment(
        "EXISTS (SELECT 1 FROM ticketing_follower AS f WHERE f.ticket_id = t.id AND f.staff_id = ?)", (key,)
    )


def _under(value: Any, dialect: str) -> Fragment:
    key = decode_key(value, "SlaPolicy")
    return Fragment(
        "t.policy_version_id IN (SELECT v.id FROM ticketing_policy_version AS v WHERE v.policy_id = ?)",
        (key,),
    )


TICKET_FILTER = FilterSpec(
    "TicketFilter",
    [
        Member("number", "int", "Its number.", column="number"),
        Member(
            "subject",
            "string",
            "What it is about. Case and accents do not matter.",
            column="folded_subject",
            normalise=fold,
        ),
        Member("status", "enum", "How far it has come.", column="status", enum=TicketStatus),
        Member("priority", "enum", "How urgent it is.", column="priority", enum=TicketPriority),
        Member("category", "string", "One of the categories of the settings.", column="category"),
        Member("customer", "id", "Whose it is.", column="customer_id", of="Customer"),
        Member("assignee", "id", "Who deals with it.", column="assignee_id", of="Staff", permission=INTERNAL),
        Member("tags", "custom", "Its tags.", input=TicketTagFilter, condition=_tagged, permission=INTERNAL),
        Member(
            "attributes",
            "custom",
            "Its attributes; all of these hold.",
            input=list[AttributeFilter],
            condition=attribute_condition,
            permission=INTERNAL,
        ),
        Member(
            "follower",
            "custom",
            "Who follows it.",
            input=ID,
            condition=_followed,
            permission=INTERNAL,
        ),
        Member(
            "merged", "boolean", "Whether it was merged into another.", sql="(t.merged_into_id IS NOT NULL)"
        ),
        Member("createdAt", "datetime", "When it was opened.", column="created_at"),
        Member("updatedAt", "datetime", "When it last changed.", column="updated_at"),
        Member("resolvedAt", "datetime", "When it was last resolved or closed.", column="resolved_at"),
        Member("channel", "string", "How its first message came.", column="channel", permission=INTERNAL),
        Member(
            "policy",
            "custom",
            "The policy that applies to it, in whichever version.",
            input=ID,
            condition=_under,
            permission=POLICIES,
        ),
        Member(
            "policyVersion",
            "id",
            "The version of a policy that applies to it.",
            column="policy_version_id",
            of="SlaPolicyVersion",
            permission=POLICIES,
        ),
        Member("team", "id", "The team that has it.", column="team_id", of="TicketTeam", permission=INTERNAL),
        Member(
            "dueAt",
            "datetime",
            "The next due time of a clock that runs; late ones are before now. Without one it is after all.",
            column="due_at",
            permission=INTERNAL,
        ),
        Member(
            "breachedAt",
            "datetime",
            "When the first of its clocks was breached.",
            column="breached_at",
            permission=INTERNAL,
        ),
        Member(
            "breached",
            "boolean",
            "Whether one of its clocks was breached.",
            sql="(t.breached_at IS NOT NULL)",
            permission=INTERNAL,
        ),
        Member(
            "clockState",
            "enum",
            "The gravest state of its clocks.",
            column="clock_state",
            enum=ClockState,
            permission=INTERNAL,
        ),
    ],
)
URGENCY = "CASE t.priority WHEN 'LOW' THEN 0 WHEN 'NORMAL' THEN 1 WHEN 'HIGH' THEN 2 ELSE 3 END"
"""Indexes over this expression are in the first migration."""
TICKET_ORDERS = Orders(
    "TicketOrder",
    [
        OrderField("CREATED_AT", "datetime", "By the moment of opening.", column="created_at"),
        OrderField("NUMBER", "int", "By number.", column="number"),
        OrderField("UPDATED_AT", "datetime", "By the moment of the last change.", column="updated_at"),
        OrderField(
            "PRIORITY",
            "int",
            "By priority, from LOW to URGENT; what is equal goes by what is named next, such as DUE_AT.",
            sql=URGENCY,
            nullable=False,
        ),
        OrderField(
            "DUE_AT",
            "datetime",
            "By the next due time of a clock that runs; those without one come last.",
            column="due_at",
            permission=INTERNAL,
        ),
    ],
)


class OfCustomer:
    tickets: Connection[Ticket] = connection(
        key="customer_id",
        filter=TICKET_FILTER,
        orders=TICKET_ORDERS,
        default_order=("-CREATED_AT",),
        permission=READ,
        description="The customer's tickets, newest first.",
    )


Search = Annotated[
    str | None,
    strawberry.argument(
        description="Words, or their beginnings, of subjects, messages and what the customer is known by, or "
        "the ticket's number; all must be found. Case and accents do not matter."
    ),
]


View = Annotated[
    ID | None,
    strawberry.argument(
        description="A saved view, of TicketView: its filter holds besides `filter`, and its order is taken "
        "where `orderBy` is left out."
    ),
]


def narrowed(info: Info, search: Search = None, view: View = None) -> Fragment | Awaitable[KeptList] | None:
    """The tickets that have each word of `search`; of notes and of customers, for staff alone. And those of
    a view.
    """
    found = _found_by(info, search)
    return found if view is None else _of_view(info, view, found)


def _found_by(info: Info, search: str | None) -> Fragment | None:
    if search is None or not search.strip():
        return None
    if len(search) > LONGEST_SEARCH:
        raise CrmError(
            ErrorCode.BAD_INPUT,
            f"A search has {LONGEST_SEARCH} characters at most.",
            path=("search",),
        )
    context = info.context
    internal = context.granted(INTERNAL)
    return condition(
        search,
        context.reader.dialect,
        internal=internal,
        customers=internal and context.granted(SEE_CUSTOMERS),
    )


async def _of_view(info: Info, view: str, found: Fragment | None) -> KeptList:
    context = info.context
    if not context.granted(DESK):
        raise context.refusal([("tickets.view", DESK)])
    kept = await kept_list(context.reader, decode_key(view, "TicketView"), context.actor.staff_id)
    if kept is None:
        raise CrmError(ErrorCode.NOT_FOUND, "There is no such view.", path=("view",))
    return KeptList(*kept, where=found)


class Queries:
    tickets: Connection[Ticket] = connection(
        narrow=narrowed,
        filter=TICKET_FILTER,
        orders=TICKET_ORDERS,
        default_order=("-CREATED_AT",),
        permission=READ,
        description="Tickets, newest first.",
    )


TicketId = Annotated[ID, strawberry.argument(description="The ticket's id.")]


@root(permission=READ, restricted=True)
async def ticket(info: Info, id: TicketId) -> Ticket | None:
    """A ticket by its id; null where there is none."""
    [found] = await load(info, Ticket, [key_of(id, Ticket)], columns=())
    return found
