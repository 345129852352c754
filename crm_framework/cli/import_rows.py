"""What the files of customers and interactions may hold: the fields, and how a record becomes a row."""

from collections.abc import Mapping
from typing import Any

from crm_framework.cli.mapping import ATTRIBUTE
from crm_framework.cli.values import Cells
from crm_framework.domain.contacts.points import NewContactPoint
from crm_framework.domain.customers.draft import NewCustomer
from crm_framework.domain.interactions.purchase_lines import NewLine
from crm_framework.domain.interactions.rows import InteractionRow
from crm_framework.errors import CrmError, ErrorCode

CUSTOMER_FIELDS = (
    *("name", "kind", "stage", "company", "email", "phone", "city", "country", "contactPoints", "tags"),
    *("attributes", "locale", "timeZone", "confidential", "convertedAt", "formerAt", "source", "reference"),
)
"""Besides, `attributes.<name>` is the attribute of that name."""

INTERACTION_FIELDS = (
    *("kind", "customerId", "customerSource", "customerReference", "customerName", "occurredAt"),
    *("channel", "direction", "subject", "body", "outcome", "sentiment", "durationSeconds", "staffId"),
    *("followUpAt", "replyToId", "source", "reference", "total", "currency", "lines", "sku", "productName"),
    *("category", "quantity", "unitPrice", "amount", "refundOfId", "refundOfSource", "refundOfReference"),
)
"""`sku` to `amount` are the one line of a purchase in a file that has no nested `lines`."""


def customer_row(cells: Cells) -> NewCustomer:
    """A record of a file of customers. What the domain checks is left to it."""
    return NewCustomer(
        name=cells.text("name") or "",
        kind=_upper(cells.text("kind")) or "PERSON",
        stage=_upper(cells.text("stage")) or "PROSPECT",
        company=cells.text("company"),
        email=cells.text("email"),
        phone=cells.text("phone"),
        city=cells.text("city"),
        country=cells.text("country"),
        contact_points=[_contact_point(point) for point in cells.objects("contactPoints")],
        tags=cells.words("tags"),
        attributes=_attributes(cells.row),
        locale=cells.text("locale"),
        time_zone=cells.text("timeZone"),
        confidential=cells.flag("confidential"),
        converted_at=cells.moment("convertedAt"),
        former_at=cells.moment("formerAt"),
        source=cells.text("source"),
        reference=cells.text("reference"),
    )


def interaction_row(cells: Cells) -> InteractionRow:
    """A record of a file of interactions: a touch, a purchase or a refund."""
    currency = cells.text("currency")
    total = cells.money("total", currency)
    return InteractionRow(
        kind=cells.text("kind") or "",
        customer_id=cells.text("customerId"),
        customer_source=cells.text("customerSource"),
        customer_reference=cells.text("customerReference"),
        customer_name=cells.text("customerName"),
        occurred_at=cells.moment("occurredAt"),
        channel=cells.text("channel"),
        direction=_upper(cells.text("direction")),
        subject=cells.text("subject"),
        body=cells.text("body"),
        outcome=cells.text("outcome"),
        sentiment=_upper(cells.text("sentiment")),
        duration_seconds=cells.whole("durationSeconds"),
        staff_id=cells.text("staffId"),
        follow_up_at=cells.moment("followUpAt"),
        reply_to_id=cells.text("replyToId"),
        source=cells.text("source"),
        reference=cells.text("reference"),
        currency=currency,
        total_minor=total,
        lines=_lines(cells, currency, total),
        refund_of_id=cells.text("refundOfId"),
        refund_of_source=cells.text("refundOfSource"),
        refund_of_reference=cells.text("refundOfReference"),
    )


def _lines(cells: Cells, currency: str | None, total: int | None) -> tuple[NewLine, ...]:
    if nested := cells.objects("lines"):
        lines = []
        for position, values in enumerate(nested):
            line = Cells(values, cells.zone, cells.date_format)
            try:
                lines.append(_line(line, currency, name="name", total=None))
            except CrmError as error:
                raise error.under("lines", position) from None
        return tuple(lines)
    if cells.text("sku") is None:
        return ()
    return (_line(cells, currency, name="productName", total=total),)


def _line(cells: Cells, currency: str | None, *, name: str, total: int | None) -> NewLine:
    """A single line whose price is not given stands for the whole total."""
    amount = cells.money("amount", currency)
    price = cells.money("unitPrice", currency)
    quantity = cells.whole("quantity")
    return NewLine(
        sku=cells.text("sku") or "",
        name=cells.text(name),
        category=cells.text("category"),
        quantity=1 if quantity is None else quantity,
        unit_price_minor=price,
        amount_minor=total if amount is None and price is None else amount,
    )


def _contact_point(values: Mapping[str, Any]) -> NewContactPoint:
    known = {"channel", "value", "address", "label", "primary", "consent", "consentSource"}
    if unknown := sorted(set(values) - known):
        raise CrmError(
            ErrorCode.BAD_INPUT,
            f"A contact point has no {unknown[0]!r}.",
            path=("contactPoints", unknown[0]),
            hint=f"Known are: {', '.join(sorted(known))}.",
        )
    return NewContactPoint(
        channel=str(values.get("channel", "")),
        value=values.get("value"),
        address=values.get("address"),
        label=values.get("label"),
        primary=bool(values.get("primary", False)),
        consent=values.get("consent", "UNKNOWN"),
        consent_source=values.get("consentSource"),
    )


def _attributes(row: Mapping[str, Any]) -> dict[str, Any]:
    given = row.get("attributes")
    if given is not None and not isinstance(given, dict):
        raise CrmError(
            ErrorCode.BAD_INPUT,
            "attributes is no object.",
            path=("attributes",),
            hint="Use one column an attribute, attributes.<name>, or an object in an .ndjson file.",
        )
    single = {
        name.removeprefix(ATTRIBUTE): value for name, value in row.items() if name.startswith(ATTRIBUTE)
    }
    return {**(given or {}), **single}


def _upper(text: str | None) -> str | None:
    return text.strip().upper() if text else None
