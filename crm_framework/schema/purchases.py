"""Purchases with their lines, and refunds: interactions that move money."""

from collections.abc import Sequence
from typing import Any

import strawberry

from crm_framework.domain.interactions import purchases, refunds
from crm_framework.domain.interactions.purchase_lines import NewLine, same_currency
from crm_framework.engine.fields import batch
from crm_framework.engine.parts import SchemaParts
from crm_framework.engine.rows import Batch
from crm_framework.engine.sql import among
from crm_framework.errors import CrmError, ErrorCode
from crm_framework.storage.unit_of_work import UnitOfWork

from .customers import Customer
from .inputs import chosen, given, key_of, optional, renamed, required, retry_key
from .interaction_changes import MEMBERS, InteractionPayload, TouchInput, touch_of
from .interactions import Interaction
from .money import Money, MoneyInput
from .mutation import mutation


@strawberry.type(description="A line of a purchase.")
class PurchaseLine:
    position: int = strawberry.field(description="Its place in the purchase, from 0.")
    sku: str = strawberry.field(description="The key of the goods.")
    name: str | None = strawberry.field(description="What they are called.")
    category: str | None = strawberry.field(description="Their category.")
    quantity: int = strawberry.field(description="How many.")
    unit_price: Money | None = strawberry.field(description="The price of one, where it is known.")
    amount: Money = strawberry.field(description="What the line adds to the total.")


@batch(needs=("id", "currency"))
async def lines(interactions: Batch[Any], info: strawberry.Info) -> list[list[PurchaseLine]]:
    """The lines of a purchase, in order; empty for everything else."""
    reader = info.context.reader
    bought = {
        key: code for key, code in zip(interactions.ids, interactions.column("currency"), strict=True) if code
    }
    found: dict[str, list[PurchaseLine]] = {key: [] for key in interactions.ids}
    if bought:
        chosen_ = among("interaction_id", list(bought), reader.dialect)
        rows = await reader.fetch(
            "SELECT interaction_id, position, sku, name, category, quantity, unit_price_minor, amount_minor"
            f" FROM crm_purchase_line WHERE {chosen_.sql} ORDER BY interaction_id, position",
            chosen_.args,
            bounded=True,
        )
        for row in rows:
            key = str(row["interaction_id"])
            found[key].append(_line(row, bought[key]))
    return [found[key] for key in interactions.ids]


def _line(row: Any, currency: str) -> PurchaseLine:
    price = row["unit_price_minor"]
    return PurchaseLine(
        position=row["position"],
        sku=row["sku"],
        name=row["name"],
        category=row["category"],
        quantity=row["quantity"],
        unit_price=None if price is None else Money.of(price, currency),
        amount=Money.of(row["amount_minor"], currency),
    )


@strawberry.input(description="A line of a purchase; it needs a unit price, an amount, or both.")
class PurchaseLineInput:
    sku: str = required("The key of the goods.")
    quantity: int = optional("How many, at least 1.", default=1)
    name: str | None = optional("What they are called.")
    category: str | None = optional("Their category.")
    unit_price: MoneyInput | None = optional("The price of one.")
    amount: MoneyInput | None = optional("What the line adds to the total; negative for a discount.")


@strawberry.input(description="A purchase; it needs lines, a total, or both.")
class RecordPurchaseInput(TouchInput):
    customer: strawberry.ID = required("Who bought.")
    currency: str | None = optional("ISO 4217; that of the total or the first line, if left out.")
    lines: list[PurchaseLineInput] = optional("What was bought, all in one currency.", default_factory=list)
    total: MoneyInput | None = optional("What it came to; the sum of the lines, if left out.")
    idempotency_key: str | None = retry_key()


@strawberry.input(description="Money that goes back for a purchase.")
class RecordRefundInput(TouchInput):
    purchase: strawberry.ID = required("For which purchase.")
    amount: MoneyInput = required("How much; all refunds together never exceed the purchase.")
    idempotency_key: str | None = retry_key()


def currency_of(currency: Any, total: Any, lines: Sequence[PurchaseLineInput]) -> str:
    """The one currency of a purchase. Raises `CrmError` BAD_INPUT where none is said."""
    amounts = [total, *(amount for line in lines for amount in (line.unit_price, line.amount))]
    said = next((amount.currency for amount in amounts if amount), None)
    code: str | None = chosen(currency) or said
    if code is None:
        raise CrmError(
            ErrorCode.BAD_INPUT,
            "The purchase has neither lines nor a total.",
            path=("total",),
            hint="Give at least one of them.",
        )
    return code


def new_lines(lines: Sequence[PurchaseLineInput], currency: str) -> list[NewLine]:
    """The lines as the domain takes them. Raises `CrmError` BAD_INPUT for amounts in another currency."""
    return [
        NewLine(
            **given(line, leave_out=("unit_price", "amount")),
            unit_price_minor=minor_of(line.unit_price, currency, "lines", index, "unitPrice"),
            amount_minor=minor_of(line.amount, currency, "lines", index, "amount"),
        )
        for index, line in enumerate(lines)
    ]


def minor_of(amount: Any, currency: str, *path: str | int) -> int | None:
    """An amount that must be in `currency`, in minor units."""
    if not isinstance(amount, MoneyInput):
        return None
    same_currency(currency, amount.currency, (*path, "currency"))
    return amount.minor(*path)


@mutation(permission="interactions.write")
async def record_purchase(tx: UnitOfWork, input: RecordPurchaseInput) -> InteractionPayload:
    """Records a purchase, or finds the one that has this source and reference already."""
    currency = currency_of(input.currency, input.total, input.lines)
    new = purchases.NewPurchase(
        customer_id=key_of(input.customer, Customer, path=("customer",)),
        currency=currency,
        lines=new_lines(input.lines, currency),
        total_minor=minor_of(input.total, currency, "total"),
        **touch_of(input),
    )
    with renamed(**MEMBERS):
        return InteractionPayload(interaction_id=await purchases.record_purchase(tx, new))


@mutation(permission="interactions.write")
async def record_refund(tx: UnitOfWork, input: RecordRefundInput) -> InteractionPayload:
    """Records a refund, or finds the one that has this source and reference already."""
    new = refunds.NewRefund(
        purchase_id=key_of(input.purchase, Interaction, path=("purchase",)),
        amount_minor=input.amount.minor("amount"),
        currency=input.amount.currency,
        **touch_of(input),
    )
    with renamed(**MEMBERS):
        return InteractionPayload(interaction_id=await refunds.record_refund(tx, new))


parts = SchemaParts(extend={Interaction: [lines]}, mutation=[record_purchase, record_refund])
