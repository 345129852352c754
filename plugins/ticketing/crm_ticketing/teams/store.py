"""Teams as they are kept."""

import json
from collections.abc import Sequence
from typing import Any

from crm_framework import CrmError, ErrorCode, UnitOfWork, new_id
from crm_ticketing.events import TeamChanged
from crm_ticketing.named import checked_name, held_row, insert_named, update_named

from .assignment import check_staff

TABLE = "ticketing_team"
WHAT = "team"
MEMBERS_LIMIT = 500


async def create_team(
    tx: UnitOfWork, name: str, categories: Sequence[str], members: Sequence[str], known: Sequence[str]
) -> str:
    """Key of the new team. `known` are the categories of the settings."""
    name = checked_name(name)
    _check_categories(categories, known)
    await _check_members(tx, members)
    key = new_id()
    row = {
        "id": key,
        "name": name,
        "categories": json.dumps(list(categories)),
        "members": json.dumps(list(dict.fromkeys(members))),
        "created_at": tx.now,
    }
    await insert_named(tx, TABLE, WHAT, row)
    _tell(tx, key, {"name": (None, name), "members": (None, list(members))})
    return key


async def update_team(
    tx: UnitOfWork,
    team_id: str,
    *,
    name: str | None = None,
    categories: Sequence[str] | None = None,
    members: Sequence[str] | None = None,
    known: Sequence[str],
    expected_version: int | None = None,
) -> str:
    """What is None stays. Tickets stay with whoever has them."""
    if members is not None:
        await _check_members(tx, members)
    before = await held_row(tx, TABLE, WHAT, team_id, "categories, members", expected_version)
    values: dict[str, Any] = {}
    changes: dict[str, tuple[Any, Any]] = {}
    if name is not None and checked_name(name) != before["name"]:
        values["name"] = checked_name(name)
        changes["name"] = (before["name"], values["name"])
    if categories is not None:
        _check_categories(categories, known)
        values["categories"] = json.dumps(list(categories))
        changes["categories"] = (json.loads(before["categories"]), list(categories))
    if members is not None:
        values["members"] = json.dumps(list(dict.fromkeys(members)))
        changes["members"] = (json.loads(before["members"]), list(members))
    if values:
        await update_named(tx, TABLE, WHAT, team_id, values)
        _tell(tx, team_id, changes)
    return team_id


async def _check_members(tx: UnitOfWork, members: Sequence[str]) -> None:
    if len(members) > MEMBERS_LIMIT:
        raise CrmError(ErrorCode.BAD_INPUT, f"A team has at most {MEMBERS_LIMIT} members.", path=("members",))
    if members:
        await check_staff(tx, members, ("members",))


def _check_categories(categories: Sequence[str], known: Sequence[str]) -> None:
    for category in categories:
        if category not in known:
            raise CrmError(
                ErrorCode.BAD_INPUT,
                f"{category!r:.60} is no category of tickets.",
                path=("categories",),
                hint=f"Known are: {', '.join(known)}.",
            )


def _tell(tx: UnitOfWork, key: str, changes: dict[str, tuple[Any, Any]]) -> None:
    tx.emit(TeamChanged(customer_id=None, team_id=key, changes=changes))
