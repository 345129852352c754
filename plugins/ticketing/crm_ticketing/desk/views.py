"""Saved views: a filter over tickets and an order, as clients gave them; a queue is one that all share."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import Any

import msgspec

from crm_framework import CrmError, ErrorCode, Reader, UnitOfWork, new_id

NAME_LIMIT = 200
CONDITION_LIMIT = 20_000
MOST = 200
"""Views of one member of staff, and queues in all."""


@dataclass(frozen=True, kw_only=True)
class NewView:
    """`owner_id` is the member of staff who alone sees it; None for a queue."""

    name: str
    filter: Mapping[str, Any]
    order_by: Sequence[Any] = ()
    owner_id: str | None = None


async def save(tx: UnitOfWork, new: NewView, *, key: str | None = None) -> str:
    """Saves a view, or with `key` replaces one of the same owner. Its key."""
    name = new.name.strip()
    if not 1 <= len(name) <= NAME_LIMIT or not name.isprintable():
        raise CrmError(
            ErrorCode.BAD_INPUT, f"The name of a view has 1 to {NAME_LIMIT} characters.", path=("name",)
        )
    values = {
        "name": name,
        "condition": _json(new.filter, "filter"),
        "order_by": _json(new.order_by, "order_by"),
    }
    if key is not None:
        await held(tx, key, new.owner_id)
        await tx.execute(
            "UPDATE ticketing_view SET name = ?, condition = ?, order_by = ?, version = version + 1,"
            " updated_at = ? WHERE id = ?",
            [*values.values(), tx.now, key],
        )
        return key
    [count] = await tx.fetch(
        "SELECT COUNT(*) AS number FROM ticketing_view WHERE owner_id = ?"
        if new.owner_id
        else "SELECT COUNT(*) AS number FROM ticketing_view WHERE owner_id IS NULL",
        [new.owner_id] if new.owner_id else [],
    )
    if count["number"] >= MOST:
        raise CrmError(ErrorCode.REFUSED, f"There are {MOST} views at most.", hint="Delete one first.")
    key = new_id()
    tx.insert(
        "ticketing_view",
        {"id": key, "owner_id": new.owner_id, **values, "created_at": tx.now, "updated_at": tx.now},
    )
    return key


async def delete(tx: UnitOfWork, key: str, owner_id: str | None) -> None:
    """Deletes a queue, or a view of this owner."""
    await held(tx, key, owner_id)
    await tx.execute("DELETE FROM ticketing_view WHERE id = ?", [key])


async def held(tx: UnitOfWork, key: str, owner_id: str | None) -> None:
    """NOT_FOUND for what is neither a queue nor a view of this owner, as the two ask for it."""
    await tx.lock("ticketing_view", [key])
    rows = await tx.fetch("SELECT owner_id FROM ticketing_view WHERE id = ?", [key])
    if not rows or (str(rows[0]["owner_id"]) if rows[0]["owner_id"] else None) != owner_id:
        raise CrmError(ErrorCode.NOT_FOUND, "There is no such view.", path=("id",))


async def kept_list(reader: Reader, key: str, staff_id: str | None) -> tuple[Any, Any] | None:
    """The filter and the order of a queue, or of a view of this member of staff, as they were given; None
    where there is neither.
    """
    rows = await reader.fetch(
        "SELECT condition, order_by FROM ticketing_view WHERE id = ? AND (owner_id IS NULL OR owner_id = ?)",
        [key, staff_id],
    )
    return (json.loads(rows[0]["condition"]), json.loads(rows[0]["order_by"])) if rows else None


def _json(value: Any, name: str) -> str:
    text = msgspec.json.encode(value).decode()
    if len(text) > CONDITION_LIMIT:
        raise CrmError(ErrorCode.BAD_INPUT, "It is too long to be kept.", path=(name,))
    return text


def plain(value: Any) -> Any:
    """A filter as a client gave it, in plain JSON: what it writes when it asks with it."""
    if isinstance(value, Mapping):
        return {name: plain(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [plain(one) for one in value]
    if isinstance(value, Enum):
        return value.name
    return value.isoformat() if isinstance(value, datetime) else value
