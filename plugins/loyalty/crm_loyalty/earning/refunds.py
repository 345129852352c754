"""What refunds take back: in proportion, of what their purchases earned."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from crm_framework import (
    CrmError,
    Event,
    Hold,
    RefundRecorded,
    UnitOfWork,
    among,
    format_minor,
    live_customers,
    parse_time,
)
from crm_loyalty.ledger import ClawBack

SIDES = {"referee": "customer_id", "referrer": "referrer_id"}
"""Of a referral, as source keys say it: the column of loyalty_referral."""


@dataclass(frozen=True)
class Refunded:
    """Something that earned points and is refunded: in which programme and account.

    `of_minor` is what was bought where the points are those of a referral, which was credited with it.
    """

    program_id: str
    earning_key: str
    account_id: str
    purchase_id: str
    of_minor: int | None = None


@dataclass(frozen=True)
class _Key:
    purchase_id: str
    of_minor: int | None = None


async def refunded(events: Sequence[Event], tx: UnitOfWork) -> tuple[list[RefundRecorded], list[Refunded]]:
    """The refunds among the events, of customers that are there, and what of it earned points: the purchase
    itself, and a referral that it credited to both.

    Customers are held. Three statements at most, and none where nothing is refunded.
    """
    refunds = [event for event in events if isinstance(event, RefundRecorded)]
    if not refunds:
        return [], []
    of = among("r.purchase_id", sorted({refund.purchase_id for refund in refunds}), tx.dialect)
    credited = await tx.fetch(
        "SELECT r.id, r.purchase_id, r.customer_id, r.referrer_id, i.total_minor FROM loyalty_referral r"
        f" JOIN crm_interaction i ON i.id = r.purchase_id WHERE {of.sql} ORDER BY r.id",
        of.args,
    )
    people = {event.customer_id for event in refunds if event.customer_id}
    people |= {str(row[name]) for row in credited for name in SIDES.values() if row[name] is not None}
    live = await live_customers(tx, people, Hold.ADD)
    there = [one for one in refunds if not isinstance(live.get(one.customer_id or ""), CrmError | None)]
    keys = {f"purchase:{refund.purchase_id}": _Key(refund.purchase_id) for refund in there}
    for row in credited:
        for side, name in SIDES.items():
            if not isinstance(live.get(str(row[name])), CrmError | None):
                key = _Key(str(row["purchase_id"]), int(row["total_minor"]))
                keys[f"referral:{row['id']}:{side}"] = key
    where = among("source_key", sorted(keys), tx.dialect)
    rows = await tx.fetch(
        f"SELECT program_id, source_key, account_id FROM loyalty_entry WHERE {where.sql}", where.args
    )
    return there, [
        Refunded(
            str(row["program_id"]),
            row["source_key"],
            str(row["account_id"]),
            keys[row["source_key"]].purchase_id,
            keys[row["source_key"]].of_minor,
        )
        for row in rows
    ]


async def claw_backs(
    refunds: Sequence[RefundRecorded], found: Sequence[Refunded], tx: UnitOfWork
) -> list[ClawBack]:
    """What is to be taken back, for `ledger.claw_back`. One statement."""
    if not found:
        return []
    moments = await _moments([refund.interaction_id for refund in refunds], tx)
    return [
        _claw_back(refund, one, moments[refund.interaction_id])
        for refund in refunds
        for one in found
        if one.purchase_id == refund.purchase_id and refund.interaction_id in moments
    ]


def _claw_back(refund: RefundRecorded, one: Refunded, at: datetime) -> ClawBack:
    key, reason = f"refund:{refund.interaction_id}", "Refund of the purchase that the referral was for"
    if one.of_minor is None:
        reason = f"Refund of {format_minor(refund.total_minor, refund.currency)} {refund.currency}"
    else:
        key += f":{one.earning_key}"  # whoever referred is not told what others paid
    return ClawBack(
        program_id=one.program_id,
        earning_key=one.earning_key,
        amount_minor=refund.total_minor,
        source_key=key,
        reason=reason,
        at=at,
        of_minor=one.of_minor,
    )


async def _moments(keys: Sequence[str], tx: UnitOfWork) -> Mapping[str, datetime]:
    where = among("id", keys, tx.dialect)
    rows = await tx.fetch(f"SELECT id, occurred_at FROM crm_interaction WHERE {where.sql}", where.args)
    return {str(row["id"]): parse_time(row["occurred_at"]) for row in rows}
