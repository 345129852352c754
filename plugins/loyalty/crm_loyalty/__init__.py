"""Points for purchases: programmes, tiers, accounts and an append-only ledger."""

from collections.abc import Mapping, Sequence
from typing import Any

from crm_framework import Event, Job, Permission, Plugin, SchemaParts, UnitOfWork, hookimpl

from . import privacy
from .earning import earn
from .events import EVENTS
from .ledger.jobs import settle_due, tell_expiring
from .settings import LoyaltySettings
from .tiers.jobs import judge_tiers

plugin = Plugin(
    name="loyalty",
    requires_api="1.0",
    summary="Points for purchases: programmes, tiers and a ledger that proves itself.",
    settings=LoyaltySettings,
    models="crm_loyalty.models",
    migrations="crm_loyalty.migrations",
    permissions=[
        Permission("loyalty.read", "See loyalty programmes, accounts and entries.", self_service=True),
        Permission("loyalty.write", "Create and change loyalty programmes and tiers."),
        Permission("loyalty.adjust", "Correct customers' points by hand, and transfer them."),
        Permission("loyalty.verify", "Have the ledger replayed and compared."),
    ],
    events=EVENTS,
    jobs=[
        Job(
            "loyalty.settle",
            "Lets points expire and pending ones unlock.",
            settle_due,
            cron="7 * * * *",
        ),
        Job(
            "loyalty.expiring",
            "Says which points are about to expire.",
            tell_expiring,
            cron="23 4 * * *",
        ),
        Job(
            "loyalty.tiers",
            "Judges tiers that may be lost by now, and all of a programme whose rules changed.",
            judge_tiers,
            cron="11 * * * *",
        ),
    ],
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
