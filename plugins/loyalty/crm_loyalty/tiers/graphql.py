"""Tiers in the API."""

from collections.abc import Sequence
from datetime import datetime

import strawberry
from strawberry import ID

from crm_framework import (
    BigInt,
    Money,
    Node,
    OrderField,
    Orders,
    Reader,
    Through,
    UnitOfWork,
    chosen,
    column,
    expected,
    given,
    key_of,
    mutation,
    node,
    optional,
    payload,
    reference,
    required,
    retry_key,
)
from crm_loyalty.models import TierBasis
from crm_loyalty.programs.graphql import LoyaltyProgram

from .changes import create_tier, update_tier
from .standing import Counts, Ladder, histories, ladders, stands
from .types import LoyaltyTier

READ = "loyalty.read"

TIER_CHANGE_ORDERS = Orders(
    "LoyaltyTierChangeOrder", [OrderField("AT", "datetime", "By the moment of the change.", column="at")]
)


@node(
    table="loyalty_tier_change",
    permission=READ,
    hidden={"tier_id": str | None, "previous_id": str | None},
    owner=Through("account_id", "loyalty_account"),
)
class LoyaltyTierChange(Node):
    """A tier that was reached or lost."""

    at: datetime = column("Since when.")
    tier: LoyaltyTier | None = reference("tier_id", "The tier; null for none.")
    previous: LoyaltyTier | None = reference("previous_id", "The tier before; null for none.")


@strawberry.type(description="Where a customer stands on the tiers of a programme.")
class LoyaltyStanding:
    name: str | None = strawberry.field(description="The tier's name; null below the first one.")
    benefits: list[str] = strawberry.field(description="What it brings.")
    since: datetime | None = strawberry.field(
        description="Since when; null for who was never on another level."
    )
    until: datetime | None = strawberry.field(
        description="When the tier is judged next, and may be lost if nothing more is earned; null: never."
    )
    next_tier: str | None = strawberry.field(description="Name of the next tier; null on the highest.")
    points_to_next: BigInt | None = strawberry.field(
        description="Points that are missing for it; null on the highest, and where spend counts."
    )
    spend_to_next: Money | None = strawberry.field(
        description="Spend that is missing for it; null on the highest, and where points count."
    )


async def standings_at(
    reader: Reader, account_ids: Sequence[str], program_ids: Sequence[str], at: datetime
) -> list[LoyaltyStanding | None]:
    """Of each account where it stands at a moment; None where its programme has no tiers. Two statements."""
    found = await ladders(reader, (str(key) for key in program_ids))
    of = {
        key: found[str(program)]
        for key, program in zip(account_ids, program_ids, strict=True)
        if str(program) in found
    }
    counted = await histories(reader, of) if of else {}
    return [_shown(of[key], counted.get(key), at) if key in of else None for key in account_ids]


def _shown(ladder: Ladder, counts: Counts | None, at: datetime) -> LoyaltyStanding:
    found, rungs = stands(ladder, counts, at), ladder.at(at)
    number = rungs.level_of(found.tier_id)
    level = rungs.levels[number] if number >= 0 else None
    following = rungs.levels[number + 1] if number + 1 < len(rungs.levels) else None
    missing = max(0, following.threshold - found.amount) if following else None
    by_points = rungs.basis is TierBasis.POINTS
    return LoyaltyStanding(
        name=level.name if level else None,
        benefits=list(level.benefits) if level else [],
        since=found.since,
        until=found.review_at,
        next_tier=following.name if following else None,
        points_to_next=BigInt(missing) if by_points and missing is not None else None,
        spend_to_next=None if by_points or missing is None else Money.of(missing, ladder.currency),
    )


@strawberry.input(description="A new tier of a programme.")
class CreateTierInput:
    program: ID = required("In which programme.")
    name: str = required("The tier's name; no two of a programme share one.")
    threshold: BigInt = required("From how many points on, or how much spend in minor units.")
    benefits: list[str] = optional("What it brings, each in 500 characters at most.", default_factory=list)
    percent: int = optional(
        "Of the points that rules give, those who have it earn: 150 is half as many again.", default=100
    )
    from_at: datetime | None = optional(
        "From when on it can be reached; also in what happened before it was made, if left out.", default=None
    )
    idempotency_key: str | None = retry_key()


@strawberry.input(description="A change of a tier, for what happens from now on. What is left out stays.")
class UpdateTierInput:
    tier: ID = required("Which tier.")
    name: str | None = optional("The tier's name; no two of a programme share one.")
    threshold: BigInt | None = optional("From how many points on, or how much spend in minor units.")
    benefits: list[str] | None = optional("What it brings, each in 500 characters at most.")
    percent: int | None = optional("Of the points that rules give, those who have it earn.")
    expected_version: int | None = expected()


@payload
class LoyaltyTierPayload:
    """The tier after the change."""

    tier_id: strawberry.Private[str | None] = None
    tier: LoyaltyTier | None = reference("tier_id", "The tier; null on failure.")


@mutation(permission="loyalty.write", everyone=True, name="createTier")
async def create(tx: UnitOfWork, input: CreateTierInput) -> LoyaltyTierPayload:
    """Makes a tier. Accounts are judged anew, in the background."""
    program = key_of(input.program, LoyaltyProgram, path=("program",))
    return LoyaltyTierPayload(
        tier_id=await create_tier(
            tx,
            program,
            input.name,
            input.threshold,
            input.benefits,
            input.percent,
            from_at=chosen(input.from_at),
        )
    )


@mutation(permission="loyalty.write", everyone=True, name="updateTier")
async def update(tx: UnitOfWork, input: UpdateTierInput) -> LoyaltyTierPayload:
    """Changes a tier, for what happens from now on: which tiers were reached and lost stays as it was. By
    another threshold accounts are judged anew, in the background: up at once, down as at any other time.
    """
    key = key_of(input.tier, LoyaltyTier, path=("tier",))
    members = given(input, leave_out=("tier", "expected_version"))
    version = chosen(input.expected_version)
    return LoyaltyTierPayload(tier_id=await update_tier(tx, key, members, expected_version=version))
