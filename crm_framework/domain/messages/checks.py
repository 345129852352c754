"""What a message may say to whom, looked through before it is stored: nothing fails later for its form."""

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from crm_framework.domain.contacts.values import normalize_email
from crm_framework.domain.kinds import check_channel
from crm_framework.domain.values.text import kind_of, line, optional_line, optional_lines
from crm_framework.errors import CrmError, ErrorCode, cut
from crm_framework.hooks.messages import OutgoingMessage

EMAIL = "email"
RECIPIENT_LIMIT = 320
SUBJECT_LIMIT = 500
TEXT_LIMIT = 100_000
HEADERS_LIMIT = 50
HEADER_LIMIT = 4_000
KEY_LIMIT = 200

_HEADER = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,76}")
_OURS = frozenset(
    {
        *("from", "sender", "to", "cc", "bcc", "reply-to", "subject", "date", "message-id", "return-path"),
        *("mime-version", "received", "dkim-signature"),
    }
)
"""What the core writes by itself, or a server on the way does."""
_OUR_BEGINNINGS = ("content-", "resent-")


def checked(message: OutgoingMessage) -> OutgoingMessage:
    """The message as it is stored. BAD_INPUT, with a path, for what cannot be sent so."""
    channel = check_channel(message.channel, path=("channel",))
    text = optional_lines(message.text, "The text", TEXT_LIMIT, path=("text",))
    if text is None:
        raise CrmError(ErrorCode.BAD_INPUT, "The text is empty.", path=("text",), hint="Say something.")
    to = line(message.to, "The recipient", RECIPIENT_LIMIT, path=("to",))
    reply_to = optional_line(message.reply_to, "The address for answers", RECIPIENT_LIMIT, path=("replyTo",))
    if channel == EMAIL:
        normalize_email(to, path=("to",))
        if reply_to is not None:
            normalize_email(reply_to, path=("replyTo",))
    return replace(
        message,
        channel=channel,
        to=to,
        subject=optional_line(message.subject, "The subject", SUBJECT_LIMIT, path=("subject",)),
        text=text,
        headers=_headers(message.headers),
        reply_to=reply_to,
        key=optional_line(message.key, "The key", KEY_LIMIT, path=("key",)),
    )


def _headers(given: Any) -> dict[str, str]:
    if not isinstance(given, Mapping):
        raise CrmError(
            ErrorCode.BAD_INPUT, f"The headers must be a mapping, not {kind_of(given)}.", path=("headers",)
        )
    if len(given) > HEADERS_LIMIT:
        raise CrmError(
            ErrorCode.BAD_INPUT, f"{len(given)} headers; {HEADERS_LIMIT} are allowed.", path=("headers",)
        )
    headers: dict[str, str] = {}
    for name, value in given.items():
        if not isinstance(name, str) or not _HEADER.fullmatch(name):
            raise CrmError(
                ErrorCode.BAD_INPUT,
                f"{cut(name)} cannot be the name of a header.",
                path=("headers",),
                hint="Write it such as In-Reply-To, without a colon.",
            )
        if name.lower() in _OURS or name.lower().startswith(_OUR_BEGINNINGS):
            raise CrmError(
                ErrorCode.BAD_INPUT,
                f"The header {name} is written by the core.",
                path=("headers", name),
                hint="Use the member of the message for it, if there is one.",
            )
        if name.lower() in map(str.lower, headers):
            raise CrmError(ErrorCode.BAD_INPUT, f"The header {name} is there twice.", path=("headers", name))
        headers[name] = line(value, f"The header {name}", HEADER_LIMIT, path=("headers", name))
    return headers
