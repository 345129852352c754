"""Points for purchases, and what refunds take back. Each cause counts once, however often it is told."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

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

from .ledger import EARNED, REFUNDED, Owner, Posting, hold_accounts, post
from .rules import points_for, points_to_keep


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
    earned = _earned(purchases, programs, customers, moments)
    owners = {(posting.program_id, posting.customer_id) for posting in earned}
    accounts = await hold_accounts(owners | await _refunded(refunds, customers, tx), tx)
    await post(earned, accounts, tx)
    await post(await _taken_back(refunds, customers, moments, tx), accounts, tx)


def _earned(
    purchases: Sequence[PurchaseRecorded],
    programs: Sequence[dict[str, Any]],
    customers: dict[str, str],
    moments: dict[str, datetime],
) -> list[Posting]:
    postings: list[Posting] = []
    for purchase in purchases:
        customer_id = customers.get(purchase.customer_id or "")
        for program in programs:
            if customer_id is None or program["currency"] != purchase.currency:
                continue
            postings.append(
                Posting(
                    program_id=program["id"],
                    customer_id=customer_id,
                    kind=EARNED,
                    points=points_for(purchase.total_minor, purchase.currency, program["points_per_unit"]),
                    source_key=f"purchase:{purchase.interaction_id}",
                    amount_minor=purchase.total_minor,
                    reason=f"{program['points_per_unit']} per {purchase.currency}, of {shown(purchase)}",
                    at=moments[purchase.interaction_id],
                )
            )
    return postings


async def _refunded(
    refunds: Sequence[RefundRecorded], customers: dict[str, str], tx: UnitOfWork
) -> set[Owner]:
    """Whose accounts earned points for what is refunded."""
    if not refunds:
        return set()
    owners = {f"purchase:{refund.purchase_id}": customers.get(refund.customer_id or "") for refund in refunds}
    causes = among("source_key", sorted(owners), tx.dialect)
    rows = await tx.fetch(f"SELECT program_id, source_key FROM loyalty_entry WHERE {causes.sql}", causes.args)
    found = ((row["program_id"], owners[row["source_key"]]) for row in rows)
    return {(program, customer) for program, customer in found if customer is not None}


async def _taken_back(
    refunds: Sequence[RefundRecorded],
    customers: dict[str, str],
    moments: dict[str, datetime],
    tx: UnitOfWork,
) -> list[Posting]:
    """Of each purchase's points what is refunded, in proportion, counting earlier refunds.

    Their accounts are held, so that refunds of one purchase at the same moment see each other.
    """
    if not refunds:
        return []
    causes = among("e.source_key", [f"purchase:{refund.purchase_id}" for refund in refunds], tx.dialect)
    told = among("source_key", [f"refund:{refund.interaction_id}" for refund in refunds], tx.dialect)
    rows = await tx.fetch(f"SELECT source_key FROM loyalty_entry WHERE {told.sql}", told.args)
    known = {row["source_key"] for row in rows}
    earned = await tx.fetch(
        "SELECT e.id, e.program_id, e.source_key, e.points, e.amount_minor,"
        " COALESCE(SUM(c.points), 0) AS taken, COALESCE(SUM(c.amount_minor), 0) AS refunded"
        " FROM loyalty_entry e LEFT JOIN loyalty_entry c ON c.corrects_id = e.id"
        f" WHERE {causes.sql} GROUP BY e.id, e.program_id, e.source_key, e.points, e.amount_minor",
        causes.args,
    )
    postings: list[Posting] = []
    for entry in earned:
        left = entry["points"] + int(entry["taken"])
        refunded = int(entry["refunded"])
        for refund in refunds:
            customer_id = customers.get(refund.customer_id or "")
            if customer_id is None or entry["source_key"] != f"purchase:{refund.purchase_id}":
                continue
            if f"refund:{refund.interaction_id}" in known:
                continue
            refunded += refund.total_minor
            kept = points_to_keep(entry["points"], entry["amount_minor"], refunded)
            postings.append(
                Posting(
                    program_id=entry["program_id"],
                    customer_id=customer_id,
                    kind=REFUNDED,
                    points=kept - left,
                    source_key=f"refund:{refund.interaction_id}",
                    amount_minor=refund.total_minor,
                    reason=f"Refund of {shown(refund)}",
                    at=moments[refund.interaction_id],
                    corrects_id=entry["id"],
                )
            )
            left = kept
    return postings


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
