"""Many interactions at once: the good rows go in, each bad one is reported by its index.

What the rows name is looked up for all of them together, so that the number of statements does not grow with
the number of rows (but for customers that are created on the way, a few statements for every 500).
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Any

from crm_framework.domain.customers.bulk import ROWS_LIMIT, ImportedRow, ImportReport
from crm_framework.domain.customers.keys import LiveCustomer
from crm_framework.domain.customers.record import reference_elsewhere
from crm_framework.domain.interactions.conversion import CONVERT, converted
from crm_framework.domain.interactions.lookup import (
    Batch,
    find_customers,
    find_purchases,
    find_staff,
    leave_out_known,
    recorded,
)
from crm_framework.domain.interactions.purchase_lines import INSERT_LINE, line_row
from crm_framework.domain.interactions.purchases import purchase_event
from crm_framework.domain.interactions.refunds import Refundable, check_refund, refund_event
from crm_framework.domain.interactions.rows import CheckedRow, InteractionRow, checked_row
from crm_framework.domain.interactions.touches import COLUMNS, first_changes
from crm_framework.domain.rows import among, insert_new, not_found
from crm_framework.errors import CrmError, ErrorCode
from crm_framework.events import Event, InteractionLogged
from crm_framework.storage.turns import Turn, in_turns

if TYPE_CHECKING:
    from crm_framework.storage.unit_of_work import UnitOfWork


async def import_interactions(
    tx: "UnitOfWork",
    rows: Sequence[InteractionRow],
    *,
    dry_run: bool = False,
    create_missing_customers: bool = False,
) -> ImportReport:
    """Records the good rows, one event each. A row whose source and reference are known changes nothing.

    With `create_missing_customers`, a customer that is named by an unknown reference is created as a prospect
    (its first purchase converts it), called by `customer_name` or else its reference. A dry run reports what
    would happen and writes nothing. BAD_INPUT for more than 10,000 rows.
    """
    if len(rows) > ROWS_LIMIT:
        raise CrmError(
            ErrorCode.BAD_INPUT,
            f"{len(rows)} rows are given; {ROWS_LIMIT} are allowed at once.",
            path=("rows",),
            hint="Send them in parts.",
        )
    batch = await _right_in_themselves(rows, tx.now)
    repeats = await leave_out_known(tx, batch)
    await find_staff(tx, batch)
    await find_purchases(tx, batch)
    await find_customers(tx, batch, create=create_missing_customers, dry_run=dry_run)
    await _check_refunds(tx, batch)
    if dry_run:
        batch.results.update({row.index: ImportedRow(row.index, created=True) for row in batch.rows})
    else:
        await _write(tx, batch)
    for index, first in repeats.items():
        outcome = batch.results[first]
        if outcome.error is None:
            batch.results[index] = ImportedRow(index, outcome.id)
        else:
            batch.results[index] = replace(outcome, index=index, error=_moved(outcome.error, index))
    return ImportReport(tuple(batch.results[index] for index in range(len(rows))), dry_run)


async def _right_in_themselves(rows: Sequence[InteractionRow], now: datetime) -> Batch:
    batch = Batch([])
    turn = Turn()
    for index, row in enumerate(rows):
        if turn.is_over:
            await turn.end()
        try:
            batch.rows.append(checked_row(index, row, now))
        except CrmError as error:
            batch.refuse(index, error)
    return batch


async def _check_refunds(tx: "UnitOfWork", batch: Batch) -> None:
    """Refuses refunds that exceed their purchase together with those before them."""
    if all(row.purchase is None for row in batch.rows):
        return
    stored = {row.purchase.id for row in batch.rows if isinstance(row.purchase, Refundable)}
    refunded: dict[str, int] = defaultdict(int)
    if stored:
        await tx.lock("crm_interaction", sorted(stored), strength="NO KEY UPDATE")
        chosen, keys = among(tx.dialect, "refund_of_id", stored)
        for found in await tx.fetch(
            f"SELECT refund_of_id, SUM(total_minor) AS total FROM crm_interaction WHERE {chosen}"
            " GROUP BY refund_of_id",
            [keys],
        ):
            refunded[str(found["refund_of_id"])] = -int(found["total"])
    good = {row for row in batch.rows if row.money is not None}

    def judge(row: CheckedRow) -> None:
        if row.purchase is None:
            return
        if isinstance(row.purchase, CheckedRow):
            if row.purchase not in good:
                raise not_found("purchase", " ".join(row.purchase_reference or ()), path=("refundOf",))
            purchase = _as_refundable(row.purchase)
        else:
            purchase = row.purchase
        so_far = replace(purchase, refunded_minor=refunded[purchase.id])
        amount = check_refund(
            so_far, row.refund_minor, row.given.currency, row.values["occurred_at"], name="total"
        )
        refunded[purchase.id] += amount
        row.values |= {
            "total_minor": -amount,
            "currency": purchase.currency,
            "refund_of_id": purchase.id,
        }

    batch.check(judge)


def _as_refundable(row: CheckedRow) -> Refundable:
    assert row.money is not None
    return Refundable(
        row.values["id"],
        row.values.get("customer_id", ""),
        row.money.currency,
        row.money.total_minor,
        row.values["occurred_at"],
    )


async def _write(tx: "UnitOfWork", batch: Batch) -> None:
    """Purchases and touches first, then the refunds that name them."""
    touches = await _insert(tx, batch, [row for row in batch.rows if row.purchase is None])
    await tx.execute_many(
        INSERT_LINE,
        [line_row(row.values["id"], line) for row in touches if row.money for line in row.money.lines],
    )
    refunds = [row for row in batch.rows if row.purchase is not None]
    for row in refunds:
        if isinstance(row.purchase, CheckedRow):
            row.values["refund_of_id"] = batch.results[row.purchase.index].id
    written = touches + await _insert(tx, batch, refunds)
    tx.emit(*await in_turns(_event, sorted(written, key=lambda row: row.index)))
    await _convert(tx, touches)


async def _insert(tx: "UnitOfWork", batch: Batch, rows: Sequence[CheckedRow]) -> list[CheckedRow]:
    """Writes the rows and reports them; those that went in.

    On PostgreSQL another import may have committed some of the references meanwhile: these rows are left out.
    The order of the references keeps two imports from waiting for each other.
    """
    ordered = sorted(rows, key=lambda row: row.reference or ("", ""))
    unique = any(row.reference is not None for row in ordered)
    given = {name for row in ordered for name, value in row.values.items() if value is not None}
    columns = [name for name in COLUMNS if name in given]
    alone = await insert_new(
        tx, "crm_interaction", columns, partial(_values, columns), ordered, unique=unique
    )
    there = {} if alone else await recorded(tx, ordered)
    mine = []
    for row in ordered:
        key = there.get(row.reference, row.values["id"])
        if key is None:
            batch.refuse(row.index, reference_elsewhere(*(row.reference or ("", ""))))
            continue
        batch.results[row.index] = ImportedRow(row.index, key, created=key == row.values["id"])
        if key == row.values["id"]:
            mine.append(row)
    return mine


def _values(columns: Sequence[str], rows: Sequence[CheckedRow]) -> list[list[Any]]:
    return [list(map(row.values.get, columns)) for row in rows]


def _event(row: CheckedRow) -> Event:
    changes = first_changes(row.values)
    if row.money is not None:
        return purchase_event(row.values["id"], row.values, row.money, changes)
    if row.purchase is not None:
        return refund_event(row.values["id"], row.values, changes)
    return InteractionLogged(
        customer_id=row.values["customer_id"],
        interaction_id=row.values["id"],
        kind=row.values["kind"],
        changes=changes,
    )


async def _convert(tx: "UnitOfWork", rows: Sequence[CheckedRow]) -> None:
    customers: dict[str, LiveCustomer] = {}
    bought: dict[str, list[datetime]] = defaultdict(list)
    for row in rows:
        if row.money is not None and row.customer is not None:
            customers[row.customer.id] = row.customer
            bought[row.customer.id].append(row.values["occurred_at"])
    conversions = [
        conversion
        for key, customer in customers.items()
        if (conversion := converted(customer, bought[key])) is not None
    ]
    await tx.execute_many(CONVERT, [conversion.row(tx.now) for conversion in conversions])
    tx.emit(*(conversion.event for conversion in conversions))


def _moved(error: CrmError, index: int) -> CrmError:
    """The same error at another row."""
    bare = CrmError(error.code, error.message, path=error.path[2:], hint=error.hint)
    return bare.under("rows", index)
