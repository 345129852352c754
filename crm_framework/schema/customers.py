"""Customers: the type, and how they are found."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any

import strawberry

from crm_framework.domain.models import CustomerKind, CustomerStage
from crm_framework.engine.connections import Connection, connection
from crm_framework.engine.errors import RequestError
from crm_framework.engine.fields import batch, column, root
from crm_framework.engine.ids import decode_key, encode_id
from crm_framework.engine.load import load, load_where
from crm_framework.engine.nodes import Node, node
from crm_framework.engine.parts import SchemaParts
from crm_framework.engine.relations import reference
from crm_framework.engine.rows import Batch
from crm_framework.engine.sql import Fragment, among
from crm_framework.security.actors import INTERNAL

from .additions import fields_of
from .customer_filter import CUSTOMER_FILTER, CUSTOMER_ORDERS, search_condition
from .merged import losers, winners
from .staff import Staff

JSON = strawberry.scalars.JSON


@node(
    table="crm_customer",
    permission="customers.read",
    hidden={"owner_id": str, "backup_id": str, "merged_into_id": str},
    where="t.merged_into_id IS NULL",
    owner="id",
)
class Customer(Node):
    """A person or an organisation that we deal with, or would like to."""

    version: int = column("Grows by one with each change.")
    kind: CustomerKind = column("What the customer is.")
    stage: CustomerStage = column("Where the customer stands with us.")
    name: str = column("The name.")
    email: str | None = column("The primary e-mail address, in its normal form.")
    phone: str | None = column("The primary telephone, E.164.")
    company: str | None = column("The company that a person belongs to.")
    city: str | None = column("The city of the primary address.")
    country: str | None = column("The country of the primary address, ISO 3166-1 alpha-2.")
    owner: Staff | None = reference("owner_id", "The member of staff who deals with all of their matters.")
    backup: Staff | None = reference("backup_id", "Who stands in while the owner is away.")
    attributes: JSON = column("The values of custom fields, by name.", permission=INTERNAL)
    source: str | None = column("The system that the record comes from.", permission=INTERNAL)
    reference: str | None = column(
        "Its key in that system; unique together with `source`.", permission=INTERNAL
    )
    locale: str | None = column("The language, BCP 47.")
    time_zone: str | None = column("The time zone, IANA; quiet hours go by it.")
    confidential: bool = column("Whether it is marked confidential.", permission=INTERNAL)
    created_at: datetime = column("When the record was made.")
    updated_at: datetime = column("When it last changed.")
    converted_at: datetime | None = column("When the prospect became a customer.")
    former_at: datetime | None = column("When the customer left.")
    returned_at: datetime | None = column("When a former customer last came back.")
    archived_at: datetime | None = column("When it was archived; null for one in use.")
    erased_at: datetime | None = column("When the person's data was erased; null for all others.")

    @batch(permission=INTERNAL)
    @staticmethod
    async def tags(customers: Batch["Customer"], info: strawberry.Info) -> list[list[str]]:
        """Words on the customer, in order."""
        reader = info.context.reader
        chosen = among("customer_id", customers.ids, reader.dialect)
        rows = await reader.fetch(
            f"SELECT customer_id, tag FROM crm_customer_tag WHERE {chosen.sql}", chosen.args, bounded=True
        )
        found: dict[str, list[str]] = {key: [] for key in customers.ids}
        for row in rows:
            found[str(row["customer_id"])].append(row["tag"])
        return [sorted(found[key]) for key in customers.ids]

    @batch(needs=("attributes",), permission=INTERNAL)
    @staticmethod
    def attribute(
        customers: Batch["Customer"],
        name: Annotated[str, strawberry.argument(description="The attribute's name.")],
    ) -> list[JSON | None]:
        """The value of one custom field; null where the customer has none."""
        return [values.get(name) for values in customers.column("attributes")]

    @batch(permission=INTERNAL)
    @staticmethod
    async def merged_ids(customers: Batch["Customer"], info: strawberry.Info) -> list[list[strawberry.ID]]:
        """Ids of the customers that were merged into this one; they lead here."""
        found = await losers(info.context, customers.ids)
        return [[strawberry.ID(encode_id("Customer", key)) for key in found[id]] for id in customers.ids]


async def load_customers(info: strawberry.Info, keys: Sequence[str]) -> list[Customer | None]:
    """The customers that these keys stand for today: for a merged one, the winner."""
    found = await load(info, Customer, keys, columns=())
    missing = [key for key, customer in zip(keys, found, strict=True) if customer is None]
    if not missing:
        return found
    today = await winners(info.context, missing)
    moved = {key: winner for key, winner in today.items() if key != winner}
    if not moved:
        return found
    more = dict(zip(moved, await load(info, Customer, list(moved.values()), columns=()), strict=True))
    return [customer or more.get(key) for key, customer in zip(keys, found, strict=True)]


async def customers_of(keys: Sequence[str | None], info: strawberry.Info) -> list[Customer | None]:
    """Likewise, for keys that repeat or are missing: those in a column of records that hang on customers."""
    known = [key for key in dict.fromkeys(keys) if key is not None]
    found = dict(zip(known, await load_customers(info, known), strict=True))
    return [None if key is None else found[key] for key in keys]


@root(permission="customers.read", restricted=True, by_key="id")
async def customer(
    info: strawberry.Info,
    id: Annotated[strawberry.ID | None, strawberry.argument(description="The customer's id.")] = None,
    source: Annotated[
        str | None, strawberry.argument(description="The system that the record comes from.")
    ] = None,
    reference: Annotated[str | None, strawberry.argument(description="Its key in that system.")] = None,
) -> Customer | None:
    """One customer: by id, or by source and reference. The id of a merged one leads to the winner."""
    if id is not None and source is None and reference is None:
        return (await load_customers(info, [decode_key(id, "Customer")]))[0]
    if id is not None or source is None or reference is None:
        raise RequestError("BAD_INPUT", "customer: give either id, or source and reference")
    found = await load_where(
        info,
        Customer,
        Fragment("t.source = ? AND t.reference = ?", (_text(source), _text(reference))),
        columns=(),
    )
    if found:
        return found[0]
    rows: list[dict[str, Any]] = await info.context.reader.fetch(
        "SELECT id FROM crm_customer WHERE source = ? AND reference = ?", (_text(source), _text(reference))
    )
    return (await load_customers(info, [str(rows[0]["id"])]))[0] if rows else None


def _text(value: str) -> str:
    if "\0" in value:
        raise RequestError("BAD_INPUT", "a text may not hold the character U+0000")
    return value


class _Queries:
    customers: Connection[Customer] = connection(
        description="Customers, by name. Merged ones are left out, archived ones are not.",
        filter=CUSTOMER_FILTER,
        orders=CUSTOMER_ORDERS,
        default_order=("NAME",),
        narrow=search_condition,
        permission="customers.read",
    )


parts = SchemaParts(query=[customer, *fields_of(_Queries)])
