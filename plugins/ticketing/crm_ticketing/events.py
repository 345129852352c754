"""What happens to tickets."""

from dataclasses import dataclass

from crm_framework import Event


@dataclass(frozen=True, kw_only=True)
class TicketEvent(Event):
    """Base of the events of tickets."""

    subject_type = "Ticket"
    ticket_id: str = ""

    @property
    def subject_id(self) -> str:
        return self.ticket_id


@dataclass(frozen=True, kw_only=True)
class TicketOpened(TicketEvent):
    type = "ticketing.ticket_opened"


@dataclass(frozen=True, kw_only=True)
class TicketMessageAdded(TicketEvent):
    type = "ticketing.message_added"
    message_id: str = ""


@dataclass(frozen=True, kw_only=True)
class TicketStatusChanged(TicketEvent):
    type = "ticketing.status_changed"
