"""Makes, changes and ends rules. Each change is a version, so that the past goes by what a rule said then."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from datetime import datetime
from typing import Any

from crm_framework import CrmError, ErrorCode, UnitOfWork, new_id
from crm_loyalty.text import line, plain_of, taken

from .conditions import ANYTHING, Conditions
from .events import EarningRuleChanged
from .plain import from_plain, to_plain
from .rules import Basis, Trigger
from .store import check_tiers, plain

MOST_POINTS = 1_000_000_000
MOST_DAYS = 36_500


@dataclass(frozen=True, kw_only=True)
class Says:
    """What a version of a rule says, as the columns of loyalty_rule_version are called."""

    trigger: Trigger
    basis: Basis
    points: int
    per_minor: int = 1
    whole_steps: bool = False
    referee_points: int = 0
    kinds: tuple[str, ...] = ()
    attribute: str | None = None
    priority: int = 0
    conditions: Conditions = ANYTHING
    cap_per_cause: int | None = None
    cap_per_day: int | None = None
    cap_per_customer: int | None = None
    pending_days: int | None = None
    expires_months: int | None = None
    expires_days: int | None = None
    never_expires: bool = False


COLUMNS = tuple(field.name for field in fields(Says))


async def create_rule(
    tx: UnitOfWork, program_id: str, name: str, says: Says, *, from_at: datetime | None = None
) -> str:
    """Key of the new rule. It counts for what happens from `from_at` on, or for all that is told from now on.

    NOT_FOUND for an unknown programme, CONFLICT for a name that is taken, BAD_INPUT for what makes no sense.
    """
    name = line(name)
    check(says)
    if not await tx.fetch("SELECT id FROM loyalty_program WHERE id = ?", [program_id]):
        raise CrmError(ErrorCode.NOT_FOUND, "There is no such programme.", path=("program",))
    await check_tiers(tx, program_id, says.conditions.tiers, "conditions", "tiers")
    key = new_id()
    written = await tx.execute(
        "INSERT INTO loyalty_rule (id, program_id, name, created_at, updated_at) VALUES (?, ?, ?, ?, ?)"
        " ON CONFLICT (program_id, name) DO NOTHING",
        [key, program_id, name, tx.now, tx.now],
    )
    if not written:
        raise taken(name)
    _write(tx, key, 1, says, from_at)
    changes = {"name": (None, name)} | {
        k: (None, v) for k, v in _shown(says).items() if v not in (None, [], {})
    }
    tx.emit(EarningRuleChanged(customer_id=None, rule_id=key, changes=changes))
    return key


async def update_rule(
    tx: UnitOfWork,
    rule_id: str,
    values: Mapping[str, Any],
    *,
    name: str | None = None,
    expected_version: int | None = None,
) -> None:
    """Lets the rule say something else from now on. `values` are of `Says`; what is left out stays.

    An ended rule begins again. CONFLICT for a stale version.
    """
    row, number, before = await _held(tx, rule_id, expected_version)
    after = replace(before, **values)
    check(after)
    if "conditions" in values:
        await check_tiers(tx, str(row["program_id"]), after.conditions.tiers, "conditions", "tiers")
    changes: dict[str, tuple[Any, Any]] = {}
    if name is not None and (new := line(name)) != row["name"]:
        if await tx.fetch(
            "SELECT id FROM loyalty_rule WHERE program_id = ? AND name = ? AND id <> ?",
            [row["program_id"], new, rule_id],
        ):
            raise taken(new)
        changes["name"] = (row["name"], new)
        await tx.execute("UPDATE loyalty_rule SET name = ? WHERE id = ?", [new, rule_id])
    old, said = _shown(before), _shown(after)
    changes |= {key: (old[key], said[key]) for key in said if old[key] != said[key]}
    if not row["active"]:
        changes["active"] = (False, True)
    if not changes:
        return
    if changes.keys() - {"name"}:
        await _close(tx, rule_id)
        _write(tx, rule_id, number + 1, after, tx.now)
    await _touch(tx, rule_id, active=True)
    tx.emit(EarningRuleChanged(customer_id=None, rule_id=rule_id, changes=changes))


async def end_rule(tx: UnitOfWork, rule_id: str, *, expected_version: int | None = None) -> None:
    """Lets the rule earn nothing for what happens from now on."""
    row, _, _ = await _held(tx, rule_id, expected_version)
    if not row["active"]:
        return
    await _close(tx, rule_id)
    await _touch(tx, rule_id, active=False)
    tx.emit(EarningRuleChanged(customer_id=None, rule_id=rule_id, changes={"active": (True, False)}))


def check(says: Says) -> None:
    """BAD_INPUT, with its place, for what makes no sense."""
    for name, least, most in (
        ("points", 0, MOST_POINTS),
        ("referee_points", 0, MOST_POINTS),
        ("per_minor", 1, 10**15),
        ("cap_per_cause", 1, 10**12),
        ("cap_per_day", 1, 10**12),
        ("cap_per_customer", 1, 10**12),
        ("pending_days", 0, MOST_DAYS),
        ("expires_months", 1, 1_200),
        ("expires_days", 1, MOST_DAYS),
        ("priority", -1_000_000, 1_000_000),
    ):
        value = getattr(says, name)
        if value is not None and not least <= value <= most:
            raise _bad(name, f"{value} is out of range.", f"Give {least} to {most}.")
    if says.points == 0 and says.referee_points == 0:
        raise _bad("points", "The rule gives nothing.", "Give at least one point.")
    if says.trigger is not Trigger.PURCHASE and says.basis is not Basis.FIXED:
        raise _bad("basis", f"A {says.trigger.lower()} has no amount and no goods.", "Choose FIXED.")
    if says.trigger is not Trigger.REFERRAL and says.referee_points:
        raise _bad("referee_points", "Only a referral has two sides.", "Choose the trigger REFERRAL.")
    if says.trigger is Trigger.EVENT and not says.kinds:
        raise _bad("kinds", "The rule is for no event.", "Name types of events, such as ticket.rated.")
    if says.trigger is Trigger.BIRTHDAY and not says.attribute:
        raise _bad("attribute", "The rule does not say which date is the birthday.", "Name an attribute.")
    if says.never_expires + (says.expires_months is not None) + (says.expires_days is not None) > 1:
        raise _bad("expires_days", "Points expire in one way only.", "Give months, days or never.")
    if any(kind.startswith("loyalty.") for kind in says.kinds):
        raise _bad("kinds", "Points for points would have no end.", "Name events of others.")
    check_conditions(says.conditions)


def check_conditions(c: Conditions) -> None:
    """BAD_INPUT for conditions that nothing can meet."""
    if c.least_minor is not None and c.most_minor is not None and c.least_minor > c.most_minor:
        raise _bad("conditions", "The least total is above the most.", "Change one of them.")
    if c.first_day is not None and c.last_day is not None and c.first_day > c.last_day:
        raise _bad("conditions", "It ends before it begins.", "Change one of the days.")
    for one in c.attributes:
        if not one.any_of and one.least is None and one.most is None:
            raise _bad(
                "conditions", f"Nothing is said about the attribute {one.name}.", "Give in, gte or lte."
            )


def _bad(path: str, message: str, hint: str) -> CrmError:
    return CrmError(ErrorCode.BAD_INPUT, message, path=(path,), hint=hint)


async def _held(
    tx: UnitOfWork, rule_id: str, expected_version: int | None
) -> tuple[Mapping[str, Any], int, Says]:
    """The rule, held; the number of its last version and what that says."""
    await tx.lock("loyalty_rule", [rule_id], strength="NO KEY UPDATE")
    rows = await tx.fetch(
        "SELECT version, program_id, name, active FROM loyalty_rule WHERE id = ?", [rule_id]
    )
    if not rows:
        raise CrmError(ErrorCode.NOT_FOUND, "There is no such rule.", path=("rule",))
    if expected_version is not None and expected_version != rows[0]["version"]:
        raise CrmError(
            ErrorCode.CONFLICT,
            f"The rule has version {rows[0]['version']} by now, not {expected_version}.",
            path=("expected_version",),
            hint="Read it again.",
        )
    (last,) = await tx.fetch(
        f"SELECT number, {', '.join(COLUMNS)} FROM loyalty_rule_version WHERE rule_id = ?"
        " ORDER BY number DESC LIMIT 1",
        [rule_id],
    )
    says = {name: last[name] for name in COLUMNS} | {
        "trigger": Trigger(last["trigger"]),
        "basis": Basis(last["basis"]),
        "kinds": tuple(plain(last["kinds"])),
        "conditions": from_plain(plain(last["conditions"])),
        "whole_steps": bool(last["whole_steps"]),
        "never_expires": bool(last["never_expires"]),
    }
    return rows[0], last["number"], Says(**says)


def _write(tx: UnitOfWork, rule_id: str, number: int, says: Says, from_at: datetime | None) -> None:
    row = {
        "id": new_id(), "rule_id": rule_id, "number": number, "from_at": from_at, "created_at": tx.now
    }  # fmt: skip
    shown = _shown(says)
    shown |= {name: json.dumps(shown[name]) for name in ("kinds", "conditions")}
    tx.insert("loyalty_rule_version", row | shown)


async def _close(tx: UnitOfWork, rule_id: str) -> None:
    await tx.execute(
        "UPDATE loyalty_rule_version SET until_at = ? WHERE rule_id = ? AND until_at IS NULL",
        [tx.now, rule_id],
    )


async def _touch(tx: UnitOfWork, rule_id: str, *, active: bool) -> None:
    await tx.execute(
        "UPDATE loyalty_rule SET active = ?, version = version + 1, updated_at = ? WHERE id = ?",
        [active, tx.now, rule_id],
    )


def _shown(says: Says) -> dict[str, Any]:
    values = {name: plain_of(getattr(says, name)) for name in COLUMNS}
    return values | {"kinds": list(says.kinds), "conditions": to_plain(says.conditions)}
