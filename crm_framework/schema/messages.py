"""Messages that left, are about to, or could not."""

from datetime import datetime

import strawberry

from crm_framework.domain.models import MessageState
from crm_framework.engine.connections import Connection, connection
from crm_framework.engine.fields import column
from crm_framework.engine.filters import FilterSpec, Member
from crm_framework.engine.nodes import Node, node
from crm_framework.engine.orders import OrderField, Orders
from crm_framework.engine.parts import SchemaParts
from crm_framework.engine.relations import reference

from . import enums  # noqa: F401  # makes MessageState an enumeration of the API
from .additions import fields_of
from .customers import Customer

JSON = strawberry.scalars.JSON

READ = "messages.read"


@node(table="crm_message", permission=READ, hidden={"customer_id": str})
class Message(Node):
    """What was, or is to be, told to a customer or to somebody else; empty once they are erased."""

    customer: Customer | None = reference(
        "customer_id", "The customer whom it is for; null for somebody else."
    )
    channel: str = column("The way it takes, such as email.")
    recipient: str = column("The address on that channel.")
    subject: str | None = column("What it is about, in one line.")
    text: str = column("What it says.")
    headers: JSON = column("What else it carries, by name.")
    reply_to: str | None = column("Where answers go.")
    message_id: str = column("What answers by e-mail refer to; the same in every attempt.")
    key: str | None = column("Under one key there is one message.", sql="key_text")
    state: MessageState = column("What has become of it.")
    attempts: int = column("How often it was tried.")
    sent_by: str | None = column("The plugin that sent it, or smtp.")
    error: str | None = column("Why the last attempt failed; null where none did.")
    created_at: datetime = column("When it was asked for.")
    tried_at: datetime | None = column("When the last attempt began.")
    finished_at: datetime | None = column("When it was sent, or given up.")


MESSAGE_FILTER = FilterSpec(
    "MessageFilter",
    [
        Member("customer", "id", "The customer whom it is for.", column="customer_id", of="Customer"),
        Member("channel", "string", "The way it takes.", column="channel"),
        Member("recipient", "string", "The address on that channel.", column="recipient"),
        Member("key", "string", "The key that it was asked for with.", column="key_text"),
        Member("state", "enum", "What has become of it.", column="state", enum=MessageState),
        Member("createdAt", "datetime", "When it was asked for.", column="created_at"),
    ],
)
# Keys grow with time.
MESSAGE_ORDERS = Orders(
    "MessageOrder", [OrderField("CREATED_AT", "id", "By the moment it was asked for.", column="id")]
)


class _Queries:
    messages: Connection[Message] = connection(
        description="Messages to customers and others, the latest first; those that are sent for some days.",
        filter=MESSAGE_FILTER,
        orders=MESSAGE_ORDERS,
        default_order=("-CREATED_AT",),
        permission=READ,
    )


parts = SchemaParts(query=fields_of(_Queries))
