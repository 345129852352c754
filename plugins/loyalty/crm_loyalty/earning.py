"""Points for purchases, and what refunds take back. Each cause counts once, however often it is told."""

from collections.abc import Sequence
from datetime import datetime

from crm_framework import (
    CrmError,
    Event,
    Hold,
    PurchaseRecorded,
    RefundRecorded,
    UnitOfWork,
    among,
    format_minor,
    live_customers,
    parse_time,
)

from .ledger import ClawBack, Posting, claw_back, hold_accounts, post
from .ledger.accounts import account_keys
from .rules import points_for


async def earn(events: Sequence[Event], tx: UnitOfWork) -> None:
    """Enters what these events earn or take back in every active programme of their currency."""
    purchases = [event for event in events if isinstance(event, PurchaseRecorded)]
    refunds = [event for event in events if isinstance(event, RefundRecorded)]
    if not purchases and not refunds:
        return
    programs = await tx.fetch("SELECT id, currency, points_per_unit FROM loyalty_program WHERE active = TRUE")
    if not programs:
        return
    customers = await _customers([*purchases, *refunds], tx)
    moments = await _moments([*purchases, *refunds], tx)
    postings = [
        Posting(
            program_id=program["id"],
            customer_id=customers[purchase.customer_id or ""],
            points=points_for(purchase.total_minor, purchase.currency, program["points_per_unit"]),
            source_key=f"purchase:{purchase.interaction_id}",
            amount_minor=purchase.total_minor,
            reason=f"{program['points_per_unit']} per {purchase.currency}, of {shown(purchase)}",
            at=moments[purchase.interaction_id],
        )
        for purchase in purchases
        for program in programs
        if purchase.customer_id in customers and program["currency"] == purchase.currency
    ]
    refunded = await _refunded(refunds, tx)
    if refunded:  # both are held in one call, as two would have no order
        owners = {(posting.program_id, posting.customer_id) for posting in postings}
        opened = await account_keys(tx, owners, open=True)
        await hold_accounts(tx, {*opened.values(), *(account for _, _, account in refunded)})
    await post(tx, postings)
    await claw_back(
        tx,
        [
            ClawBack(
                program_id=program_id,
                earning_key=f"purchase:{refund.purchase_id}",
                amount_minor=refund.total_minor,
                source_key=f"refund:{refund.interaction_id}",
                reason=f"Refund of {shown(refund)}",
                at=moments[refund.interaction_id],
            )
            for refund in refunds
            for program_id, earning_key, _ in refunded
            if refund.customer_id in customers and earning_key == f"purchase:{refund.purchase_id}"
        ],
    )


async def _refunded(refunds: Sequence[RefundRecorded], tx: UnitOfWork) -> list[tuple[str, str, str]]:
    """Programme, source key and account of what earned points for what is refunded."""
    if not refunds:
        return []
    keys = sorted({f"purchase:{refund.purchase_id}" for refund in refunds})
    causes = among("source_key", keys, tx.dialect)
    rows = await tx.fetch(
        f"SELECT program_id, source_key, account_id FROM loyalty_entry WHERE {causes.sql}", causes.args
    )
    return [(row["program_id"], row["source_key"], row["account_id"]) for row in rows]


def shown(event: PurchaseRecorded | RefundRecorded) -> str:
    """The amount, as a person reads it: `12.30 EUR`."""
    return f"{format_minor(event.total_minor, event.currency)} {event.currency}"


async def _customers(events: Sequence[Event], tx: UnitOfWork) -> dict[str, str]:
    """Customer of an event → the one that it means today; erased ones are left out."""
    keys = {event.customer_id for event in events if event.customer_id}
    found = await live_customers(tx, keys, Hold.ADD)
    return {key: live.id for key, live in found.items() if not isinstance(live, CrmError)}


async def _moments(
    events: Sequence[PurchaseRecorded | RefundRecorded], tx: UnitOfWork
) -> dict[str, datetime]:
    where = among("id", [event.interaction_id for event in events], tx.dialect)
    rows = await tx.fetch(f"SELECT id, occurred_at FROM crm_interaction WHERE {where.sql}", where.args)
    return {row["id"]: parse_time(row["occurred_at"]) for row in rows}
