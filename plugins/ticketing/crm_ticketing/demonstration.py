"""What `crm demo` shows of tickets: an office with its promises, and fifty tickets of the past two months.

Each went through what tickets go through, at moments that are past; what was due meanwhile is noted too.
"""

import random
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from crm_framework import UnitOfWork

from .alarms.job import sound
from .calendars.rules import CalendarRules, Shift
from .calendars.store import create_calendar
from .messages.new import NewMessage
from .models import MessageAuthor, TicketPriority, TicketStatus
from .policies.rules import ClockKind, Conditions, PolicyRules, Step, StepAction
from .policies.store import create_policy, switch
from .settings import TicketingSettings
from .surveys.store import Rating, rate
from .teams.store import create_team
from .tickets.changes import change_status
from .tickets.messages import reply_to_ticket
from .tickets.opening import NewTicket, open_ticket

TICKETS = 50
HOUR = 3600
DAYTIME = (Shift(9 * 60, 12 * 60 + 30), Shift(13 * 60, 18 * 60))
SUBJECTS = (
    ("complaint", "The parcel arrived damaged", "Two of the bags were torn open."),
    ("complaint", "Beans are stale", "The roast date on the bag is four months old."),
    ("question", "Which grind for a moka pot?", "I have the hand mill."),
    ("request", "Change the delivery day", "Could it come on Fridays from now on?"),
    ("complaint", "Charged twice", "My card shows the same amount two times."),
    ("question", "When is the next harvest?", "The Ethiopia was sold out."),
    ("request", "An invoice with our VAT number", "Our accountant asks for it."),
    ("complaint", "The mill's handle broke", "After a week of use."),
)
PRIORITIES = (TicketPriority.NORMAL, TicketPriority.LOW, TicketPriority.NORMAL, TicketPriority.HIGH)
ANSWER = "Thank you for telling us. Here is what we can do."


@dataclass(frozen=True)
class Story:
    """What happens to a ticket, so many hours after it was opened; None: not at all. It is rated half
    a day after it was resolved.
    """

    answered: float | None = None
    waits: float | None = None
    written: float | None = None
    again: float | None = None
    """When that is answered."""
    held: float | None = None
    resolved: float | None = None
    closed: float | None = None
    rating: int | None = None


OVER = (
    Story(answered=1, resolved=6, rating=5),
    Story(answered=2, waits=2.5, written=26, again=28, resolved=30, closed=200, rating=4),
    Story(resolved=3, rating=5),
    Story(answered=30, resolved=140, rating=2),
    Story(answered=3, resolved=20, written=44, again=52, closed=190),
    Story(answered=52, waits=53, written=120, again=240, resolved=290, rating=1),
    Story(answered=1.5, resolved=5, closed=150, rating=4),
)
"""Of those that came long ago."""
GOING_ON = (
    Story(),
    Story(answered=1.2),
    Story(answered=2, waits=3),
    Story(answered=1, held=4),
    Story(answered=2, waits=3, written=20),
)
"""Of those that are open."""


async def fill(
    customer_ids: Sequence[str], staff_ids: Sequence[str], tx: UnitOfWork, settings: TicketingSettings
) -> Mapping[str, int]:
    """Nothing where there are tickets, policies, calendars or teams already."""
    for table in ("ticket", "policy", "calendar", "team"):
        if await tx.fetch(f"SELECT 1 AS one FROM ticketing_{table} LIMIT 1"):
            return {}
    rng, now = random.Random(5), tx.now
    with tx.dated(now - timedelta(days=70)):
        await _office(tx, staff_ids, settings.categories)
    opened = []
    for number in range(TICKETS):
        is_open = number % 5 == 4
        days = rng.uniform(0.1, 4) if is_open else rng.uniform(14, 60)
        story = GOING_ON[number // 5 % len(GOING_ON)] if is_open else OVER[number % len(OVER)]
        customer = customer_ids[number * 5 % len(customer_ids)]
        opened.append((now - timedelta(days=days), story, customer))
    opened.sort(key=lambda one: one[0])
    for number, (at, story, customer) in enumerate(opened):
        category, subject, body = SUBJECTS[number % len(SUBJECTS)]
        new = NewTicket(
            customer_id=customer,
            subject=subject,
            body=body,
            category=category if category in settings.categories else None,
            priority=PRIORITIES[number % len(PRIORITIES)],
            channel="email" if number % 3 else "phone",
            tags=("wholesale",) if number % 9 == 0 else (),
        )
        await _tell(tx, new, story, at, now, settings.categories)
    return {"tickets": TICKETS}


async def _office(tx: UnitOfWork, staff_ids: Sequence[str], categories: Sequence[str]) -> None:
    """Open Monday to Friday with a lunch break, with a promise for what is urgent and one for the rest."""
    rules = CalendarRules("Europe/Berlin", week=(DAYTIME,) * 5 + ((), ()), country="DE", subdivision="BE")
    office = (await create_calendar(tx, "Roastery office", rules)).calendar_id
    usual = PolicyRules(
        {
            ClockKind.FIRST_RESPONSE: 8 * HOUR,
            ClockKind.NEXT_RESPONSE: 8 * HOUR,
            ClockKind.FIRST_RESOLUTION: 24 * HOUR,
            ClockKind.TOTAL_RESOLUTION: 40 * HOUR,
        },
        pauses=("WAITING_ON_CUSTOMER", "ON_HOLD"),
    )
    urgent = PolicyRules(
        {
            ClockKind.FIRST_RESPONSE: 2 * HOUR,
            ClockKind.NEXT_RESPONSE: 4 * HOUR,
            ClockKind.TOTAL_RESOLUTION: 16 * HOUR,
        },
        conditions=Conditions(priorities=("HIGH", "URGENT")),
        steps=(Step(ClockKind.TOTAL_RESOLUTION, StepAction.RAISE_PRIORITY, percent=75),),
    )
    first = (await create_policy(tx, "Urgent", urgent, office, categories=categories)).policy_id
    rest = (await create_policy(tx, "Usual", usual, office, categories=categories)).policy_id
    await switch(tx, [first, rest], [])
    await create_team(tx, "Customer desk", (), staff_ids, categories)


async def _tell(
    tx: UnitOfWork, new: NewTicket, story: Story, at: datetime, now: datetime, categories: Sequence[str]
) -> None:
    """What happened to a ticket until now."""
    with tx.dated(at):
        ticket = await open_ticket(tx, new, categories)
    answer = NewMessage(author=MessageAuthor.STAFF, body=ANSWER, channel=new.channel)
    reply = NewMessage(author=MessageAuthor.CUSTOMER, body="Any news?", channel=new.channel)
    rating = Rating(story.rating or 0)
    rated = None if story.rating is None else (story.resolved or 0) + 12
    steps: list[tuple[float | None, Callable[[], Awaitable[str]]]] = [
        (story.answered, lambda: reply_to_ticket(tx, ticket, answer)),
        (story.waits, lambda: change_status(tx, ticket, TicketStatus.WAITING_ON_CUSTOMER)),
        (story.held, lambda: change_status(tx, ticket, TicketStatus.ON_HOLD)),
        (story.written, lambda: reply_to_ticket(tx, ticket, reply)),
        (story.again, lambda: reply_to_ticket(tx, ticket, answer)),
        (story.resolved, lambda: change_status(tx, ticket, TicketStatus.RESOLVED)),
        (rated, lambda: rate(tx, ticket, rating)),
        (story.closed, lambda: change_status(tx, ticket, TicketStatus.CLOSED)),
    ]
    due = [(at + timedelta(hours=hours), step) for hours, step in steps if hours is not None]
    for moment, step in sorted(due, key=lambda one: one[0]):
        if moment < now:
            with tx.dated(moment):
                await step()
    await sound(tx, ticket)
