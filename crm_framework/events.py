"""What happened, as typed values. Every change emits one; the outbox and the audit log are made of them."""

from dataclasses import dataclass, field
from typing import Any, ClassVar, Self

import msgspec

Changes = dict[str, tuple[Any, Any]]
"""Field name → (before, after), JSON-able values."""


@dataclass(frozen=True, kw_only=True)
class Event:
    """Base of all events. A subclass sets `type` and `subject_type`; plugins list theirs in `Plugin.events`.

    `customer_id` is the customer that the event is about, if any: events of one customer keep their order.
    """

    type: ClassVar[str]
    subject_type: ClassVar[str] = "Customer"

    customer_id: str | None
    changes: Changes = field(default_factory=dict)

    @property
    def subject_id(self) -> str:
        """Key of the record that changed."""
        assert self.customer_id is not None
        return self.customer_id

    @property
    def audit_subject(self) -> tuple[str, str]:
        """Type, as the API calls it, and key of the record that changed: what the audit log keeps."""
        return self.subject_type, self.subject_id


@dataclass(frozen=True, kw_only=True)
class CustomerCreated(Event):
    """A customer was made; `changes` holds what was given, each from None."""

    type = "customer.created"


@dataclass(frozen=True, kw_only=True)
class CustomerUpdated(Event):
    """Fields of a customer changed, its contact points included; `changes` tells which."""

    type = "customer.updated"


@dataclass(frozen=True, kw_only=True)
class CustomerConverted(Event):
    """A prospect became a customer, or (`returned`) a former one came back."""

    type = "customer.converted"
    returned: bool = False


@dataclass(frozen=True, kw_only=True)
class CustomerLapsed(Event):
    """A customer left and is a former one."""

    type = "customer.lapsed"


@dataclass(frozen=True, kw_only=True)
class CustomerArchived(Event):
    """Archived, or brought back from the archive: `changes["archived_at"]` tells which."""

    type = "customer.archived"


@dataclass(frozen=True, kw_only=True)
class OwnerAssigned(Event):
    """The owner or the backup of a customer changed: `owner_id` and `backup_id` in `changes`."""

    type = "customer.owner_assigned"


@dataclass(frozen=True, kw_only=True)
class ConsentChanged(Event):
    """A customer agreed to be reached at a contact point of `channel`, or withdrew that.

    `changes` holds `consent`, `consent_at` and `consent_source`.
    """

    type = "customer.consent_changed"
    channel: str = ""
    contact_point_id: str = ""


@dataclass(frozen=True, kw_only=True)
class CustomerTagged(Event):
    """Tags were put on a customer (`added`) or taken off it (`removed`)."""

    type = "customer.tagged"
    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class CustomersMerged(Event):
    """`customer_id` is the winner; the losers' keys resolve to it from now on."""

    type = "customer.merged"
    losers: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class CustomerErased(Event):
    """The person's data was erased for good. `changes` keeps nothing of it: it names the receipt, and the
    number and the digest of the entries of the audit log that lost their values."""

    type = "customer.erased"


@dataclass(frozen=True, kw_only=True)
class InteractionLogged(Event):
    """A touch was recorded; `kind` tells purchases and refunds apart too."""

    type = "interaction.logged"
    subject_type = "Interaction"
    interaction_id: str = ""
    kind: str = ""

    @property
    def subject_id(self) -> str:
        return self.interaction_id


@dataclass(frozen=True, kw_only=True)
class InteractionUpdated(InteractionLogged):
    """A touch was corrected; `changes` holds the columns that differ, `kind` is the new one."""

    type = "interaction.updated"


@dataclass(frozen=True, kw_only=True)
class PurchaseRecorded(InteractionLogged):
    """A purchase was recorded; `total_minor` is its total in minor units of `currency`."""

    type = "purchase.recorded"
    total_minor: int = 0
    currency: str = ""


@dataclass(frozen=True, kw_only=True)
class RefundRecorded(InteractionLogged):
    """`total_minor` is the refunded amount, positive."""

    type = "refund.recorded"
    purchase_id: str = ""
    total_minor: int = 0
    currency: str = ""


@dataclass(frozen=True, kw_only=True)
class SettingChanged(Event):
    """An attribute definition, contact rule, job, role, segment, staff member, token or webhook was made or
    changed."""

    type = "setting.changed"
    subject_type = "Setting"
    kind: str = ""
    record_id: str = ""

    @property
    def subject_id(self) -> str:
        return self.record_id

    @property
    def audit_subject(self) -> tuple[str, str]:
        return SETTINGS.get(self.kind, self.subject_type), self.record_id


@dataclass(frozen=True, kw_only=True)
class DeliveriesRetried(Event):
    """An operator had deliveries of `plugin` tried again that were parked: `count` of them."""

    type = "deliveries.retried"
    subject_type = "Plugin"
    plugin: str = ""
    count: int = 0

    @classmethod
    def of(cls, plugin: str, count: int) -> Self:
        """For so many events of one plugin's handler."""
        return cls(customer_id=None, plugin=plugin, count=count, changes={"count": (None, count)})

    @property
    def subject_id(self) -> str:
        return self.plugin


@dataclass(frozen=True, kw_only=True)
class EventsReplayed(DeliveriesRetried):
    """An operator had past events handed to the handler of `plugin` once more: `count` of them."""

    type = "events.replayed"


@dataclass(frozen=True, kw_only=True)
class WebhookPaused(Event):
    """A webhook was paused because nothing reaches it any more; `reason` tells why."""

    type = "webhook.paused"
    subject_type = "Webhook"
    webhook_id: str = ""
    reason: str = ""

    @property
    def subject_id(self) -> str:
        return self.webhook_id


@dataclass(frozen=True, kw_only=True)
class MessageQueued(Event):
    """A message is to be sent on `channel`; `message` is its key. What it says is in crm_message.

    It comes again when one that was given up is tried once more: `changes["state"]` is then
    `("FAILED", "QUEUED")`.
    """

    type = "message.queued"
    subject_type = "Message"
    message: str = ""
    channel: str = ""

    @property
    def subject_id(self) -> str:
        return self.message


@dataclass(frozen=True, kw_only=True)
class MessageSent(MessageQueued):
    """A message was taken by a plugin or by the mail server; `changes["sentBy"]` tells by whom."""

    type = "message.sent"


@dataclass(frozen=True, kw_only=True)
class MessageFailed(MessageQueued):
    """A message was given up. Why, stands in the column `error` of crm_message."""

    type = "message.failed"


SETTINGS = {
    "attribute": "AttributeDefinition",
    "contact_rule": "ContactRule",
    "job": "Job",
    "role": "Role",
    "segment": "Segment",
    "staff": "Staff",
    "token": "Token",
    "webhook": "Webhook",
}
"""Kind of a setting → its type, as the API calls it."""


CORE_EVENTS: tuple[type[Event], ...] = (
    CustomerCreated,
    CustomerUpdated,
    CustomerConverted,
    CustomerLapsed,
    CustomerArchived,
    OwnerAssigned,
    ConsentChanged,
    CustomerTagged,
    CustomersMerged,
    CustomerErased,
    InteractionLogged,
    InteractionUpdated,
    PurchaseRecorded,
    RefundRecorded,
    SettingChanged,
    DeliveriesRetried,
    EventsReplayed,
    WebhookPaused,
    MessageQueued,
    MessageSent,
    MessageFailed,
)


def encode(event: Event) -> dict[str, Any]:
    """The event's fields as JSON-able values, without its type."""
    encoded: dict[str, Any] = msgspec.to_builtins(event)
    return encoded
