"""Complaints and requests: tickets with messages, a status and an assignee."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from crm_framework import (
    Channel,
    Event,
    Figure,
    Fragment,
    InteractionKind,
    Job,
    JobRun,
    Permission,
    Plugin,
    Reader,
    SchemaParts,
    Signal,
    TimelineEntry,
    UnitOfWork,
    Window,
    hookimpl,
)

from . import privacy
from . import timeline as history
from .events import EVENTS
from .routes import ROUTES
from .settings import TicketingSettings


async def sound_alarm(job: JobRun) -> None:
    """Deals with what is due of a ticket."""
    from .alarms.job import run

    await run(job)


async def recalculate(job: JobRun) -> None:
    """Puts open tickets under the policies of today."""
    from .policies.trial import recalculate_all

    await recalculate_all(job)


async def look_into_mailbox(job: JobRun) -> None:
    """Takes in what is unread in the mailbox."""
    from .mail.polling import poll

    await poll(job)


async def ask_how_it_was(job: JobRun) -> None:
    """Asks a customer how satisfied they are."""
    from .surveys.job import ask

    await ask(job)


plugin = Plugin(
    name="ticketing",
    requires_api="1.0",
    summary="Tickets: complaints and requests, with messages and a status.",
    settings=TicketingSettings,
    models="crm_ticketing.models",
    migrations="crm_ticketing.migrations",
    permissions=[
        Permission("ticketing.read", "See tickets and their messages.", self_service=True),
        Permission("ticketing.write", "Open tickets, answer them and change their status."),
        Permission("ticketing.intake", "Hand over e-mails, which open tickets and add to them."),
        Permission("ticketing.desk", "See templates of replies, notes of knowledge, queues and saved views."),
        Permission("ticketing.policies", "See policies, calendars and teams."),
        Permission("ticketing.configure", "Change policies, calendars and teams; recalculate tickets."),
    ],
    kinds=[InteractionKind("support", "A message about a ticket.", support_case=True)],
    channels=[Channel("webhook", "Signed requests of other systems.")],
    events=EVENTS,
    routes=ROUTES,
    commands="crm_ticketing.commands",
    jobs=[
        Job("ticketing.alarm", "Notes breaches of a ticket and takes the steps that are due.", sound_alarm),
        Job(
            "ticketing.mailbox",
            "Takes in what is unread in the mailbox of the settings.",
            look_into_mailbox,
            cron="* * * * *",
            attempts=1,
        ),
        Job(
            "ticketing.survey",
            "Asks a customer how satisfied they are with a ticket.",
            ask_how_it_was,
        ),
        Job("ticketing.recalculate", "Puts open tickets under the policies of today.", recalculate),
    ],
)


@hookimpl
def schema(settings: TicketingSettings) -> SchemaParts:
    from .graphql import parts

    return parts(settings)


@hookimpl
async def timeline(
    customer_ids: Sequence[str],
    before: datetime | None,
    limit: int,
    kinds: Sequence[str] | None,
    reader: Reader,
) -> Sequence[TimelineEntry]:
    return await history.entries(customer_ids, before, limit, kinds, reader)


@hookimpl
async def on_events(events: Sequence[Event], tx: UnitOfWork, settings: TicketingSettings) -> None:
    if settings.survey:
        from .surveys.job import plan

        plan(tx, events, settings)
    if settings.mail_replies:
        from .mail.answers import send_answers

        await send_answers(tx, events, settings)
    if settings.follower_mails:
        from .mail.notices import tell_followers

        await tell_followers(tx, events, settings)


@hookimpl
async def figures(window: Window, group_by: str | None, reader: Reader) -> Sequence[Figure]:
    from .report.figures import figures as told

    return await told(window, group_by, reader)


@hookimpl
async def signals(
    customer_ids: Sequence[str], reader: Reader, settings: TicketingSettings
) -> Sequence[Signal]:
    from .report.figures import signals as told

    return await told(customer_ids, reader, settings.complaint_categories)


@hookimpl
async def signalled(reader: Reader, settings: TicketingSettings) -> Fragment:
    from .report.figures import signalled as told

    return told(reader, settings.complaint_categories)


@hookimpl
async def demo(
    customer_ids: Sequence[str], staff_ids: Sequence[str], tx: UnitOfWork, settings: TicketingSettings
) -> Mapping[str, int]:
    from .demonstration import fill

    return await fill(customer_ids, staff_ids, tx, settings)


@hookimpl
async def merge_customers(winner: str, losers: Sequence[str], tx: UnitOfWork) -> Mapping[str, int]:
    return await privacy.merge(winner, losers, tx)


@hookimpl
async def export_customer(customer_id: str, tx: UnitOfWork) -> Mapping[str, Any]:
    return await privacy.export(customer_id, tx)


@hookimpl
async def erase_customer(customer_id: str, tx: UnitOfWork) -> Mapping[str, int]:
    return await privacy.erase(customer_id, tx)
