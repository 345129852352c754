"""Figures about customers and sales."""

from collections.abc import Mapping, Sequence
from typing import Any

from crm_framework import Event, Permission, Plugin, SchemaParts, UnitOfWork, hookimpl

from . import daily, privacy, support

plugin = Plugin(
    name="analytics",
    requires_api="1.0",
    summary="Figures about customers and sales.",
    uses=["loyalty", "ticketing"],
    models="crm_analytics.models",
    migrations="crm_analytics.migrations",
    permissions=[
        Permission("analytics.read", "See figures about customers and sales."),
        Permission("analytics.rebuild", "Count the figures anew, and prove them."),
    ],
)


@hookimpl
def schema() -> SchemaParts:
    from .graphql import PARTS

    return PARTS


@hookimpl
async def on_events(events: Sequence[Event], tx: UnitOfWork) -> None:
    await daily.count(events, tx)
    await support.count(events, tx)


@hookimpl
async def merge_customers(winner: str, losers: Sequence[str], tx: UnitOfWork) -> Mapping[str, int]:
    return await privacy.merge(winner, losers, tx)


@hookimpl
async def export_customer(customer_id: str, tx: UnitOfWork) -> Mapping[str, Any]:
    return await privacy.export(customer_id, tx)


@hookimpl
async def erase_customer(customer_id: str, tx: UnitOfWork) -> Mapping[str, int]:
    return await privacy.erase(customer_id, tx)
