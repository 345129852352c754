"""Entries of the audit log as rows: what they say, and the digest by which a change of it shows.

An entry has two parts. What names the person goes with an erasure: the values before and after, and the name
of a customer who acted. The rest stays. The digest is over the rest and over a digest of the personal part,
which is salted: once the salt is gone too, nobody can try out what the values were, and the entry's own
digest can still be checked.
"""

import hmac
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from typing import TYPE_CHECKING, Any

import msgspec

from .clock import parse_time
from .ids import new_id

if TYPE_CHECKING:
    from .unit_of_work import ActorLike

CONTENT = (
    *("id", "at", "actor_kind", "actor_id", "actor_name", "token_id", "request_id", "action"),
    *("subject_type", "subject_id", "customer_id", "reason", "changes"),
)
"""What an entry says, in the order in which its digest takes it."""

AUDIT_COLUMNS = (*CONTENT, "salt", "digest")

SALT_BYTES = 16
_SALTS = 256
PERSONAL_KIND = "CUSTOMER"
"""The kind of actor whose name is a person's own data. What staff did stays under their name."""

Who = tuple[str, str | None, str, str | None]
"""Who acted, as an entry keeps it: kind, id, name and token."""

SYSTEM: Who = ("SYSTEM", None, "system", None)

Written = tuple[str, bytes]
"""Key and digest of an entry."""

_encode = msgspec.json.Encoder().encode


@dataclass(frozen=True, kw_only=True)
class AuditRecord:
    """One entry to write."""

    who: Who
    action: str
    subject_type: str
    subject_id: str
    customer_id: str | None = None
    request_id: str | None = None
    reason: str | None = None
    changes: Mapping[str, Any]


def who_acts(actor: "ActorLike | None") -> Who:
    """An actor as an entry keeps it."""
    return SYSTEM if actor is None else (str(actor.kind), actor.id, actor.name, actor.token_id)


def audit_row(record: AuditRecord, *, at: datetime, key: bytes | None) -> tuple[Any, ...]:
    """A row of AUDIT_COLUMNS. `key` is the secret, if there is one, without which no digest can be made."""
    subject = record.subject_type, record.subject_id, record.customer_id
    said = record.action, *subject, record.reason, record.changes
    return entries(record.who, [said], record.request_id, at=at, key=key)[0]


Said = tuple[str, str, str, str | None, str | None, Mapping[str, Any]]
"""What one entry says by itself: action, subject's type and id, the customer's id, reason, and changes."""


def entries(
    who: Who, many: Iterable[Said], request_id: str | None, *, at: datetime, key: bytes | None
) -> list[tuple[Any, ...]]:
    """Rows of AUDIT_COLUMNS for what one did in one transaction: an import has thousands."""
    kind, actor_id, name, token_id = who
    moment, shown_name = _moment(at), None if kind == PERSONAL_KIND else name
    rows = []
    for action, subject_type, subject_id, customer_id, reason, changes in many:
        told = _encode(changes).decode()
        salt, entry_id = _salt(), new_id()
        rest = (
            entry_id, moment, kind, actor_id, shown_name, token_id, request_id, action,
            subject_type, subject_id, customer_id, reason, _personal(salt, kind, name, told).hex(),
        )  # fmt: skip
        row = (
            entry_id, at, kind, actor_id, name, token_id, request_id, action,
            subject_type, subject_id, customer_id, reason, told, salt, _signed(key, _encode(rest)),
        )  # fmt: skip
        rows.append(row)
    return rows


_drawn: list[bytes] = []
os.register_at_fork(after_in_child=_drawn.clear)


def _salt() -> bytes:
    """Random bytes; many are drawn at once, as to ask the system for them gives way to other threads."""
    try:
        return _drawn.pop()
    except IndexError:
        many = os.urandom(_SALTS * SALT_BYTES)
        first, *others = (many[start : start + SALT_BYTES] for start in range(0, len(many), SALT_BYTES))
        _drawn.extend(others)
        return first


def personal_digest(row: Mapping[str, Any]) -> bytes:
    """The salted digest of the personal part of a stored entry that still has it."""
    return _personal(bytes(row["salt"]), row["actor_kind"], row["actor_name"], row["changes"])


def is_genuine(row: Mapping[str, Any], keys: Sequence[bytes | None]) -> bool:
    """Whether a stored entry says what it said when it was written under one of the keys."""
    at = _stored_moment(row["at"])
    if at is None or not all(isinstance(row[name], str | None) for name in CONTENT if name != "at"):
        return False
    if row["erased_by"] is None:
        if row["salt"] is None or row["erased_digest"] is not None:
            return False
        personal = personal_digest(row)
    else:
        if row["salt"] is not None or row["erased_digest"] is None:
            return False
        personal = bytes(row["erased_digest"])
    kind = row["actor_kind"]
    rest = _encode(
        (
            row["id"], at, kind, row["actor_id"],
            None if kind == PERSONAL_KIND else row["actor_name"], row["token_id"], row["request_id"],
            row["action"], row["subject_type"], row["subject_id"], row["customer_id"], row["reason"],
            personal.hex(),
        )
    )  # fmt: skip
    digest = bytes(row["digest"])
    return any(hmac.compare_digest(_signed(key, rest), digest) for key in keys)


def erased_digest(rows: Sequence[tuple[str, str, str]]) -> str:
    """What an erasure says of the entries that it emptied: over key, name and changes as they are left."""
    whole = sha256()
    for row in sorted(rows):
        whole.update(sha256(_encode(row)).digest())
    return whole.hexdigest()


def _personal(salt: bytes, kind: str, name: str, changes: str) -> bytes:
    return sha256(salt + _encode((name if kind == PERSONAL_KIND else None, changes))).digest()


def _signed(key: bytes | None, said: bytes) -> bytes:
    return sha256(said).digest() if key is None else hmac.digest(key, said, "sha256")


def _stored_moment(stored: Any) -> str | None:
    """The moment of a stored entry; None for a text that is not spelt as it was written.

    SQLite sorts and compares moments as texts: one spelt with another offset stands elsewhere in the log.
    """
    if not isinstance(stored, str | datetime):
        return None
    try:
        at = _moment(parse_time(stored))
    except (ValueError, OverflowError):
        return None
    return at if isinstance(stored, datetime) or stored == at else None


def _moment(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(" ", "microseconds")
