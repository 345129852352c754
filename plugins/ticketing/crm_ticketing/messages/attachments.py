"""Attachments: known by name, type, size, hash and place; bytes of those that came by e-mail are kept."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256

from crm_framework import CrmError, ErrorCode, UnitOfWork, new_id

MOST = 50
LARGEST = 1 << 40
_TYPE = re.compile(r"[a-z0-9][a-z0-9.+_-]{0,58}/[a-z0-9][a-z0-9.+_-]{0,59}")
_HASH = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, kw_only=True)
class NewAttachment:
    """`url` is where the file is, or the key of a store that has it. `content` is kept here, if given."""

    name: str
    media_type: str
    size: int
    sha256: str | None = None
    url: str | None = None
    content: bytes | None = None


def of_bytes(name: str, media_type: str, content: bytes, *, most_bytes: int) -> NewAttachment:
    """A file that came with a message. Of one that is larger than `most_bytes`, all but the bytes is kept."""
    shown = "".join(letter for letter in name if letter.isprintable()).strip()[:200]
    return NewAttachment(
        name=shown or "attachment",
        media_type=media_type if _TYPE.fullmatch(media_type) else "application/octet-stream",
        size=len(content),
        sha256=sha256(content).hexdigest(),
        content=content if len(content) <= most_bytes else None,
    )


def checked(new: Sequence[NewAttachment]) -> list[NewAttachment]:
    """Raises BAD_INPUT with the place of what does not fit."""
    if len(new) > MOST:
        raise CrmError(
            ErrorCode.BAD_INPUT, f"A message has {MOST} attachments at most.", path=("attachments",)
        )
    return [_checked(one, place) for place, one in enumerate(new)]


def _checked(one: NewAttachment, place: int) -> NewAttachment:
    def refused(member: str, message: str, hint: str | None = None) -> CrmError:
        return CrmError(ErrorCode.BAD_INPUT, message, path=("attachments", place, member), hint=hint)

    name = one.name.strip()
    if not 1 <= len(name) <= 200 or not name.isprintable():
        raise refused("name", "The name of a file has 1 to 200 characters, in one line.")
    kind = one.media_type.strip().lower()
    if not _TYPE.fullmatch(kind):
        raise refused("mediaType", f"{one.media_type!r:.60} is no media type.", "Give one such as image/png.")
    if not 0 <= one.size <= LARGEST:
        raise refused("size", "The size of a file is a number of bytes, of 0 or more.")
    digest = one.sha256.strip().lower() if one.sha256 else None
    if digest is not None and not _HASH.fullmatch(digest):
        raise refused("sha256", "A SHA-256 has 64 hexadecimal digits.")
    url = one.url.strip() if one.url else None
    if url is not None and (len(url) > 2000 or not url.isprintable() or " " in url):
        raise refused("url", "The place of a file has 2000 characters at most, without blanks.")
    if url is not None and re.match(r"(?i)\s*(javascript|data|vbscript):", url):
        raise refused("url", "A place that a browser would run is no place of a file.")
    return NewAttachment(
        name=name, media_type=kind, size=one.size, sha256=digest, url=url or None, content=one.content
    )


def write(
    tx: UnitOfWork, ticket_id: str, message_id: str, files: Sequence[NewAttachment], *, internal: bool
) -> None:
    """Adds checked attachments to a message."""
    for one in files:
        key = new_id()
        tx.insert(
            "ticketing_attachment",
            {
                "id": key,
                "ticket_id": ticket_id,
                "message_id": message_id,
                "internal": internal,
                "name": one.name,
                "media_type": one.media_type,
                "size": one.size,
                "sha256": one.sha256,
                "url": one.url,
                "kept": one.content is not None,
            },
        )
        if one.content is not None:
            tx.insert(
                "ticketing_attachment_content",
                {"id": new_id(), "attachment_id": key, "content": one.content},
            )
