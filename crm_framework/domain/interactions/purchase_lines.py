"""The lines and the total of a purchase: whole minor units of one currency that agree. Nothing is hidden."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from crm_framework.domain.rows import insert_sql
from crm_framework.domain.values.money import MAX_MINOR, Money, currency_code
from crm_framework.domain.values.text import line as one_line
from crm_framework.domain.values.text import optional_line
from crm_framework.errors import CrmError, ErrorCode, cut
from crm_framework.storage.ids import new_id

MAX_LINES = 1000
MAX_QUANTITY = 2**31 - 1


@dataclass(frozen=True, kw_only=True)
class NewLine:
    """A line of a purchase. `amount_minor` is what it adds to the total, `quantity` times the unit price.

    Either may be left out: not every amount divides by its quantity. A discount is a line of its own with a
    negative amount. `currency`, if given, must be the purchase's.
    """

    sku: str
    quantity: int = 1
    name: str | None = None
    category: str | None = None
    unit_price_minor: int | None = None
    amount_minor: int | None = None
    currency: str | None = None


LINE_COLUMNS = (
    *("id", "interaction_id", "position", "sku", "name", "category"),
    *("quantity", "unit_price_minor", "amount_minor"),
)
INSERT_LINE = insert_sql("crm_purchase_line", LINE_COLUMNS)


@dataclass(frozen=True)
class CheckedLine:
    position: int
    sku: str
    name: str | None
    category: str | None
    quantity: int
    unit_price_minor: int | None
    amount_minor: int


@dataclass(frozen=True)
class CheckedMoney:
    currency: str
    total_minor: int
    lines: tuple[CheckedLine, ...]


def checked_money(
    currency: str, given: Sequence[NewLine], total: int | None, total_currency: str | None = None
) -> CheckedMoney:
    """A purchase's lines and total, which agree. BAD_INPUT with the path of what does not."""
    currency = currency_code(currency, path=("currency",))
    same_currency(currency, total_currency, ("total", "currency"))
    if len(given) > MAX_LINES:
        raise CrmError(
            ErrorCode.BAD_INPUT,
            f"The purchase has {len(given)} lines; {MAX_LINES} are allowed.",
            path=("lines",),
            hint="Split it into several purchases.",
        )
    lines = tuple(_checked_line(line, position, currency) for position, line in enumerate(given))
    if total is None and not lines:
        raise CrmError(
            ErrorCode.BAD_INPUT,
            "The purchase has neither lines nor a total.",
            path=("total",),
            hint="Give at least one of them.",
        )
    added = sum(line.amount_minor for line in lines)
    if total is None:
        total = minor_units(added, "total", ("lines",))
    elif lines and minor_units(total, "total", ("total",)) != added:
        raise CrmError(
            ErrorCode.BAD_INPUT,
            f"The total is {Money(total, currency)}, but the lines add up to {Money(added, currency)}.",
            path=("total",),
            hint="Give discounts, shipping and taxes as lines of their own, or leave the total out.",
        )
    if minor_units(total, "total", ("total",)) < 0:
        raise CrmError(
            ErrorCode.BAD_INPUT,
            f"The total of a purchase cannot be negative: {Money(total, currency)}.",
            path=("total",),
            hint="Record money that goes back as a refund.",
        )
    return CheckedMoney(currency, total, lines)


def _checked_line(line: NewLine, position: int, currency: str) -> CheckedLine:
    at = ("lines", position)
    same_currency(currency, line.currency, (*at, "currency"))
    quantity = line.quantity
    if not isinstance(quantity, int) or isinstance(quantity, bool) or not 1 <= quantity <= MAX_QUANTITY:
        raise CrmError(
            ErrorCode.BAD_INPUT,
            f"The quantity must be a whole number from 1 to {MAX_QUANTITY}, not {cut(quantity, 40)}.",
            path=(*at, "quantity"),
            hint="Record goods that come back as a refund.",
        )
    price = None
    if line.unit_price_minor is not None:
        price = minor_units(line.unit_price_minor, "unit price", (*at, "unitPrice"))
    if line.amount_minor is not None:
        amount = minor_units(line.amount_minor, "amount", (*at, "amount"))
    elif price is not None:
        amount = minor_units(price * quantity, "amount", (*at, "unitPrice"))
    else:
        raise CrmError(
            ErrorCode.BAD_INPUT,
            "The line has neither a unit price nor an amount.",
            path=(*at, "unitPrice"),
            hint="Give at least one of them; zero is allowed.",
        )
    if price is not None and price * quantity != amount:
        raise CrmError(
            ErrorCode.BAD_INPUT,
            f"The line's amount is {Money(amount, currency)}, but {quantity} times the unit price is"
            f" {Money(price * quantity, currency)}.",
            path=(*at, "amount"),
            hint="Leave the unit price out, or give a discount as a line of its own.",
        )
    return CheckedLine(
        position,
        one_line(line.sku, "sku", 100, path=(*at, "sku")),
        optional_line(line.name, "name", 300, path=(*at, "name")),
        optional_line(line.category, "category", 100, path=(*at, "category")),
        quantity,
        price,
        amount,
    )


def line_row(interaction_id: str, line: CheckedLine) -> list[Any]:
    return [
        *(new_id(), interaction_id, line.position, line.sku, line.name, line.category),
        *(line.quantity, line.unit_price_minor, line.amount_minor),
    ]


def shown(line: CheckedLine) -> dict[str, Any]:
    return {
        "sku": line.sku,
        "name": line.name,
        "category": line.category,
        "quantity": line.quantity,
        "unit_price_minor": line.unit_price_minor,
        "amount_minor": line.amount_minor,
    }


def same_currency(currency: str, other: str | None, path: Sequence[str | int]) -> None:
    if other is not None and currency_code(other, path=path) != currency:
        raise CrmError(
            ErrorCode.BAD_INPUT,
            f"The currency is {other}, but the purchase is in {currency}.",
            path=path,
            hint="Keep one currency, or record two purchases.",
        )


def minor_units(value: object, what: str, path: Sequence[str | int]) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or abs(value) > MAX_MINOR:
        raise CrmError(
            ErrorCode.BAD_INPUT,
            f"The {what} must be a whole number of minor units, at most {MAX_MINOR}, not {cut(value, 40)}.",
            path=path,
        )
    return value
