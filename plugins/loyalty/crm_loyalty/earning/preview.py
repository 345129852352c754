"""What a purchase or a touch would earn: the rules that it is asked itself, and nothing is written."""

from datetime import datetime
from typing import Annotated

import strawberry
from strawberry import Info

from crm_framework import (
    BigInt,
    CrmError,
    Customer,
    ErrorCode,
    Reader,
    chosen,
    key_of,
    load,
    now,
    reference,
    root,
)
from crm_loyalty.campaigns.graphql import LoyaltyCampaign
from crm_loyalty.ledger.sources import MOST_POINTS
from crm_loyalty.moments import NEVER
from crm_loyalty.programs.graphql import READ, LoyaltyProgram
from crm_loyalty.tiers.types import LoyaltyTier

from .causes import Told
from .enter import judged
from .facts import about
from .graphql import LoyaltyEarningRule
from .preview_inputs import PreviewEarningInput, cause_of
from .rules import Award, Cause, Trigger, local_day
from .store import Offer, offers
from .terms import expires_at, unlocks_at
from .uses import uses_of


@strawberry.type(description="What a rule would give.")
class EarningShare:
    rule_id: strawberry.Private[str | None]
    name: str = strawberry.field(description="The rule's name; the programme's for its own rate.")
    points: BigInt = strawberry.field(description="How many points.")
    because: str = strawberry.field(description="How they come about.")
    rule: LoyaltyEarningRule | None = reference("rule_id", "The rule; null for the programme's own rate.")


@strawberry.type(description="A rule that would give nothing.")
class EarningPassed:
    rule_id: strawberry.Private[str | None]
    name: str = strawberry.field(description="The rule's name; the programme's for its own rate.")
    because: str = strawberry.field(description="Why not.")
    rule: LoyaltyEarningRule | None = reference("rule_id", "The rule; null for the programme's own rate.")


@strawberry.type(description="A campaign, or the customer's tier, that would multiply.")
class EarningMultiplier:
    campaign_id: strawberry.Private[str | None]
    tier_id: strawberry.Private[str | None]
    percent: int = strawberry.field(description="By how much, in percent.")
    campaign: LoyaltyCampaign | None = reference("campaign_id", "The campaign; null for a tier.")
    tier: LoyaltyTier | None = reference("tier_id", "The tier; null for a campaign.")


@strawberry.type(description="What a purchase, or a touch, would earn.")
class EarningPreview:
    points: BigInt = strawberry.field(description="How many points.")
    unlock_at: datetime | None = strawberry.field(
        description="From when on they could be spent; null: at once."
    )
    expires_at: datetime | None = strawberry.field(description="When they would expire; null: never.")
    applied: list[EarningShare] = strawberry.field(description="The rules that apply, and what each gives.")
    passed: list[EarningPassed] = strawberry.field(
        description="The rules that do not, and why; customers themselves are not told."
    )
    multipliers: list[EarningMultiplier] = strawberry.field(
        description="The tier and the campaigns that multiply."
    )


@root(permission=READ, also="customers.read", restricted=True)
async def preview_earning(
    info: Info,
    input: Annotated[PreviewEarningInput, strawberry.argument(description="The purchase, or the touch.")],
) -> EarningPreview:
    """What a purchase, or a touch, would earn, by which rules, and why others would give nothing. Nothing is
    changed.
    """
    program = key_of(input.program, LoyaltyProgram, path=("input", "program"))
    asked = key_of(input.customer, Customer, path=("input", "customer"))
    reader = info.context.reader
    winner = "SELECT COALESCE(merged_into_id, id) AS id FROM crm_customer WHERE id = ?"
    key = next((str(row["id"]) for row in await reader.fetch(winner, [asked])), asked)
    [customer] = await load(info, Customer, [key], columns=("id",))
    if customer is None:
        raise CrmError(ErrorCode.NOT_FOUND, "There is no such customer.", path=("input", "customer"))
    trigger = Trigger.PURCHASE if chosen(input.interaction) is None else Trigger.INTERACTION
    found = await offers(reader, [trigger], program_id=program)
    if program not in found:
        raise CrmError(ErrorCode.NOT_FOUND, "There is no such programme.", path=("input", "program"))
    offer = found[program]
    told = Told(customer_id=key, source_key="", cause=cause_of(input, offer.programme.currency))
    earned = await _judged(told, offer, reader)
    preview = _shown(earned, told.cause, offer)
    if info.context.actor.kind == "CUSTOMER":
        preview.passed = []  # why not may be what staff noted of them
    return preview


async def _judged(told: Told, offer: Offer, reader: Reader) -> Award:
    program, key = offer.programme.id, told.customer_id
    who = (await about([key], [offer], reader))[program, key]
    account = await reader.fetch(
        "SELECT id FROM loyalty_account WHERE program_id = ? AND customer_id = ?", [program, key]
    )
    uses = await uses_of([(told, offer)], [str(row["id"]) for row in account], reader)
    day = local_day(told.cause.at, offer.programme.zone)
    earned = judged(told, offer, who, uses.of(str(account[0]["id"]), day, offer) if account else {})
    if earned.points > MOST_POINTS:
        raise CrmError(
            ErrorCode.REFUSED,
            f"It would earn {earned.points} points, and an entry has {MOST_POINTS} at most.",
            path=("input", "total"),
            hint="Ask for less, or set a cap.",
        )
    return earned


def _shown(earned: Award, cause: Cause, offer: Offer) -> EarningPreview:
    expiry = expires_at(earned.terms, cause.at, offer.programme.zone)
    unlock = unlocks_at(earned.terms, cause.at) or cause.at
    return EarningPreview(
        points=BigInt(earned.points),
        unlock_at=unlock if earned.points and unlock > now() else None,
        expires_at=None if expiry == NEVER or not earned.points else expiry,
        applied=[
            EarningShare(
                rule_id=share.rule.id or None,
                name=share.rule.name,
                points=BigInt(share.points),
                because=share.because,
            )
            for share in earned.shares
        ],
        passed=[
            EarningPassed(rule_id=one.rule.id or None, name=one.rule.name, because=one.because)
            for one in earned.passed
        ],
        multipliers=[
            *(
                EarningMultiplier(campaign_id=None, tier_id=one.tier, percent=one.percent)
                for one in (earned.multiplier,)
                if one is not None
            ),
            *(
                EarningMultiplier(campaign_id=one.id, tier_id=None, percent=one.percent)
                for one in earned.campaigns
            ),
        ],
    )
