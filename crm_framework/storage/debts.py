"""What handlers owe, a row of crm_delivery each, and what comes behind it.

Events of one customer reach a handler in their order: while it owes one of them, later ones are not tried but
queue behind. That something is owed at all is asked for together with the savepoint of the first handler, so
that it takes no round trip; only then is it asked for whom.

It is asked after the change holds its customers. Two changes of one customer that hold it both, one after the
other, are therefore handled in that order; of two that go on side by side, either may be the first.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import lru_cache
from typing import TYPE_CHECKING

from crm_framework.events import Event

from .ids import new_id

if TYPE_CHECKING:
    from .unit_of_work import UnitOfWork

FIRST_RETRY = timedelta(seconds=10)
"""After the first try, inside the transaction of the change."""
LONGEST_RETRY = timedelta(hours=6)
MAX_ATTEMPTS = 10
"""A delivery that failed so often, the first try included, is parked: about 22 hours after the change."""

ERROR_LENGTH = 2000
ASKED_AT_ONCE = 500
"""Customers in one statement."""

DELIVERY_COLUMNS = (
    *("id", "event_id", "handler", "customer_id", "status", "attempts", "tried_at", "next_at", "error"),
)

Stored = tuple[str, Event]
"""An event and its key in crm_event."""


def retry_after(attempts: int) -> timedelta:
    """How long to wait after so many attempts: 10 s, 40 s, 3 min, 11 min, 43 min, 3 h, then 6 h each."""
    growth: int = 4 ** (max(1, min(attempts, MAX_ATTEMPTS)) - 1)
    return min(FIRST_RETRY * growth, LONGEST_RETRY)


class Debts:
    """Whose events the handlers owe, as far as this transaction has looked, and what it adds to that."""

    def __init__(self, tx: "UnitOfWork") -> None:
        self._tx = tx
        self._looked: set[str] = set()
        self._owing: set[tuple[str, str]] = set()

    def seek(self, stored: Sequence[Stored]) -> str | None:
        """A SELECT that finds a row if a handler owes anything that is tried at once; None if that is known
        for these events."""
        if all(event.customer_id is None or event.customer_id in self._looked for _, event in stored):
            return None
        database = self._tx.database
        at_once = [one.name for one in database.handlers if not database.handling_of(one).later]
        return _anything(tuple(at_once)) if at_once else None

    async def look(self, stored: Sequence[Stored], *, found: bool) -> bool:
        """Looks whom it is owed for, if `seek` found something; whether that may have changed `split`."""
        keys = {event.customer_id for _, event in stored if event.customer_id is not None} - self._looked
        self._looked |= keys
        if not found:
            return False
        wanted = sorted(keys)
        for start in range(0, len(wanted), ASKED_AT_ONCE):
            some = wanted[start : start + ASKED_AT_ONCE]
            rows = await self._tx.fetch(
                "SELECT DISTINCT handler, customer_id FROM crm_delivery"
                f" WHERE status = 'PENDING' AND customer_id IN ({', '.join('?' * len(some))})",
                some,
            )
            self._owing.update((row["handler"], row["customer_id"]) for row in rows)
        return True

    def split(self, handler: str, stored: Sequence[Stored]) -> tuple[list[Stored], list[Stored]]:
        """The events that the handler may try, and those that come behind one that it owes."""
        if not self._owing:
            return list(stored), []
        behind = [one for one in stored if (handler, one[1].customer_id) in self._owing]
        tried = [one for one in stored if (handler, one[1].customer_id) not in self._owing]
        return tried, behind

    def owe(
        self, handler: str, stored: Sequence[Stored], *, attempts: int, next_at: datetime, error: str | None
    ) -> None:
        """Notes that the handler owes these events."""
        tx = self._tx
        self._owing.update((handler, event.customer_id) for _, event in stored if event.customer_id)
        tried_at = tx.now if attempts else None
        text = error[:ERROR_LENGTH] if error else None
        tx.insert_values(
            "crm_delivery",
            DELIVERY_COLUMNS,
            [
                (new_id(), key, handler, event.customer_id, "PENDING", attempts, tried_at, next_at, text)
                for key, event in stored
            ],
        )


@lru_cache(maxsize=64)
def _anything(handlers: tuple[str, ...]) -> str:
    quoted = ", ".join("'" + name.replace("'", "''") + "'" for name in handlers)
    return f"SELECT 1 FROM crm_delivery WHERE handler IN ({quoted}) AND status = 'PENDING' LIMIT 1"
