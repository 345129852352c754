"""Interactions: every touch with a customer, of whatever kind; and how they are found."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Annotated, Any

import strawberry

from crm_framework.domain.models import Direction, Sentiment
from crm_framework.domain.values import money
from crm_framework.engine.connections import Connection, connection
from crm_framework.engine.errors import RequestError
from crm_framework.engine.fields import batch, column, computed, root
from crm_framework.engine.filters import FilterSpec, Member
from crm_framework.engine.ids import decode_key
from crm_framework.engine.load import load, load_where
from crm_framework.engine.nodes import Node, node
from crm_framework.engine.orders import OrderField, Orders
from crm_framework.engine.parts import SchemaParts
from crm_framework.engine.relations import children, reference
from crm_framework.engine.rows import Batch
from crm_framework.engine.sql import Dialect, Fragment, all_of
from crm_framework.errors import CrmError
from crm_framework.security.actors import INTERNAL

from . import enums  # noqa: F401  # makes the domain's enumerations known to GraphQL
from .additions import fields_of
from .customers import Customer
from .inputs import optional, required
from .money import Money
from .staff import Staff, staff_names


@node(
    table="crm_interaction",
    permission="interactions.read",
    hidden={
        "customer_id": str,
        "staff_id": str,
        "reply_to_id": str,
        "refund_of_id": str,
        "total_minor": int,
        "currency": str,
    },
    # what was said to or by the customer, or bought; not what staff noted for one another
    own_where="t.kind <> 'note' AND (t.direction IS NOT NULL OR t.kind IN ('purchase', 'refund'))",
)
class Interaction(Node):
    """A touch with a customer, inbound or outbound: a call, a letter, a purchase, a note …"""

    version: int = column("Grows by one with each change.")
    customer: Customer = reference("customer_id", "With whom.")
    kind: str = column("What it was, such as call, visit or purchase; plugins add kinds.")
    channel: str | None = column("The way it took.")
    direction: Direction | None = column("Who began it.")
    subject: str | None = column("What it was about, in one line.")
    body: str | None = column("What was said.")
    outcome: str | None = column("What came of it.", permission=INTERNAL)
    sentiment: Sentiment | None = column("How the customer felt about it.", permission=INTERNAL)
    occurred_at: datetime = column("When it took place.")
    duration: timedelta | None = column("How long it took.", sql="duration_seconds")
    staff: Staff | None = reference("staff_id", "The member of staff.")
    follow_up_at: datetime | None = column("When to come back to it.", permission=INTERNAL)
    reply_to: "Interaction | None" = reference("reply_to_id", "The message that it answers.")
    refund_of: "Interaction | None" = reference("refund_of_id", "Of a refund: the purchase.")
    refunds: "list[Interaction]" = children(
        key="refund_of_id", order=("occurred_at",), description="Of a purchase: what went back of it."
    )
    created_at: datetime = column("When the record was made.")
    source: str | None = column("The system that the record comes from.", permission=INTERNAL)
    # last, as its name hides the function that declares the fields above
    reference: str | None = column(
        "Its key in that system; unique together with `source`.", permission=INTERNAL
    )

    @batch(needs=("staff_id",))
    @staticmethod
    async def staff_name(interactions: Batch["Interaction"], info: strawberry.Info) -> list[str | None]:
        """The name of the member of staff; of all that is known of them, what customers see."""
        return await staff_names(info, interactions.column("staff_id"))

    @computed()
    @staticmethod
    def total(total_minor: int | None, currency: str | None) -> Money | None:
        """What a purchase came to; negative for a refund."""
        return None if total_minor is None or currency is None else Money.of(total_minor, currency)


@strawberry.input(description="A condition on totals. Amounts are compared within one currency only.")
class TotalFilter:
    currency: str = required("ISO 4217, such as EUR.")
    gt: Decimal | None = optional("Greater than this amount.")
    gte: Decimal | None = optional("Greater than this amount, or equal to it.")
    lt: Decimal | None = optional("Less than this amount.")
    lte: Decimal | None = optional("Less than this amount, or equal to it.")


@strawberry.input(description="A line of which all that is given holds.")
class PurchaseLineFilter:
    sku: str | None = optional("The key of the goods.")
    category: str | None = optional("Their category.")


def _total(value: Any, dialect: Dialect) -> Fragment:
    if not isinstance(value, Mapping) or "currency" not in value:
        raise RequestError("BAD_INPUT", "an object with a currency is expected")
    parts = []
    try:
        currency = money.currency_code(value["currency"])
        for name, amount in value.items():
            if name != "currency":
                minor = money.parse(amount, currency).amount_minor
                parts.append(Fragment(f"t.total_minor {_SIGNS[name]} ?", (minor,)))
    except CrmError as error:
        raise RequestError("BAD_INPUT", error.message) from None
    return all_of([Fragment("t.currency = ?", (currency,)), *parts])


_SIGNS = {"gt": ">", "gte": ">=", "lt": "<", "lte": "<="}


def _line(value: Any, dialect: Dialect) -> Fragment:
    parts = [Fragment("l.interaction_id = t.id")]
    for name in ("sku", "category"):
        if name in value:
            if not isinstance(value[name], str) or "\0" in value[name]:
                raise RequestError("BAD_INPUT", f"{name}: a text is expected")
            parts.append(Fragment(f"l.{name} = ?", (value[name],)))
    each = all_of(parts)
    return Fragment(f"EXISTS (SELECT 1 FROM crm_purchase_line AS l WHERE {each.sql})", each.args)


INTERACTION_FILTER = FilterSpec(
    "InteractionFilter",
    [
        Member("id", "id", "The interaction.", column="id", of="Interaction"),
        Member("customer", "id", "With whom.", column="customer_id", of="Customer"),
        Member("kind", "string", "What it was.", column="kind"),
        Member("channel", "string", "The way it took.", column="channel"),
        Member("direction", "enum", "Who began it.", column="direction", enum=Direction),
        Member("subject", "string", "What it was about.", column="subject"),
        Member("body", "string", "What was said.", column="body"),
        Member("outcome", "string", "What came of it.", column="outcome", permission=INTERNAL),
        Member(
            "sentiment",
            "enum",
            "How the customer felt.",
            column="sentiment",
            enum=Sentiment,
            permission=INTERNAL,
        ),
        Member("occurredAt", "datetime", "When it took place.", column="occurred_at"),
        Member("durationSeconds", "int", "How many seconds it took.", column="duration_seconds"),
        Member("staff", "id", "The member of staff.", column="staff_id", of="Staff", permission=INTERNAL),
        Member(
            "followUpAt", "datetime", "When to come back to it.", column="follow_up_at", permission=INTERNAL
        ),
        Member("replyTo", "id", "The message that it answers.", column="reply_to_id", of="Interaction"),
        Member("refundOf", "id", "Of a refund: the purchase.", column="refund_of_id", of="Interaction"),
        Member(
            "source", "string", "The system that the record comes from.", column="source", permission=INTERNAL
        ),
        Member("reference", "string", "Its key in that system.", column="reference", permission=INTERNAL),
        Member("createdAt", "datetime", "When the record was made.", column="created_at"),
        Member("total", "custom", "A condition on the total.", input=TotalFilter, condition=_total),
        Member(
            "line", "custom", "At least one line is like this.", input=PurchaseLineFilter, condition=_line
        ),
    ],
)
INTERACTION_ORDERS = Orders(
    "InteractionOrder",
    [
        OrderField("OCCURRED_AT", "datetime", "By when it took place.", column="occurred_at"),
        OrderField("CREATED_AT", "datetime", "By when the record was made.", column="created_at"),
        OrderField(
            "FOLLOW_UP_AT",
            "datetime",
            "By when to come back to it.",
            column="follow_up_at",
            nullable=True,
            permission=INTERNAL,
        ),
        OrderField("KIND", "string", "By kind.", column="kind"),
    ],
)


@root(permission="interactions.read", restricted=True, by_key="id")
async def interaction(
    info: strawberry.Info,
    id: Annotated[strawberry.ID | None, strawberry.argument(description="The interaction's id.")] = None,
    source: Annotated[
        str | None, strawberry.argument(description="The system that the record comes from.")
    ] = None,
    reference: Annotated[str | None, strawberry.argument(description="Its key in that system.")] = None,
) -> Interaction | None:
    """One interaction: by id, or by source and reference."""
    if id is not None and source is None and reference is None:
        return (await load(info, Interaction, [decode_key(id, "Interaction")], columns=()))[0]
    if id is not None or source is None or reference is None:
        raise RequestError("BAD_INPUT", "interaction: give either id, or source and reference")
    if "\0" in source + reference:
        raise RequestError("BAD_INPUT", "a text may not hold the character U+0000")
    found = await load_where(
        info, Interaction, Fragment("t.source = ? AND t.reference = ?", (source, reference)), columns=()
    )
    return found[0] if found else None


class _Queries:
    interactions: Connection[Interaction] = connection(
        description="Interactions with all customers, the latest first.",
        filter=INTERACTION_FILTER,
        orders=INTERACTION_ORDERS,
        default_order=("-OCCURRED_AT",),
        permission="interactions.read",
    )


class _OnCustomer:
    interactions: Connection[Interaction] = connection(
        key="customer_id",
        description="Interactions with the customer, the latest first.",
        filter=INTERACTION_FILTER,
        orders=INTERACTION_ORDERS,
        default_order=("-OCCURRED_AT",),
    )


parts = SchemaParts(query=[interaction, *fields_of(_Queries)], extend={Customer: fields_of(_OnCustomer)})
