"""Passes events on to webhooks: for each event and webhook that wants it, a delivery that is owed.

One transaction stores the deliveries and how far the stream was read, so that each event is passed on exactly
once, whoever is killed when, and however many nodes try.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from crm_framework.domain.rows import marks
from crm_framework.storage import stream
from crm_framework.storage.ids import new_id

from .changes import COLUMNS, READER, SENDING, Webhook, pause_by_itself, webhook_of

if TYPE_CHECKING:
    from crm_framework.storage.database import Database
    from crm_framework.storage.stream import StreamedEvent
    from crm_framework.storage.unit_of_work import UnitOfWork

CHORE = "webhook events"
"""What the worker's loop is called that passes events on."""
AT_ONCE = 200
"""Events of one transaction."""

Matches = Mapping[str, frozenset[str] | str]
"""Webhook → the customers that its filter holds for, or why the filter fits no more."""


class Api(Protocol):
    """What only the API knows: what a customer filter means, and how a record is called outside."""

    async def matching(
        self, conditions: Mapping[str, Mapping[str, Any]], customers: Collection[str]
    ) -> Matches:
        """For each condition, by any key, those of the customers that it holds for."""

    def customer_id(self, key: str) -> str:
        """The id by which clients know a customer."""


@dataclass(frozen=True, kw_only=True)
class Batch:
    """Events that were read, and who gets them."""

    before: str
    after: str
    owed: Sequence[tuple[str, "StreamedEvent"]]
    """(webhook, event)"""
    broken: Mapping[str, str]
    """Webhooks whose filter fits no more."""


async def read_batch(database: "Database", api: Api) -> Batch | None:
    """What is to be passed on next; None if there is nothing. Changes nothing."""
    place = await _place(database)
    if place is None:
        return None
    before, start = place
    page = await stream.read_after(database, start, AT_ONCE)
    if not page.events:
        return None
    # Read after the events, as one may be new: whatever was committed after a webhook must find it.
    active = await _active(database)
    owed = [
        (webhook, event)
        for event in page.events
        for webhook, begins in active
        if webhook.wants(event.type) and stream.is_after(event.position, begins)
    ]
    matches = await matches_of(api, [(webhook, event.customer_id) for webhook, event in owed])
    broken = {key: found for key, found in matches.items() if isinstance(found, str)}
    passed = [(webhook.id, event) for webhook, event in owed if passes(webhook, event.customer_id, matches)]
    return Batch(before=before, after=page.position, owed=passed, broken=broken)


async def passed_on(database: "Database") -> str | None:
    """The position up to which active webhooks need no event any more; None where there are none."""
    place = await _place(database)
    return None if place is None else place[1]


async def _place(database: "Database") -> tuple[str, str] | None:
    """How far the stream was read, and from where on there is something to read for."""
    active = await _active(database)
    if not active:
        return None
    rows = await database.fetch("SELECT position FROM crm_stream_reader WHERE name = ?", (READER,))
    if not rows:
        return None
    before = str(rows[0]["position"])
    earliest = min((begins for _, begins in active), key=stream.order_of)
    # nobody wants what came before the earliest
    return before, earliest if stream.is_after(earliest, before) else before


async def pass_on(database: "Database", batch: Batch) -> int:
    """Stores what is owed; how much it is. Nothing if another node was quicker."""
    async with database.unit_of_work() as tx:
        lock = "FOR UPDATE SKIP LOCKED" if tx.dialect == "postgres" else ""
        rows = await tx.fetch(f"SELECT position FROM crm_stream_reader WHERE name = ? {lock}", (READER,))
        if not rows or rows[0]["position"] != batch.before:
            return 0
        keys = sorted({key for key, _ in batch.owed} | batch.broken.keys())
        alive = await _still_active(tx, keys)
        for key, problem in sorted(batch.broken.items()):
            if key in alive:
                await pause_by_itself(tx, key, f"its filter fits no more: {problem}")
        owed = [(key, event.id, event.type, event.customer_id) for key, event in batch.owed if key in alive]
        await store(tx, owed)
        await tx.execute(
            "UPDATE crm_stream_reader SET position = ?, updated_at = ? WHERE name = ?",
            (batch.after, tx.now, READER),
        )
        tx.wake(CHORE)  # there may be more
    return len(owed)


async def store(
    tx: "UnitOfWork", owed: Sequence[tuple[str, str, str, str | None]], *, again: bool = False
) -> None:
    """Deliveries of (webhook, event, type, customer) that are due now. Those that there are stay as they are,
    or are sent `again`, unless they still wait. The webhooks must be held."""
    clash = (
        "DO UPDATE SET status = 'PENDING', attempts = 0, next_at = excluded.next_at, finished_at = NULL,"
        " error = NULL WHERE crm_webhook_delivery.status <> 'PENDING'"
        if again
        else "DO NOTHING"
    )
    await tx.execute_many(
        "INSERT INTO crm_webhook_delivery (id, webhook_id, event_id, type, customer_id, status, attempts,"
        " next_at, created_at) VALUES (?, ?, ?, ?, ?, 'PENDING', 0, ?, ?)"
        f" ON CONFLICT (webhook_id, event_id) {clash}",
        [(new_id(), *one, tx.now, tx.now) for one in owed],
    )
    if owed:
        tx.wake(SENDING)


async def matches_of(api: Api, pairs: Sequence[tuple[Webhook, str | None]]) -> Matches:
    """What the filters of webhooks say of the customers that they are asked about."""
    conditions = {webhook.id: webhook.condition for webhook, _ in pairs if webhook.condition is not None}
    customers = {customer for webhook, customer in pairs if webhook.id in conditions and customer is not None}
    return await api.matching(conditions, customers) if conditions else {}


def passes(webhook: Webhook, customer: str | None, matches: Matches) -> bool:
    """Whether a webhook's filter lets events of a customer, or of none, through."""
    if webhook.condition is None:
        return True
    found = matches.get(webhook.id, frozenset())
    return customer is not None and not isinstance(found, str) and customer in found


async def _active(database: "Database") -> list[tuple[Webhook, str]]:
    rows = await database.fetch(
        f"SELECT {COLUMNS}, begins FROM crm_webhook WHERE status = 'ACTIVE' ORDER BY id", bounded=True
    )
    return [(webhook_of(row), row["begins"]) for row in rows]


async def _still_active(tx: "UnitOfWork", keys: Sequence[str]) -> set[str]:
    """Those that were neither paused nor deleted, held."""
    if not keys:
        return set()
    lock = "FOR NO KEY UPDATE" if tx.dialect == "postgres" else ""
    rows = await tx.fetch(
        f"SELECT id FROM crm_webhook WHERE id IN ({marks(len(keys))}) AND status = 'ACTIVE'"
        f" ORDER BY id {lock}",
        keys,
    )
    return {row["id"] for row in rows}
