"""Everything held on a person, as JSON: the core's tables, records merged into it, and plugin by plugin."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, Protocol

from crm_framework.domain.customers.record import resolve_id
from crm_framework.domain.messages.privacy import messages_of
from crm_framework.domain.rows import check_key, json_of, marks, time_of, time_text

if TYPE_CHECKING:
    from crm_framework.storage.unit_of_work import UnitOfWork

FORMAT = "crm-customer-export/1"

_JSON = frozenset({"attributes", "address", "permissions", "payload", "changes", "counts", "headers"})
_BOOLEANS = frozenset({"confidential", "is_primary"})
_TIMES = frozenset({"at"})
_OF_THE_STREAM = frozenset({"position", "horizon"})
_PROOF = frozenset({"salt", "digest", "erased_digest"})
"""What proves an entry of the audit log and says nothing of anybody."""


class ExportPlugins(Protocol):
    """The part of the host that is used here."""

    async def export_customer(self, customer_id: str, tx: "UnitOfWork") -> Mapping[str, Any]: ...


async def export_customer(
    tx: "UnitOfWork", customer_id: str, *, plugins: ExportPlugins | None = None
) -> dict[str, Any]:
    """What is held on the customer (the winner, for a merged one), ready to be written as JSON.

    `erased` tells whether there is only what an erasure leaves. Digests of tokens are no part of it.
    NOT_FOUND; what a plugin raises aborts the export.
    """
    key = await resolve_id(tx, check_key(customer_id, "customer", path=("id",)), path=("id",))
    merged = await _rows(tx, "SELECT * FROM crm_customer WHERE merged_into_id = ? ORDER BY id", [key])
    keys = [key, *(row["id"] for row in merged)]
    (customer,) = await _rows(tx, "SELECT * FROM crm_customer WHERE id = ?", [key])
    return {
        "format": FORMAT,
        "exported_at": time_text(tx.now),
        "erased": customer["erased_at"] is not None,
        "customer": customer,
        "merged_customers": merged,
        "contact_points": await _of(tx, "crm_contact_point", keys, order="position, id"),
        "tags": [row["tag"] for row in await _of(tx, "crm_customer_tag", keys, order="tag")],
        "interactions": await _interactions(tx, keys),
        "messages": await _messages(tx, keys),
        "tokens": [
            {name: value for name, value in row.items() if name != "digest"}
            for row in await _of(tx, "crm_token", keys)
        ],
        "events": [
            {name: value for name, value in row.items() if name not in _OF_THE_STREAM}
            for row in await _of(tx, "crm_event", keys, order="position")
        ],
        "audit": [
            {name: value for name, value in row.items() if name not in _PROOF}
            for row in await _of(tx, "crm_audit", keys)
        ],
        "erasures": await _of(tx, "crm_erasure", keys),
        "plugins": await _by_plugin(tx, keys, plugins),
    }


async def _interactions(tx: "UnitOfWork", keys: Sequence[str]) -> list[dict[str, Any]]:
    interactions = await _of(tx, "crm_interaction", keys, order="occurred_at, id")
    lines = await _rows(
        tx,
        "SELECT l.* FROM crm_purchase_line l JOIN crm_interaction i ON i.id = l.interaction_id"
        f" WHERE i.customer_id IN ({marks(len(keys))}) ORDER BY l.position",
        keys,
    )
    by_purchase: dict[str, list[dict[str, Any]]] = {}
    for line in lines:
        by_purchase.setdefault(line.pop("interaction_id"), []).append(line)
    return [{**row, "lines": by_purchase.get(row["id"], [])} for row in interactions]


async def _messages(tx: "UnitOfWork", keys: Sequence[str]) -> list[dict[str, Any]]:
    condition, args = await messages_of(tx, keys)
    return await _rows(tx, f"SELECT * FROM crm_message WHERE {condition} ORDER BY id", args)


async def _by_plugin(tx: "UnitOfWork", keys: Sequence[str], plugins: ExportPlugins | None) -> dict[str, Any]:
    """Plugin → what it holds; under the keys of merged records, what it still holds there."""
    if plugins is None:
        return {}
    winner, *losers = keys
    found = dict(await plugins.export_customer(winner, tx))
    for loser in losers:
        for name, held in (await plugins.export_customer(loser, tx)).items():
            if any(held.values()):
                found[f"{name} ({loser})"] = held
    return found


async def _of(
    tx: "UnitOfWork", table: str, keys: Sequence[str], *, order: str = "id"
) -> list[dict[str, Any]]:
    return await _rows(
        tx, f"SELECT * FROM {table} WHERE customer_id IN ({marks(len(keys))}) ORDER BY {order}", keys
    )


async def _rows(tx: "UnitOfWork", sql: str, args: Sequence[object]) -> list[dict[str, Any]]:
    return [{name: _shown(name, value) for name, value in row.items()} for row in await tx.fetch(sql, args)]


def _shown(name: str, value: Any) -> Any:
    if value is None:
        return None
    if isinstance(value, datetime) or name.endswith("_at") or name in _TIMES:
        return time_text(time_of(value))
    if name in _JSON:
        return json_of(value)
    return bool(value) if name in _BOOLEANS else value
