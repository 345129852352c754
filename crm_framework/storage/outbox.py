"""Events on their way out of a unit of work: stored with the change, audited, handed to the plugins.

A handler gets its first try inside the transaction, in a savepoint and within a time budget: what it writes
is there when the change is, exactly once. One that fails or is late loses what it wrote, never the change:
the event then waits for it in crm_delivery, and so does what happens to the same customer until it is done
(see `debts` and `deliveries`). A handler may leave all its events to that, or want only some (`Handling`).
"""

import logging
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Protocol

from crm_framework import tracing
from crm_framework.errors import CrmError, ErrorCode
from crm_framework.events import Event
from crm_framework.hooks.specs import Handling

from .audit import Said, entries, who_acts
from .debts import FIRST_RETRY, Debts, Stored
from .events import encode
from .ids import new_id
from .own_time import OwnTime

if TYPE_CHECKING:
    from .unit_of_work import UnitOfWork

log = logging.getLogger(__name__)

MAX_ROUNDS = 8
"""Events that handlers emit are handed on in the same transaction, so many times; what comes after waits."""

BUDGETED_EVENTS = 50
"""The handlers' time budget is for up to so many events; a bulk change has more in proportion."""

EVENT_COLUMNS = ("id", "type", "customer_id", "payload", "created_at")
TRACED_COLUMNS = (*EVENT_COLUMNS, "trace")


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


async def settle(tx: "UnitOfWork") -> None:
    """Takes what was emitted through guards, outbox and handlers. Called once, before the commit."""
    await hand_on(tx, await _store(tx))


async def hand_on(tx: "UnitOfWork", stored: Sequence[Stored]) -> None:
    """Hands stored events to the handlers, and what these emit too."""
    handlers = tx.database.handlers
    if not handlers or not stored:
        return
    debts = Debts(tx)
    pending = list(stored)
    for _ in range(MAX_ROUNDS):
        emitted: list[Stored] = []
        for handler in handlers:
            handling = tx.database.handling_of(handler)
            wanted = _wanted(handling, handler, pending)
            if wanted and handling.later:
                debts.owe(handler.name, wanted, attempts=0, next_at=when_later(tx.now), error=None)
            elif wanted:
                emitted += await _first_try(tx, handler, wanted, debts)
        pending = emitted
        if not pending:
            return
    for handler in handlers:
        why = f"more than {MAX_ROUNDS} rounds of events"
        wanted = _wanted(tx.database.handling_of(handler), handler, pending)
        debts.owe(handler.name, wanted, attempts=0, next_at=tx.now + FIRST_RETRY, error=why)


def when_later(moment: datetime) -> datetime:
    """When the worker hands over what is left to it: all that happened in one second together."""
    return moment.replace(microsecond=0) + timedelta(seconds=1)


def _wanted(handling: Handling, handler: EventHandler, stored: Sequence[Stored]) -> Sequence[Stored]:
    """Those that the handler wants; all of them if it fails to say so, as the change must not fail by it."""
    if handling.wanted is None:
        return stored
    try:
        return [one for one in stored if handling.wanted(one[1])]
    except Exception:
        log.exception("Plugin %s does not say which events it wants; it gets all of them.", handler.name)
        return stored


async def _store(tx: "UnitOfWork") -> list[Stored]:
    """Writes what was emitted since the last time to outbox and audit log, unless a guard refuses it."""
    events = tx.take_events()
    if not events:
        return []
    _check(tx, events)
    if tx.database.guards:
        for guard in tx.database.guards:
            await guard(events, tx)
        more = tx.take_events()
        _check(tx, more)
        events += more
    stored = [(new_id(), event) for event in events]
    cause = tracing.cause()
    columns, more_values = (EVENT_COLUMNS, ()) if cause is None else (TRACED_COLUMNS, (cause,))
    at, who, key, request_id = tx.now, who_acts(tx.actor), tx.database.audit_key, tx.request_id

    def event_rows(part: Sequence[Stored]) -> list[tuple[Any, ...]]:
        return [(id, event.type, event.customer_id, encode(event), at, *more_values) for id, event in part]

    def audit_rows(part: Sequence[Stored]) -> list[tuple[Any, ...]]:
        return entries(who, [_said(event) for _, event in part], request_id, at=at, key=key)

    await tx.insert_in_turns("crm_event", columns, event_rows, stored)
    await tx.audit_in_turns(audit_rows, stored)
    return stored


def _said(event: Event) -> Said:
    return (event.type, *event.audit_subject, event.customer_id, None, event.changes)


def _check(tx: "UnitOfWork", events: Sequence[Event]) -> None:
    known = tx.database.event_types
    if known is not None:
        for type_ in {event.type for event in events}:
            if type_ not in known:
                raise CrmError(
                    ErrorCode.INTERNAL,
                    f"The event type {type_!r} is not declared.",
                    hint="List the class in the plugin's `Plugin(events=[...])`.",
                )
    for event in events:
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


async def _first_try(
    tx: "UnitOfWork", handler: EventHandler, stored: Sequence[Stored], debts: Debts
) -> list[Stored]:
    """The events that the handler emitted; none if it failed."""
    budget = allowed(tx.database.handler_budget_ms, stored)
    await tx.transaction.flush()  # if that fails, the handler is not to blame
    tried, behind = debts.split(handler.name, stored)
    try:
        async with tx.savepoint(debts.seek(stored)) as found:
            if await debts.look(stored, found=found):
                tried, behind = debts.split(handler.name, stored)
            emitted = await attempt(tx, handler, tried, budget) if tried else []
    except Exception as error:
        emitted = []
        why = reason(error, budget)
        log.warning("Plugin %s did not handle %d event(s) at once: %s", handler.name, len(tried), why)
        text = kept(error, why, tried)
        debts.owe(handler.name, tried, attempts=1, next_at=tx.now + FIRST_RETRY, error=text)
    debts.owe(handler.name, behind, attempts=0, next_at=tx.now, error=None)
    return emitted


async def attempt(
    tx: "UnitOfWork",
    handler: EventHandler,
    stored: Sequence[Stored],
    seconds: float,
    causes: Sequence[str | None] = (),
) -> list[Stored]:
    """Has a handler handle events; what it emitted, stored. For the inside of a savepoint.

    `causes` are the spans that emitted them, in later tries. Raises what the handler raises, and TimeoutError
    where it takes longer than `seconds`, without the time that others held the event loop.
    """
    events = [event for _, event in stored]
    work = OwnTime(handler(events, tx))
    try:
        if tracing.spans is None:
            await tx.transaction.lend(work, seconds)
        else:
            facts: dict[str, tracing.Value] = {"crm.plugin": handler.name, "crm.events": len(events)}
            with tracing.spans.span(f"handle {handler.name}", facts, causes=causes):
                await tx.transaction.lend(work, seconds)
    finally:
        if work.longest > 2 * seconds:
            # Nobody else had a turn meanwhile, so nobody could stop it
            log.warning(
                "Plugin %s blocked the event loop for %.1f s; it has %.1f s.",
                *(handler.name, work.longest, seconds),
            )
    return await _store(tx)


def allowed(budget_ms: int, stored: Sequence[object]) -> float:
    """Seconds that a handler has for so many events."""
    return budget_ms / 1000 * max(1.0, len(stored) / BUDGETED_EVENTS)


def reason(error: Exception, seconds: float) -> str:
    """Why a handler failed, for the log."""
    if isinstance(error, TimeoutError) and not str(error):
        return f"took longer than {seconds * 1000:.0f} ms"
    return f"{type(error).__name__}: {error}"


def kept(error: Exception, why: str, stored: Sequence[Stored]) -> str:
    """The same for the table. What is about several customers would outlive the erasure of each of them."""
    if len({event.customer_id for _, event in stored}) > 1 and not why.startswith("took longer"):
        return f"{type(error).__name__} for {len(stored)} events at once; the log has its text"
    return why
