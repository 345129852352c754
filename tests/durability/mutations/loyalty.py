"""The mutations of the plugin loyalty."""

from crm_framework import decode_key, encode_id

from .customers import purchase_there
from .desk import Desk, Input, Inputs


async def program(desk: Desk) -> Input:
    return {"name": desk.new("Program"), "currency": "JPY", "pointsPerUnit": 1}


async def program_there(desk: Desk) -> str:
    return await desk.make("createLoyaltyProgram", "program", **await program(desk))


async def of_program(desk: Desk) -> Input:
    return {"program": await program_there(desk), "pointsPerUnit": 3}


async def tier(desk: Desk) -> Input:
    return {"program": await program_there(desk), "name": desk.new("Tier"), "threshold": 100}


async def of_tier(desk: Desk) -> Input:
    return {"tier": await desk.make("createTier", "tier", **await tier(desk)), "percent": 150}


async def earning_rule(desk: Desk) -> Input:
    return {
        "program": await program_there(desk),
        "name": desk.new("Rule"),
        "trigger": "PURCHASE",
        "points": 5,
    }


async def of_rule(desk: Desk) -> Input:
    return {"rule": await desk.make("createEarningRule", "rule", **await earning_rule(desk))}


async def more_of_rule(desk: Desk) -> Input:
    return {**await of_rule(desk), "points": 7}


async def campaign(desk: Desk) -> Input:
    return {"program": await program_there(desk), "name": desk.new("Campaign"), "percent": 200}


async def of_campaign(desk: Desk) -> Input:
    return {"campaign": await desk.make("createLoyaltyCampaign", "campaign", **await campaign(desk))}


async def reward(desk: Desk) -> Input:
    kind = {"kind": "PRODUCT", "sku": "cup", "costPoints": 3, "stock": 5}
    return {"program": await program_there(desk), "name": desk.new("Reward"), **kind}


async def of_reward(desk: Desk) -> Input:
    return {"reward": await desk.make("createReward", "reward", **await reward(desk)), "stock": 9}


async def codes(desk: Desk) -> Input:
    made = {**await reward(desk), "kind": "VOUCHER", "codes": "POOL", "sku": None, "stock": None}
    key = await desk.make("createReward", "reward", **made)
    return {"reward": key, "codes": [f"CODE{next(desk.numbers)}" for _ in range(3)]}


async def adjust(desk: Desk) -> Input:
    customer = await desk.customer()
    return {"program": await program_there(desk), "customer": customer, "points": 5, "reason": "a gift"}


async def pending(desk: Desk) -> Input:
    made = {**await program(desk), "pendingDays": 5}
    key = decode_key(await desk.make("createLoyaltyProgram", "program", **made), "LoyaltyProgram")
    total = {"amount": "500", "currency": "JPY"}
    bought = {"customer": await desk.customer(), "currency": "JPY", "total": total}
    await desk.run("recordPurchase", bought, "interaction { id }")
    rows = await desk.service.database.fetch(
        "SELECT id FROM loyalty_entry WHERE kind = 'PENDING' AND program_id = ?", [key]
    )
    return {"entry": encode_id("LoyaltyEntry", str(rows[0]["id"])), "reason": "a mistake"}


async def transfer(desk: Desk) -> Input:
    given = await adjust(desk)
    await desk.run("adjustPoints", given, "account { id }")
    ends = {"fromCustomer": given["customer"], "toCustomer": await desk.customer()}
    return {"program": given["program"], **ends, "points": 3}


async def redeem(desk: Desk) -> Input:
    given = await adjust(desk)
    await desk.run("adjustPoints", given, "account { id }")
    made = await reward(desk) | {"program": given["program"]}
    return {"customer": given["customer"], "reward": await desk.make("createReward", "reward", **made)}


async def redeemed(desk: Desk) -> Input:
    return {"redemption": await desk.make("redeemReward", "redemption", **await redeem(desk))}


async def reserved(desk: Desk) -> Input:
    return {"redemption": await desk.make("reserveReward", "redemption", **await redeem(desk))}


async def referring(desk: Desk) -> Input:
    return {"customer": await desk.customer()}


async def referred(desk: Desk) -> Input:
    made = await desk.run("createReferralCode", await referring(desk), "referralCode { code }")
    customer = await desk.customer()
    return {"program": await program_there(desk), "customer": customer, "code": made["referralCode"]["code"]}


async def again(desk: Desk) -> Input:
    window = {"fromAt": "2026-01-01T00:00:00Z", "untilAt": "2026-02-01T00:00:00Z"}
    return {"program": await program_there(desk), **window}


async def compared(desk: Desk) -> Input:
    key = await desk.make("replayEarning", "replay", **await again(desk))
    async with desk.service.database.unit_of_work() as tx:  # as the worker leaves it
        await tx.execute("UPDATE loyalty_replay SET status = 'COMPARED'")
    return {"replay": key}


async def verified(desk: Desk) -> Input:
    await purchase_there(desk)
    return {}


INPUTS: Inputs = {
    "createLoyaltyProgram": (program, "program { id }"),
    "updateLoyaltyProgram": (of_program, "program { pointsPerUnit }"),
    "createTier": (tier, "tier { id }"),
    "updateTier": (of_tier, "tier { id }"),
    "createEarningRule": (earning_rule, "rule { id }"),
    "updateEarningRule": (more_of_rule, "rule { version }"),
    "endEarningRule": (of_rule, "rule { active }"),
    "createLoyaltyCampaign": (campaign, "campaign { id }"),
    "endLoyaltyCampaign": (of_campaign, "campaign { version }"),
    "createReward": (reward, "reward { id }"),
    "updateReward": (of_reward, "reward { stock }"),
    "addVoucherCodes": (codes, "reward { stock }"),
    "redeemReward": (redeem, "redemption { id }"),
    "reserveReward": (redeem, "redemption { id }"),
    "confirmReservation": (reserved, "redemption { status }"),
    "cancelReservation": (reserved, "redemption { status }"),
    "fulfilRedemption": (redeemed, "redemption { status }"),
    "reverseRedemption": (redeemed, "redemption { status }"),
    "createReferralCode": (referring, "referralCode { id }"),
    "acceptReferral": (referred, "referral { id }"),
    "replayEarning": (again, "replay { id }"),
    "applyEarningReplay": (compared, "replay { status }"),
    "adjustPoints": (adjust, "account { balance }"),
    "cancelPendingPoints": (pending, "account { pending }"),
    "transferPoints": (transfer, "fromAccount { balance }"),
    "verifyLoyalty": (verified, "accounts"),
}
