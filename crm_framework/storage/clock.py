"""The time, as every room sees it: aware, UTC, and held still in tests."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime

_frozen: ContextVar[datetime | None] = ContextVar("crm_frozen_time", default=None)


def now() -> datetime:
    """The current moment in UTC, or the one that `frozen` set."""
    return _frozen.get() or datetime.now(UTC)


@contextmanager
def frozen(at: datetime) -> Iterator[None]:
    """Holds `now()` at the aware moment `at` inside the block, for this task and the tasks it starts."""
    if at.tzinfo is None:
        raise ValueError("frozen() takes an aware datetime, such as datetime(2024, 1, 1, tzinfo=UTC)")
    token = _frozen.set(at.astimezone(UTC))
    try:
        yield
    finally:
        _frozen.reset(token)


def parse_time(value: str | datetime) -> datetime:
    """A moment as a raw row carries it (text on SQLite, datetime on PostgreSQL) as aware UTC."""
    moment = datetime.fromisoformat(value) if isinstance(value, str) else value
    if moment.tzinfo is UTC:
        return moment  # most are, and lists have many
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
