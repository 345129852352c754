"""Points for purchases: programmes, tiers, accounts and an append-only ledger."""

from collections.abc import Mapping, Sequence
from typing import Any

from crm_framework import (
    Event,
    Figure,
    Job,
    Permission,
    Plugin,
    Reader,
    SchemaParts,
    UnitOfWork,
    Window,
    hookimpl,
)

from . import figures as numbers
from . import notices, privacy
from .campaigns.events import CAMPAIGN_EVENTS
from .earning.birthdays import BIRTHDAYS, reward_birthdays
from .earning.events import EARNING_EVENTS
from .earning.handler import earn
from .events import EVENTS
from .ledger.jobs import settle_due, tell_expiring
from .referrals.events import REFERRAL_EVENTS
from .replays.run import REPLAY, replay
from .rewards.events import REWARD_EVENTS
from .rewards.jobs import release_reservation
from .rewards.redeeming import RELEASE
from .settings import LoyaltySettings
from .tiers.jobs import judge_tiers

plugin = Plugin(
    name="loyalty",
    requires_api="1.0",
    summary="Points for purchases: programmes, tiers and a ledger that proves itself.",
    settings=LoyaltySettings,
    models="crm_loyalty.models",
    migrations="crm_loyalty.migrations",
    commands="crm_loyalty.commands",
    permissions=[
        Permission("loyalty.read", "See loyalty programmes, accounts and entries.", self_service=True),
        Permission("loyalty.write", "Create and change loyalty programmes and tiers."),
        Permission("loyalty.adjust", "Correct customers' points by hand, and transfer them."),
        Permission("loyalty.redeem", "Redeem and reserve rewards for customers.", self_service=True),
        Permission("loyalty.codes", "See the codes of vouchers.", self_service=True),
        Permission("loyalty.refer", "Make referral codes, and accept them for customers.", self_service=True),
        Permission("loyalty.replay", "Replay changed rules, and enter what corrects the ledger."),
        Permission("loyalty.verify", "Have the ledger replayed and compared."),
    ],
    events=[*EVENTS, *EARNING_EVENTS, *CAMPAIGN_EVENTS, *REWARD_EVENTS, *REFERRAL_EVENTS],
    jobs=[
        Job(BIRTHDAYS, "Enters what birthdays earn.", reward_birthdays, cron="19 0 * * *"),
        Job(RELEASE, "Gives back a reservation that ran out.", release_reservation),
        Job(notices.NOTICE, "Tells a customer by e-mail that points are about to expire.", notices.notify),
        Job(REPLAY, "Compares what was earned with what rules would give, and corrects it.", replay),
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
async def on_events(events: Sequence[Event], tx: UnitOfWork, settings: LoyaltySettings) -> None:
    await earn(events, tx)
    notices.plan(events, tx, settings)


@hookimpl
async def figures(window: Window, group_by: str | None, reader: Reader) -> Sequence[Figure]:
    return await numbers.told(window, group_by, reader)


@hookimpl
async def demo(customer_ids: Sequence[str], tx: UnitOfWork) -> Mapping[str, int]:
    from .demonstration import fill

    return await fill(customer_ids, tx)


@hookimpl
async def merge_customers(winner: str, losers: Sequence[str], tx: UnitOfWork) -> Mapping[str, int]:
    return await privacy.merge(winner, losers, tx)


@hookimpl
async def export_customer(customer_id: str, tx: UnitOfWork) -> Mapping[str, Any]:
    return await privacy.export(customer_id, tx)


@hookimpl
async def erase_customer(customer_id: str, tx: UnitOfWork) -> Mapping[str, int]:
    return await privacy.erase(customer_id, tx)
