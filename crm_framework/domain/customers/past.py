"""What tags and attributes customers had at moments of the past: the audit log keeps every change of them."""

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

import orjson

from crm_framework.domain.rows import among
from crm_framework.events import CustomerCreated
from crm_framework.storage.clock import parse_time
from crm_framework.storage.ids import is_key

if TYPE_CHECKING:
    from crm_framework.engine.context import Reader
    from crm_framework.storage.unit_of_work import UnitOfWork

TAGS = "tags"
ATTRIBUTE = "attributes."
"""How entries of the audit log call what they tell of: the tags as a list, each attribute by itself."""


@dataclass(frozen=True, kw_only=True)
class CustomerThen:
    """A customer's tags and attributes at a moment."""

    tags: frozenset[str] = frozenset()
    attributes: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class CustomerPast:
    """A customer's tags and attributes as they are, and each change of them since a moment, the latest
    first: its own moment, and what the fields were before it.
    """

    now: CustomerThen
    undo: Sequence[tuple[datetime, Mapping[str, Any]]] = ()

    def at(self, moment: datetime) -> CustomerThen:
        """As they were at a moment that is not before the one that was asked for."""
        tags, attributes = self.now.tags, dict(self.now.attributes)
        for at, before in self.undo:
            if at <= moment:
                break
            for name, value in before.items():
                if name == TAGS:
                    tags = frozenset(value or ())
                elif value is None:
                    attributes.pop(name.removeprefix(ATTRIBUTE), None)
                else:
                    attributes[name.removeprefix(ATTRIBUTE)] = value
        return CustomerThen(tags=tags, attributes=attributes)


async def customer_pasts(
    source: "UnitOfWork | Reader", customers: Collection[str], since: datetime
) -> dict[str, CustomerPast]:
    """Of each of these customers what tags and attributes it has and had, back to `since`. Three statements.

    Unknown keys are left out. Before its record was made a customer counts as what it was made with. One that
    others were merged into is what the winner was: of the others there is none.
    """
    keys = sorted({key for key in customers if is_key(key)})
    if not keys:
        return {}
    chosen, arg = among(source.dialect, "id", keys)
    rows = await source.fetch(f"SELECT id, attributes FROM crm_customer WHERE {chosen}", [arg])
    found = {str(row["id"]): _json(row["attributes"]) or {} for row in rows}
    chosen, arg = among(source.dialect, "customer_id", keys)
    tags: dict[str, set[str]] = {}
    for row in await source.fetch(f"SELECT customer_id, tag FROM crm_customer_tag WHERE {chosen}", [arg]):
        tags.setdefault(str(row["customer_id"]), set()).add(row["tag"])
    undo = await _undo(source, keys, since)
    return {
        key: CustomerPast(
            now=CustomerThen(tags=frozenset(tags.get(key, ())), attributes=attributes),
            undo=tuple(undo.get(key, ())),
        )
        for key, attributes in found.items()
    }


async def _undo(
    source: "UnitOfWork | Reader", keys: Sequence[str], since: datetime
) -> dict[str, list[tuple[datetime, Mapping[str, Any]]]]:
    arg: object
    if source.dialect == "sqlite":
        chosen, arg = "subject_id IN (SELECT value FROM json_each(?))", orjson.dumps(keys).decode()
    else:
        chosen, arg = "subject_id = ANY(CAST(? AS text[]))", keys
    rows = await source.fetch(
        f"SELECT subject_id, at, changes FROM crm_audit WHERE subject_type = 'Customer' AND {chosen}"
        f" AND at > ? AND action <> '{CustomerCreated.type}' ORDER BY at DESC, id DESC",
        [arg, since],
    )
    found: dict[str, list[tuple[datetime, Mapping[str, Any]]]] = {}
    for row in rows:
        changes = json.loads(row["changes"])
        before = {
            name: both[0] for name, both in changes.items() if name == TAGS or name.startswith(ATTRIBUTE)
        }
        if before:
            found.setdefault(row["subject_id"], []).append((parse_time(row["at"]), before))
    return found


def _json(value: Any) -> Any:
    return json.loads(value) if isinstance(value, str) else value
