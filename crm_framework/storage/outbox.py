"""Events on their way out of a unit of work: stored with the change, audited, handed to the plugins.

A handler gets its first try inside the transaction, in a savepoint and within a time budget: what it writes
is there when the change is, exactly once. One that fails or is late loses what it wrote, never the change:
the event then waits for it in crm_delivery.
"""

import logging
from collections.abc import Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Protocol

import msgspec

from crm_framework.errors import CrmError, ErrorCode
from crm_framework.events import Event

from .events import encode
from .ids import new_id
from .turns import in_turns

if TYPE_CHECKING:
    from .unit_of_work import UnitOfWork

log = logging.getLogger(__name__)

MAX_ROUNDS = 8
"""Events that handlers emit are handed on in the same transaction, so many times; what comes after waits."""

FIRST_RETRY = timedelta(seconds=10)

BUDGETED_EVENTS = 50
"""The handlers' time budget is for up to so many events; a bulk change has more in proportion."""


EVENT_COLUMNS = ("id", "type", "customer_id", "payload", "created_at")
AUDIT_COLUMNS = (
    *("id", "at", "actor_kind", "actor_id", "actor_name", "token_id", "request_id", "action"),
    *("subject_type", "subject_id", "customer_id", "changes"),
)
DELIVERY_COLUMNS = ("id", "event_id", "handler", "status", "attempts", "next_at", "error")


class EventHandler(Protocol):
    """Reacts to what happened. `name` is the plugin's; deliveries are kept by it."""

    @property
    def name(self) -> str: ...

    async def __call__(self, events: Sequence[Event], tx: "UnitOfWork") -> None: ...


class ChangeGuard(Protocol):
    """May refuse what is about to be committed by raising CrmError."""

    @property
    def name(self) -> str: ...

    async def __call__(self, events: Sequence[Event], tx: "UnitOfWork") -> None: ...


Stored = tuple[str, Event]
"""An event and its key in crm_event."""


async def settle(tx: "UnitOfWork") -> None:
    """Takes what was emitted through guards, outbox and handlers. Called once, before the commit."""
    pending = await _store(tx)
    handlers = tx.database.handlers
    if not handlers:
        return
    for _ in range(MAX_ROUNDS):
        if not pending:
            return
        emitted: list[Stored] = []
        for handler in handlers:
            emitted += await _first_try(tx, handler, pending)
        pending = emitted
    for handler in handlers:
        _owe(tx, handler, pending, attempts=0, error=f"more than {MAX_ROUNDS} rounds of events")


async def _store(tx: "UnitOfWork") -> list[Stored]:
    """Writes what was emitted since the last time to outbox and audit log, unless a guard refuses it."""
    events = tx.take_events()
    if not events:
        return []
    await in_turns(lambda event: _check(tx, event), events)
    for guard in tx.database.guards:
        await guard(events, tx)
    more = tx.take_events()
    await in_turns(lambda event: _check(tx, event), more)
    stored = [(new_id(), event) for event in (*events, *more)]
    tx.insert_values(
        "crm_event",
        EVENT_COLUMNS,
        await in_turns(lambda one: _event_row(tx, *one), stored),
    )
    tx.insert_values("crm_audit", AUDIT_COLUMNS, await in_turns(lambda one: _audit_row(tx, one[1]), stored))
    return stored


def _check(tx: "UnitOfWork", event: Event) -> None:
    known = tx.database.event_types
    if known is not None and event.type not in known:
        raise CrmError(
            ErrorCode.INTERNAL,
            f"The event type {event.type!r} is not declared.",
            hint="List the class in the plugin's `Plugin(events=[...])`.",
        )
    if event.customer_id is None and not _has_subject(event):
        raise CrmError(
            ErrorCode.INTERNAL,
            f"The event {event.type!r} names neither a customer nor another subject.",
            hint="Give it a customer_id, or override `subject_id`.",
        )


def _has_subject(event: Event) -> bool:
    try:
        return bool(event.subject_id)
    except AssertionError:
        return False


def _event_row(tx: "UnitOfWork", key: str, event: Event) -> tuple[Any, ...]:
    return key, event.type, event.customer_id, encode(event), tx.now


def _audit_row(tx: "UnitOfWork", event: Event) -> tuple[Any, ...]:
    actor = tx.actor
    who = (
        ("SYSTEM", None, "system", None)
        if actor is None
        else (actor.kind, actor.id, actor.name, actor.token_id)
    )
    kind, actor_id, name, token_id = who
    changes = msgspec.json.encode(event.changes).decode()
    return (
        new_id(), tx.now, kind, actor_id, name, token_id, tx.request_id, event.type,
        *event.audit_subject, event.customer_id, changes,
    )  # fmt: skip


async def _first_try(tx: "UnitOfWork", handler: EventHandler, stored: Sequence[Stored]) -> list[Stored]:
    """The events that the handler emitted; none if it failed."""
    budget = tx.database.handler_budget_ms / 1000 * max(1.0, len(stored) / BUDGETED_EVENTS)
    await tx.transaction.flush()  # if that fails, the handler is not to blame
    try:
        async with tx.savepoint():
            await tx.transaction.lend(handler([event for _, event in stored], tx), budget)
            return await _store(tx)
    except Exception as error:
        if isinstance(error, TimeoutError) and not str(error):
            reason = f"took longer than {budget * 1000:.0f} ms"
        else:
            reason = f"{type(error).__name__}: {error}"
        log.warning("Plugin %s did not handle %d event(s) at once: %s", handler.name, len(stored), reason)
        _owe(tx, handler, stored, attempts=1, error=reason)
        return []


def _owe(
    tx: "UnitOfWork", handler: EventHandler, stored: Sequence[Stored], *, attempts: int, error: str
) -> None:
    tx.insert_values(
        "crm_delivery",
        DELIVERY_COLUMNS,
        [
            (new_id(), key, handler.name, "PENDING", attempts, tx.now + FIRST_RETRY, error[:2000])
            for key, _ in stored
        ],
    )
