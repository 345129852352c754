"""What an operator does about deliveries: looks at them, has them tried again, hands past events out anew.

Nothing is delivered here: the rows are made due, and the worker takes them (see `storage/deliveries.py`).
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from difflib import get_close_matches
from typing import TYPE_CHECKING

from tortoise.exceptions import IntegrityError

from crm_framework.domain.rows import check_key, for_update, marks
from crm_framework.errors import CrmError, ErrorCode
from crm_framework.events import DeliveriesRetried, EventsReplayed
from crm_framework.storage.clock import now
from crm_framework.storage.debts import DELIVERY_COLUMNS
from crm_framework.storage.deliveries import CHORE
from crm_framework.storage.families import of_family
from crm_framework.storage.ids import new_id
from crm_framework.storage.turns import Turn

if TYPE_CHECKING:
    from crm_framework.storage.database import Database
    from crm_framework.storage.unit_of_work import UnitOfWork

REPLAY_LIMIT = 100_000
"""Events that one call hands out again."""
AT_ONCE = 1000


@dataclass(frozen=True, kw_only=True)
class Past:
    """Which past events: those that are all of this. `until` is not included."""

    events: Sequence[str] = ()
    types: Sequence[str] = ()
    customer: str | None = None
    since: datetime | None = None
    until: datetime | None = None

    def condition(self) -> tuple[str, list[object]]:
        """For `crm_event e`. Raises BAD_INPUT if everything would be meant."""
        parts: list[str] = []
        values: list[object] = []
        if self.events:
            parts.append(f"e.id IN ({marks(len(self.events))})")
            values += [check_key(key, "event", path=("events", at)) for at, key in enumerate(self.events)]
        if self.types:
            parts.append(f"e.type IN ({marks(len(self.types))})")
            values += self.types
        if self.customer is not None:
            key = check_key(self.customer, "customer", path=("customer",))
            condition, keys = of_family("e.customer_id", key)
            parts.append(condition)
            values += keys
        for sign, moment in ((">=", self.since), ("<", self.until)):
            if moment is not None:
                parts.append(f"e.created_at {sign} ?")
                values.append(moment)
        if not parts:
            raise CrmError(
                ErrorCode.BAD_INPUT,
                "No events are chosen.",
                hint="Name events, types, a customer or a time; for all there are, a time long ago.",
            )
        return " AND ".join(parts), values


async def retry_deliveries(
    tx: "UnitOfWork", *, deliveries: Sequence[str] = (), events: Sequence[str] = (), plugin: str | None = None
) -> int:
    """Makes deliveries that failed due at once, with all their attempts; how many. They are parked, or wait.

    Chosen by their keys, by their events' or by the plugin that owes them, or all of that together;
    BAD_INPUT if nothing is chosen.
    """
    parts: list[str] = []
    values: list[object] = []
    for column, keys, what in (("id", deliveries, "delivery"), ("event_id", events, "event")):
        if keys:
            parts.append(f"{column} IN ({marks(len(keys))})")
            values += [check_key(key, what, path=(f"{what}s", at)) for at, key in enumerate(keys)]
    if plugin is not None:
        parts.append("handler = ?")
        values.append(plugin)
    if not parts:
        raise CrmError(ErrorCode.BAD_INPUT, "No deliveries are chosen.", hint="Name deliveries or a plugin.")
    failed = "(status = 'PARKED' OR (attempts > 0 AND next_at > ?))"
    return await _retry(tx, " AND ".join([failed, *parts]), [tx.now, *values])


async def _retry(tx: "UnitOfWork", condition: str, values: Sequence[object]) -> int:
    # whoever holds one is about to change it: a merge, an erasure, somebody who retries it too
    lock = "" if tx.dialect == "sqlite" else " FOR UPDATE SKIP LOCKED"
    rows = await tx.fetch(
        "UPDATE crm_delivery SET status = 'PENDING', attempts = 0, next_at = ? WHERE id IN"
        f" (SELECT id FROM crm_delivery WHERE {condition}{lock}) RETURNING handler",
        [tx.now, *values],
    )
    handlers = [row["handler"] for row in rows]
    for handler in sorted(set(handlers)):
        tx.emit(DeliveriesRetried.of(handler, handlers.count(handler)))
    if rows:
        tx.wake(CHORE)
    return len(rows)


def check_plugin(plugin: str, known: Iterable[str]) -> str:
    """The plugin's name, if it has a handler. BAD_INPUT names the nearest that has one."""
    names = list(known)
    if plugin in names:
        return plugin
    close = get_close_matches(plugin, names, n=1)
    raise CrmError(
        ErrorCode.BAD_INPUT,
        f"No enabled plugin of the name {plugin!r} handles events.",
        path=("plugin",),
        hint=f"Did you mean {close[0]}?" if close else f"These do: {', '.join(names) or 'none'}.",
    )


async def count_past(database: "Database | UnitOfWork", plugin: str, past: Past) -> int:
    """How many events `replay_events` would hand out: what the plugin still owes stays as it is."""
    condition, values = past.condition()
    (row,) = await database.fetch(
        f"SELECT count(*) AS n FROM crm_event e WHERE {condition}"
        " AND NOT EXISTS (SELECT 1 FROM crm_delivery d"
        " WHERE d.event_id = e.id AND d.handler = ? AND d.status = 'PENDING')",
        [*values, plugin],
    )
    number: int = row["n"]
    return number


async def replay_events(tx: "UnitOfWork", plugin: str, past: Past) -> int:
    """Has the plugin's handler handle past events once more; how many.

    Parked ones among them are retried. It is the operator who knows that the handler may see them again: one
    that adds up adds them again. BAD_INPUT for more than `REPLAY_LIMIT`.
    """
    check_plugin(plugin, [handler.name for handler in tx.database.handlers])
    condition, values = past.condition()
    retried = await _retry(
        tx,
        f"status = 'PARKED' AND handler = ? AND event_id IN (SELECT e.id FROM crm_event e WHERE {condition})",
        [plugin, *values],
    )
    rows = await tx.fetch(
        f"SELECT e.id, e.customer_id FROM crm_event e WHERE {condition} AND {_NOT_OWED}"
        f" ORDER BY e.position LIMIT {REPLAY_LIMIT + 1} {for_update(tx, 'KEY SHARE')}",
        [*values, plugin],
    )
    if len(rows) > REPLAY_LIMIT:
        raise CrmError(
            ErrorCode.BAD_INPUT,
            f"These are more than {REPLAY_LIMIT} events.",
            hint="Replay them in parts, by time.",
        )
    turn = Turn()
    for start in range(0, len(rows), AT_ONCE):
        if turn.is_over:
            await turn.end()
        tx.insert_values(
            "crm_delivery",
            DELIVERY_COLUMNS,
            [
                (new_id(), row["id"], plugin, row["customer_id"], "PENDING", 0, None, tx.now, None)
                for row in rows[start : start + AT_ONCE]
            ],
        )
    try:
        await tx.transaction.flush()
    except IntegrityError:
        raise CrmError(
            ErrorCode.CONFLICT,
            "Somebody else is replaying some of these events at this moment.",
            hint="Look at what is owed, and try again.",
        ) from None
    if rows:
        tx.emit(EventsReplayed.of(plugin, len(rows)))
        tx.wake(CHORE)
    return len(rows) + retried


_NOT_OWED = "NOT EXISTS (SELECT 1 FROM crm_delivery d WHERE d.event_id = e.id AND d.handler = ?)"


@dataclass(frozen=True, kw_only=True)
class OwedEvent:
    """A delivery as the commands show it."""

    event: str
    type: str
    plugin: str
    customer: str | None
    status: str
    attempts: int
    tried_at: datetime | str | None
    next_at: datetime | str
    error: str | None
    due: bool


async def list_owed(
    database: "Database | UnitOfWork",
    *,
    status: str | None = None,
    plugin: str | None = None,
    event: str | None = None,
    limit: int = 50,
) -> list[OwedEvent]:
    """What is owed, in the order in which it came to be."""
    chosen = {"d.status": status, "d.handler": plugin, "d.event_id": event}
    given = {column: value for column, value in chosen.items() if value is not None}
    where = " AND ".join(f"{column} = ?" for column in given) or "1 = 1"
    rows = await database.fetch(
        "SELECT d.event_id, e.type, d.handler, d.customer_id, d.status, d.attempts, d.tried_at, d.next_at,"
        " d.error, CASE WHEN d.next_at <= ? THEN 1 ELSE 0 END AS due"
        f" FROM crm_delivery d JOIN crm_event e ON e.id = d.event_id WHERE {where}"
        f" ORDER BY d.position LIMIT {int(limit)}",
        [now(), *given.values()],
    )
    return [
        OwedEvent(
            event=row["event_id"],
            type=row["type"],
            plugin=row["handler"],
            customer=row["customer_id"],
            status=row["status"],
            attempts=row["attempts"],
            tried_at=row["tried_at"],
            next_at=row["next_at"],
            error=row["error"],
            due=bool(row["due"]),
        )
        for row in rows
    ]
