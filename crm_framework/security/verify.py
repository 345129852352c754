"""From the token that a request brings to the actor it stands for."""

import asyncio
import hmac
import json
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from time import monotonic
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from crm_framework.errors import CrmError, ErrorCode
from crm_framework.events import CustomerErased, CustomersMerged, Event, SettingChanged
from crm_framework.storage.clock import now, parse_time

from .actors import Actor, ActorKind, Grant, narrowed
from .roles import ROLES_OF, grants_of, role_of
from .scopes import NOBODY, Reach, tagged
from .tokens import HINT_LENGTH, PREFIX, digest_of

if TYPE_CHECKING:
    from crm_framework.storage.database import Database

    from .oidc import Issuer

log = logging.getLogger(__name__)

T = TypeVar("T")

_BY_ROLES, _SEGMENT = 14, 15
"""Columns of `FIND`."""

USE_NOTED_EVERY = timedelta(minutes=1)
MAX_LENGTH = 200
"""Longer texts are no tokens of ours and are not hashed."""
MAX_KEPT = 4_096
"""Tokens that are remembered at a time."""

FIND = (
    "SELECT t.digest, t.id, t.name, t.kind, t.permissions, t.staff_id, t.customer_id, t.expires_at,"
    " t.revoked_at, t.last_used_at, s.name, s.active, c.erased_at, c.merged_into_id, s.by_roles,"
    " t.segment_id, t.tag"
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


Segments = Callable[[Sequence[str]], Awaitable[Mapping[str, Reach | None]]]
"""Keys of segments → whom they mean now; None for one whose filter does not fit any more."""


async def no_segments(keys: Sequence[str]) -> Mapping[str, Reach | None]:
    """Where no segment can be read, scopes that name one reach nobody."""
    return {}


class Known(NamedTuple):
    """What a row says of a token. `actor` is None if it opens nothing, whatever the time."""

    token_id: str
    holder: Actor
    actor: Actor | None
    expires_at: datetime | None
    last_used_at: datetime | None


@dataclass(slots=True)
class Remembered:
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

    `self_service` is what customers may do with their own tokens. `segments` reads segments for the scopes
    of roles and partners. `issuer` is the company's own: its signatures are checked at every request.
    """

    def __init__(
        self,
        database: "Database",
        cache_ms: int = 0,
        *,
        self_service: frozenset[str] = frozenset(),
        segments: Segments = no_segments,
        issuer: "Issuer | None" = None,
    ) -> None:
        self._database = database
        self._self_service = self_service
        self._segments = segments
        self._issuer = issuer
        self._window = cache_ms / 1000 if database.dialect == "postgres" else 0.0
        self._remembered: dict[str, Remembered] = {}
        self._staff: dict[str, tuple[float, Actor]] = {}
        """By address: when a member of staff was read for a token of the issuer, and what they may do."""
        self._changes = 0
        self._noted: dict[str, datetime] = {}
        self._writing: set[asyncio.Task[None]] = set()
        database.watchers.append(self._watch)

    async def verify(self, secret: str) -> Actor:
        """The actor of a token. Raises CrmError UNAUTHENTICATED for one that does not open the door."""
        if self._issuer is not None and secret.count(".") == 2:
            return await self._by_issuer(self._issuer, secret)
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

    async def _by_issuer(self, issuer: "Issuer", token: str) -> Actor:
        """What it says is checked in every request; whom that means is remembered as of other tokens."""
        address = await issuer.address(token)
        remembered = self._staff.get(address)
        if remembered is not None and monotonic() - remembered[0] < self._window:
            return remembered[1]
        changes, read_at = self._changes, monotonic()
        actor = await issuer.staff(address, self._database, self._segments)
        if self._window and changes == self._changes:
            _keep(self._staff, address, (read_at, actor))
        return actor

    async def _find(self, secret: str, digest: str, before: Remembered | None) -> Known:
        changes, read_at = self._changes, monotonic()
        rows = await self._database.rows(FIND, (digest,), bounded=True)
        if not rows or not hmac.compare_digest(rows[0][0], digest):
            raise TokenRefused("unknown", hint=secret[:HINT_LENGTH])
        row = tuple(rows[0])
        if row[_BY_ROLES] or row[_SEGMENT] is not None:
            known = await self._scoped(row)
        elif before is not None and before.row == row:
            before.read_at = read_at  # and is no longer among those remembered, if one was to be forgotten
            return before.known
        else:
            known = _known(row, self._self_service)
        # what was read while a change was under way may be what was before it
        if known.actor is not None and changes == self._changes:
            _keep(self._remembered, digest, Remembered(row, read_at, known))
        return known

    async def _scoped(self, row: Sequence[Any]) -> Known:
        """Of a token that roles or a segment limit: what these say now."""
        known = _known(row, self._self_service)
        if known.actor is None:
            return known
        actor = known.actor
        if row[_SEGMENT] is not None:
            reach = (await self._segments([str(row[_SEGMENT])])).get(str(row[_SEGMENT]))
            return known._replace(actor=replace(actor, scoped=(Grant(actor.permissions, reach or NOBODY),)))
        assert actor.staff_id is not None  # none but staff have roles
        return known._replace(
            actor=await staff_actor(self._database, actor, self._segments, narrowed_by=actor.permissions)
        )

    def _watch(self, events: Sequence[Event]) -> None:
        if any(map(may_concern_tokens, events)):
            self.forget()

    def forget(self) -> None:
        """Reads every token anew from now on, as one may have been changed elsewhere."""
        self._changes += 1
        self._remembered.clear()
        self._staff.clear()

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


def _keep(kept: dict[str, T], key: str, value: T) -> None:
    """Instead of the oldest one, where there are too many."""
    if len(kept) >= MAX_KEPT and key not in kept:
        del kept[next(iter(kept))]
    kept[key] = value


async def staff_actor(
    database: "Database", actor: Actor, segments: Segments, *, narrowed_by: frozenset[str] = frozenset()
) -> Actor:
    """A member of staff with what their roles give; narrowed by a token's permissions, unless it has none."""
    roles = [role_of(row) for row in await database.fetch(ROLES_OF, (actor.staff_id,), bounded=True)]
    named = [role.segment_id for role in roles if role.segment_id is not None]
    found = grants_of(roles, actor.staff_id or "", await segments(named) if named else {})
    if narrowed_by:
        found = tuple(Grant(narrowed(one.permissions, narrowed_by), one.reach) for one in found)
    permissions = frozenset(name for one in found for name in one.permissions)
    everywhere = all(one.reach is None for one in found)
    return replace(actor, permissions=permissions, scoped=() if everywhere else found)


def _known(row: Sequence[Any], self_service: frozenset[str]) -> Known:
    (
        _, token_id, name, kind, permissions, staff_id, customer_id, expires_at, revoked_at,
        last_used_at, staff_name, staff_active, erased_at, merged_into, _, _, tag,
    ) = row  # fmt: skip
    times = [None if time is None else parse_time(time) for time in (expires_at, last_used_at)]
    gone = revoked_at is not None or erased_at is not None or (staff_id is not None and not staff_active)
    actor_kind = ActorKind(kind)
    customer_id = merged_into or customer_id
    own = actor_kind is ActorKind.CUSTOMER
    granted = self_service if own else frozenset(json.loads(permissions))
    scope = None if actor_kind is not ActorKind.PARTNER else NOBODY if tag is None else tagged(tag)
    actor = Actor(
        kind=actor_kind,
        id=staff_id or customer_id or token_id,
        name=staff_name or name,
        permissions=granted,
        scoped=() if scope is None else (Grant(granted, scope),),
        token_id=token_id,
        staff_id=staff_id,
        customer_id=customer_id,
    )
    return Known(token_id, actor, None if gone else actor, *times)


def may_concern_tokens(event: Event) -> bool:
    """Whether a token may open less, or nothing, after this."""
    if isinstance(event, SettingChanged):
        return event.kind in ("token", "staff", "role", "segment")
    return isinstance(event, CustomerErased | CustomersMerged)
