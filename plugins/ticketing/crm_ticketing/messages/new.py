"""A message that is to be added to a ticket."""

from collections.abc import Sequence
from dataclasses import dataclass

from crm_framework import CrmError, ErrorCode
from crm_ticketing.models import MessageAuthor

from .attachments import NewAttachment


@dataclass(frozen=True, kw_only=True)
class NewMessage:
    """`internal` ones are for staff alone. `rest` is what was cut from an e-mail: quotes, the signature.

    `sender` is the address that it came from, where that is not known to be the customer's. `source` and
    `reference` belong together: the same message again is not added twice.
    """

    author: MessageAuthor
    body: str
    internal: bool = False
    channel: str | None = None
    sender: str | None = None
    rest: str = ""
    attachments: Sequence[NewAttachment] = ()
    source: str | None = None
    reference: str | None = None


def checked_reference(source: str, reference: str) -> tuple[str, str]:
    """Both, trimmed. BAD_INPUT for what cannot be kept."""
    for name, value, limit in (("source", source, 100), ("reference", reference, 200)):
        if not 1 <= len(value.strip()) <= limit or not value.strip().isprintable():
            raise CrmError(
                ErrorCode.BAD_INPUT, f"The {name} has 1 to {limit} characters, in one line.", path=(name,)
            )
    return source.strip(), reference.strip()
