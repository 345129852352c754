"""Descriptions of the plugin's enums: imported before any type of the API uses one."""

from crm_framework import describe
from crm_ticketing.clocks.history import HappenedKind
from crm_ticketing.clocks.rules import ClockState
from crm_ticketing.models import MessageAuthor, TicketPriority, TicketStatus
from crm_ticketing.policies.rules import ClockKind, StepAction

__all__ = [
    "ClockKind",
    "ClockState",
    "HappenedKind",
    "MessageAuthor",
    "StepAction",
    "TicketPriority",
    "TicketStatus",
]

describe(
    TicketStatus,
    "How far a ticket has come.",
    NEW="Nobody has answered yet.",
    OPEN="Being dealt with.",
    WAITING_ON_CUSTOMER="The customer must answer first.",
    ON_HOLD="Something else must happen first.",
    RESOLVED="Dealt with; an answer of the customer opens it again.",
    CLOSED="Done for good; takes no more messages.",
)
describe(
    TicketPriority,
    "How urgent a ticket is.",
    LOW="When there is time.",
    NORMAL="In turn.",
    HIGH="Before others.",
    URGENT="At once.",
)
describe(
    MessageAuthor,
    "Who wrote a message.",
    CUSTOMER="The customer.",
    STAFF="A member of staff, or a program on their behalf.",
    AUTOMATIC="A program by itself, such as a confirmation that the message came in.",
)
describe(
    ClockKind,
    "What a clock measures.",
    FIRST_RESPONSE="From opening the ticket to the first public answer by a person.",
    NEXT_RESPONSE="From the oldest unanswered message of the customer to the answer.",
    FIRST_RESOLUTION="From opening the ticket until it is resolved for the first time.",
    TOTAL_RESOLUTION="The same until it is resolved for good, without the times when it was resolved.",
)
describe(
    StepAction,
    "What a step of escalation does.",
    NOTIFY="Tells somebody.",
    RAISE_PRIORITY="Gives the ticket the next higher priority.",
    REASSIGN="Gives the ticket to somebody else.",
)
describe(
    ClockState,
    "How a clock stands.",
    PENDING="It runs, and there is time.",
    PAUSED="It stands still, as the status of the ticket says.",
    MET="What it waited for happened in time.",
    BREACHED="Its time ran out, whether or not what it waited for happened later. It stays so.",
    CANCELLED="What it waited for is not wanted any more.",
)
describe(
    HappenedKind,
    "What an entry of a ticket's history tells of.",
    CREATED="It was opened.",
    STATUS="It got another status.",
    PRIORITY="It got another priority.",
    CATEGORY="It got another category.",
    MESSAGE="A message that the customer sees; `after` says who wrote it.",
    NOTE="A message for staff alone.",
    ASSIGNED="Somebody else deals with it.",
    TEAM="Another team has it.",
    POLICY="Another version of a policy applies to it.",
    MERGED="It was merged into another ticket.",
    ABSORBED="Another ticket was merged into it.",
    LINKED="It was linked to another ticket.",
    UNLINKED="A link to another ticket was taken away.",
    FOLLOWED="A member of staff follows it.",
    UNFOLLOWED="A member of staff follows it no longer.",
    TAGGED="It got a tag.",
    UNTAGGED="It lost a tag.",
    ATTRIBUTE="One of its attributes changed; `after` says which.",
    RATED="The customer rated it.",
    BREACHED="A clock ran out; `after` says which.",
    ESCALATED="A step of its policy was due; `after` says by which clock.",
)
