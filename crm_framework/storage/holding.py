"""What is claimed, held until the end of the transaction that delivers it, and read as events.

Customers first, then deliveries: in that order a merge or an erasure takes them too, so that nobody waits for
each other. A customer that was merged since leaves its deliveries to the winner.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec

from crm_framework.errors import CrmError
from crm_framework.events import CORE_EVENTS, Event

from .events import EventTypes

if TYPE_CHECKING:
    from .unit_of_work import UnitOfWork

Row = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Owed:
    """A delivery that is held, and its event. `attempts` counts the one that is under way."""

    id: str
    event_id: str
    handler: str
    attempts: int
    event: Event
    trace: str | None
    """The span that emitted it."""


async def held(tx: "UnitOfWork", attempts: Mapping[str, int]) -> list[Owed]:
    """The deliveries, in their order, that are still at this number of attempts.

    Events that cannot be read are parked: to try again changes nothing.
    """
    among = _marks(attempts)
    rows = await tx.fetch(
        f"SELECT DISTINCT customer_id FROM crm_delivery WHERE id IN ({among})", list(attempts)
    )
    customers = sorted(row["customer_id"] for row in rows if row["customer_id"])
    await _hold_customers(tx, customers)
    lock = "" if tx.dialect == "sqlite" else " FOR UPDATE OF d"
    rows = await tx.fetch(
        "SELECT d.id, d.event_id, d.handler, d.attempts, d.customer_id, e.type, e.payload, e.trace"
        " FROM crm_delivery d JOIN crm_event e ON e.id = d.event_id"
        f" WHERE d.id IN ({among}) AND d.status = 'PENDING' ORDER BY d.position{lock}",
        list(attempts),
    )
    mine = [row for row in rows if row["attempts"] == attempts[row["id"]]]
    # merged between the two statements: its winner is not held
    moved = [row for row in mine if row["customer_id"] and row["customer_id"] not in customers]
    for row in moved:
        await _give_back(tx, row)
    owed = [await _read(tx, row) for row in mine if row not in moved]
    return [one for one in owed if one is not None]


async def _hold_customers(tx: "UnitOfWork", keys: list[str]) -> None:
    """Holds them. What a replay owes for merged ones moves to their winners."""
    if not keys:
        return
    lock = "" if tx.dialect == "sqlite" else " FOR NO KEY UPDATE"
    rows = await tx.fetch(
        f"SELECT id, merged_into_id FROM crm_customer WHERE id IN ({_marks(keys)}) ORDER BY id{lock}", keys
    )
    for row in rows:
        if row["merged_into_id"] is not None:
            await _move(tx, row["id"], row["merged_into_id"])


async def _move(tx: "UnitOfWork", loser: str, winner: str) -> None:
    rows = await tx.fetch(
        "SELECT id, payload FROM crm_event WHERE id IN"
        " (SELECT event_id FROM crm_delivery WHERE customer_id = ?)",
        [loser],
    )
    for row in rows:
        payload = json.dumps({**json.loads(row["payload"]), "customer_id": winner})
        await tx.execute(
            "UPDATE crm_event SET customer_id = ?, payload = ? WHERE id = ?", [winner, payload, row["id"]]
        )
    await tx.execute("UPDATE crm_delivery SET customer_id = ? WHERE customer_id = ?", [winner, loser])


async def _give_back(tx: "UnitOfWork", row: Row) -> None:
    await tx.execute(
        "UPDATE crm_delivery SET attempts = ?, next_at = ?, error = NULL WHERE id = ?",
        [row["attempts"] - 1, tx.now, row["id"]],
    )


async def _read(tx: "UnitOfWork", row: Row) -> Owed | None:
    types = tx.database.event_types or EventTypes(CORE_EVENTS)
    try:
        event = types.decode(row["type"], row["payload"])
    except (CrmError, msgspec.DecodeError) as error:
        why = (
            str(error)
            if isinstance(error, CrmError)
            else f"The event {row['type']} does not fit its class: {error}"
        )
        await tx.execute(
            "UPDATE crm_delivery SET status = 'PARKED', error = ? WHERE id = ?", [why, row["id"]]
        )
        return None
    names = ("id", "event_id", "handler", "attempts", "trace")
    return Owed(**{name: row[name] for name in names}, event=event)


def _marks(values: Sequence[object] | Mapping[str, object]) -> str:
    return ", ".join("?" * len(values))
