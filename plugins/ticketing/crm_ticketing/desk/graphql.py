"""Saved views, templates of replies and notes of knowledge over the API."""

import json
from datetime import datetime
from typing import Annotated

import strawberry
from strawberry import ID, Info

from crm_framework import (
    INTERNAL,
    Batch,
    Connection,
    CrmError,
    ErrorCode,
    Fragment,
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
    encode_id,
    fields_of,
    filter_condition,
    filter_member,
    key_of,
    load,
    load_where,
    mutation,
    node,
    optional,
    payload,
    record,
    reference,
    required,
    root,
)
from crm_ticketing.permissions import CONFIGURE, DESK, WRITE
from crm_ticketing.settings import TicketingSettings
from crm_ticketing.tickets.graphql import TICKET_FILTER, TICKET_ORDERS, Ticket

from . import views
from .rendering import values_of
from .store import KNOWLEDGE, TEMPLATES, Text, put, take_away
from .templates import VARIABLES, fill

JSON = strawberry.scalars.JSON


@record(
    table="ticketing_view",
    permission=DESK,
    hidden={"id": str, "condition": str, "order_by": str, "owner_id": str | None},
    shared=True,
)
class TicketView:
    """A saved filter over tickets, with an order: somebody's own, or a queue that all share."""

    version: int = column("Grows by one with each change.")
    name: str = column("Its name.")
    owner: Staff | None = reference("owner_id", "Whose it is; null for a queue.")

    @computed(name="id")
    @staticmethod
    def global_id(id: str) -> ID:
        """Its id."""
        return ID(encode_id("TicketView", id))

    @computed(name="filter")
    @staticmethod
    def conditions(condition: str) -> JSON:
        """A TicketFilter, to be given to `tickets` as it is."""
        found: JSON = json.loads(condition)
        return found

    @computed(name="orderBy")
    @staticmethod
    def orders(order_by: str) -> JSON:
        """A list of TicketOrder, to be given to `tickets` as it is."""
        found: JSON = json.loads(order_by)
        return found


NAME_ORDERS = Orders("TicketTextOrder", [OrderField("NAME", "string", "By name.", column="name")])


@node(table="ticketing_template", permission=DESK, shared=True)
class TicketTemplate(Node):
    """A text for replies, with variables."""

    version: int = column("Grows by one with each change.")
    name: str = column("Its name.")
    category: str | None = column("For whose tickets it is meant; null for all.")
    body: str = column(f"The text. Variables, each in double braces: {', '.join(VARIABLES)}.")
    updated_at: datetime = column("When it last changed.")


@node(table="ticketing_knowledge", permission=DESK, shared=True)
class KnowledgeNote(Node):
    """What is known about matters of a category; its tickets suggest it."""

    version: int = column("Grows by one with each change.")
    name: str = column("What it is about.")
    category: str = column("Whose tickets suggest it.")
    body: str = column("The text.")
    updated_at: datetime = column("When it last changed.")


class _Queries:
    ticket_templates: Connection[TicketTemplate] = connection(
        orders=NAME_ORDERS,
        default_order=("NAME",),
        permission=DESK,
        description="Texts for replies, by name.",
    )
    knowledge_notes: Connection[KnowledgeNote] = connection(
        orders=NAME_ORDERS, default_order=("NAME",), permission=DESK, description="What is known, by name."
    )


class _OfTicket:
    @batch(needs=("category",), permission=DESK, restricted=True)
    @staticmethod
    async def suggested_notes(tickets: Batch[Ticket], info: Info) -> list[list[KnowledgeNote]]:
        """What is known about matters of its category, by name; 20 at most."""
        wanted = list(dict.fromkeys(tickets.column("category")))
        marks = ", ".join("?" * len(wanted))
        found = await load_where(
            info, KnowledgeNote, Fragment(f"t.category IN ({marks})", tuple(wanted)), order=("name",)
        )
        by_category: dict[str, list[KnowledgeNote]] = {}
        for one in found:
            by_category.setdefault(one.category, []).append(one)
        return [by_category.get(category, [])[:20] for category in tickets.column("category")]


@root(permission=DESK, restricted=True, most=lambda **_: views.MOST * 2)
async def ticket_views(info: Info) -> list[TicketView]:
    """The queues, and one's own views, by name."""
    staff = info.context.actor.staff_id
    own = (
        Fragment("t.owner_id IS NULL OR t.owner_id = ?", (staff,))
        if staff
        else Fragment("t.owner_id IS NULL")
    )
    return await load_where(info, TicketView, own, order=("name",))


TemplateId = Annotated[ID, strawberry.argument(description="Which template.")]
ForTicket = Annotated[ID, strawberry.argument(description="For which ticket.")]


@root(permission=DESK, also=INTERNAL, restricted=True)
async def rendered_template(info: Info, template: TemplateId, ticket: ForTicket) -> str | None:
    """A template's text for a ticket, in the name of who asks; null where one of the two is not there."""
    [text] = await load(info, TicketTemplate, [key_of(template, TicketTemplate)], columns=("body",))
    [found] = await load(
        info,
        Ticket,
        [key_of(ticket, Ticket)],
        columns=("number", "subject", "category", "status", "customer_id"),
    )
    if text is None or found is None:
        return None
    row = {
        "number": found.number,
        "subject": found.subject,
        "category": found.category,
        "status": found.status,
        "customer_id": found.customer_id,  # type: ignore[attr-defined]  # a hidden column
    }
    return fill(text.body, await values_of(info.context.reader, row, info.context.actor.staff_id))


@payload
class TicketTemplatePayload:
    """The template after the change."""

    template_id: strawberry.Private[str | None] = None
    template: TicketTemplate | None = reference(
        "template_id", "The template; null on failure, and when it was deleted."
    )


@payload
class KnowledgeNotePayload:
    """The note after the change."""

    note_id: strawberry.Private[str | None] = None
    note: KnowledgeNote | None = reference("note_id", "The note; null on failure, and when it was deleted.")


@payload
class TicketViewPayload:
    """The view after the change."""

    view_id: strawberry.Private[str | None] = None
    view: TicketView | None = reference("view_id", "The view; null on failure, and when it was deleted.")


@strawberry.input(description="A template, new or in place of another.")
class SaveTicketTemplateInput:
    id: ID | None = optional("The template to replace; a new one, if left out.", default=None)
    name: str = required("Its name; no two share one.")
    body: str = required("The text, with variables such as {{ticket.number}}.")
    category: str | None = optional("For whose tickets it is meant.", default=None)
    expected_version: int | None = optional(
        "Refuses the change if the template has another version.", default=None
    )


@strawberry.input(description="A note, new or in place of another.")
class SaveKnowledgeNoteInput:
    id: ID | None = optional("The note to replace; a new one, if left out.", default=None)
    name: str = required("What it is about; no two share one.")
    body: str = required("The text.")
    category: str = required("Whose tickets suggest it.")
    expected_version: int | None = optional(
        "Refuses the change if the note has another version.", default=None
    )


@strawberry.input(description="What is deleted.")
class DeleteDeskTextInput:
    id: ID = required("Which one.")


@strawberry.input(description="A view, new or in place of another.")
class SaveTicketViewInput:
    id: ID | None = optional("The view to replace; a new one, if left out.", default=None)
    name: str = required("Its name.")
    filter: JSON = filter_member(TICKET_FILTER, "Which tickets.", required=True)
    order_by: list[TICKET_ORDERS.input] | None = optional(  # type: ignore[name-defined]  # made at run time
        "In which order.", default=None
    )
    shared: bool = optional("A queue that all see, instead of one's own view.", default=False)


@strawberry.input(description="A view that is deleted.")
class DeleteTicketViewInput:
    id: ID = required("Which view.")
    shared: bool = optional("Whether it is a queue.", default=False)


@mutation(permission=CONFIGURE, everyone=True)
async def delete_ticket_template(tx: UnitOfWork, input: DeleteDeskTextInput) -> TicketTemplatePayload:
    """Deletes a template."""
    await take_away(tx, TEMPLATES, key_of(input.id, TicketTemplate))
    return TicketTemplatePayload()


@mutation(permission=CONFIGURE, everyone=True)
async def delete_knowledge_note(tx: UnitOfWork, input: DeleteDeskTextInput) -> KnowledgeNotePayload:
    """Deletes a note of what is known."""
    await take_away(tx, KNOWLEDGE, key_of(input.id, KnowledgeNote))
    return KnowledgeNotePayload()


@mutation(permission=WRITE)
async def save_ticket_view(tx: UnitOfWork, info: Info, input: SaveTicketViewInput) -> TicketViewPayload:
    """Saves a filter over tickets with an order, for oneself or for all."""
    kept = views.plain(input.filter)
    await filter_condition(info, TICKET_FILTER, kept)
    new = views.NewView(
        name=input.name,
        filter=kept,
        order_by=views.plain(chosen(input.order_by) or []),
        owner_id=_owner(tx, shared=input.shared),
    )
    key = key_of(input.id, TicketView) if input.id else None
    return TicketViewPayload(view_id=await views.save(tx, new, key=key))


@mutation(permission=WRITE)
async def delete_ticket_view(tx: UnitOfWork, input: DeleteTicketViewInput) -> TicketViewPayload:
    """Deletes one's own view, or a queue."""
    await views.delete(tx, key_of(input.id, TicketView), _owner(tx, shared=input.shared))
    return TicketViewPayload()


def _owner(tx: UnitOfWork, *, shared: bool) -> str | None:
    if shared:
        if tx.reach is not None:
            raise CrmError(ErrorCode.FORBIDDEN, "Queues are made by those who see all customers.")
        return None
    staff: str | None = getattr(tx.actor, "staff_id", None)
    if staff is None:
        raise CrmError(
            ErrorCode.REFUSED,
            "Only members of staff have views of their own.",
            path=("shared",),
            hint="Make it a queue with shared: true.",
        )
    return staff


def parts(settings: TicketingSettings) -> SchemaParts:
    """With the categories of the settings."""

    @mutation(permission=CONFIGURE, everyone=True)
    async def save_ticket_template(tx: UnitOfWork, input: SaveTicketTemplateInput) -> TicketTemplatePayload:
        """Makes a template, or replaces one."""
        text = Text(name=input.name, body=input.body, category=chosen(input.category))
        key = key_of(input.id, TicketTemplate) if input.id else None
        return TicketTemplatePayload(
            template_id=await put(
                tx, TEMPLATES, text, settings.categories, key=key, expected_version=input.expected_version
            )
        )

    @mutation(permission=CONFIGURE, everyone=True)
    async def save_knowledge_note(tx: UnitOfWork, input: SaveKnowledgeNoteInput) -> KnowledgeNotePayload:
        """Makes a note of what is known, or replaces one."""
        text = Text(name=input.name, body=input.body, category=input.category)
        key = key_of(input.id, KnowledgeNote) if input.id else None
        return KnowledgeNotePayload(
            note_id=await put(
                tx, KNOWLEDGE, text, settings.categories, key=key, expected_version=input.expected_version
            )
        )

    return SchemaParts(
        extend={Ticket: fields_of(_OfTicket)},
        query=[*fields_of(_Queries), ticket_views, rendered_template],
        mutation=[
            save_ticket_template,
            delete_ticket_template,
            save_knowledge_note,
            delete_knowledge_note,
            save_ticket_view,
            delete_ticket_view,
        ],
    )
