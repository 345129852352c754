"""Makes, changes and ends rules. Each change is a version, so that the past goes by what a rule said then."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from crm_framework import CrmError, ErrorCode, UnitOfWork, new_id
from crm_loyalty.text import line, taken

from .checks import check, check_names
from .events import EarningRuleChanged
from .plain import from_plain
from .rules import Basis, Trigger
from .says import COLUMNS, Says, shown
from .store import moment, plain


async def create_rule(
    tx: UnitOfWork, program_id: str, name: str, says: Says, *, from_at: datetime | None = None
) -> str:
    """Key of the new rule. It counts for what happens from `from_at` on, or for all that is told from now on.

    NOT_FOUND for an unknown programme, segment or tier, CONFLICT for a name that is taken, BAD_INPUT for what
    makes no sense, and for kinds, types of events, channels and attributes that are not known.
    """
    name = line(name)
    check(says)
    if not await tx.fetch("SELECT id FROM loyalty_program WHERE id = ?", [program_id]):
        raise CrmError(ErrorCode.NOT_FOUND, "There is no such programme.", path=("program",))
    await check_names(tx, program_id, says, COLUMNS)
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
        k: (None, v) for k, v in shown(says).items() if v not in (None, [], {})
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
    row, last, before = await _held(tx, rule_id, expected_version)
    after = replace(before, **values)
    check(after)
    await check_names(tx, str(row["program_id"]), after, values)
    changes: dict[str, tuple[Any, Any]] = {}
    if name is not None and (new := line(name)) != row["name"]:
        if await tx.fetch(
            "SELECT id FROM loyalty_rule WHERE program_id = ? AND name = ? AND id <> ?",
            [row["program_id"], new, rule_id],
        ):
            raise taken(new)
        changes["name"] = (row["name"], new)
        await tx.execute("UPDATE loyalty_rule SET name = ? WHERE id = ?", [new, rule_id])
    old, said = shown(before), shown(after)
    changes |= {key: (old[key], said[key]) for key in said if old[key] != said[key]}
    if not row["active"]:
        changes["active"] = (False, True)
    if not changes:
        return
    if changes.keys() - {"name"}:
        await _close(tx, rule_id)
        # one that has not begun yet begins when it was to
        _write(tx, rule_id, last.number + 1, after, max(tx.now, last.from_at or tx.now))
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


@dataclass(frozen=True)
class _Last:
    """A rule's last version."""

    number: int
    from_at: datetime | None


async def _held(
    tx: UnitOfWork, rule_id: str, expected_version: int | None
) -> tuple[Mapping[str, Any], _Last, Says]:
    """The rule, held; its last version and what that says."""
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
        f"SELECT number, from_at, {', '.join(COLUMNS)} FROM loyalty_rule_version WHERE rule_id = ?"
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
    return rows[0], _Last(last["number"], moment(last["from_at"])), Says(**says)


def _write(tx: UnitOfWork, rule_id: str, number: int, says: Says, from_at: datetime | None) -> None:
    row = {
        "id": new_id(), "rule_id": rule_id, "number": number, "from_at": from_at, "created_at": tx.now
    }  # fmt: skip
    said = shown(says)
    said |= {name: json.dumps(said[name]) for name in ("kinds", "conditions")}
    tx.insert("loyalty_rule_version", row | said)


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
