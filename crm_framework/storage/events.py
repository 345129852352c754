"""How an event is written to the outbox and read back."""

from collections.abc import Iterable, Iterator

import msgspec

from crm_framework.errors import CrmError, ErrorCode
from crm_framework.events import Event


class EventTypes:
    """The events that this program knows, by type: the core's and those of the plugins that are on."""

    def __init__(self, types: Iterable[type[Event]] = ()) -> None:
        self._by_type: dict[str, type[Event]] = {}
        for event_type in types:
            self.add(event_type)

    def add(self, event_type: type[Event]) -> None:
        """Raises CrmError CONFIGURATION if another class has the type already."""
        known = self._by_type.setdefault(event_type.type, event_type)
        if known is not event_type:
            raise CrmError(
                ErrorCode.CONFIGURATION,
                f"The event type {event_type.type!r} belongs to {_where(known)} and to {_where(event_type)}.",
                hint="Rename one of them; a plugin's event types begin with its name.",
            )

    def __contains__(self, event_type: str) -> bool:
        return event_type in self._by_type

    def __iter__(self) -> Iterator[type[Event]]:
        return iter(self._by_type.values())

    def decode(self, event_type: str, payload: str | bytes) -> Event:
        """The event of an outbox row. Raises CrmError CONFIGURATION for a type that is not declared."""
        known = self._by_type.get(event_type)
        if known is None:
            raise CrmError(
                ErrorCode.CONFIGURATION,
                f"The outbox holds an event of type {event_type!r}, which no enabled plugin declares.",
                hint="Enable the plugin that made it.",
            )
        return msgspec.json.decode(payload, type=known)


def encode(event: Event) -> str:
    """The event's fields as JSON, without its type."""
    return msgspec.json.encode(event).decode()


def _where(event_type: type) -> str:
    return f"{event_type.__module__}.{event_type.__qualname__}"
