"""Programmes in the API."""

from datetime import datetime

import strawberry
from strawberry import ID
from strawberry.types.field import StrawberryField

from crm_framework import (
    BigInt,
    Connection,
    Node,
    OrderField,
    Orders,
    UnitOfWork,
    children,
    chosen,
    column,
    connection,
    describe,
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
from crm_loyalty.earning.rules import Rounding, Selection
from crm_loyalty.models import RefundPolicy, TierBasis, TierDescent, TierPeriod
from crm_loyalty.settings import LoyaltySettings
from crm_loyalty.tiers.types import LoyaltyTier

from .changes import create_program, update_program

READ = "loyalty.read"
WRITE = "loyalty.write"

describe(
    RefundPolicy,
    "What becomes of points that a refund takes back when they are spent already.",
    name="LoyaltyRefundPolicy",
    ALLOW_NEGATIVE="The account gets a deficit, which later points make up first.",
    CLAMP_TO_ZERO="They are let go.",
)
describe(
    Selection,
    "Which of the rules that fit a cause apply.",
    name="LoyaltyRuleSelection",
    HIGHEST_PRIORITY="The one of the highest priority; of equals the one that was made first.",
    STACKING="All of them.",
)
describe(
    Rounding,
    "How parts of points are rounded, once for each cause.",
    name="LoyaltyRounding",
    FLOOR="Down.",
    HALF_UP="To the nearest; halves up.",
    CEILING="Up.",
)
describe(
    TierPeriod,
    "Over which time it counts what a customer earned or spent.",
    name="LoyaltyTierPeriod",
    CALENDAR_YEAR="A calendar year of the programme's zone; what it gives lasts through the next one.",
    ROLLING_12_MONTHS="The last twelve months.",
    LIFETIME="All the time.",
)
describe(
    TierBasis,
    "What counts towards a tier.",
    name="LoyaltyTierBasis",
    POINTS="Points that were earned, spent ones included.",
    SPEND="What was bought, less refunds.",
)
describe(
    TierDescent,
    "How far a customer goes down when a period ends.",
    name="LoyaltyTierDescent",
    ONE_STEP="One tier a period.",
    TO_EARNED="To the tier that was earned.",
)

PROGRAM_ORDERS = Orders("LoyaltyProgramOrder", [OrderField("NAME", "string", "By name.", column="name")])


VERSION_ORDERS = Orders(
    "LoyaltyProgramVersionOrder", [OrderField("NUMBER", "int", "By number.", column="number")]
)


@node(table="loyalty_program_version", permission=READ, hidden={"program_id": str}, shared=True)
class LoyaltyProgramVersion(Node):
    """What a programme says, or said, about earning and tiers. Never changed: a change is another version."""

    number: int = column("1 for the first, and so on.")
    from_at: datetime | None = column("For what happened from then on; null: also before it was made.")
    until_at: datetime | None = column("For what happened before then; null: it holds.")
    points_per_unit: int = column("Points per unit of the currency where no rule comes before.")
    expiry_months: int | None = column("Months after which points expire; null: never.")
    pending_days: int = column("Days until points can be spent.")
    selection: Selection = column("Which of the rules that fit a cause apply.")
    rounding: Rounding = column("How parts of points are rounded, once for each cause.")
    cap_per_purchase: BigInt | None = column("Points at most for one purchase, of all rules; null: any.")
    cap_per_day: BigInt | None = column("Points at most for a customer on a day, of all rules; null: any.")
    cap_per_customer: BigInt | None = column("Points at most for a customer in all, of all rules; null: any.")
    tier_period: TierPeriod = column("Over which time it counts what was earned or spent.")
    tier_basis: TierBasis = column("What counts towards a tier.")
    tier_descent: TierDescent = column("How far a customer goes down.")
    tier_grace_days: int = column("Days after a period until a tier is lost.")
    active: bool = column("Whether what happens earns in it.")
    created_at: datetime = column("When it was made.")


@node(table="loyalty_program", permission=READ, shared=True)
class LoyaltyProgram(Node):
    """A loyalty programme: its terms, tiers, rules, campaigns and rewards."""

    version: int = column("Grows by one with each change.")
    name: str = column("The programme's name.")
    currency: str = column("ISO 4217; only purchases in it earn.")
    time_zone: str = column("The zone whose calendar counts for expiry and tiers.")
    points_per_unit: int = column(
        "Points per unit of the currency where no rule comes before; 0: only rules earn."
    )
    expiry_months: int | None = column("Months after which points expire; null: never.")
    pending_days: int = column("Days until points can be spent.")
    selection: Selection = column("Which of the rules that fit a cause apply.")
    rounding: Rounding = column("How parts of points are rounded, once for each cause.")
    refund_policy: RefundPolicy = column("What refunds do to points that are spent already.")
    tier_period: TierPeriod = column("Over which time it counts what was earned or spent.")
    tier_basis: TierBasis = column("What counts towards a tier.")
    tier_descent: TierDescent = column("How far a customer goes down.")
    tier_grace_days: int = column("Days after a period until a tier is lost.")
    cap_per_purchase: BigInt | None = column("Points at most for one purchase, of all rules; null: any.")
    cap_per_day: BigInt | None = column("Points at most for a customer on a day, of all rules; null: any.")
    cap_per_customer: BigInt | None = column("Points at most for a customer in all, of all rules; null: any.")
    active: bool = column("Whether what happens now earns in it; its versions tell when it did.")
    created_at: datetime = column(
        "When it was made; purchases that were told before then earn only by a replay."
    )
    tiers: list[LoyaltyTier] = children(
        key="program_id", order=("threshold",), description="Its tiers, the lowest first."
    )
    versions: Connection[LoyaltyProgramVersion] = connection(
        key="program_id",
        orders=VERSION_ORDERS,
        default_order=("-NUMBER",),
        description="What it says and said about earning and tiers, the latest first.",
    )


class ProgramQueries:
    loyalty_programs: Connection[LoyaltyProgram] = connection(
        orders=PROGRAM_ORDERS,
        default_order=("NAME",),
        description="Loyalty programmes, by name.",
        permission=READ,
    )


@strawberry.input(description="A new loyalty programme.")
class CreateLoyaltyProgramInput:
    name: str = required("The programme's name; no two share one, in the same letters.")
    currency: str = required("ISO 4217; only purchases in it earn.")
    points_per_unit: int | None = optional(
        "Points per unit of the currency; that of the settings if left out.", default=None
    )
    time_zone: str = optional("IANA name; its calendar counts for expiry and tiers.", default="UTC")
    expiry_months: int | None = optional(
        "Months after which points expire; null, or left out: never.", default=None
    )
    pending_days: int = optional("Days until points can be spent.", default=0)
    selection: Selection = optional(
        "Which of the rules that fit a cause apply.", default=Selection.HIGHEST_PRIORITY
    )
    rounding: Rounding = optional(
        "How parts of points are rounded, once for each cause.", default=Rounding.FLOOR
    )
    refund_policy: RefundPolicy = optional(
        "What refunds do to points that are spent already.", default=RefundPolicy.ALLOW_NEGATIVE
    )
    tier_period: TierPeriod = optional(
        "Over which time it counts what was earned or spent.", default=TierPeriod.CALENDAR_YEAR
    )
    tier_basis: TierBasis = optional("What counts towards a tier.", default=TierBasis.POINTS)
    tier_descent: TierDescent = optional("How far a customer goes down.", default=TierDescent.TO_EARNED)
    tier_grace_days: int = optional("Days after a period until a tier is lost.", default=0)
    cap_per_purchase: BigInt | None = optional(
        "Points at most for one purchase, of all rules; any if left out.", default=None
    )
    cap_per_day: BigInt | None = optional(
        "Points at most for a customer on a day, of all rules; any if left out.", default=None
    )
    cap_per_customer: BigInt | None = optional(
        "Points at most for a customer in all, of all rules; any if left out.", default=None
    )
    idempotency_key: str | None = retry_key()


@strawberry.input(description="A change of a programme; what was entered before stays as it is.")
class UpdateLoyaltyProgramInput:
    program: ID = required("Which programme.")
    name: str | None = optional("The programme's name; no two share one, in the same letters.")
    points_per_unit: int | None = optional("Points per unit of the currency.")
    expiry_months: int | None = optional("Months after which points expire; null: never.")
    pending_days: int | None = optional("Days until points can be spent.")
    selection: Selection | None = optional("Which of the rules that fit a cause apply.")
    rounding: Rounding | None = optional("How parts of points are rounded, once for each cause.")
    refund_policy: RefundPolicy | None = optional("What refunds do to points that are spent already.")
    tier_period: TierPeriod | None = optional("Over which time it counts what was earned or spent.")
    tier_basis: TierBasis | None = optional("What counts towards a tier.")
    tier_descent: TierDescent | None = optional("How far a customer goes down.")
    tier_grace_days: int | None = optional("Days after a period until a tier is lost.")
    cap_per_purchase: BigInt | None = optional("Points at most for one purchase, of all rules; null: any.")
    cap_per_day: BigInt | None = optional("Points at most for a customer on a day, of all rules; null: any.")
    cap_per_customer: BigInt | None = optional(
        "Points at most for a customer in all, of all rules; null: any."
    )
    active: bool | None = optional("Whether what happens from now on earns in it.")
    expected_version: int | None = expected()


@payload
class LoyaltyProgramPayload:
    """The programme after the change."""

    program_id: strawberry.Private[str | None] = None
    program: LoyaltyProgram | None = reference("program_id", "The programme; null on failure.")


@mutation(permission=WRITE, everyone=True)
async def update_loyalty_program(tx: UnitOfWork, input: UpdateLoyaltyProgramInput) -> LoyaltyProgramPayload:
    """Changes a programme, for what happens from now on. What was entered, and which tiers were reached and
    lost, stays as it is; what happened before and is told later goes by what the programme said then.
    """
    key = key_of(input.program, LoyaltyProgram, path=("program",))
    members = given(input, leave_out=("program", "expected_version"))
    version = chosen(input.expected_version)
    return LoyaltyProgramPayload(program_id=await update_program(tx, key, members, expected_version=version))


def creating(settings: LoyaltySettings) -> StrawberryField:
    """`createLoyaltyProgram`, with the rate of the settings for programmes that name none."""

    @mutation(permission=WRITE, everyone=True)
    async def create_loyalty_program(
        tx: UnitOfWork, input: CreateLoyaltyProgramInput
    ) -> LoyaltyProgramPayload:
        """Makes a programme. Purchases in its currency earn points from now on."""
        members = given(input, leave_out=("idempotency_key", "name", "currency", "points_per_unit"))
        rate = settings.points_per_unit if input.points_per_unit is None else input.points_per_unit
        return LoyaltyProgramPayload(
            program_id=await create_program(tx, input.name, input.currency, rate, **members)
        )

    return create_loyalty_program
