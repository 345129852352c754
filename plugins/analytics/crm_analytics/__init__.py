"""Figures about customers and sales."""

from collections.abc import Mapping, Sequence
from typing import Any

from crm_framework import Event, Handling, Permission, Plugin, SchemaParts, UnitOfWork, hookimpl

from . import answers, moods, privacy, support
from .jobs import JOBS
from .rollups import counting
from .routes import ROUTES
from .settings import AnalyticsSettings
from .surveys import delivery
from .surveys import privacy as surveys
from .surveys.events import EVENTS

SUBJECTS = (counting, answers, moods, support, delivery)
"""What is counted of events, each by itself."""


def counts(event: Event) -> bool:
    """Whether the event changes any figure."""
    return any(subject.concerns(event) for subject in SUBJECTS)


plugin = Plugin(
    name="analytics",
    requires_api="1.0",
    summary="Figures about customers and sales.",
    uses=["loyalty", "ticketing"],
    settings=AnalyticsSettings,
    models="crm_analytics.models",
    migrations="crm_analytics.migrations",
    permissions=[
        Permission("analytics.read", "See figures about customers and sales."),
        Permission("analytics.rebuild", "Count the figures anew, and prove them."),
        Permission("analytics.rates", "Enter exchange rates."),
        Permission("analytics.freeze", "Keep who belongs to segments today."),
        Permission("analytics.surveys", "Make and send surveys, and answer for customers."),
        Permission("analytics.answers", "See whom surveys ask, and what they answered.", self_service=True),
    ],
    events=EVENTS,
    jobs=JOBS,
    routes=ROUTES,
    commands="crm_analytics.commands",
    handling=Handling(wanted=counts, later=True),
)


@hookimpl
def schema(settings: AnalyticsSettings) -> SchemaParts:
    from .graphql import parts

    return parts(settings)


@hookimpl
async def on_events(events: Sequence[Event], tx: UnitOfWork) -> None:
    for subject in SUBJECTS:
        await subject.count(events, tx)


@hookimpl
async def merge_customers(winner: str, losers: Sequence[str], tx: UnitOfWork) -> Mapping[str, int]:
    return {**await privacy.merge(winner, losers, tx), **await surveys.merge(winner, losers, tx)}


@hookimpl
async def export_customer(customer_id: str, tx: UnitOfWork) -> Mapping[str, Any]:
    found = await privacy.export(customer_id, tx)
    return {**found, "surveys": await surveys.export(customer_id, tx)}


@hookimpl
async def erase_customer(customer_id: str, tx: UnitOfWork) -> Mapping[str, int]:
    return {**await privacy.erase(customer_id, tx), **await surveys.erase(customer_id, tx)}
