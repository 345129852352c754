"""From the token that a request brings to the actor it stands for."""

import asyncio
import hmac
import json
import logging
from collections.abc import Sequence
from datetime import datetime, timedelta
from time import monotonic
from typing import TYPE_CHECKING, Any, NamedTuple

from crm_framework.errors import CrmError, ErrorCode
from crm_framework.events import CustomerErased, CustomersMerged, Event, SettingChanged
from crm_framework.storage.clock import now, parse_time

from .actors import Actor, ActorKind
from .tokens import HINT_LENGTH, PREFIX, digest_of

if TYPE_CHECKING:
    from crm_framework.storage.database import Database

log = logging.getLogger(__name__)

USE_NOTED_EVERY = timedelta(minutes=1)
MAX_LENGTH = 200
"""Longer texts are no tokens of ours and are not hashed."""
MAX_KEPT = 4_096
"""Tokens that are remembered at a time."""

FIND = (
    "SELECT t.digest, t.id, t.name, t.kind, t.permissions, t.staff_id, t.customer_id, t.expires_at,"
    " t.revoked_at, t.last_used_at, s.name, s.active, c.erased_at, c.merged_into_id"
    " FROM crm_token t"
    " LEFT JOIN crm_staff s ON s.id = t.staff_id"
    " LEFT JOIN crm_customer c ON c.id = t.customer_id"
    " WHERE t.digest = ?"
)

REFUSED = "This token is unknown, expired or revoked."
"""One message for all: which of them it is helps only whoever found the token."""


class TokenRefused(CrmError):
    """A token that opens nothing. `why`, whose it was and how it begins are for the audit log alone."""

    def __init__(self, why: str, *, hint: str = "", holder: Actor | None = None) -> None:
        super().__init__(ErrorCode.UNAUTHENTICATED, REFUSED, hint="Ask an administrator for a new one.")
        self.why = why
        self.begins = hint
        self.holder = holder


class Known(NamedTuple):
    """What a row says of a token. `actor` is None if it opens nothing, whatever the time."""

    token_id: str
    holder: Actor
    actor: Actor | None
    expires_at: datetime | None
    last_used_at: datetime | None


class Remembered(NamedTuple):
    """A row as it was read at a time of the monotonic clock, and what it says."""

    row: tuple[Any, ...]
    read_at: float
    known: Known


class TokenVerifier:
    """Checks tokens against the database at every request, so that a revocation holds at once.

    On PostgreSQL, where that is a round trip, what was read may be used for `cache_ms` more milliseconds.
    What this process itself changes holds at once there too: a commit that may concern a token empties the
    cache.

    When a token was last used is noted at most once a minute and after the request, never on its way.
    """

    def __init__(self, database: "Database", cache_ms: int = 0) -> None:
        self._database = database
        self._window = cache_ms / 1000 if database.dialect == "postgres" else 0.0
        self._remembered: dict[str, Remembered] = {}
        self._changes = 0
        self._noted: dict[str, datetime] = {}
        self._writing: set[asyncio.Task[None]] = set()
        database.watchers.append(self._watch)

    async def verify(self, secret: str) -> Actor:
        """The actor of a token. Raises CrmError UNAUTHENTICATED for one that does not open the door."""
        if not secret.startswith(PREFIX) or len(secret) > MAX_LENGTH or not secret.isascii():
            raise TokenRefused("malformed")
        digest = digest_of(secret)
        remembered = self._remembered.get(digest)
        if remembered is not None and monotonic() - remembered.read_at < self._window:
            known = remembered.known
        else:
            known = await self._find(secret, digest, remembered)
        at = now()
        if known.actor is None:
            raise TokenRefused("revoked, or its holder is gone", holder=known.holder)
        if known.expires_at is not None and at >= known.expires_at:
            raise TokenRefused("expired", holder=known.holder)
        self._note_use(known, at)
        return known.actor

    async def _find(self, secret: str, digest: str, before: Remembered | None) -> Known:
        changes, read_at = self._changes, monotonic()
        rows = await self._database.rows(FIND, (digest,), bounded=True)
        if not rows or not hmac.compare_digest(rows[0][0], digest):
            raise TokenRefused("unknown", hint=secret[:HINT_LENGTH])
        row = tuple(rows[0])
        # the same row as before says the same: it need not be taken apart again
        known = before.known if before is not None and before.row == row else _known(row)
        # what was read while a change was under way may be what was before it
        if known.actor is not None and changes == self._changes:
            if len(self._remembered) >= MAX_KEPT and digest not in self._remembered:
                del self._remembered[next(iter(self._remembered))]
            self._remembered[digest] = Remembered(row, read_at, known)
        return known

    def _watch(self, events: Sequence[Event]) -> None:
        if any(map(_may_concern_tokens, events)):
            self._changes += 1
            self._remembered.clear()

    async def close(self) -> None:
        """Waits for what is still to be noted."""
        if self._watch in self._database.watchers:
            self._database.watchers.remove(self._watch)
        await asyncio.gather(*self._writing)

    def _note_use(self, known: Known, at: datetime) -> None:
        last = self._noted.get(known.token_id) or known.last_used_at
        if last is not None and at - last < USE_NOTED_EVERY:
            return
        self._noted[known.token_id] = at
        task = asyncio.create_task(self._write_use(known.token_id, at))
        self._writing.add(task)
        task.add_done_callback(self._writing.discard)

    async def _write_use(self, token_id: str, at: datetime) -> None:
        try:
            async with self._database.unit_of_work() as tx:
                await tx.execute(
                    "UPDATE crm_token SET last_used_at = ? WHERE id = ?"
                    " AND (last_used_at IS NULL OR last_used_at < ?)",
                    (at, token_id, at),
                )
        except Exception as error:
            # A full or read-only database must not turn every answer into an error.
            log.warning("The last use of token %s could not be noted: %s", token_id, error)


def _known(row: Sequence[Any]) -> Known:
    (
        _, token_id, name, kind, permissions, staff_id, customer_id, expires_at, revoked_at,
        last_used_at, staff_name, staff_active, erased_at, merged_into,
    ) = row  # fmt: skip
    times = [None if time is None else parse_time(time) for time in (expires_at, last_used_at)]
    gone = revoked_at is not None or erased_at is not None or (staff_id is not None and not staff_active)
    actor_kind = ActorKind(kind)
    customer_id = merged_into or customer_id
    actor = Actor(
        kind=actor_kind,
        id=staff_id or customer_id or token_id,
        name=staff_name or name,
        permissions=frozenset() if actor_kind is ActorKind.CUSTOMER else frozenset(json.loads(permissions)),
        token_id=token_id,
        staff_id=staff_id,
        customer_id=customer_id,
    )
    return Known(token_id, actor, None if gone else actor, *times)


def _may_concern_tokens(event: Event) -> bool:
    if isinstance(event, SettingChanged):
        return event.kind in ("token", "staff")
    return isinstance(event, CustomerErased | CustomersMerged)
