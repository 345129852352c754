"""Points for purchases: programmes, accounts and an append-only ledger."""

from collections.abc import Mapping, Sequence
from typing import Any

from crm_framework import Event, Permission, Plugin, SchemaParts, UnitOfWork, hookimpl

from . import privacy
from .earning import earn
from .events import PointsChanged, ProgramCreated
from .settings import LoyaltySettings

plugin = Plugin(
    name="loyalty",
    requires_api="1.0",
    summary="Points for purchases: programmes, accounts and a ledger.",
    settings=LoyaltySettings,
    models="crm_loyalty.models",
    migrations="crm_loyalty.migrations",
    permissions=[
        Permission("loyalty.read", "See loyalty programmes, accounts and entries.", self_service=True),
        Permission("loyalty.write", "Create loyalty programmes."),
    ],
    events=[PointsChanged, ProgramCreated],
)


@hookimpl
def schema(settings: LoyaltySettings) -> SchemaParts:
    from .graphql import parts

    return parts(settings)


@hookimpl
async def on_events(events: Sequence[Event], tx: UnitOfWork) -> None:
    await earn(events, tx)


@hookimpl
async def merge_customers(winner: str, losers: Sequence[str], tx: UnitOfWork) -> Mapping[str, int]:
    return await privacy.merge(winner, losers, tx)


@hookimpl
async def export_customer(customer_id: str, tx: UnitOfWork) -> Mapping[str, Any]:
    return await privacy.export(customer_id, tx)


@hookimpl
async def erase_customer(customer_id: str, tx: UnitOfWork) -> Mapping[str, int]:
    return await privacy.erase(customer_id, tx)
