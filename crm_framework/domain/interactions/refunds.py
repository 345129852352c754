"""Refunds: interactions of their own that name the purchase, and never more together than it came to."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

from crm_framework.domain.customers.keys import live_customer
from crm_framework.domain.customers.locks import Hold, reached
from crm_framework.domain.interactions.purchase_lines import minor_units, same_currency
from crm_framework.domain.interactions.touches import (
    PURCHASE,
    REFUND,
    Touch,
    checked,
    first_changes,
    first_of_reference,
    insert,
    staff_key,
)
from crm_framework.domain.rows import check_key, not_found, time_of, time_text
from crm_framework.domain.values.money import Money
from crm_framework.errors import CrmError, ErrorCode
from crm_framework.events import Changes, RefundRecorded

if TYPE_CHECKING:
    from crm_framework.storage.unit_of_work import UnitOfWork


@dataclass(frozen=True, kw_only=True)
class NewRefund(Touch):
    """Money that goes back for a purchase; `amount_minor` is positive."""

    purchase_id: str
    amount_minor: int
    currency: str | None = None


async def record_refund(tx: "UnitOfWork", new: NewRefund) -> str:
    """Records a refund of a purchase and returns its key; its total is the negative amount.

    REFUSED if the purchase's refunds together would exceed its total, also when they run at the same moment.
    """
    values = checked(new, REFUND, tx.now)
    if (first := await first_of_reference(tx, values)) is not None:
        return first
    purchase = await _held_purchase(tx, new.purchase_id)
    # The same refund may have been recorded while this one waited for the purchase.
    if (first := await first_of_reference(tx, values)) is not None:
        return first
    refunded = await tx.fetch(
        "SELECT SUM(total_minor) AS refunded FROM crm_interaction WHERE refund_of_id = ?", [purchase.id]
    )
    check_refund(
        replace(purchase, refunded_minor=-int(refunded[0]["refunded"] or 0)),
        new.amount_minor,
        new.currency,
        values["occurred_at"],
    )
    values |= {
        "customer_id": purchase.customer_id,
        "staff_id": await staff_key(tx, new.staff_id),
        "total_minor": -new.amount_minor,
        "currency": purchase.currency,
        "refund_of_id": purchase.id,
    }
    key, created = await insert(tx, values)
    if created:
        tx.emit(refund_event(key, values, first_changes(values)))
    return key


@dataclass(frozen=True)
class Refundable:
    """A purchase, and what of it has gone back."""

    id: str
    customer_id: str
    currency: str
    total_minor: int
    occurred_at: datetime
    refunded_minor: int = 0


def check_refund(
    purchase: Refundable, amount: object, currency: str | None, at: datetime, *, name: str = "amount"
) -> int:
    """The amount, if it may go back. BAD_INPUT or REFUSED; `name` is the amount's in the input."""
    same_currency(purchase.currency, currency, (name, "currency"))
    minor = minor_units(amount, "amount", (name,))
    if minor <= 0:
        raise CrmError(
            ErrorCode.BAD_INPUT,
            f"The amount of a refund must be positive, not {Money(minor, purchase.currency)}.",
            path=(name,),
        )
    left = purchase.total_minor - purchase.refunded_minor
    if minor > left:
        raise CrmError(
            ErrorCode.REFUSED,
            f"A refund of {Money(minor, purchase.currency)} exceeds the {Money(left, purchase.currency)}"
            f" that are left of {Money(purchase.total_minor, purchase.currency)}.",
            path=(name,),
            hint="Refund at most what is left.",
        )
    if at < purchase.occurred_at:
        raise CrmError(
            ErrorCode.BAD_INPUT,
            f"The refund ({time_text(at)}) is before its purchase ({time_text(purchase.occurred_at)}).",
            path=("occurredAt",),
            hint="Check the dates.",
        )
    return minor


def refundable(row: Mapping[str, Any]) -> Refundable:
    """From a row of crm_interaction; BAD_INPUT if it is no purchase."""
    if row["kind"] != PURCHASE:
        raise CrmError(
            ErrorCode.BAD_INPUT,
            f"Only a purchase can be refunded, not a {row['kind']}.",
            path=("purchaseId",),
            hint="Name the purchase.",
        )
    occurred = time_of(row["occurred_at"])
    assert occurred is not None
    return Refundable(str(row["id"]), str(row["customer_id"]), row["currency"], row["total_minor"], occurred)


async def _held_purchase(tx: "UnitOfWork", purchase_id: str) -> Refundable:
    """The purchase, locked so that refunds of it come one after the other."""
    key = check_key(purchase_id, "purchase", path=("purchaseId",))
    rows = await tx.fetch("SELECT customer_id FROM crm_interaction WHERE id = ?", [key])
    if not rows or not await reached(tx, [str(rows[0]["customer_id"])]):
        raise not_found("purchase", purchase_id, path=("purchaseId",))
    await live_customer(tx, str(rows[0]["customer_id"]), Hold.ADD, path=("purchaseId",))
    await tx.lock("crm_interaction", [key], strength="NO KEY UPDATE")
    held = await tx.fetch(
        "SELECT id, customer_id, kind, currency, total_minor, occurred_at FROM crm_interaction WHERE id = ?",
        [key],
    )
    return refundable(held[0])


def refund_event(key: str, values: Mapping[str, Any], changes: Changes) -> RefundRecorded:
    return RefundRecorded(
        customer_id=values["customer_id"],
        interaction_id=key,
        kind=REFUND,
        purchase_id=values["refund_of_id"],
        total_minor=-values["total_minor"],
        currency=values["currency"],
        changes=changes,
    )
