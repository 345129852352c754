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
    staff_id: str | None = None
    """The member of staff who wrote it, where one did."""


@dataclass(frozen=True, kw_only=True)
class TicketStatusChanged(TicketEvent):
    type = "ticketing.status_changed"
    staff_id: str | None = None
    """The member of staff who changed it, where one did."""


@dataclass(frozen=True, kw_only=True)
class TicketPriorityChanged(TicketEvent):
    type = "ticketing.priority_changed"


@dataclass(frozen=True, kw_only=True)
class TicketCategoryChanged(TicketEvent):
    type = "ticketing.category_changed"


@dataclass(frozen=True, kw_only=True)
class TicketAssigned(TicketEvent):
    """Another member of staff, or another team, has the ticket: `assignee_id` and `team_id` in `changes`."""

    type = "ticketing.assigned"


@dataclass(frozen=True, kw_only=True)
class TicketPolicyChanged(TicketEvent):
    """Another version of a policy applies to the ticket."""

    type = "ticketing.policy_changed"


@dataclass(frozen=True, kw_only=True)
class TicketClockBreached(TicketEvent):
    """A clock ran out, at `at`, which may be some time before this was noted."""

    type = "ticketing.clock_breached"
    clock: str = ""
    cycle: int = 0
    at: str = ""


@dataclass(frozen=True, kw_only=True)
class TicketEscalated(TicketEvent):
    """A step of the ticket's policy was due, at `at`: `action` says what it does, `to` whom it names."""

    type = "ticketing.escalated"
    clock: str = ""
    cycle: int = 0
    at: str = ""
    action: str = ""
    to: str | None = None


@dataclass(frozen=True, kw_only=True)
class CalendarChanged(Event):
    """A business calendar was made or changed."""

    type = "ticketing.calendar_changed"
    subject_type = "BusinessCalendar"
    calendar_id: str = ""

    @property
    def subject_id(self) -> str:
        return self.calendar_id


@dataclass(frozen=True, kw_only=True)
class PolicyChanged(Event):
    """A policy was made, changed, switched on or off, or put elsewhere in the order."""

    type = "ticketing.policy_edited"
    subject_type = "SlaPolicy"
    policy_id: str = ""

    @property
    def subject_id(self) -> str:
        return self.policy_id


@dataclass(frozen=True, kw_only=True)
class TeamChanged(Event):
    """A team was made or changed."""

    type = "ticketing.team_changed"
    subject_type = "TicketTeam"
    team_id: str = ""

    @property
    def subject_id(self) -> str:
        return self.team_id


@dataclass(frozen=True, kw_only=True)
class TicketsMerged(TicketEvent):
    """The tickets `merged` are now part of this one."""

    type = "ticketing.merged"
    merged: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class TicketRated(TicketEvent):
    """The customer said how satisfied they are, from 1 to 5."""

    type = "ticketing.rated"
    rating: int = 0


EVENTS = (
    TicketsMerged,
    TicketRated,
    CalendarChanged,
    PolicyChanged,
    TeamChanged,
    TicketOpened,
    TicketMessageAdded,
    TicketStatusChanged,
    TicketPriorityChanged,
    TicketCategoryChanged,
    TicketAssigned,
    TicketPolicyChanged,
    TicketClockBreached,
    TicketEscalated,
)
