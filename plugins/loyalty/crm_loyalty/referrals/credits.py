"""What both get for a referral, once, with the first purchase that the programme counts."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from crm_framework import Reader, UnitOfWork, among, resolve_ids
from crm_loyalty.earning.causes import Told
from crm_loyalty.earning.enter import Awarded
from crm_loyalty.earning.rules import Trigger
from crm_loyalty.earning.store import Offer
from crm_loyalty.models import ReferralStatus

from .events import ReferralCredited

REFEREE, REFERRER = "referee", "referrer"


async def referrals_due(purchases: Sequence[Told], found: Mapping[str, Offer], tx: UnitOfWork) -> list[Told]:
    """For these purchases: causes for those who were referred and for those who referred them."""
    rewarding = [
        offer.programme.id
        for offer in found.values()
        if any(dated.rule.trigger is Trigger.REFERRAL for dated in offer.dated)
    ]
    if not purchases or not rewarding:
        return []
    # an event may be delivered after its customer was merged: the referral went with it
    now = await resolve_ids(tx, {one.customer_id for one in purchases})
    customers = among("customer_id", sorted(set(now.values())), tx.dialect)
    programs = among("program_id", rewarding, tx.dialect)
    rows = await tx.fetch(
        "SELECT id, program_id, customer_id, referrer_id FROM loyalty_referral"
        f" WHERE status = '{ReferralStatus.PENDING}' AND {customers.sql} AND {programs.sql} ORDER BY id",
        [*customers.args, *programs.args],
    )
    causes: list[Told] = []
    for row in rows:
        offer = found[str(row["program_id"])]
        for purchase in purchases:
            if now[purchase.customer_id] != str(row["customer_id"]):
                continue
            if purchase.cause.currency != offer.programme.currency:
                continue
            causes += _both(purchase, str(row["id"]), str(row["referrer_id"]), offer)
            break
    return causes


def _both(purchase: Told, referral: str, referrer: str, offer: Offer) -> Iterable[Told]:
    cause = replace(purchase.cause, trigger=Trigger.REFERRAL)
    for side, customer in ((REFEREE, purchase.customer_id), (REFERRER, referrer)):
        yield Told(
            customer_id=customer,
            source_key=f"referral:{referral}:{side}",
            cause=replace(cause, referee=side == REFEREE),
            interaction_id=purchase.interaction_id,
            program_id=offer.programme.id,
        )


async def earned_by_referrers(reader: Reader, referrals: Sequence[str]) -> dict[str, int]:
    """By referral, what is left to the referrer of what it gave."""
    keys = {f"referral:{referral}:{REFERRER}": referral for referral in referrals}
    where = among("e.source_key", sorted(keys), reader.dialect)
    rows = await reader.fetch(
        "SELECT e.source_key, e.points + e.pending + COALESCE((SELECT SUM(c.points + c.pending)"
        " FROM loyalty_entry c WHERE c.corrects_id = e.id AND c.kind <> 'UNLOCKED'), 0) AS points"
        f" FROM loyalty_entry e WHERE {where.sql}",
        where.args,
    )
    return {keys[row["source_key"]]: int(row["points"]) for row in rows}


async def credited(awarded: Iterable[Awarded], tx: UnitOfWork) -> None:
    """Marks referrals that something was entered for, and tells of them."""
    points: dict[str, dict[str, int]] = {}
    purchases: dict[str, str | None] = {}
    for each in awarded:
        if each.told.cause.trigger is Trigger.REFERRAL:
            _, referral, side = each.told.source_key.split(":")
            points.setdefault(referral, {})[side] = each.award.points
            purchases[referral] = each.told.interaction_id
    if not points:
        return
    await tx.execute_many(
        f"UPDATE loyalty_referral SET status = '{ReferralStatus.CREDITED}', credited_at = ?, purchase_id = ?,"
        " version = version + 1 WHERE id = ?",
        [(tx.now, purchases[key], key) for key in sorted(points)],
    )
    where = among("id", sorted(points), tx.dialect)
    rows = await tx.fetch(
        f"SELECT id, customer_id, referrer_id FROM loyalty_referral WHERE {where.sql} ORDER BY id", where.args
    )
    tx.emit(
        *(
            ReferralCredited(
                customer_id=str(row["customer_id"]),
                referral_id=str(row["id"]),
                referrer_id=str(row["referrer_id"]),
                points=points[str(row["id"])].get(REFEREE, 0),
                referrer_points=points[str(row["id"])].get(REFERRER, 0),
            )
            for row in rows
        )
    )
