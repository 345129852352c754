"""Complaints and requests: tickets with messages, a status and an assignee."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from crm_framework import (
    InteractionKind,
    Permission,
    Plugin,
    Reader,
    SchemaParts,
    TimelineEntry,
    UnitOfWork,
    hookimpl,
)

from . import privacy
from . import timeline as history
from .events import TicketMessageAdded, TicketOpened, TicketStatusChanged
from .settings import TicketingSettings

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
    ],
    kinds=[InteractionKind("support", "A message about a ticket.", support_case=True)],
    events=[TicketOpened, TicketMessageAdded, TicketStatusChanged],
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
async def merge_customers(winner: str, losers: Sequence[str], tx: UnitOfWork) -> Mapping[str, int]:
    return await privacy.merge(winner, losers, tx)


@hookimpl
async def export_customer(customer_id: str, tx: UnitOfWork) -> Mapping[str, Any]:
    return await privacy.export(customer_id, tx)


@hookimpl
async def erase_customer(customer_id: str, tx: UnitOfWork) -> Mapping[str, int]:
    return await privacy.erase(customer_id, tx)
