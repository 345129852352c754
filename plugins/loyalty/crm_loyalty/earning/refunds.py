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


@dataclass(frozen=True)
class Refunded:
    """Something that earned points and is refunded: in which programme and account."""

    program_id: str
    earning_key: str
    account_id: str


async def refunded(events: Sequence[Event], tx: UnitOfWork) -> tuple[list[RefundRecorded], list[Refunded]]:
    """The refunds among the events, of customers that are there, and what of it earned points.

    Customers are held. Two statements at most, and none where nothing is refunded.
    """
    refunds = [event for event in events if isinstance(event, RefundRecorded)]
    if not refunds:
        return [], []
    live = await live_customers(tx, {event.customer_id for event in refunds if event.customer_id}, Hold.ADD)
    there = [one for one in refunds if not isinstance(live.get(one.customer_id or ""), CrmError | None)]
    keys = sorted({f"purchase:{refund.purchase_id}" for refund in there})
    where = among("source_key", keys, tx.dialect)
    rows = await tx.fetch(
        f"SELECT program_id, source_key, account_id FROM loyalty_entry WHERE {where.sql}", where.args
    )
    return there, [
        Refunded(str(row["program_id"]), row["source_key"], str(row["account_id"])) for row in rows
    ]


async def claw_backs(
    refunds: Sequence[RefundRecorded], found: Sequence[Refunded], tx: UnitOfWork
) -> list[ClawBack]:
    """What is to be taken back, for `ledger.claw_back`. One statement."""
    if not found:
        return []
    moments = await _moments([refund.interaction_id for refund in refunds], tx)
    return [
        ClawBack(
            program_id=one.program_id,
            earning_key=one.earning_key,
            amount_minor=refund.total_minor,
            source_key=f"refund:{refund.interaction_id}",
            reason=f"Refund of {format_minor(refund.total_minor, refund.currency)} {refund.currency}",
            at=moments[refund.interaction_id],
        )
        for refund in refunds
        for one in found
        if one.earning_key == f"purchase:{refund.purchase_id}" and refund.interaction_id in moments
    ]


async def _moments(keys: Sequence[str], tx: UnitOfWork) -> Mapping[str, datetime]:
    where = among("id", keys, tx.dialect)
    rows = await tx.fetch(f"SELECT id, occurred_at FROM crm_interaction WHERE {where.sql}", where.args)
    return {str(row["id"]): parse_time(row["occurred_at"]) for row in rows}
