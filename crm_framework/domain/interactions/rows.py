"""One row of a bulk import of interactions, of any kind, and the checks of it that need no database."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from crm_framework.domain import kinds
from crm_framework.domain.customers.draft import check_source
from crm_framework.domain.customers.keys import LiveCustomer, Reference
from crm_framework.domain.interactions.purchase_lines import CheckedMoney, NewLine, checked_money, minor_units
from crm_framework.domain.interactions.refunds import Refundable
from crm_framework.domain.interactions.touches import PURCHASE, REFUND, Touch, checked
from crm_framework.domain.rows import check_key
from crm_framework.domain.values.text import optional_line
from crm_framework.errors import CrmError, ErrorCode


@dataclass(frozen=True, kw_only=True)
class InteractionRow(Touch):
    """A touch, a purchase or a refund, as a file has it.

    The customer is named by id, or by source and reference; its source is that of the row unless it is given.
    `customer_name` is for a customer that is created on the way. A purchase has lines, a total or both; a
    refund names the purchase by id or reference, and `total_minor` is what goes back, with either sign.
    """

    kind: str
    customer_id: str | None = None
    customer_source: str | None = None
    customer_reference: str | None = None
    customer_name: str | None = None
    reply_to_id: str | None = None
    currency: str | None = None
    total_minor: int | None = None
    lines: Sequence[NewLine] = ()
    refund_of_id: str | None = None
    refund_of_source: str | None = None
    refund_of_reference: str | None = None

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> "InteractionRow":
        """The same as `InteractionRow(**values)`, in a tenth of the time: an import has thousands of rows.

        What is not among the values is found in the class, as all defaults are.
        """
        made = object.__new__(cls)
        vars(made).update(values)
        return made


@dataclass(eq=False)
class CheckedRow:
    """A row that is right in itself. What it names is looked up for all rows together."""

    index: int
    given: InteractionRow
    values: dict[str, Any]
    reference: Reference | None
    customer_reference: Reference | None
    purchase_reference: Reference | None
    money: CheckedMoney | None
    refund_minor: int | None
    customer: LiveCustomer | None = None
    """Set once it is found; stays None in a dry run for one that would be created."""
    purchase: "Refundable | CheckedRow | None" = None
    """What a refund is for: in the database, or another row."""


def checked_row(index: int, row: InteractionRow, now: datetime) -> CheckedRow:
    """BAD_INPUT with the path, inside the row, of what does not fit."""
    kind = kinds.check_kind(row.kind, path=("kind",))
    values = checked(row, kind, now)
    reference = None if values["source"] is None else (values["source"], values["reference"])
    money = refund = bought = None
    if kind == PURCHASE:
        if row.currency is None:
            raise _missing("currency", "A purchase needs a currency.")
        money = checked_money(row.currency, row.lines, row.total_minor)
        values["total_minor"], values["currency"] = money.total_minor, money.currency
    elif kind == REFUND:
        if row.total_minor is None:
            raise _missing("total", "A refund needs the amount that goes back.")
        refund = abs(minor_units(row.total_minor, "total", ("total",)))
        bought = _reference(row.refund_of_source, row.refund_of_reference, values["source"], "refundOf")
        if row.refund_of_id is None and bought is None:
            raise _missing("refundOf", "A refund needs the purchase that it is for.")
        if row.lines:
            raise _unwanted("lines", kind)
    else:
        for name, value in (("total", row.total_minor), ("currency", row.currency), ("lines", row.lines)):
            if value:
                raise _unwanted(name, kind)
    customer = _reference(row.customer_source, row.customer_reference, values["source"], "customer")
    if row.customer_id is None and customer is None and kind != REFUND:
        raise _missing("customer", "The row names no customer.")
    if row.customer_id is not None:
        check_key(row.customer_id, "customer", path=("customerId",))
    if row.reply_to_id is not None:
        check_key(row.reply_to_id, "interaction", path=("replyToId",))
    if row.staff_id is not None:
        check_key(row.staff_id, "member of staff", path=("staffId",))
    if row.refund_of_id is not None:
        check_key(row.refund_of_id, "purchase", path=("refundOf",))
    return CheckedRow(index, row, values, reference, customer, bought, money, refund)


def _reference(source: str | None, reference: str | None, usual: str | None, what: str) -> Reference | None:
    if reference is None and source is None:
        return None
    named = optional_line(source, "source", 100, path=(f"{what}Source",)) or usual
    try:
        checked_source, checked_reference = check_source(named, reference)
    except CrmError as error:
        name = (error.path or ("reference",))[0]
        raise CrmError(error.code, error.message, path=(what + name.capitalize(),), hint=error.hint) from None
    if checked_source is None or checked_reference is None:
        return None
    return checked_source, checked_reference


def _missing(name: str, message: str) -> CrmError:
    return CrmError(ErrorCode.BAD_INPUT, message, path=(name,), hint="Give it in this row.")


def _unwanted(name: str, kind: str) -> CrmError:
    return CrmError(
        ErrorCode.BAD_INPUT,
        f"An interaction of kind {kind} has no {name}.",
        path=(name,),
        hint="Leave it out, or make the row a purchase.",
    )
