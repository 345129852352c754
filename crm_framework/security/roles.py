"""Roles: named sets of permissions, and the customers on whom they hold. Staff act with all of theirs."""

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from msgspec import UNSET, UnsetType

from crm_framework.errors import CrmError, ErrorCode
from crm_framework.events import Changes, SettingChanged
from crm_framework.storage.ids import is_key, new_id

from .actors import EVERYTHING, Actor, Grant
from .permissions import Permissions
from .scopes import NOBODY, Reach, ScopeKind, own_customers

if TYPE_CHECKING:
    from crm_framework.storage.unit_of_work import UnitOfWork

MAX_NAME = 100
MAX_DESCRIPTION = 500

COLUMNS = "r.id, r.version, r.name, r.description, r.permissions, r.scope, r.segment_id"
ROLES_OF = f"SELECT {COLUMNS} FROM crm_staff_role m JOIN crm_role r ON r.id = m.role_id WHERE m.staff_id = ?"


@dataclass(frozen=True, kw_only=True)
class Role:
    """`permissions` hold on the customers of `scope`; `segment_id` is set for the scope SEGMENT only."""

    id: str
    version: int = 1
    name: str
    description: str | None = None
    permissions: tuple[str, ...]
    scope: ScopeKind
    segment_id: str | None = None


@dataclass(frozen=True, kw_only=True)
class RoleChange:
    """What is UNSET stays."""

    name: str | UnsetType = UNSET
    description: str | UnsetType | None = UNSET
    permissions: Sequence[str] | UnsetType = UNSET
    scope: ScopeKind | UnsetType = UNSET
    segment_id: str | UnsetType | None = UNSET


async def create_role(
    tx: "UnitOfWork",
    known: Permissions,
    *,
    name: str,
    permissions: Iterable[str],
    scope: ScopeKind = ScopeKind.EVERYTHING,
    segment_id: str | None = None,
    description: str | None = None,
) -> str:
    """The new role's key. Raises CrmError: FORBIDDEN for what its maker does not have on all customers,
    BAD_INPUT for what does not fit, CONFLICT for a name that is taken, NOT_FOUND for an unknown segment."""
    role = Role(
        id=new_id(),
        name=_name(name),
        description=_description(description),
        permissions=known.checked(permissions),
        scope=scope,
        segment_id=segment_id,
    )
    await _check(tx, role)
    refuse_beyond(tx, role.permissions)
    await tx.execute(
        "INSERT INTO crm_role (id, version, name, description, permissions, scope, segment_id, created_at,"
        " updated_at) VALUES (?, 1, ?, ?, ?, ?, ?, ?, ?)",
        (
            role.id, role.name, role.description, json.dumps(role.permissions), role.scope.value,
            role.segment_id, tx.now, tx.now,
        ),
    )  # fmt: skip
    _emit(tx, role.id, _differences(None, role))
    return role.id


async def update_role(
    tx: "UnitOfWork",
    known: Permissions,
    role_id: str,
    change: RoleChange,
    *,
    expected_version: int | None = None,
) -> str:
    """Changes a role for all who have it. Errors as for `create_role`, and CONFLICT for a stale version.

    Who changes it must have all that it gives after the change, and all that it gave before.
    """
    before = await _locked(tx, role_id)
    if expected_version is not None and expected_version != before.version:
        raise CrmError(
            ErrorCode.CONFLICT,
            f"The role is at version {before.version}, not at {expected_version}: it changed meanwhile.",
            path=("expectedVersion",),
            hint="Read it again, and repeat the change if it still fits.",
        )
    after = before
    if not isinstance(change.name, UnsetType):
        after = replace(after, name=_name(change.name))
    if not isinstance(change.description, UnsetType):
        after = replace(after, description=_description(change.description))
    if not isinstance(change.permissions, UnsetType):
        after = replace(after, permissions=known.checked(change.permissions))
    if not isinstance(change.scope, UnsetType):
        after = replace(after, scope=change.scope)
        if change.scope is not ScopeKind.SEGMENT and isinstance(change.segment_id, UnsetType):
            after = replace(after, segment_id=None)
    if not isinstance(change.segment_id, UnsetType):
        after = replace(after, segment_id=change.segment_id)
    changes = _differences(before, after)
    if not changes:
        return before.id
    await _check(tx, after)
    refuse_beyond(tx, {*before.permissions, *after.permissions})
    await tx.execute(
        "UPDATE crm_role SET version = version + 1, name = ?, description = ?, permissions = ?, scope = ?,"
        " segment_id = ?, updated_at = ? WHERE id = ?",
        (
            after.name, after.description, json.dumps(after.permissions), after.scope.value,
            after.segment_id, tx.now, after.id,
        ),
    )  # fmt: skip
    _emit(tx, after.id, changes)
    return after.id


async def delete_role(tx: "UnitOfWork", role_id: str) -> None:
    """Deletes a role that nobody has; REFUSED otherwise."""
    role = await _locked(tx, role_id)
    held = await tx.fetch("SELECT COUNT(*) AS n FROM crm_staff_role WHERE role_id = ?", (role.id,))
    if held[0]["n"]:
        raise CrmError(
            ErrorCode.REFUSED,
            f"{held[0]['n']} members of staff have the role {role.name!r}.",
            path=("id",),
            hint="Give them other roles first.",
        )
    await tx.execute("DELETE FROM crm_role WHERE id = ?", (role.id,))
    _emit(tx, role.id, {name: (old, None) for name, (_, old) in _differences(None, role).items()})


async def set_staff_roles(tx: "UnitOfWork", staff_id: str, role_ids: Sequence[str]) -> None:
    """Gives a member of staff these roles and no others. From then on roles say what they may do.

    FORBIDDEN where a role that is given or taken away, or what the member's tokens allow so far, is beyond
    the actor.
    """
    await tx.lock("crm_staff", [staff_id] if is_key(staff_id) else [], strength="NO KEY UPDATE")
    members = (
        await tx.fetch("SELECT by_roles FROM crm_staff WHERE id = ?", (staff_id,)) if is_key(staff_id) else []
    )
    if not members:
        raise CrmError(ErrorCode.NOT_FOUND, "There is no such member of staff.", path=("staff",))
    wanted = list(dict.fromkeys(role_ids))
    await tx.lock("crm_role", sorted(key for key in wanted if is_key(key)), strength="NO KEY UPDATE")
    roles: dict[str, Role] = {}
    for index, key in enumerate(wanted):
        rows = (
            await tx.fetch(f"SELECT {COLUMNS} FROM crm_role r WHERE r.id = ?", (key,)) if is_key(key) else []
        )
        if not rows:
            raise CrmError(ErrorCode.NOT_FOUND, "There is no such role.", path=("roles", index))
        roles[key] = role_of(rows[0])
    before = {role.id: role for role in map(role_of, await tx.fetch(ROLES_OF, (staff_id,)))}
    changed = {**before, **roles}
    moved = [key for key in changed if (key in before) != (key in roles)]
    refuse_beyond(tx, {name for key in moved for name in changed[key].permissions}, path=("roles",))
    if not moved and members[0]["by_roles"]:
        return
    await tx.execute("UPDATE crm_staff SET by_roles = ? WHERE id = ?", (True, staff_id))
    for key in before.keys() - roles.keys():
        await tx.execute("DELETE FROM crm_staff_role WHERE staff_id = ? AND role_id = ?", (staff_id, key))
    for key in roles.keys() - before.keys():
        await tx.execute(
            "INSERT INTO crm_staff_role (id, staff_id, role_id) VALUES (?, ?, ?)", (new_id(), staff_id, key)
        )
    told = [sorted(role.name for role in some.values()) for some in (before, roles)]
    tx.emit(
        SettingChanged(
            customer_id=None, kind="staff", record_id=staff_id, changes={"roles": (told[0], told[1])}
        )
    )


def refuse_beyond(
    tx: "UnitOfWork", permissions: Collection[str], *, path: Sequence[str] = ("permissions",)
) -> None:
    """Raises CrmError FORBIDDEN for permissions that the actor does not have, or on some customers only."""
    actor = tx.actor
    if not isinstance(actor, Actor):
        return
    beyond = sorted(name for name in permissions if not actor.holds(name))
    if beyond:
        raise CrmError(
            ErrorCode.FORBIDDEN,
            f"Nobody passes on what they may not do themselves, on all customers: {', '.join(beyond)}.",
            path=tuple(path),
            hint="Leave it out, or let somebody do it who has it.",
        )


async def refuse_posing(tx: "UnitOfWork", staff_id: str) -> None:
    """Raises CrmError FORBIDDEN unless the actor has all that the roles of this member of staff give.

    For a change of their e-mail address: tokens of the company's issuer name them by it.
    """
    if isinstance(tx.actor, Actor) and tx.actor.staff_id != staff_id and is_key(staff_id):
        refuse_beyond(tx, await permissions_of_staff(tx, staff_id), path=("email",))


async def permissions_of_staff(tx: "UnitOfWork", staff_id: str) -> frozenset[str]:
    """All that the roles of a member of staff give."""
    rows = await tx.fetch(ROLES_OF, (staff_id,))
    return frozenset(name for row in rows for name in role_of(row).permissions)


def grants_of(
    roles: Iterable[Role], staff_id: str, segments: Mapping[str, Reach | None]
) -> tuple[Grant, ...]:
    """What roles give to this member of staff. A segment whose filter no longer fits reaches nobody."""
    found = []
    for role in roles:
        if role.scope is ScopeKind.EVERYTHING:
            reach = None
        elif role.scope is ScopeKind.OWN:
            reach = own_customers(staff_id)
        else:
            reach = segments.get(role.segment_id or "") or NOBODY
        found.append(Grant(frozenset(role.permissions), reach))
    return tuple(found)


def role_of(row: Mapping[str, Any]) -> Role:
    """A row with `COLUMNS` as a value."""
    stored = row["permissions"]
    return Role(
        id=str(row["id"]),
        version=row["version"],
        name=row["name"],
        description=row["description"],
        permissions=tuple(json.loads(stored) if isinstance(stored, str) else stored),
        scope=ScopeKind(row["scope"]),
        segment_id=None if row["segment_id"] is None else str(row["segment_id"]),
    )


async def _check(tx: "UnitOfWork", role: Role) -> None:
    if (role.scope is ScopeKind.SEGMENT) != (role.segment_id is not None):
        raise _bad(
            "A role of the scope SEGMENT, and no other, names a segment.", "segment", "Correct either."
        )
    if EVERYTHING in role.permissions and role.scope is not ScopeKind.EVERYTHING:
        raise _bad(
            "`*` holds on all customers or not at all.", "permissions", "Name the permissions one by one."
        )
    if role.segment_id is not None:
        await require_segment(tx, role.segment_id)
    taken = await tx.fetch("SELECT id FROM crm_role WHERE name = ? AND id <> ?", (role.name, role.id))
    if taken:
        raise CrmError(
            ErrorCode.CONFLICT,
            f"There is a role {role.name!r} already.",
            path=("name",),
            hint="Choose another name, or change that role.",
        )


async def require_segment(tx: "UnitOfWork", segment_id: str) -> None:
    """Raises CrmError NOT_FOUND for an unknown segment."""
    if not is_key(segment_id) or not await tx.fetch("SELECT id FROM crm_segment WHERE id = ?", (segment_id,)):
        raise CrmError(ErrorCode.NOT_FOUND, "There is no such segment.", path=("segment",))


async def refuse_scoping_segment(tx: "UnitOfWork", segment_id: str) -> None:
    """Raises CrmError REFUSED for a segment that says whom a role or a token reaches."""
    roles = await tx.fetch("SELECT name FROM crm_role WHERE segment_id = ? ORDER BY name", (segment_id,))
    tokens = await tx.fetch("SELECT name FROM crm_token WHERE segment_id = ? ORDER BY name", (segment_id,))
    users = [f"the role {row['name']!r}" for row in roles] + [f"the token {row['name']!r}" for row in tokens]
    if users:
        raise CrmError(
            ErrorCode.REFUSED,
            f"The segment says which customers are seen by {', '.join(users[:5])}.",
            path=("id",),
            hint="Give them another segment first. Tokens keep theirs, also when they are revoked.",
        )


async def _locked(tx: "UnitOfWork", role_id: str) -> Role:
    if is_key(role_id):
        await tx.lock("crm_role", [role_id])
        rows = await tx.fetch(f"SELECT {COLUMNS} FROM crm_role r WHERE r.id = ?", (role_id,))
        if rows:
            return role_of(rows[0])
    raise CrmError(ErrorCode.NOT_FOUND, "There is no such role.", path=("id",))


def _differences(before: Role | None, after: Role) -> Changes:
    changes: Changes = {}
    for name in ("name", "description", "permissions", "scope", "segment_id"):
        old = None if before is None else _plain(getattr(before, name))
        new = _plain(getattr(after, name))
        if old != new:
            changes[name] = (old, new)
    return changes


def _plain(value: object) -> object:
    return list(value) if isinstance(value, tuple) else value


def _emit(tx: "UnitOfWork", role_id: str, changes: Changes) -> None:
    tx.emit(SettingChanged(customer_id=None, kind="role", record_id=role_id, changes=changes))


def _name(name: str) -> str:
    text = " ".join(name.split())
    if not text or len(text) > MAX_NAME or "\0" in text:
        raise _bad(f"A role needs a name of 1 to {MAX_NAME} characters.", "name", "Say what they do.")
    return text


def _description(text: str | None) -> str | None:
    kept = None if text is None else text.strip() or None
    if kept is not None and (len(kept) > MAX_DESCRIPTION or "\0" in kept):
        raise _bad(f"The description has {MAX_DESCRIPTION} characters at most.", "description", "Shorten it.")
    return kept


def _bad(message: str, member: str, hint: str) -> CrmError:
    return CrmError(ErrorCode.BAD_INPUT, message, path=(member,), hint=hint)
