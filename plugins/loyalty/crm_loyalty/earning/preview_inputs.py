"""What a preview is asked about: a purchase or a touch, checked as if it were recorded."""

from datetime import datetime

import strawberry
from strawberry import ID

from crm_framework import (
    CrmError,
    ErrorCode,
    MoneyInput,
    check_channel,
    check_kind,
    chosen,
    now,
    optional,
    required,
    usual_channel,
)

from .conditions import Line
from .inputs import in_currency, one_text
from .rules import Cause, Trigger

MOST_LINES = 1000
MOST_PIECES = 2**31 - 1
FIRST_YEAR, LAST_YEAR = 1900, 9000


@strawberry.input(description="A line of a purchase.")
class PreviewLineInput:
    sku: str = required("The goods.")
    category: str | None = optional("Their category.")
    quantity: int = optional("How many pieces.", default=1)
    amount: MoneyInput = required("What the line adds to the total.")


@strawberry.input(description="A touch that has not taken place.")
class PreviewInteractionInput:
    kind: str = required("Its kind, such as visit.")
    outbound: bool = optional("Whether we would begin it: points are for what customers do.", default=False)


@strawberry.input(description="A purchase, or a touch, that has not taken place.")
class PreviewEarningInput:
    program: ID = required("In which programme.")
    customer: ID = required("Whose it would be.")
    total: MoneyInput | None = optional("The purchase's total; the sum of the lines if left out.")
    lines: list[PreviewLineInput] | None = optional("Its lines, 1,000 at most.")
    interaction: PreviewInteractionInput | None = optional("A touch, in place of a purchase.")
    channel: str | None = optional("The channel.")
    at: datetime | None = optional("When; now if left out.")


def cause_of(input: PreviewEarningInput, currency: str) -> Cause:
    """The purchase or touch of an input, in the programme's currency. BAD_INPUT, with its place, for one that
    could not be recorded.
    """
    channel = chosen(input.channel)
    if channel is not None:
        check_channel(channel, path=("input", "channel"))
    touch = chosen(input.interaction)
    return _purchase(input, currency) if touch is None else _touch(input, touch)


def _at(input: PreviewEarningInput) -> datetime:
    at: datetime | None = chosen(input.at)
    if at is None:
        return now()
    if not FIRST_YEAR <= at.year <= LAST_YEAR:
        raise CrmError(
            ErrorCode.BAD_INPUT, f"{at.isoformat()} is out of range.", path=("input", "at"),
            hint=f"Give a moment of the years {FIRST_YEAR} to {LAST_YEAR}.",
        )  # fmt: skip
    return at


def _touch(input: PreviewEarningInput, touch: PreviewInteractionInput) -> Cause:
    kind = check_kind(touch.kind, path=("input", "interaction", "kind"))
    for name in ("total", "lines"):
        if chosen(getattr(input, name)) is not None:
            raise CrmError(
                ErrorCode.BAD_INPUT, "A touch has no amount and no goods.", path=("input", name),
                hint="Leave it out, or leave interaction out.",
            )  # fmt: skip
    return Cause(
        trigger=Trigger.INTERACTION,
        at=_at(input),
        kind=kind,
        channel=usual_channel(kind) if chosen(input.channel) is None else chosen(input.channel),
        outbound=touch.outbound,
    )


def _purchase(input: PreviewEarningInput, currency: str) -> Cause:
    given = chosen(input.lines) or []
    if len(given) > MOST_LINES:
        raise CrmError(
            ErrorCode.BAD_INPUT, f"{len(given)} lines are too many; {MOST_LINES} are allowed.",
            path=("input", "lines"),
        )  # fmt: skip
    lines = tuple(_line(line, currency, ("input", "lines", index)) for index, line in enumerate(given))
    total = in_currency(input.total, currency, "input", "total")
    added = sum(line.amount_minor for line in lines)
    if total is None and not lines:
        raise CrmError(
            ErrorCode.BAD_INPUT, "The purchase has neither lines nor a total.", path=("input", "total"),
            hint="Give at least one of them.",
        )  # fmt: skip
    total = added if total is None else total
    if total < 0 or (lines and total != added):
        raise CrmError(
            ErrorCode.BAD_INPUT,
            "The total of a purchase is that of its lines, and not negative.",
            path=("input", "total"),
            hint="Leave it out, or give discounts as lines of their own.",
        )
    return Cause(
        trigger=Trigger.PURCHASE,
        at=_at(input),
        kind="purchase",
        currency=currency,
        total_minor=total,
        channel=chosen(input.channel),
        lines=lines,
    )


def _line(line: PreviewLineInput, currency: str, path: tuple[str | int, ...]) -> Line:
    if not 1 <= line.quantity <= MOST_PIECES:
        raise CrmError(
            ErrorCode.BAD_INPUT, f"{line.quantity} is out of range.", path=(*path, "quantity"),
            hint=f"Give 1 to {MOST_PIECES}.",
        )  # fmt: skip
    return Line(
        sku=one_text(line.sku, *path, "sku"),
        category=one_text(chosen(line.category) or "", *path, "category") or None,
        quantity=line.quantity,
        amount_minor=in_currency(line.amount, currency, *path, "amount") or 0,
    )
