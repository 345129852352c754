"""Webhooks and what was sent to them, for operators to look at. Nothing here shows a secret."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from crm_framework.domain.rows import check_key, not_found

LATEST = 10
"""Deliveries that are shown of a webhook."""


class Reader(Protocol):
    """A database or a unit of work, to read from."""

    async def fetch(self, sql: str, args: Sequence[object] = ()) -> list[dict[str, Any]]: ...


async def list_webhooks(reader: Reader) -> list[Mapping[str, Any]]:
    """All of them, the oldest first, each with how much it is `owed`; there are 100 at most."""
    rows = await reader.fetch(
        "SELECT w.id, w.url, w.types, w.status, w.pause_reason, w.failures, w.description, w.condition,"
        " w.paused_at, w.failing_since, w.created_at, (SELECT count(*) FROM crm_webhook_delivery d"
        " WHERE d.webhook_id = w.id AND d.status = 'PENDING') AS owed FROM crm_webhook w ORDER BY w.id"
    )
    return list(rows)


async def find_webhook(reader: Reader, webhook_id: str) -> Mapping[str, Any]:
    """One of them. NOT_FOUND."""
    key = check_key(webhook_id, "webhook", path=("id",))
    found = next((row for row in await list_webhooks(reader) if row["id"] == key), None)
    if found is None:
        raise not_found("webhook", webhook_id, path=("id",))
    return found


async def latest_deliveries(reader: Reader, webhook_id: str) -> Sequence[Mapping[str, Any]]:
    """The last that came to be owed to it, the latest first."""
    return await reader.fetch(
        "SELECT id, type, status, attempts, next_at, response_status, error FROM crm_webhook_delivery"
        f" WHERE webhook_id = ? ORDER BY position DESC LIMIT {LATEST}",
        (webhook_id,),
    )
