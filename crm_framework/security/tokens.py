"""Bearer tokens: made, listed and revoked here. What proves one is kept as a digest only."""

import json
import secrets
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Protocol

from crm_framework.errors import CrmError, ErrorCode
from crm_framework.events import SettingChanged
from crm_framework.storage.clock import parse_time
from crm_framework.storage.ids import is_key, new_id

from .actors import Actor, ActorKind, narrowed
from .permissions import Permissions
from .roles import permissions_of_staff, refuse_beyond, require_segment
from .scopes import NOT_CONFIDENTIAL

if TYPE_CHECKING:
    from crm_framework.storage.unit_of_work import UnitOfWork

PREFIX = "crm_"
SECRET_BYTES = 32
HINT_LENGTH = 9
MAX_NAME = 200
MAX_TAG = 100
IMPERSONATE = "tokens.impersonate"


class Reader(Protocol):
    """A database or a unit of work, to read from."""

    async def fetch(self, sql: str, args: Sequence[object] = ()) -> list[dict[str, Any]]: ...


@dataclass(frozen=True, kw_only=True)
class IssuedToken:
    """A new token. `secret` is what its holder sends; it cannot be shown again."""

    id: str
    secret: str


@dataclass(frozen=True, kw_only=True)
class TokenInfo:
    """What is known of a token. `hint` is how its secret begins."""

    id: str
    name: str
    hint: str
    kind: ActorKind
    permissions: tuple[str, ...]
    staff_id: str | None
    customer_id: str | None
    segment_id: str | None
    tag: str | None
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None
    last_used_at: datetime | None

    def usable(self, at: datetime) -> bool:
        """Whether it opens the door at that moment."""
        return self.revoked_at is None and (self.expires_at is None or at < self.expires_at)


def digest_of(secret: str) -> str:
    """SHA-256 of a token, hexadecimal. Tokens are random, so that a slow hash would protect nothing more."""
    return sha256(secret.encode()).hexdigest()


async def create_token(
    tx: "UnitOfWork",
    permissions: Permissions,
    *,
    name: str,
    grants: Iterable[str],
    kind: ActorKind = ActorKind.INTEGRATION,
    staff_id: str | None = None,
    customer_id: str | None = None,
    segment_id: str | None = None,
    tag: str | None = None,
    expires_at: datetime | None = None,
) -> IssuedToken:
    """Makes a token that grants the permissions named in `grants`, for ever or until `expires_at`.

    A partner's token is for the customers of a segment or with a tag. Of a member of staff who has roles, the
    permissions narrow what the roles give; without any the token gives all of that.

    Raises CrmError: BAD_INPUT for an unknown permission, a missing name, an end in the past or an owner that
    does not fit the kind; NOT_FOUND for an unknown owner; REFUSED for rights on a customer's own token;
    FORBIDDEN for what its maker may not do, and in another's name without `tokens.impersonate`.
    """
    name = name.strip()
    if not name or len(name) > MAX_NAME:
        raise _bad(f"A token needs a name of 1 to {MAX_NAME} characters.", "name", "Say who will use it.")
    if expires_at is not None and expires_at.tzinfo is None:
        raise _bad("expiresAt has no time zone.", "expiresAt", "Write it as 2030-01-31T12:00:00Z.")
    if expires_at is not None and expires_at <= tx.now:
        raise _bad("The token would expire before it is made.", "expiresAt", "Name a later moment.")
    granted = permissions.checked(grants)
    await _check_owner(tx, kind, staff_id, customer_id)
    if kind is ActorKind.CUSTOMER and granted:
        raise CrmError(
            ErrorCode.REFUSED,
            "A customer's own token cannot carry permissions: they would reach every customer.",
            path=("permissions",),
            hint="Leave them out: what customers may do on their own data needs none.",
        )
    tag = None if tag is None else " ".join(tag.lower().split())
    await _check_scope(tx, kind, segment_id, tag)
    await _check_maker(tx, kind, granted, staff_id)
    issued = IssuedToken(id=new_id(), secret=PREFIX + secrets.token_urlsafe(SECRET_BYTES))
    await tx.execute(
        "INSERT INTO crm_token (id, name, digest, hint, kind, permissions, staff_id, customer_id, segment_id,"
        " tag, created_at, expires_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            issued.id,
            name,
            digest_of(issued.secret),
            issued.secret[:HINT_LENGTH],
            kind.value,
            json.dumps(granted),
            staff_id,
            customer_id,
            segment_id,
            tag,
            tx.now,
            expires_at,
        ),
    )
    ends = expires_at.isoformat() if expires_at else None
    tx.emit(
        SettingChanged(
            customer_id=customer_id,
            kind="token",
            record_id=issued.id,
            changes={
                "name": (None, name),
                "kind": (None, kind.value),
                "permissions": (None, list(granted)),
                "expiresAt": (None, ends),
            },
        )
    )
    return issued


async def revoke_token(tx: "UnitOfWork", token_id: str) -> bool:
    """Ends a token at once. False if it had been revoked before.

    NOT_FOUND if there is none, or none of a customer within reach or of the actor's own.
    """
    found = is_key(token_id) and await tx.fetch(
        "SELECT staff_id, customer_id FROM crm_token WHERE id = ?", (token_id,)
    )
    if not found or not await _may_end(tx, token_id, found[0]):
        raise CrmError(
            ErrorCode.NOT_FOUND,
            "There is no such token.",
            path=("id",),
            hint="List the tokens for their ids.",
        )
    changed = await tx.execute(
        "UPDATE crm_token SET revoked_at = ? WHERE id = ? AND revoked_at IS NULL", (tx.now, token_id)
    )
    if changed:
        tx.emit(
            SettingChanged(
                customer_id=None,
                kind="token",
                record_id=token_id,
                changes={"revokedAt": (None, tx.now.isoformat())},
            )
        )
        return True
    return False


async def list_tokens(reader: Reader) -> list[TokenInfo]:
    """All tokens, oldest first, the revoked and expired ones too."""
    return [token_info(row) for row in await reader.fetch(f"SELECT {COLUMNS} FROM crm_token t ORDER BY t.id")]


COLUMNS = (
    "t.id, t.name, t.hint, t.kind, t.permissions, t.staff_id, t.customer_id, t.segment_id, t.tag,"
    " t.created_at, t.expires_at, t.revoked_at, t.last_used_at"
)


def token_info(row: dict[str, Any]) -> TokenInfo:
    """A row with `COLUMNS` as a value."""
    stored = row["permissions"]
    return TokenInfo(
        id=str(row["id"]),
        name=row["name"],
        hint=row["hint"],
        kind=ActorKind(row["kind"]),
        permissions=tuple(json.loads(stored) if isinstance(stored, str) else stored),
        staff_id=_text(row["staff_id"]),
        customer_id=_text(row["customer_id"]),
        segment_id=_text(row["segment_id"]),
        tag=row["tag"],
        created_at=parse_time(row["created_at"]),
        expires_at=_time(row["expires_at"]),
        revoked_at=_time(row["revoked_at"]),
        last_used_at=_time(row["last_used_at"]),
    )


async def _check_scope(tx: "UnitOfWork", kind: ActorKind, segment_id: str | None, tag: str | None) -> None:
    partner = kind is ActorKind.PARTNER
    if partner != ((segment_id is None) != (tag is None)) or (segment_id is not None and tag is not None):
        raise _bad(
            "A token of kind PARTNER, and no other, names either a segment or a tag.",
            "segment",
            "Correct it.",
        )
    if tag is not None and (not tag or len(tag) > MAX_TAG):
        raise _bad(f"A tag has 1 to {MAX_TAG} characters.", "tag", "Name a tag that customers carry.")
    if segment_id is not None:
        await require_segment(tx, segment_id)


async def _check_maker(
    tx: "UnitOfWork", kind: ActorKind, granted: Sequence[str], staff_id: str | None
) -> None:
    """Nobody gives more than they have, or speaks for others without the permission for that."""
    actor = tx.actor
    if not isinstance(actor, Actor):
        return
    himself = staff_id is not None and staff_id == actor.staff_id
    if kind is ActorKind.CUSTOMER or (staff_id is not None and not himself):
        refuse_beyond(tx, (IMPERSONATE,), path=("kind",))
    given = frozenset(granted)
    if staff_id is not None and await _by_roles(tx, staff_id):
        roles = await permissions_of_staff(tx, staff_id)
        given = narrowed(roles, given) if given else roles
    if himself:
        given = given - narrowed(given, actor.permissions)  # on the customers whom they see as it is
    refuse_beyond(tx, given)


async def _may_end(tx: "UnitOfWork", token_id: str, row: dict[str, Any]) -> bool:
    """Whether the token is within reach: of a customer who is, or of the one who asks."""
    if row["customer_id"] is not None:
        return await _within_reach(tx, str(row["customer_id"]))
    if tx.reach is None or tx.reach is NOT_CONFIDENTIAL:
        return True
    actor = tx.actor
    return isinstance(actor, Actor) and (
        token_id == actor.token_id
        or (actor.staff_id is not None and _text(row["staff_id"]) == actor.staff_id)
    )


async def _within_reach(tx: "UnitOfWork", customer_id: str) -> bool:
    if tx.reach is None:
        return True
    condition, args = tx.reach.of_row("t")
    sql = f"SELECT 1 FROM crm_customer AS t WHERE t.id = ? AND ({condition})"
    seen = bool(await tx.fetch(sql, (customer_id, *args)))
    if seen:
        tx.admitted.add(customer_id)
    return seen


async def _by_roles(tx: "UnitOfWork", staff_id: str) -> bool:
    rows = await tx.fetch("SELECT by_roles FROM crm_staff WHERE id = ?", (staff_id,))
    return bool(rows and rows[0]["by_roles"])


async def _check_owner(
    tx: "UnitOfWork", kind: ActorKind, staff_id: str | None, customer_id: str | None
) -> None:
    if kind is ActorKind.SYSTEM:
        raise _bad("A token cannot act as the system itself.", "kind", "Use STAFF or INTEGRATION.")
    if (kind is ActorKind.CUSTOMER) != (customer_id is not None):
        raise _bad("A token of kind CUSTOMER, and no other, names a customer.", "customer", "Correct either.")
    if staff_id is not None and kind is not ActorKind.STAFF:
        raise _bad("Only a token of kind STAFF names a member of staff.", "staff", "Correct either.")
    if staff_id is not None and not (
        is_key(staff_id) and await tx.fetch("SELECT id FROM crm_staff WHERE id = ?", (staff_id,))
    ):
        raise CrmError(ErrorCode.NOT_FOUND, "There is no such member of staff.", path=("staff",))
    if customer_id is not None and not (
        is_key(customer_id)
        and await tx.fetch(
            "SELECT id FROM crm_customer WHERE id = ? AND merged_into_id IS NULL AND erased_at IS NULL",
            (customer_id,),
        )
        and await _within_reach(tx, customer_id)
    ):
        raise CrmError(ErrorCode.NOT_FOUND, "There is no such customer.", path=("customer",))


def _bad(message: str, member: str, hint: str) -> CrmError:
    return CrmError(ErrorCode.BAD_INPUT, message, path=(member,), hint=hint)


def _text(value: object) -> str | None:
    return None if value is None else str(value)


def _time(value: str | datetime | None) -> datetime | None:
    return None if value is None else parse_time(value)
