"""The rules of the contact policy as they are kept: one over all channels together, and one per channel."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import time
from typing import TYPE_CHECKING, Any

from crm_framework.domain import kinds
from crm_framework.domain.interactions.touches import camel
from crm_framework.domain.rows import check_key, insert, not_found, stale
from crm_framework.errors import CrmError, ErrorCode, cut
from crm_framework.events import SettingChanged
from crm_framework.storage.ids import new_id

if TYPE_CHECKING:
    from crm_framework.storage.unit_of_work import UnitOfWork

LONGEST_HOURS = 10 * 366 * 24
MOST_TOUCHES = 1_000_000


@dataclass(frozen=True, kw_only=True)
class ContactRuleFields:
    """A rule as it is given: see `contact_policy.Rule`. Quiet hours are `HH:MM`, both or neither."""

    channel: str | None = None
    max_touches: int | None = None
    window_hours: int | None = None
    quiet_from: str | None = None
    quiet_until: str | None = None
    rest_hours: int | None = None


COLUMNS = tuple(field.name for field in fields(ContactRuleFields))


async def create_contact_rule(tx: "UnitOfWork", new: ContactRuleFields) -> str:
    """Adds a rule and returns its key. CONFLICT if its channel (or all channels together) has one."""
    values = _checked(new)
    await _alone(tx)
    await _free(tx, values["channel"], None)
    key = new_id()
    row = {"id": key, **values, "version": 1, "created_at": tx.now, "updated_at": tx.now}
    await insert(tx, "crm_contact_rule", row)
    changes = {name: (None, value) for name, value in values.items() if value is not None}
    tx.emit(SettingChanged(customer_id=None, kind="contact_rule", record_id=key, changes=changes))
    return key


async def update_contact_rule(
    tx: "UnitOfWork", rule_id: str, changes: Mapping[str, Any], *, expected_version: int | None = None
) -> str:
    """Changes the named fields and returns the key; what is not named stays. CONFLICT for a stale version."""
    for name in changes:
        if name not in COLUMNS:
            raise CrmError(
                ErrorCode.BAD_INPUT, f"A contact rule has no {name!r}.", hint=f"It has: {', '.join(COLUMNS)}."
            )
    before = await _held(tx, rule_id, expected_version)
    after = _checked(ContactRuleFields(**{**{name: before[name] for name in COLUMNS}, **changes}))
    differing = [name for name in COLUMNS if after[name] != before[name]]
    if not differing:
        return rule_id
    if "channel" in differing:
        await _free(tx, after["channel"], rule_id)
    settings = ", ".join(f"{name} = ?" for name in differing)
    await tx.execute(
        f"UPDATE crm_contact_rule SET {settings}, version = version + 1, updated_at = ? WHERE id = ?",
        [*(after[name] for name in differing), tx.now, rule_id],
    )
    told = {name: (before[name], after[name]) for name in differing}
    tx.emit(SettingChanged(customer_id=None, kind="contact_rule", record_id=rule_id, changes=told))
    return rule_id


async def delete_contact_rule(tx: "UnitOfWork", rule_id: str, *, expected_version: int | None = None) -> str:
    """Removes the rule and returns its key."""
    before = await _held(tx, rule_id, expected_version)
    await tx.execute("DELETE FROM crm_contact_rule WHERE id = ?", [rule_id])
    told = {name: (before[name], None) for name in COLUMNS if before[name] is not None}
    tx.emit(SettingChanged(customer_id=None, kind="contact_rule", record_id=rule_id, changes=told))
    return rule_id


def _checked(new: ContactRuleFields) -> dict[str, Any]:
    """The rule's columns. BAD_INPUT for a rule that is not clear."""
    channel = None if new.channel is None else kinds.check_channel(new.channel, path=("channel",))
    _whole(new.max_touches, "max_touches", 0, MOST_TOUCHES)
    _whole(new.window_hours, "window_hours", 1, LONGEST_HOURS)
    _whole(new.rest_hours, "rest_hours", 0, LONGEST_HOURS)
    if new.max_touches and new.window_hours is None:
        raise CrmError(
            ErrorCode.BAD_INPUT,
            f"A limit of {new.max_touches} touches needs the length of its window.",
            path=("windowHours",),
            hint="Give hours, such as 168 for a week.",
        )
    quiet = [_clock(getattr(new, name), name) for name in ("quiet_from", "quiet_until")]
    if (quiet[0] is None) != (quiet[1] is None):
        missing = "quietFrom" if quiet[0] is None else "quietUntil"
        raise CrmError(
            ErrorCode.BAD_INPUT, f"{missing} is missing.", path=(missing,), hint="Give both ends or neither."
        )
    if quiet[0] is not None and quiet[0] == quiet[1]:
        raise CrmError(
            ErrorCode.BAD_INPUT,
            f"Quiet hours from {quiet[0]} until {quiet[0]} are none, or all day.",
            path=("quietUntil",),
            hint="Leave both out for none; a limit of zero touches forbids all.",
        )
    return {
        "channel": channel,
        "max_touches": new.max_touches,
        "window_hours": new.window_hours,
        "quiet_from": quiet[0],
        "quiet_until": quiet[1],
        "rest_hours": new.rest_hours,
    }


def _whole(value: object, name: str, least: int, most: int) -> None:
    if value is None or (isinstance(value, int) and not isinstance(value, bool) and least <= value <= most):
        return
    raise CrmError(
        ErrorCode.BAD_INPUT,
        f"{camel(name)} must be a whole number from {least} to {most}, not {cut(value, 40)}.",
        path=(camel(name),),
    )


def _clock(value: object, name: str) -> str | None:
    if value is None:
        return None
    if isinstance(value, str) and len(value) == 5 and value[2] == ":":
        try:
            return f"{time.fromisoformat(value):%H:%M}"
        except ValueError:
            pass
    raise CrmError(
        ErrorCode.BAD_INPUT,
        f"{cut(value, 40)} is no time of day.",
        path=(camel(name),),
        hint="Write hours and minutes, such as 22:00; midnight is 00:00.",
    )


async def _alone(tx: "UnitOfWork") -> None:
    """Rules change one after the other: no constraint holds the one over all channels, a null, unique."""
    if tx.dialect == "postgres":
        await tx.execute("LOCK TABLE crm_contact_rule IN SHARE ROW EXCLUSIVE MODE")


async def _free(tx: "UnitOfWork", channel: str | None, but: str | None) -> None:
    taken = await tx.fetch(
        "SELECT id FROM crm_contact_rule WHERE COALESCE(channel, '') = ?",
        ["" if channel is None else channel],
    )
    if any(str(row["id"]) != but for row in taken):
        of = "all channels together" if channel is None else f"the channel {channel!r}"
        raise CrmError(
            ErrorCode.CONFLICT,
            f"There is a rule for {of} already.",
            path=("channel",),
            hint="Change that one.",
        )


async def _held(tx: "UnitOfWork", rule_id: str, expected_version: int | None) -> dict[str, Any]:
    key = check_key(rule_id, "contact rule", path=("id",))
    await _alone(tx)
    rows = await tx.fetch(f"SELECT version, {', '.join(COLUMNS)} FROM crm_contact_rule WHERE id = ?", [key])
    if not rows:
        raise not_found("contact rule", rule_id, path=("id",))
    if expected_version is not None and rows[0]["version"] != expected_version:
        raise stale("contact rule", expected_version, rows[0]["version"])
    return rows[0]
