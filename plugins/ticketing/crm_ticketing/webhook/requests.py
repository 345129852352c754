"""What a signed request says: a new ticket, or a message for one, as JSON."""

from typing import Annotated, Any

import msgspec

from crm_framework import CrmError, ErrorCode
from crm_ticketing.messages.attachments import NewAttachment
from crm_ticketing.models import LARGEST_NUMBER


class File(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="camel"):
    """An attachment by reference."""

    name: str
    media_type: str
    size: int
    url: str
    sha256: str | None = None


class Writer(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="camel"):
    """Who wrote: a customer by `source` and `reference`, or by e-mail address; a new prospect otherwise."""

    email: str | None = None
    name: str | None = None
    source: str | None = None
    reference: str | None = None


class Request(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="camel"):
    """`ticket` is the number of the ticket that gets the message, or of one that was merged into it; without
    it, a ticket is opened. `channel` is how the customer wrote to the other system; webhook if left out."""

    body: str
    customer: Writer
    ticket: Annotated[int, msgspec.Meta(ge=1, le=LARGEST_NUMBER)] | None = None
    subject: str | None = None
    category: str | None = None
    channel: str | None = None
    attachments: tuple[File, ...] = ()

    def files(self) -> list[NewAttachment]:
        return [
            NewAttachment(
                name=one.name, media_type=one.media_type, size=one.size, sha256=one.sha256, url=one.url
            )
            for one in self.attachments
        ]


def read_request(body: bytes) -> Request:
    """BAD_INPUT, with the place, for what is no such request."""
    try:
        request: Request = msgspec.json.decode(body, type=Request)
    except msgspec.ValidationError as error:
        text, _, place = str(error).partition(" - at `$")
        path: tuple[Any, ...] = tuple(filter(None, place.rstrip("`").replace("[", ".[").split(".")))
        raise CrmError(ErrorCode.BAD_INPUT, f"{text}.", path=path) from None
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        raise CrmError(
            ErrorCode.BAD_INPUT, "The body is no JSON.", hint="Send an object with body and customer."
        ) from None
    writer = request.customer
    if not (writer.email or (writer.source and writer.reference)):
        raise CrmError(
            ErrorCode.BAD_INPUT,
            "It does not say who wrote.",
            path=("customer",),
            hint="Give email, or source and reference.",
        )
    return request
