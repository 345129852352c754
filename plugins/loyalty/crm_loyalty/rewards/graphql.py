"""What is there to redeem, and what was redeemed, over the API."""

from datetime import datetime
from typing import Any

from strawberry import Info

from crm_framework import (
    Batch,
    BigInt,
    Connection,
    FilterSpec,
    Member,
    Money,
    Node,
    OrderField,
    Orders,
    Through,
    among,
    batch,
    column,
    computed,
    connection,
    describe,
    load,
    node,
    reference,
)
from crm_loyalty.earning.inputs import JSON
from crm_loyalty.earning.store import plain
from crm_loyalty.models import CodeSource, RedemptionStatus, RewardKind
from crm_loyalty.programs.graphql import READ, WRITE, LoyaltyProgram
from crm_loyalty.tiers.types import LoyaltyTier

CODES = "loyalty.codes"

describe(
    RewardKind,
    "What a reward is.",
    name="LoyaltyRewardKind",
    DISCOUNT="An amount or a percentage off.",
    PRODUCT="Goods, named by a SKU.",
    VOUCHER="A code.",
)
describe(
    CodeSource,
    "Where a voucher's codes come from.",
    name="LoyaltyCodeSource",
    GENERATED="They are made, so that nobody can guess them.",
    POOL="They are given, by `addVoucherCodes`.",
)
describe(
    RedemptionStatus,
    "What has become of a redemption.",
    name="LoyaltyRedemptionStatus",
    RESERVED="The reward is held for a while; its points are taken.",
    REDEEMED="It is the customer's.",
    FULFILLED="The customer has got it.",
    CANCELLED="The reservation was cancelled; the points are back.",
    EXPIRED="The reservation ran out; the points are back.",
    REVERSED="It was undone; the points are back.",
)


@node(
    table="loyalty_reward_version",
    permission=READ,
    hidden={
        "reward_id": str, "currency": str, "cost_minor": int, "value_minor": int | None, "tiers": JSON,
    },
    shared=True,
)  # fmt: skip
class LoyaltyRewardVersion(Node):
    """What a reward is, or was. Never changed: a change is another version."""

    number: int = column("1 for the first, and so on.")
    from_at: datetime = column("From then on.")
    until_at: datetime | None = column("Until then; null: it holds.")
    name: str = column("Its name.")
    description: str | None = column("What it is, in words.")
    cost_points: BigInt = column("What it costs, in points.")
    percent: int | None = column("What a discount takes off, in percent.")
    sku: str | None = column("Of a product.")
    per_customer: int | None = column("How many a customer can have; null: any number.")
    valid_from: datetime | None = column("From when on it is offered.")
    valid_until: datetime | None = column("Until when it is offered.")
    hold_minutes: int = column("For how long it is reserved.")
    active: bool = column("Whether it is offered.")

    @computed()
    @staticmethod
    def value(value_minor: int | None, currency: str) -> Money | None:
        """The amount that a discount takes off."""
        return None if value_minor is None else Money.of(value_minor, currency)

    @computed(permission=WRITE)
    @staticmethod
    def cost(cost_minor: int, currency: str) -> Money:
        """What one costs us."""
        return Money.of(cost_minor, currency)

    @batch(needs=("tiers",), restricted=True)
    @staticmethod
    async def tiers(each: Batch["LoyaltyRewardVersion"], info: Info) -> list[list[LoyaltyTier]]:
        """One of these tiers is needed; empty: none is."""
        return await _needed(each, info)


VERSION_ORDERS = Orders(
    "LoyaltyRewardVersionOrder", [OrderField("NUMBER", "int", "By number.", column="number")]
)


@node(
    table="loyalty_reward",
    permission=READ,
    hidden={"program_id": str, "cost_minor": int, "value_minor": int | None, "tiers": JSON},
    shared=True,
)
class LoyaltyReward(Node):
    """What points are spent on."""

    version: int = column("Grows by one with each change.")
    name: str = column("Its name; no two rewards of a programme share one.")
    description: str | None = column("What it is, in words.")
    kind: RewardKind = column("Whether it is a discount, goods or a voucher.")
    cost_points: BigInt = column("What it costs, in points.")
    percent: int | None = column("What a discount takes off, in percent.")
    sku: str | None = column("Of a product.")
    codes: CodeSource | None = column("Of a voucher: where its codes come from.")
    stock: BigInt | None = column("How many there are; null: as many as are asked for.")
    per_customer: int | None = column("How many a customer can have; null: any number.")
    valid_from: datetime | None = column("From when on it is offered.")
    valid_until: datetime | None = column("Until when it is offered.")
    hold_minutes: int = column("For how long it is reserved.")
    active: bool = column("Whether it is offered.")
    created_at: datetime = column("When it was made.")
    updated_at: datetime = column("When it last changed.")
    program: LoyaltyProgram = reference("program_id", "The programme.")
    versions: Connection[LoyaltyRewardVersion] = connection(
        key="reward_id",
        orders=VERSION_ORDERS,
        default_order=("-NUMBER",),
        description="What it is and was, the latest first.",
    )

    @batch(needs=("program_id", "value_minor"), restricted=True)
    @staticmethod
    async def value(each: Batch["LoyaltyReward"], info: Info) -> list[Money | None]:
        """The amount that a discount takes off."""
        return await _amounts(each, info, "value_minor")

    @batch(needs=("tiers",), restricted=True)
    @staticmethod
    async def tiers(each: Batch["LoyaltyReward"], info: Info) -> list[list[LoyaltyTier]]:
        """One of these tiers is needed; empty: none is."""
        return await _needed(each, info)

    @batch(needs=("program_id", "cost_minor"), permission=WRITE, restricted=True)
    @staticmethod
    async def cost(each: Batch["LoyaltyReward"], info: Info) -> list[Money | None]:
        """What one costs us."""
        return await _amounts(each, info, "cost_minor")


async def _needed(each: Batch[Any], info: Info) -> list[list[LoyaltyTier]]:
    needed = [plain(keys) for keys in each.column("tiers")]
    wanted = sorted({key for keys in needed for key in keys})
    found = dict(zip(wanted, await load(info, LoyaltyTier, wanted, columns=()), strict=True))
    return [[tier for key in keys if (tier := found[key]) is not None] for keys in needed]


async def _amounts(each: Batch[LoyaltyReward], info: Info, column_: str) -> list[Money | None]:
    reader = info.context.reader
    programs = each.column("program_id")
    where = among("id", sorted(set(programs)), reader.dialect)
    rows = await reader.rows(
        f"SELECT CAST(id AS TEXT), currency FROM loyalty_program WHERE {where.sql}", where.args, bounded=True
    )
    currency = {str(key): code for key, code in rows}
    return [
        None if minor is None else Money.of(minor, currency[program])
        for minor, program in zip(each.column(column_), programs, strict=True)
    ]


@node(
    table="loyalty_redemption",
    permission=READ,
    hidden={
        "reward_id": str,
        "reward_version_id": str,
        "account_id": str,
        "status": RedemptionStatus,
    },
    owner=Through("account_id", "loyalty_account"),
)
class LoyaltyRedemption(Node):
    """A reward that a customer took, or holds."""

    version: int = column("Grows by one with each change.")
    status: RedemptionStatus = column("What has become of it.")
    points: BigInt = column("What it cost.")
    reserved_until: datetime | None = column("Of a reservation: until when it is held.")
    note: str | None = column("What was noted; null once the customer was erased.")
    created_at: datetime = column("When it was made.")
    updated_at: datetime = column("When it last changed.")
    reward: LoyaltyReward = reference("reward_id", "The reward, as it is now.")
    reward_version: LoyaltyRewardVersion = reference("reward_version_id", "What it was when it was taken.")

    @batch(needs=("id",), permission=CODES)
    @staticmethod
    async def code(each: Batch["LoyaltyRedemption"], info: Info) -> list[str | None]:
        """The voucher's code; null where there is none."""
        reader = info.context.reader
        where = among("redemption_id", each.ids, reader.dialect)
        rows = await reader.rows(
            f"SELECT CAST(redemption_id AS TEXT), code FROM loyalty_voucher_code WHERE {where.sql}",
            where.args,
            bounded=True,
        )
        found = {str(key): code for key, code in rows}
        return [found.get(key) for key in each.ids]


REWARD_ORDERS = Orders(
    "LoyaltyRewardOrder",
    [
        OrderField("NAME", "string", "By name.", column="name"),
        OrderField("COST", "int", "By what it costs, in points.", column="cost_points"),
    ],
)
REDEMPTION_ORDERS = Orders(
    "LoyaltyRedemptionOrder", [OrderField("CREATED_AT", "datetime", "By the moment.", column="created_at")]
)
REDEMPTION_FILTER = FilterSpec(
    "LoyaltyRedemptionFilter",
    [
        Member("status", "enum", "What has become of it.", column="status", enum=RedemptionStatus),
        Member("reward", "id", "Which reward.", column="reward_id", of="LoyaltyReward"),
        Member("createdAt", "datetime", "When it was made.", column="created_at"),
    ],
)


class OfProgram:
    """Fields of LoyaltyProgram."""

    rewards: Connection[LoyaltyReward] = connection(
        key="program_id",
        orders=REWARD_ORDERS,
        default_order=("COST",),
        permission=READ,
        description="What its points are spent on, the cheapest first.",
    )


class OfAccount:
    """Fields of LoyaltyAccount."""

    redemptions: Connection[LoyaltyRedemption] = connection(
        key="account_id",
        filter=REDEMPTION_FILTER,
        orders=REDEMPTION_ORDERS,
        default_order=("-CREATED_AT",),
        permission=READ,
        description="Rewards that were taken or are held, the latest first.",
    )
