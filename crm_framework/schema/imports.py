"""Bulk imports: the good rows go in, each bad one is reported by its index."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypeVar

import strawberry

from crm_framework.domain.customers.bulk import ROWS_LIMIT, ImportedRow, ImportReport
from crm_framework.domain.customers.bulk import import_customers as import_new
from crm_framework.domain.interactions.bulk import import_interactions as import_touches
from crm_framework.domain.interactions.rows import InteractionRow
from crm_framework.engine.fields import batch
from crm_framework.engine.ids import encode_id
from crm_framework.engine.parts import SchemaParts
from crm_framework.engine.rows import Batch
from crm_framework.errors import CrmError, ErrorCode
from crm_framework.security.actors import WITHIN, Actor
from crm_framework.storage.turns import Turn, in_turns
from crm_framework.storage.unit_of_work import UnitOfWork

from .customer_changes import CustomerFields, check_confidential, new_customer
from .customers import Customer
from .inputs import key_of, optional, required
from .interaction_changes import MEMBERS, TOUCH, TouchInput, touch_of
from .interactions import Interaction
from .money import MoneyInput
from .mutation import mutation, payload
from .purchases import PurchaseLineInput, currency_of, minor_of, new_lines
from .user_errors import UserError, user_error

Row = TypeVar("Row")


@strawberry.type(description="What became of one row.")
class ImportedRecord:
    index: int = strawberry.field(description="The row's place, from 0.")
    id: strawberry.ID | None = strawberry.field(
        description="The record's id; null on failure, and in a dry run where it would be new."
    )
    created: bool = strawberry.field(description="Whether the record is new.")
    error: UserError | None = strawberry.field(description="Why the row was left out.")


@payload
class ImportPayload:
    """What became of the rows. `errors` is for the import as a whole: then no row went in."""

    created: int = strawberry.field(description="Rows that made a record.", default=0)
    existing: int = strawberry.field(description="Rows whose record was there already.", default=0)
    failed: int = strawberry.field(description="Rows that were left out.", default=0)
    make_rows: strawberry.Private[Callable[[], Awaitable[list[ImportedRecord]]] | None] = None

    @batch(needs=("make_rows",))
    @staticmethod
    async def rows(payloads: Batch["ImportPayload"]) -> list[list[ImportedRecord]]:
        """One for each row, in order."""
        return [[] if make is None else await make() for make in payloads.column("make_rows")]

    dry_run: bool = strawberry.field(description="Whether nothing was changed.", default=False)


@strawberry.input(description="Customers to import.")
class ImportCustomersInput:
    rows: list[CustomerFields] = required(f"The customers; {ROWS_LIMIT} at most.")
    dry_run: bool = optional("Only tells what would happen.", default=False)


@strawberry.input(description="An interaction of any kind. Its customer is named by id or by reference.")
class InteractionRowInput(TouchInput):
    kind: str = required("What it was, purchases and refunds too.")
    customer: strawberry.ID | None = optional("With whom.")
    customer_source: str | None = optional("The system that the customer comes from; the row's, if left out.")
    customer_reference: str | None = optional("The customer's key in that system.")
    customer_name: str | None = optional("What a customer is called that is created on the way.")
    reply_to: strawberry.ID | None = optional("The customer's message that it answers.")
    currency: str | None = optional("Of a purchase: ISO 4217; that of its amounts, if left out.")
    total: MoneyInput | None = optional("Of a purchase or refund: what it came to.")
    lines: list[PurchaseLineInput] = optional("Of a purchase: what was bought.", default_factory=list)
    refund_of: strawberry.ID | None = optional("Of a refund: the purchase.")
    refund_of_source: str | None = optional(
        "The system that the purchase comes from; the row's, if left out."
    )
    refund_of_reference: str | None = optional("The purchase's key in that system.")


@strawberry.input(description="Interactions to import.")
class ImportInteractionsInput:
    rows: list[InteractionRowInput] = required(f"The interactions; {ROWS_LIMIT} at most.")
    create_missing_customers: bool = optional(
        "Creates a prospect for a customer's reference that is not known.", default=False
    )
    dry_run: bool = optional("Only tells what would happen.", default=False)


@mutation(permission="customers.write")
async def import_customers(tx: UnitOfWork, input: ImportCustomersInput) -> ImportPayload:
    """Creates many customers at once. One that is there already, by its reference, is left as it is."""
    for row in input.rows:
        check_confidential(tx, row)
    rows, places, refused = await _converted(input.rows, new_customer)
    report = await import_new(tx, rows, dry_run=input.dry_run)
    return _payload(report, places, refused, "Customer", input)


@mutation(permission="interactions.write")
async def import_interactions(tx: UnitOfWork, input: ImportInteractionsInput) -> ImportPayload:
    """Records many interactions at once, of every kind. Known references change nothing."""
    rows, places, refused = await _converted(input.rows, _row)
    if input.create_missing_customers:
        _check_creating(tx)
    report = await import_touches(
        tx, rows, dry_run=input.dry_run, create_missing_customers=input.create_missing_customers
    )
    return _payload(report, places, refused, "Interaction", input)


def _check_creating(tx: UnitOfWork) -> None:
    """Raises `CrmError` FORBIDDEN unless the actor may create customers wherever they may record on them."""
    actor = tx.actor
    if not isinstance(actor, Actor):
        return
    if not actor.may("customers.write") or not actor.may(f"{WITHIN}customers.write:interactions.write"):
        raise CrmError(
            ErrorCode.FORBIDDEN,
            "The permission customers.write is missing to create customers.",
            path=("create_missing_customers",),
            hint="Leave it out: rows of customers that are not known are then reported.",
        )


def _row(input: InteractionRowInput) -> InteractionRow:
    values = touch_of(input, names=_NAMES)
    _read_key(values, "customer_id", Customer, "customer")
    _read_key(values, "reply_to_id", Interaction, "replyTo")
    if input.lines or isinstance(input.total, MoneyInput):
        currency = currency_of(input.currency, input.total, input.lines)
        values["currency"] = currency
        values["total_minor"] = minor_of(input.total, currency, "total")
        values["lines"] = new_lines(input.lines, currency)
    _read_key(values, "refund_of_id", Interaction, "refundOf")
    return InteractionRow.of(values)


_NAMES = {
    **{name: name for name in (*TOUCH, "customer_source", "customer_reference", "customer_name", "currency")},
    "customer": "customer_id",
    "reply_to": "reply_to_id",
    "refund_of": "refund_of_id",
    **{name: name for name in ("refund_of_source", "refund_of_reference")},
}
"""Members of a row that are taken as they are → what the domain calls them."""


def _read_key(values: dict[str, Any], name: str, type_: type, member: str) -> None:
    if values.get(name) is not None:
        values[name] = key_of(values[name], type_, path=(member,))


async def _converted(
    inputs: Sequence[Any], convert: Callable[[Any], Row]
) -> tuple[list[Row], list[int], dict[int, CrmError]]:
    """The rows that can be read, the place of each, and why the others cannot."""
    if len(inputs) > ROWS_LIMIT:
        raise CrmError(
            ErrorCode.BAD_INPUT,
            f"{len(inputs)} rows are given; {ROWS_LIMIT} are allowed at once.",
            path=("rows",),
            hint="Send them in parts.",
        )
    rows: list[Row] = []
    places: list[int] = []
    refused: dict[int, CrmError] = {}
    turn = Turn()
    for index, each in enumerate(inputs):
        if turn.is_over:
            await turn.end()
        try:
            rows.append(convert(each))
            places.append(index)
        except CrmError as error:
            refused[index] = error.under("rows", index)
    return rows, places, refused


def _payload(
    report: ImportReport, places: Sequence[int], refused: dict[int, CrmError], type_name: str, input: Any
) -> ImportPayload:
    results = {index: ImportedRow(index, error=error) for index, error in refused.items()}
    for row, index in zip(report.rows, places, strict=True):
        results[index] = row
    failed = sum(row.error is not None for row in results.values())

    async def make_rows() -> list[ImportedRecord]:
        return await in_turns(
            lambda index: _record(index, results[index], type_name, input), range(len(results))
        )

    return ImportPayload(
        created=report.created,
        existing=len(results) - report.created - failed,
        failed=failed,
        make_rows=make_rows,
        dry_run=report.dry_run,
    )


def _record(index: int, row: ImportedRow, type_name: str, input: Any) -> ImportedRecord:
    error = row.error
    if error is not None:
        member = error.path[2] if len(error.path) > 2 else ""
        path = ("rows", str(index), MEMBERS.get(member, member), *error.path[3:])
        error = CrmError(error.code, error.message, path=[part for part in path if part], hint=error.hint)
    return ImportedRecord(
        index=index,
        id=strawberry.ID(encode_id(type_name, row.id)) if row.id is not None else None,
        created=row.created,
        error=None if error is None else user_error(error, type(input), input.rows[index]),
    )


parts = SchemaParts(mutation=[import_customers, import_interactions])
