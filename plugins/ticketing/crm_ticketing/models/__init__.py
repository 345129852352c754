"""The tables of the plugin, one file a subject."""

from .calendars import BusinessCalendar, CalendarVersion
from .desk import KnowledgeNote, ReplyTemplate, View
from .history import HistoryEntry
from .links import Follower, Link, LinkKind, TicketTag
from .messages import Attachment, AttachmentContent, Mail, Words
from .policies import Policy, PolicyVersion, Rulebook
from .surveys import Survey
from .teams import Team
from .tickets import LARGEST_NUMBER, Counter, Message, MessageAuthor, Ticket, TicketPriority, TicketStatus

__all__ = [
    "LARGEST_NUMBER",
    "Attachment",
    "AttachmentContent",
    "BusinessCalendar",
    "CalendarVersion",
    "Counter",
    "Follower",
    "HistoryEntry",
    "KnowledgeNote",
    "Link",
    "LinkKind",
    "Mail",
    "Message",
    "MessageAuthor",
    "Policy",
    "PolicyVersion",
    "ReplyTemplate",
    "Rulebook",
    "Survey",
    "Team",
    "Ticket",
    "TicketPriority",
    "TicketStatus",
    "TicketTag",
    "View",
    "Words",
]
