"""Opening a ticket: its number, its policy, and who gets it."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from crm_framework import Hold, UnitOfWork, check_channel, fold, live_customer, new_id
from crm_ticketing.clocks.history import HappenedKind
from crm_ticketing.clocks.store import NEVER, HeldTicket, record, settle
from crm_ticketing.events import TicketOpened
from crm_ticketing.links.tags import checked_tags, write_tags
from crm_ticketing.messages.attachments import NewAttachment
from crm_ticketing.messages.new import NewMessage
from crm_ticketing.messages.words import write_words
from crm_ticketing.models import MessageAuthor, TicketPriority, TicketStatus
from crm_ticketing.policies.matching import Looked, Offer, active_offers, fitting
from crm_ticketing.teams.assignment import assign_new

from .held import BODY_LIMIT, SUBJECT_LIMIT, check_category, checked_text
from .messages import add_message


@dataclass(frozen=True, kw_only=True)
class NewTicket:
    """`body` is the customer's first message, `channel` how it came; `attachments` to `reference` are that
    message's.
    """

    customer_id: str
    subject: str
    body: str
    category: str | None = None
    priority: TicketPriority = TicketPriority.NORMAL
    channel: str | None = None
    tags: Sequence[str] = ()
    attributes: Mapping[str, Any] = field(default_factory=dict)
    """Checked ones."""
    attachments: Sequence[NewAttachment] = ()
    sender: str | None = None
    rest: str = ""
    source: str | None = None
    reference: str | None = None

    @property
    def message(self) -> NewMessage:
        """The first message."""
        return NewMessage(
            author=MessageAuthor.CUSTOMER,
            body=self.body,
            channel=self.channel,
            sender=self.sender,
            rest=self.rest,
            attachments=self.attachments,
            source=self.source,
            reference=self.reference,
        )


async def open_ticket(tx: UnitOfWork, new: NewTicket, categories: Sequence[str]) -> str:
    """The new ticket's key. It goes to the customer's owner, or the backup while the owner is away."""
    checked_text(new.body, "body", BODY_LIMIT)  # first: a subject may be its first line
    subject = checked_text(new.subject, "subject", SUBJECT_LIMIT)
    if new.channel is not None:
        check_channel(new.channel, path=("channel",))
    tags = checked_tags(new.tags, "tags")
    category = new.category or categories[0]
    check_category(category, categories)
    customer = await live_customer(tx, new.customer_id, Hold.ADD, path=("customer",))
    [counter] = await tx.fetch(
        "UPDATE ticketing_counter SET last_number = last_number + 1 RETURNING last_number"
    )
    looked = Looked(customer.id, new.priority, category, new.channel, frozenset(tags))
    offer = await _offer(tx, looked)
    assigned = await assign_new(tx, customer.id, category)
    row = {
        "id": new_id(),
        "number": counter["last_number"],
        "customer_id": customer.id,
        "subject": subject,
        "folded_subject": fold(subject)[:SUBJECT_LIMIT],
        "category": category,
        "status": TicketStatus.NEW,
        "priority": new.priority,
        "channel": new.channel,
        "assignee_id": assigned.staff_id,
        "team_id": assigned.team_id,
        "policy_version_id": offer.version_id if offer else None,
        "created_at": tx.now,
        "updated_at": tx.now,
        "due_at": NEVER,
        "attributes": json.dumps(dict(new.attributes)),
    }
    tx.insert("ticketing_ticket", row)
    held = HeldTicket(
        {**row, "version": 1, "alarms_until": None, "alarm_at": None, "merged_into_id": None}, tx.now
    )
    record(tx, held, HappenedKind.CREATED, TicketStatus.NEW)
    if offer is not None:
        record(tx, held, HappenedKind.POLICY, offer.version_id)
    if assigned.staff_id is not None:
        record(tx, held, HappenedKind.ASSIGNED, assigned.staff_id)
    if assigned.team_id is not None:
        record(tx, held, HappenedKind.TEAM, assigned.team_id)
    tx.emit(
        TicketOpened(customer_id=customer.id, ticket_id=held.id, changes={"status": (None, TicketStatus.NEW)})
    )
    write_words(tx, held.id, subject)
    await write_tags(tx, held, tags)
    await add_message(tx, held, new.message)
    await settle(tx, held)
    return held.id


async def _offer(tx: UnitOfWork, looked: Looked) -> Offer | None:
    offers = await active_offers(tx)
    return (await fitting(tx, offers, {"": looked}))[""] if offers else None
