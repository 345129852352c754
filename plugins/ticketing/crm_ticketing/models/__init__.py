"""The tables of the plugin, one file a subject."""

from .calendars import BusinessCalendar, CalendarVersion
from .history import HistoryEntry
from .policies import Policy, PolicyVersion, Rulebook
from .teams import Team
from .tickets import Counter, Message, MessageAuthor, Ticket, TicketPriority, TicketStatus

__all__ = [
    "BusinessCalendar",
    "CalendarVersion",
    "Counter",
    "HistoryEntry",
    "Message",
    "MessageAuthor",
    "Policy",
    "PolicyVersion",
    "Rulebook",
    "Team",
    "Ticket",
    "TicketPriority",
    "TicketStatus",
]
