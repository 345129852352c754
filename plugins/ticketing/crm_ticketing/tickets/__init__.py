"""Tickets: opening them, answering them, and what else is done to them."""

from .changes import assign, change_category, change_priority, change_status
from .held import customer_of, hold_ticket
from .messages import add_note, reply_to_ticket
from .opening import NewTicket, open_ticket

__all__ = [
    "NewTicket",
    "add_note",
    "assign",
    "change_category",
    "change_priority",
    "change_status",
    "customer_of",
    "hold_ticket",
    "open_ticket",
    "reply_to_ticket",
]
