"""Purchases: interactions with lines, a currency and a total. The first one converts a prospect."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from crm_framework.domain.customers.keys import live_customer
from crm_framework.domain.customers.locks import Hold
from crm_framework.domain.interactions.conversion import CONVERT, converted
from crm_framework.domain.interactions.purchase_lines import (
    INSERT_LINE,
    CheckedMoney,
    NewLine,
    checked_money,
    line_row,
    shown,
)
from crm_framework.domain.interactions.touches import (
    PURCHASE,
    Touch,
    checked,
    first_changes,
    first_of_reference,
    insert,
    staff_key,
)
from crm_framework.events import Changes, PurchaseRecorded

if TYPE_CHECKING:
    from crm_framework.storage.unit_of_work import UnitOfWork


@dataclass(frozen=True, kw_only=True)
class NewPurchase(Touch):
    """A purchase. `total_minor` may be left out if there are lines, and lines if there is a total."""

    customer_id: str
    currency: str
    lines: Sequence[NewLine] = ()
    total_minor: int | None = None
    total_currency: str | None = None


async def record_purchase(tx: "UnitOfWork", new: NewPurchase) -> str:
    """Records a purchase and returns its key; with a known source and reference, the first record's key.

    BAD_INPUT with the path of the line at fault: a quantity below one, a second currency, an amount that is
    not quantity times unit price, a total that is not the sum of the lines.
    """
    money = checked_money(new.currency, new.lines, new.total_minor, new.total_currency)
    values = checked(new, PURCHASE, tx.now)
    first = await first_of_reference(tx, values)
    if first is not None:
        return first
    customer = await live_customer(tx, new.customer_id, Hold.CHANGE)
    values |= {
        "customer_id": customer.id,
        "staff_id": await staff_key(tx, new.staff_id),
        "total_minor": money.total_minor,
        "currency": money.currency,
    }
    key, created = await insert(tx, values)
    if not created:
        return key
    await tx.execute_many(INSERT_LINE, [line_row(key, line) for line in money.lines])
    tx.emit(purchase_event(key, values, money, first_changes(values)))
    conversion = converted(customer, [values["occurred_at"]])
    if conversion is not None:
        await tx.execute(CONVERT, conversion.row(tx.now))
        tx.emit(conversion.event)
    return key


def purchase_event(
    key: str, values: Mapping[str, Any], money: CheckedMoney, changes: Changes
) -> PurchaseRecorded:
    if money.lines:
        changes = {**changes, "lines": (None, [shown(line) for line in money.lines])}
    return PurchaseRecorded(
        customer_id=values["customer_id"],
        interaction_id=key,
        kind=PURCHASE,
        total_minor=money.total_minor,
        currency=money.currency,
        changes=changes,
    )
