"""What `crm demo` shows of loyalty: a programme, and what the invented customers' purchases earn in it."""

from collections.abc import Mapping, Sequence

from crm_framework import Event, PurchaseRecorded, RefundRecorded, UnitOfWork, among

from .earning.changes import create_rule
from .earning.conditions import Conditions
from .earning.handler import earn
from .earning.rules import Basis, Selection, Trigger
from .earning.says import Says
from .models import CodeSource, RewardKind, TierPeriod
from .programs.changes import create_program
from .rewards.changes import NewReward, create_reward
from .rewards.redeeming import fulfil, redeem_reward
from .tiers.changes import create_tier

TIERS = (
    ("Bronze", 0, ("A free cup with each visit",)),
    ("Silver", 300, ("A free cup with each visit", "Free shipping")),
    ("Gold", 1_000, ("A free cup with each visit", "Free shipping", "First of each harvest")),
)
MOST_REDEEMED = 5
"""Customers who took a reward."""


async def fill(customer_ids: Sequence[str], tx: UnitOfWork) -> Mapping[str, int]:
    """Nothing where there is a programme already: whoever has their own needs no other."""
    if await tx.fetch("SELECT 1 AS one FROM loyalty_program LIMIT 1"):
        return {}
    program = await create_program(
        tx,
        "Bean club",
        "EUR",
        1,
        selection=Selection.STACKING,
        expiry_months=24,
        tier_period=TierPeriod.ROLLING_12_MONTHS,
    )
    for name, threshold, benefits in TIERS:
        await create_tier(tx, program, name, threshold, benefits)
    beans = Says(
        trigger=Trigger.PURCHASE,
        basis=Basis.PER_AMOUNT,
        points=1,
        per_minor=100,
        conditions=Conditions(categories=("beans",)),
    )
    await create_rule(tx, program, "Beans count twice", beans)
    coffee = await create_reward(
        tx,
        NewReward(
            program_id=program, name="A bag of Colombia Huila", kind=RewardKind.PRODUCT, cost_points=250,
            sku="BEAN-COL", stock=100,
        ),
    )  # fmt: skip
    await create_reward(
        tx,
        NewReward(
            program_id=program, name="Ten euros off", kind=RewardKind.DISCOUNT, cost_points=120,
            value_minor=1_000, per_customer=3,
        ),
    )  # fmt: skip
    await create_reward(
        tx,
        NewReward(
            program_id=program, name="A tasting for two", kind=RewardKind.VOUCHER, cost_points=600,
            codes=CodeSource.GENERATED,
        ),
    )  # fmt: skip
    await earn(await _bought(customer_ids, tx), tx)
    rich = await tx.fetch(
        "SELECT a.customer_id FROM loyalty_account a JOIN crm_customer c ON c.id = a.customer_id"
        " WHERE a.balance >= 500 ORDER BY c.name LIMIT ?",
        [MOST_REDEEMED],
    )
    for place, row in enumerate(rich):
        redemption = await redeem_reward(tx, str(row["customer_id"]), coffee)
        if place % 2:
            await fulfil(tx, redemption)
    [members] = await tx.fetch("SELECT COUNT(*) AS number FROM loyalty_account")
    return {"members": int(members["number"]), "rewards taken": len(rich)}


async def _bought(customer_ids: Sequence[str], tx: UnitOfWork) -> list[Event]:
    """The purchases and refunds as events, the oldest first. They were told before, if that was without this
    plugin; and are told once more in this transaction, if not: each counts once."""
    where = among("customer_id", customer_ids, tx.dialect)
    rows = await tx.fetch(
        "SELECT id, customer_id, kind, currency, total_minor, refund_of_id FROM crm_interaction"
        f" WHERE {where.sql} AND kind IN ('purchase', 'refund') ORDER BY occurred_at, id",
        where.args,
    )
    found: list[Event] = []
    for row in rows:
        said = {
            "customer_id": str(row["customer_id"]),
            "interaction_id": str(row["id"]),
            "kind": row["kind"],
            "currency": row["currency"],
        }
        if row["kind"] == "purchase":
            found.append(PurchaseRecorded(total_minor=row["total_minor"], **said))
        elif row["refund_of_id"] is not None:
            purchase = str(row["refund_of_id"])
            found.append(RefundRecorded(total_minor=-row["total_minor"], purchase_id=purchase, **said))
    return found
