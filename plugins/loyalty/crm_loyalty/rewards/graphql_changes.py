"""Rewards are made and changed, taken and given over the API."""

from datetime import datetime
from typing import Any

import strawberry
from strawberry import ID

from crm_framework import (
    BigInt,
    Customer,
    MoneyInput,
    Own,
    UnitOfWork,
    chosen,
    expected,
    given,
    key_of,
    mutation,
    optional,
    payload,
    reference,
    renamed,
    required,
    retry_key,
)
from crm_loyalty.earning.inputs import in_currency, keys
from crm_loyalty.earning.store import currency_of
from crm_loyalty.models import CodeSource, RewardKind
from crm_loyalty.programs.graphql import WRITE, LoyaltyProgram

from . import redeeming
from .changes import (
    NewReward,
    RewardChange,
    add_voucher_codes,
    create_reward,
    currency_of_reward,
    update_reward,
)
from .graphql import LoyaltyRedemption, LoyaltyReward

REDEEM = "loyalty.redeem"


@strawberry.input(description="A new reward.")
class CreateRewardInput:
    program: ID = required("In which programme.")
    name: str = required("Its name; no two rewards of a programme share one.")
    kind: RewardKind = required("Whether it is a discount, goods or a voucher.")
    cost_points: BigInt = required("What it costs, in points.")
    description: str | None = optional("What it is, in words.")
    value: MoneyInput | None = optional("Of a discount: the amount off.")
    percent: int | None = optional("Of a discount: the percentage off.")
    sku: str | None = optional("Of a product.")
    cost: MoneyInput | None = optional("What one costs us; nothing if left out.")
    codes: CodeSource | None = optional("Of a voucher: where its codes come from.")
    stock: BigInt | None = optional("How many there are; any number if left out.")
    per_customer: int | None = optional("How many a customer can have; any number if left out.")
    valid_from: datetime | None = optional("From when on it is offered.")
    valid_until: datetime | None = optional("Until when it is offered.")
    tiers: list[ID] | None = optional("One of these tiers is needed.")
    hold_minutes: int = optional("For how long it is reserved.", default=30)
    idempotency_key: str | None = retry_key()


@strawberry.input(
    description="A change of a reward, for what is redeemed from now on. What is left out stays, and so do"
    " its kind and where its codes come from: make another reward for these."
)
class UpdateRewardInput:
    reward: ID = required("Which reward.")
    name: str | None = optional("Its name.")
    description: str | None = optional("What it is, in words.")
    cost_points: BigInt | None = optional("What it costs from now on, in points.")
    value: MoneyInput | None = optional("Of a discount: the amount off, in place of a percentage.")
    percent: int | None = optional("Of a discount: the percentage off, in place of an amount.")
    sku: str | None = optional("Of a product.")
    cost: MoneyInput | None = optional("What one costs us; null: nothing.")
    tiers: list[ID] | None = optional("One of these tiers is needed; null, or none of them: none is.")
    stock: BigInt | None = optional("How many there are from now on; null: any number.")
    per_customer: int | None = optional("How many a customer can have; null: any number.")
    valid_from: datetime | None = optional("From when on it is offered.")
    valid_until: datetime | None = optional("Until when it is offered.")
    hold_minutes: int | None = optional("For how long it is reserved.")
    active: bool | None = optional("Whether it is offered.")
    expected_version: int | None = expected()


@strawberry.input(description="Codes for the pool of a voucher.")
class AddVoucherCodesInput:
    reward: ID = required("Which reward.")
    codes: list[str] = required("The codes, 10,000 at most; those that it has already change nothing.")


@strawberry.input(description="A reward that a customer takes.")
class RedeemRewardInput:
    customer: ID = required("Who takes it.")
    reward: ID = required("Which reward.")
    note: str | None = optional("What is to be noted.")
    idempotency_key: str | None = retry_key()


@strawberry.input(description="A reward that is held for a customer.")
class ReserveRewardInput:
    customer: ID = required("For whom.")
    reward: ID = required("Which reward.")
    minutes: int | None = optional("For how long; as the reward says if left out.")
    idempotency_key: str | None = retry_key()


@strawberry.input(description="A redemption or a reservation.")
class RedemptionInput:
    redemption: ID = required("Which one.")


@payload
class RewardPayload:
    """The reward after the change."""

    reward_id: strawberry.Private[str | None] = None
    reward: LoyaltyReward | None = reference("reward_id", "The reward; null on failure.")


@payload
class RedemptionPayload:
    """The redemption after the change."""

    redemption_id: strawberry.Private[str | None] = None
    redemption: LoyaltyRedemption | None = reference("redemption_id", "The redemption; null on failure.")


@mutation(permission=WRITE, everyone=True, name="createReward")
async def make_reward(tx: UnitOfWork, input: CreateRewardInput) -> RewardPayload:
    """Makes a reward."""
    program = key_of(input.program, LoyaltyProgram, path=("program",))
    currency = await currency_of(tx, program)
    new = NewReward(
        program_id=program,
        name=input.name,
        kind=input.kind,
        cost_points=input.cost_points,
        description=chosen(input.description),
        value_minor=in_currency(input.value, currency, "value"),
        percent=chosen(input.percent),
        sku=chosen(input.sku),
        cost_minor=in_currency(input.cost, currency, "cost") or 0,
        codes=chosen(input.codes),
        stock=chosen(input.stock),
        per_customer=chosen(input.per_customer),
        valid_from=chosen(input.valid_from),
        valid_until=chosen(input.valid_until),
        tiers=keys(input.tiers, "LoyaltyTier", "tiers"),
        hold_minutes=input.hold_minutes,
    )
    with renamed(value_minor="value", cost_minor="cost"):
        return RewardPayload(reward_id=await create_reward(tx, new))


@mutation(permission=WRITE, everyone=True, name="updateReward")
async def change_reward(tx: UnitOfWork, input: UpdateRewardInput) -> RewardPayload:
    """Changes a reward. Redemptions keep what they cost, and what it was then (`rewardVersion`)."""
    key = key_of(input.reward, LoyaltyReward, path=("reward",))
    values = {
        name: value
        for name, value in given(input, leave_out=("reward", "expected_version")).items()
        if value is not None or name not in ("name", "cost_points", "hold_minutes", "active")
    }
    if "value" in values or "cost" in values:
        currency = await currency_of_reward(tx, key)
        if "value" in values:
            del values["value"]
            values["value_minor"] = in_currency(input.value, currency, "value")
        if "cost" in values:
            del values["cost"]
            values["cost_minor"] = in_currency(input.cost, currency, "cost") or 0
    if "tiers" in values:
        values["tiers"] = list(keys(input.tiers, "LoyaltyTier", "tiers"))
    with renamed(value_minor="value", cost_minor="cost"):
        version = chosen(input.expected_version)
        await update_reward(tx, key, RewardChange(values=values, expected_version=version))
    return RewardPayload(reward_id=key)


@mutation(permission=WRITE, everyone=True, name="addVoucherCodes")
async def add_codes(tx: UnitOfWork, input: AddVoucherCodesInput) -> RewardPayload:
    """Adds codes to the pool of a voucher; its stock grows by those that are new."""
    key = key_of(input.reward, LoyaltyReward, path=("reward",))
    await add_voucher_codes(tx, key, input.codes)
    return RewardPayload(reward_id=key)


@mutation(permission=REDEEM, own=Own("customer", only=("customer", "reward")), name="redeemReward")
async def redeem(tx: UnitOfWork, input: RedeemRewardInput) -> RedemptionPayload:
    """Spends points on a reward. Refused, and nothing changed, where the points are too few, the stock is
    gone, or the reward is not for this customer. Customers may do so themselves.
    """
    key = await redeeming.redeem_reward(
        tx,
        key_of(input.customer, Customer, path=("customer",)),
        key_of(input.reward, LoyaltyReward, path=("reward",)),
        note=chosen(input.note),
    )
    return RedemptionPayload(redemption_id=key)


@mutation(permission=REDEEM, own=Own("customer", only=("customer", "reward")), name="reserveReward")
async def reserve(tx: UnitOfWork, input: ReserveRewardInput) -> RedemptionPayload:
    """Holds a reward for a customer, with its points. It is given back if it is not confirmed in time."""
    key = await redeeming.reserve_reward(
        tx,
        key_of(input.customer, Customer, path=("customer",)),
        key_of(input.reward, LoyaltyReward, path=("reward",)),
        chosen(input.minutes),
    )
    return RedemptionPayload(redemption_id=key)


async def _owner(tx: UnitOfWork, input: RedemptionInput) -> str | None:
    return await redeeming.customer_of(tx, key_of(input.redemption, LoyaltyRedemption, path=("redemption",)))


@mutation(permission=REDEEM, own=Own(_owner), name="confirmReservation")
async def confirm(tx: UnitOfWork, input: RedemptionInput) -> RedemptionPayload:
    """Makes a reservation a redemption; a voucher gets its code. Refused once it ran out."""
    return await _changed(tx, input, redeeming.confirm)


@mutation(permission=REDEEM, own=Own(_owner), name="cancelReservation")
async def cancel(tx: UnitOfWork, input: RedemptionInput) -> RedemptionPayload:
    """Gives back what is reserved: the points go back to their lots, which expire when they did before."""
    return await _changed(tx, input, redeeming.cancel)


@mutation(permission=REDEEM, name="fulfilRedemption")
async def fulfil(tx: UnitOfWork, input: RedemptionInput) -> RedemptionPayload:
    """Says that the customer has got the reward."""
    return await _changed(tx, input, redeeming.fulfil)


@mutation(permission="loyalty.adjust", name="reverseRedemption")
async def reverse(tx: UnitOfWork, input: RedemptionInput) -> RedemptionPayload:
    """Undoes a redemption: the points go back to their lots, which expire when they did before. The code of a
    voucher is not given out again.
    """
    return await _changed(tx, input, redeeming.reverse_redemption)


async def _changed(tx: UnitOfWork, input: RedemptionInput, change: Any) -> RedemptionPayload:
    key = key_of(input.redemption, LoyaltyRedemption, path=("redemption",))
    await change(tx, key)
    return RedemptionPayload(redemption_id=key)


MUTATIONS = (make_reward, change_reward, add_codes, redeem, reserve, confirm, cancel, fulfil, reverse)
