"""A raw e-mail as values: who, what, the text and the attachments. Never fails, and takes bounded time.

Mail comes from anybody. What the standard library cannot read is read more simply, down to plain text; what
is too long is cut.
"""

import hashlib
import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.message import Message
from email.utils import getaddresses, parsedate_to_datetime

from .bounded import LONGEST_TEXT, clean, line_of, parsed, split
from .parts import LONGEST_NAME, MOST_ATTACHMENTS, Attachment, gather, media_type

LONGEST_SUBJECT = 500
LONGEST_ID = 250
"""Characters of a Message-ID; a longer one is kept as its digest, so that the same one is found again."""

MOST_REFERENCES = 50
_LONGEST_SENDER = 2000

_ID = re.compile(r"<([^<>\s]{1,2000})>")
_ADDRESS = re.compile(r"[^\s@<>\"(),:;\[\]\\]{1,64}@[^\s@<>\"(),:;\[\]\\]{1,190}")
_BLANKS = re.compile(r"\s+")


@dataclass(frozen=True, kw_only=True)
class Mail:
    """What is in an e-mail. Texts hold no control characters but line ends and tabs.

    `message_id` and `references` are without angle brackets; a message without an id has one made from its
    bytes. `references` has In-Reply-To first, then References from the newest to the oldest. `sender` is ""
    where no address can be read. `headers` are the others that tell how it came, by their lower-case names.
    """

    message_id: str
    sender: str
    sender_name: str = ""
    recipients: tuple[str, ...] = ()
    subject: str = ""
    sent_at: datetime | None = None
    references: tuple[str, ...] = ()
    text: str = ""
    attachments: tuple[Attachment, ...] = ()
    headers: dict[str, str] = field(default_factory=dict)
    report: bool = False
    """It is a report about the delivery of another message."""

    reported: tuple[str, ...] = ()
    """Of a report: the ids of the messages that it is about."""


def read_mail(raw: bytes) -> Mail:
    """The message in these bytes, however broken they are."""
    message = parsed(raw)
    sender, name = _sender(message)
    texts: list[str] = []
    files: list[Attachment] = []
    with suppress(Exception):  # a part of a kind that the library stumbles over; what came before it stays
        gather(message, texts, files, 0)
    report = media_type(message) == "multipart/report"
    return Mail(
        message_id=next(iter(_ids(_raw(message, "message-id"))), None) or _made_id(raw),
        sender=sender,
        sender_name=name,
        recipients=_recipients(message),
        subject=line_of(_header(message, "subject"), LONGEST_SUBJECT),
        sent_at=_date(message),
        references=_references(message),
        text=clean("\n".join(texts))[:LONGEST_TEXT].strip(),
        attachments=tuple(files[:MOST_ATTACHMENTS]),
        headers=_telling(message),
        report=report,
        reported=_reported(raw, message) if report else (),
    )


def key_of_id(message_id: str) -> str:
    """A Message-ID as it is kept and looked for."""
    if len(message_id) <= LONGEST_ID:
        return message_id
    return f"sha256.{hashlib.sha256(message_id.encode('utf-8', 'replace')).hexdigest()}@long.invalid"


def _raw(message: Message, name: str) -> str:
    """The first header of that name as it was written."""
    return next((str(value) for one, value in message.raw_items() if one.lower() == name), "")


def _header(message: Message, name: str) -> str:
    with suppress(Exception):
        return str(message.get(name, "") or "")
    return _raw(message, name)


def _sender(message: Message) -> tuple[str, str]:
    for name in ("from", "sender", "reply-to"):
        value, raw = _header(message, name), _raw(message, name)
        if len(raw) > _LONGEST_SENDER:  # the address is behind the name, however long that is
            last = _ADDRESS.findall(raw[-_LONGEST_SENDER:])[-1:]
            return (_lowered(last[0]), "") if last else ("", "")
        value = value[:_LONGEST_SENDER]
        found = _ADDRESS.search(raw) if value else None
        pairs: list[tuple[str, str]] = []
        with suppress(Exception):
            pairs = getaddresses([value])
        for spoken, address in pairs:
            if _ADDRESS.fullmatch(address):
                return _lowered(address), line_of(spoken, LONGEST_NAME)
        if found is not None:
            return _lowered(found[0]), ""
    return "", ""


def _lowered(address: str) -> str:
    return clean(address.lower())


def _recipients(message: Message) -> tuple[str, ...]:
    found: dict[str, None] = {}
    for name in ("to", "cc", "delivered-to", "x-original-to"):
        for address in _ADDRESS.findall(_raw(message, name)):
            found[_lowered(address)] = None
    return tuple(found)[:100]


def _references(message: Message) -> tuple[str, ...]:
    answered = _ids(_raw(message, "in-reply-to"))
    earlier = reversed(list(_ids(_raw(message, "references"))))
    return tuple(dict.fromkeys([*answered, *earlier]))[:MOST_REFERENCES]


def _ids(header: str) -> Iterator[str]:
    for found in _ID.findall(_BLANKS.sub(" ", header)):
        yield key_of_id(clean(found))


def _made_id(raw: bytes) -> str:
    return f"{hashlib.sha256(raw).hexdigest()}@without-id.invalid"


def _date(message: Message) -> datetime | None:
    with suppress(Exception):
        at = parsedate_to_datetime(_raw(message, "date")[:200])
        aware = at if at.tzinfo is not None else at.replace(tzinfo=UTC)
        return aware.astimezone(UTC)
    return None


_TELLING = re.compile(
    r"auto-submitted|precedence|x-loop|x-auto.*|x-autoreply|x-autorespond|list-.*|return-path|x-failed-recipients"
)


def _telling(message: Message) -> dict[str, str]:
    found: dict[str, str] = {}
    for name, value in message.raw_items():
        if _TELLING.fullmatch(name[:60].lower()) and len(found) < 40:
            found.setdefault(name.lower(), line_of(str(value), 300))
    return found


def _reported(raw: bytes, message: Message) -> tuple[str, ...]:
    """Ids of messages in the body of a report, where they stand in a copy of the message or of its head."""
    body = split(raw)[2][:200_000].decode("ascii", "replace")
    found = re.findall(r"(?im)^message-id:[ \t]*(?:\r?\n[ \t]+)?<([^<>\s]{1,2000})>", body)
    own = set(_ids(_raw(message, "message-id")))
    named = dict.fromkeys([*map(key_of_id, found), *_references(message)])
    return tuple(one for one in named if one not in own)[:20]
