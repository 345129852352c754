"""The chain over the audit log: each link's hash takes in the one before, so that none can be changed,
removed, put in or moved without all that follow.
"""

import hmac
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, NamedTuple

from crm_framework.errors import CrmError, ErrorCode
from crm_framework.storage.seals import key_id

LINK_COLUMNS = ("position", "entry_id", "digest", "hash", "key_id")

BEFORE_THE_FIRST = bytes(32)


class Head(NamedTuple):
    """Where the chain ends: the last position, from 1, and its hash. Written `POSITION:HASH`."""

    position: int
    hash: bytes

    def __str__(self) -> str:
        return f"{self.position}:{self.hash.hex()}"

    @classmethod
    def read(cls, text: str) -> "Head":
        """Raises CrmError BAD_INPUT."""
        position, _, digest = text.strip().partition(":")
        try:
            found = cls(int(position), bytes.fromhex(digest))
        except ValueError:
            found = cls(0, b"")
        if len(found.hash) != 32 or found.position < 0:
            raise CrmError(
                ErrorCode.BAD_INPUT,
                f"{text[:100]!r} is no head of the audit chain.",
                hint="Give POSITION:HASH as `crm audit head` printed it.",
            )
        return found


START = Head(0, BEFORE_THE_FIRST)


@dataclass(frozen=True)
class AuditKeys:
    """Secrets for the chain, the one for new links first. None are needed: then anybody can make links."""

    keys: tuple[bytes, ...] = ()

    @classmethod
    def of(cls, texts: Sequence[str]) -> "AuditKeys":
        return cls(tuple(text.encode() for text in texts))

    def __repr__(self) -> str:
        return f"<AuditKeys {', '.join(map(key_id, self.keys)) or 'none'}>"

    @property
    def current(self) -> bytes | None:
        return self.keys[0] if self.keys else None

    @property
    def by_id(self) -> Mapping[str | None, bytes | None]:
        """By what a link says that it was made with; None for links without a key."""
        return {None: None, **{key_id(key): key for key in self.keys}}


NO_KEYS = AuditKeys()


def link_hash(key: bytes | None, before: bytes, position: int, entry_id: str, digest: bytes) -> bytes:
    """SHA-256, or its HMAC under `key`, over the hash before, position, entry and digest, each of a fixed
    length."""
    said = before + position.to_bytes(8, "big") + bytes.fromhex(entry_id.replace("-", "")) + digest
    return sha256(said).digest() if key is None else hmac.digest(key, said, "sha256")


def links(
    head: Head, entries: Sequence[tuple[str, bytes]], key: bytes | None
) -> tuple[Head, list[tuple[Any, ...]]]:
    """Rows of LINK_COLUMNS that follow on `head`, and the head after them."""
    name = None if key is None else key_id(key)
    rows: list[tuple[Any, ...]] = []
    position, before = head
    for entry_id, digest in entries:
        position += 1
        before = link_hash(key, before, position, entry_id, digest)
        rows.append((position, entry_id, digest, before, name))
    return Head(position, before), rows
