"""Calendars as they are kept. Each change of the rules is a version of its own."""

import json
from datetime import datetime
from typing import Any, NamedTuple

from crm_framework import CrmError, ErrorCode, UnitOfWork, new_id, renamed
from crm_ticketing.events import CalendarChanged
from crm_ticketing.named import checked_name, held_row, insert_named, update_named
from crm_ticketing.policies.renewal import renew_policies

from .calendar import Calendar, micros
from .rules import CalendarRules, as_json, checked

TABLE = "ticketing_calendar"
WHAT = "calendar"


def sound_rules(rules: CalendarRules, at: datetime) -> CalendarRules:
    """The rules, checked. BAD_INPUT for a calendar that has no working time from `at` on."""
    found = checked(rules, at)
    if not Calendar(found).openings(micros(at), 1):
        raise CrmError(
            ErrorCode.BAD_INPUT,
            "The calendar has no working time from now on.",
            path=("closures",),
            hint="Shorten its closures.",
        )
    return found


class Changed(NamedTuple):
    """Keys of a calendar and of the version that it has after a change, whatever others do to it next."""

    calendar_id: str
    version_id: str


async def create_calendar(tx: UnitOfWork, name: str, rules: CalendarRules) -> Changed:
    """The new calendar."""
    name = checked_name(name)
    with renamed("rules"):
        kept = sound_rules(rules, tx.now)
    key = new_id()
    row = {"id": key, "name": name, "number": 1, "created_at": tx.now, "updated_at": tx.now}
    await insert_named(tx, TABLE, WHAT, row)
    version = _add_version(tx, key, 1, kept)
    _tell(tx, key, {"name": (None, name), "number": (None, 1)})
    return Changed(key, version)


async def update_calendar(
    tx: UnitOfWork,
    calendar_id: str,
    *,
    name: str | None = None,
    rules: CalendarRules | None = None,
    expected_version: int | None = None,
) -> Changed:
    """Another name, or other rules as the next version.

    With it comes a new version of each policy that goes by the calendar: tickets that come in from now on
    go by the new rules, and those that are there when they are recalculated.
    """
    before = await held_row(tx, TABLE, WHAT, calendar_id, "number", expected_version)
    values: dict[str, Any] = {"updated_at": tx.now}
    changes: dict[str, tuple[Any, Any]] = {}
    if name is not None and checked_name(name) != before["name"]:
        values["name"] = checked_name(name)
        changes["name"] = (before["name"], values["name"])
    renewed = None
    if rules is not None:
        with renamed("rules"):
            kept = sound_rules(rules, tx.now)
        values["number"] = before["number"] + 1
        changes["number"] = (before["number"], values["number"])
        renewed = _add_version(tx, calendar_id, values["number"], kept)
    if changes:
        await update_named(tx, TABLE, WHAT, calendar_id, values)
        _tell(tx, calendar_id, changes)
    if renewed is not None:
        await renew_policies(tx, calendar_id, renewed)
    return Changed(calendar_id, renewed or await latest_version(tx, calendar_id))


async def latest_version(tx: UnitOfWork, calendar_id: str) -> str:
    """Key of the latest version of a calendar. BAD_INPUT without such a calendar."""
    rows = await tx.fetch(
        "SELECT v.id FROM ticketing_calendar c JOIN ticketing_calendar_version v"
        " ON v.calendar_id = c.id AND v.number = c.number WHERE c.id = ?",
        [calendar_id],
    )
    if not rows:
        raise CrmError(ErrorCode.BAD_INPUT, "There is no such calendar.", path=("calendar",))
    return str(rows[0]["id"])


def _add_version(tx: UnitOfWork, calendar_id: str, number: int, rules: CalendarRules) -> str:
    key = new_id()
    tx.insert(
        "ticketing_calendar_version",
        {
            "id": key,
            "calendar_id": calendar_id,
            "number": number,
            "time_zone": rules.time_zone,
            "rules": json.dumps(as_json(rules), separators=(",", ":")),
            "created_at": tx.now,
        },
    )
    return key


def _tell(tx: UnitOfWork, key: str, changes: dict[str, tuple[Any, Any]]) -> None:
    tx.emit(CalendarChanged(customer_id=None, calendar_id=key, changes=changes))
