"""Messages over the API."""

from datetime import datetime

import strawberry
from strawberry import Info

from crm_framework import (
    INTERNAL,
    Batch,
    BigInt,
    Node,
    OrderField,
    Orders,
    Staff,
    Through,
    batch,
    children,
    chosen,
    column,
    load,
    node,
    optional,
    reference,
    required,
)
from crm_ticketing.permissions import READ
from crm_ticketing.vocabulary import MessageAuthor

from .attachments import NewAttachment


@node(
    table="ticketing_attachment",
    permission=READ,
    owner=Through("ticket_id", "ticketing_ticket"),
    own_where="NOT t.internal",
)
class TicketAttachment(Node):
    """A file of a message, by reference."""

    name: str = column("The file's name.")
    media_type: str = column("Such as image/png.")
    size: BigInt = column("Bytes.")
    sha256: str | None = column("Of its bytes, hexadecimal.")
    url: str | None = column("Where it is, or the key of the store that has it.")
    kept: bool = column("Whether its bytes are kept here: GET /plugins/ticketing/attachments/{id}.")


@node(
    table="ticketing_message",
    permission=READ,
    hidden={"staff_id": str | None},
    owner=Through("ticket_id", "ticketing_ticket"),
    own_where="NOT t.internal",
)
class TicketMessage(Node):
    """A message of a ticket."""

    author: MessageAuthor = column("Who wrote it.")
    internal: bool = column("For staff alone.")
    body: str = column("What was written; blank once the customer was erased.")
    at: datetime = column("When it was written.")
    channel: str | None = column("How it came, or was sent.")
    sender: str | None = column("The e-mail address that it came from.", permission=INTERNAL)
    rest: str | None = column("What was cut from an e-mail: quotes and the signature.", permission=INTERNAL)
    staff: Staff | None = reference("staff_id", "The member of staff who wrote it, where one did.")
    attachments: list[TicketAttachment] = children(
        key="message_id", order=("name",), description="Its files, by name."
    )

    @batch(needs=("staff_id",))
    @staticmethod
    async def staff_name(messages: Batch["TicketMessage"], info: Info) -> list[str | None]:
        """The name of the member of staff; of all that is known of them, what customers see."""
        keys = messages.column("staff_id")
        known = [key for key in dict.fromkeys(keys) if key is not None]
        found = dict(zip(known, await load(info, Staff, known, columns=("name",)), strict=True))
        return [None if key is None or (one := found[key]) is None else one.name for key in keys]


MESSAGE_ORDERS = Orders(
    "TicketMessageOrder", [OrderField("AT", "datetime", "By the moment of writing.", column="at")]
)


@strawberry.input(description="A file of a message, by reference.")
class TicketAttachmentInput:
    name: str = required("The file's name.")
    media_type: str = required("Such as image/png.")
    size: BigInt = required("Bytes.")
    url: str = required("Where it is, or the key of the store that has it.")
    sha256: str | None = optional("Of its bytes, hexadecimal.", default=None)


def attachments_of(given: list[TicketAttachmentInput] | None) -> list[NewAttachment]:
    """The files of an input, unchecked."""
    return [
        NewAttachment(name=one.name, media_type=one.media_type, size=one.size, url=one.url, sha256=one.sha256)
        for one in chosen(given) or []
    ]
