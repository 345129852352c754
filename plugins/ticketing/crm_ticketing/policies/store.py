"""Policies as they are kept: made, changed by a next version, switched on and off, and put in order."""

import json
from collections.abc import Sequence
from typing import Any, NamedTuple

from crm_framework import CrmError, ErrorCode, UnitOfWork, among, check_channel, new_id, renamed
from crm_ticketing.calendars.store import latest_version
from crm_ticketing.events import PolicyChanged
from crm_ticketing.named import checked_name, held_row, insert_named, update_named
from crm_ticketing.teams.assignment import check_staff, check_team

from .renewal import add_version, hold_rulebook
from .rules import PolicyRules, StepAction, as_json, check, rules_of

TABLE = "ticketing_policy"
WHAT = "policy"


class Changed(NamedTuple):
    """Keys of a policy and of the version that it has after a change, whatever others do to it next."""

    policy_id: str
    version_id: str


async def create_policy(
    tx: UnitOfWork, name: str, rules: PolicyRules, calendar_id: str, *, categories: Sequence[str]
) -> Changed:
    """The new policy, the last in order and not switched on: try it on tickets first."""
    name = checked_name(name)
    with renamed("rules"):
        await _check(tx, rules, categories)
    await hold_rulebook(tx)  # first: a calendar that changes now would not find the policy to renew it
    calendar = await latest_version(tx, calendar_id)
    [last] = await tx.fetch("SELECT COALESCE(MAX(position), 0) AS position FROM ticketing_policy")
    key = new_id()
    await insert_named(
        tx,
        TABLE,
        WHAT,
        {
            "id": key,
            "name": name,
            "position": last["position"] + 1,
            "number": 1,
            "created_at": tx.now,
            "updated_at": tx.now,
        },
    )
    version = add_version(tx, key, 1, _text(rules), calendar)
    _tell(tx, key, {"name": (None, name), "number": (None, 1)})
    return Changed(key, version)


async def update_policy(
    tx: UnitOfWork,
    policy_id: str,
    *,
    name: str | None = None,
    rules: PolicyRules | None = None,
    calendar_id: str | None = None,
    categories: Sequence[str],
    expected_version: int | None = None,
) -> Changed:
    """Another name, or other rules or calendar as the next version, which waits to be switched on."""
    await hold_rulebook(tx)
    before = await held_row(tx, TABLE, WHAT, policy_id, "number", expected_version)
    values: dict[str, Any] = {"updated_at": tx.now}
    changes: dict[str, tuple[Any, Any]] = {}
    if name is not None and checked_name(name) != before["name"]:
        values["name"] = checked_name(name)
        changes["name"] = (before["name"], values["name"])
    [last] = await tx.fetch(
        "SELECT id, rules, calendar_version_id FROM ticketing_policy_version"
        " WHERE policy_id = ? AND number = ?",
        [policy_id, before["number"]],
    )
    version = str(last["id"])
    if rules is not None or calendar_id is not None:
        if rules is not None:
            with renamed("rules"):
                await _check(tx, rules, categories)
        text = last["rules"] if rules is None else _text(rules)
        calendar = (
            last["calendar_version_id"] if calendar_id is None else await latest_version(tx, calendar_id)
        )
        values["number"] = before["number"] + 1
        changes["number"] = (before["number"], values["number"])
        version = add_version(tx, policy_id, values["number"], text, calendar)
    if changes:
        await update_named(tx, TABLE, WHAT, policy_id, values)
        _tell(tx, policy_id, changes)
    return Changed(policy_id, version)


async def switch(tx: UnitOfWork, on: Sequence[str], off: Sequence[str]) -> None:
    """Has new tickets come under the latest versions of the policies `on`, and under none of those `off`.

    REFUSED unless exactly one of those that are on then is for every ticket: it takes what no other does.
    """
    if set(on) & set(off):
        raise CrmError(ErrorCode.BAD_INPUT, "A policy cannot be switched on and off.", path=("off",))
    await hold_rulebook(tx)
    wanted = {**dict.fromkeys(on, True), **dict.fromkeys(off, False)}
    for key in sorted(wanted):
        before = await held_row(tx, TABLE, WHAT, key, "number, active_number")
        after = before["number"] if wanted[key] else None
        if after != before["active_number"]:
            await tx.execute(
                "UPDATE ticketing_policy SET active_number = ?, version = version + 1, updated_at = ?"
                " WHERE id = ?",
                [after, tx.now, key],
            )
            _tell(tx, key, {"active_number": (before["active_number"], after)})
    await _check_fallback(tx)


async def reorder(tx: UnitOfWork, policy_ids: Sequence[str]) -> None:
    """Puts all policies in this order. BAD_INPUT unless each is named once."""
    await hold_rulebook(tx)
    rows = await tx.fetch("SELECT id, position FROM ticketing_policy")
    positions = {str(row["id"]): row["position"] for row in rows}
    if sorted(positions) != sorted(policy_ids):
        raise CrmError(
            ErrorCode.BAD_INPUT,
            f"The order must name each of the {len(positions)} policies once.",
            path=("policies",),
        )
    for place, key in enumerate(policy_ids, 1):
        if positions[key] != place:
            await tx.execute(
                "UPDATE ticketing_policy SET position = ?, version = version + 1, updated_at = ? WHERE "
                "id = ?",
                [place, tx.now, key],
            )
            _tell(tx, key, {"position": (positions[key], place)})


async def _check_fallback(tx: UnitOfWork) -> None:
    rows = await tx.fetch(
        "SELECT p.name, p.position, v.rules FROM ticketing_policy p JOIN ticketing_policy_version v"
        " ON v.policy_id = p.id AND v.number = p.active_number ORDER BY p.position, p.id"
    )
    fallbacks = [row["name"] for row in rows if rules_of(row["rules"]).conditions.none]
    if len(fallbacks) > 1:
        raise CrmError(
            ErrorCode.REFUSED,
            f"More than one policy would be for every ticket: {', '.join(fallbacks)}.",
            path=("on",),
            hint="Switch the other one off with the same change, or give this one conditions.",
        )
    if rows and not fallbacks:
        raise CrmError(
            ErrorCode.REFUSED,
            "No policy would be for the tickets that no other fits.",
            path=("on",),
            hint="Switch on one without conditions with the same change.",
        )


async def _check(tx: UnitOfWork, rules: PolicyRules, categories: Sequence[str]) -> None:
    check(rules)
    unknown = [one for one in rules.conditions.categories if one not in categories]
    if unknown:
        raise CrmError(
            ErrorCode.BAD_INPUT,
            f"{unknown[0]!r:.60} is no category of tickets.",
            path=("conditions", "categories"),
            hint=f"Known are: {', '.join(categories)}.",
        )
    for place, channel in enumerate(rules.conditions.channels):
        check_channel(channel, path=("conditions", "channels", place))
    segments = list(rules.conditions.segments)
    where = among("id", segments, tx.dialect)
    found = await tx.fetch(f"SELECT id FROM crm_segment WHERE {where.sql}", where.args) if segments else []
    if {str(row["id"]) for row in found} != set(segments):
        raise CrmError(ErrorCode.BAD_INPUT, "There is no such segment.", path=("conditions", "segments"))
    for place, step in enumerate(rules.steps):
        path = ("steps", place)
        if step.action is StepAction.REASSIGN and step.to is not None:
            await check_staff(tx, [step.to], path)
        if step.team is not None:
            await check_team(tx, step.team, path)


def _text(rules: PolicyRules) -> str:
    return json.dumps(as_json(rules), separators=(",", ":"))


def _tell(tx: UnitOfWork, key: str, changes: dict[str, tuple[Any, Any]]) -> None:
    tx.emit(PolicyChanged(customer_id=None, policy_id=key, changes=changes))
