"""Merging customers, exporting what is held on a person, and erasing it, in the core and in every plugin."""

from datetime import datetime
from typing import Any

import strawberry

from crm_framework.domain.privacy import erasure, export, merge
from crm_framework.engine.ids import encode_id
from crm_framework.engine.parts import SchemaParts
from crm_framework.engine.relations import reference
from crm_framework.storage.unit_of_work import UnitOfWork

from .customers import Customer
from .inputs import chosen, key_of, keys_of, optional, required
from .mutation import mutation, payload

JSON = strawberry.scalars.JSON


@strawberry.type(description="How many rows of a table a merge moves, or an erasure touches.")
class TableCount:
    owner: str = strawberry.field(description="Whose table: `core`, or a plugin's name.")
    table: str = strawberry.field(description="The table.")
    rows: int = strawberry.field(description="How many rows.")


@strawberry.type(description="A value that a merge gives up, as the winner has another one.")
class MergeConflict:
    field: str = strawberry.field(description="Which field; of attributes, `attributes.<name>`.")
    kept: JSON | None = strawberry.field(description="What the winner has.")
    given_up: JSON | None = strawberry.field(description="What the loser had.")
    loser: strawberry.ID = strawberry.field(description="Which loser.")


@payload
class MergeCustomersPayload:
    """What a merge did, or, in a dry run, would do."""

    customer_id: strawberry.Private[str | None] = None
    customer: Customer | None = reference("customer_id", "The winner; null on failure.")
    losers: list[strawberry.ID] = strawberry.field(
        description="Who is merged now; those merged before are left out.", default_factory=list
    )
    moved: list[TableCount] = strawberry.field(description="What moves to the winner.", default_factory=list)
    conflicts: list[MergeConflict] = strawberry.field(
        description="What the losers had otherwise, and is given up.", default_factory=list
    )
    dry_run: bool = strawberry.field(description="Whether nothing was changed.", default=False)


@payload
class ExportCustomerPayload:
    """Everything held on a person."""

    data: JSON | None = strawberry.field(
        description="By table of the core, and under `plugins` by plugin; null on failure.", default=None
    )


@payload
class EraseCustomerPayload:
    """The receipt of an erasure."""

    receipt: str | None = strawberry.field(
        description="The number of the receipt, which is kept, as the audit log names it; null on failure.",
        default=None,
    )
    erased_at: datetime | None = strawberry.field(description="When it was done.", default=None)
    erased_before: bool = strawberry.field(
        description="Whether it had been done before, and nothing changed now.", default=False
    )
    counts: list[TableCount] = strawberry.field(
        description="Rows removed or made anonymous.", default_factory=list
    )


@strawberry.input(description="Which customers become one.")
class MergeCustomersInput:
    winner: strawberry.ID = required("Who stays.")
    losers: list[strawberry.ID] = required("Whose belongings move to the winner; 100 at most.")
    dry_run: bool = optional("Only tells what would happen.", default=False)


@strawberry.input(description="Whose data to export.")
class ExportCustomerInput:
    id: strawberry.ID = required("Which customer.")


@strawberry.input(description="Whose data to erase.")
class EraseCustomerInput:
    id: strawberry.ID = required("Which customer.")
    reason: str | None = optional("Why; kept on the receipt.")


@mutation(permission="customers.merge")
async def merge_customers(
    tx: UnitOfWork, info: strawberry.Info, input: MergeCustomersInput
) -> MergeCustomersPayload:
    """Makes one customer of several, in every table and plugin, or changes nothing."""
    report = await merge.merge_customers(
        tx,
        key_of(input.winner, Customer, path=("winner",)),
        keys_of(input.losers, Customer, ("losers",)),
        plugins=info.context.host,
        dry_run=input.dry_run,
    )
    return MergeCustomersPayload(
        customer_id=report.winner,
        losers=[strawberry.ID(encode_id("Customer", key)) for key in report.losers],
        moved=_counts(report.moved),
        conflicts=[
            MergeConflict(
                field=conflict.field,
                kept=conflict.kept,
                given_up=conflict.given_up,
                loser=strawberry.ID(encode_id("Customer", conflict.loser)),
            )
            for conflict in report.conflicts
        ],
        dry_run=report.dry_run,
    )


@mutation(permission="customers.export")
async def export_customer(
    tx: UnitOfWork, info: strawberry.Info, input: ExportCustomerInput
) -> ExportCustomerPayload:
    """Gives everything held on a person, plugin by plugin. Changes nothing."""
    found = await export.export_customer(tx, key_of(input.id, Customer), plugins=info.context.host)
    return ExportCustomerPayload(data=JSON(found))


@mutation(permission="customers.erase")
async def erase_customer(
    tx: UnitOfWork, info: strawberry.Info, input: EraseCustomerInput
) -> EraseCustomerPayload:
    """Erases a person's data everywhere, for good. Sums that book-keeping needs stay, without the person."""
    report = await erasure.erase_customer(
        tx, key_of(input.id, Customer), reason=chosen(input.reason), plugins=info.context.host
    )
    return EraseCustomerPayload(
        receipt=report.receipt_id,
        erased_at=report.erased_at,
        erased_before=report.erased_before,
        counts=_counts(report.counts),
    )


def _counts(by_owner: Any) -> list[TableCount]:
    return [
        TableCount(owner=owner, table=table, rows=rows)
        for owner, tables in by_owner.items()
        for table, rows in sorted(tables.items())
    ]


parts = SchemaParts(mutation=[merge_customers, export_customer, erase_customer])
