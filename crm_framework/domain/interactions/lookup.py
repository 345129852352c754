"""What the rows of an import name, looked up for all together: records, staff, purchases, customers."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

from crm_framework.domain.customers.bulk import ImportedRow, import_customers
from crm_framework.domain.customers.draft import NewCustomer
from crm_framework.domain.customers.keys import (
    LIVE_COLUMNS,
    LiveCustomer,
    Reference,
    answer,
    customers_by_reference,
    fetch_by_reference,
)
from crm_framework.domain.customers.locks import Hold, hold_customers, reached
from crm_framework.domain.customers.record import reference_elsewhere
from crm_framework.domain.interactions.refunds import Refundable, refundable
from crm_framework.domain.interactions.rows import CheckedRow
from crm_framework.domain.interactions.touches import other_customers
from crm_framework.domain.rows import among, not_found
from crm_framework.errors import CrmError, ErrorCode, cut
from crm_framework.storage.ids import new_id
from crm_framework.storage.turns import in_turns

if TYPE_CHECKING:
    from crm_framework.storage.unit_of_work import UnitOfWork

_PURCHASE_COLUMNS = ("kind", "customer_id", "currency", "total_minor", "occurred_at")


@dataclass
class Batch:
    """The rows that are still good, and what became of the others, by index."""

    rows: list[CheckedRow]
    results: dict[int, ImportedRow] = field(default_factory=dict)

    def check(self, judge: Callable[[CheckedRow], None]) -> None:
        """Keeps the rows that `judge` does not refuse."""
        good = []
        for row in self.rows:
            try:
                judge(row)
            except CrmError as error:
                self.refuse(row.index, error)
            else:
                good.append(row)
        self.rows = good

    def refuse(self, index: int, error: CrmError) -> None:
        self.results[index] = ImportedRow(index, error=error.under("rows", index))


async def recorded(tx: "UnitOfWork", rows: Iterable[CheckedRow]) -> dict[Reference | None, str | None]:
    """Keys of the interactions that carry the references of these rows; None for one out of reach."""
    wanted = [row.reference for row in rows if row.reference is not None]
    found = await fetch_by_reference(tx, "crm_interaction", ", r.customer_id", wanted)
    seen = await reached(tx, [str(row["customer_id"]) for row in found])
    return {
        (row["source"], row["reference"]): str(row["id"]) if str(row["customer_id"]) in seen else None
        for row in found
    }


async def leave_out_known(tx: "UnitOfWork", batch: Batch) -> dict[int, int]:
    """Reports rows that are recorded already and gives the others their keys.

    Index → first index, of the rows that repeat the reference of another row.
    """
    known = await recorded(tx, batch.rows)
    first: dict[Reference, int] = {}
    repeats: dict[int, int] = {}
    fresh = []
    for row in batch.rows:
        if row.reference in known:
            if (there := known[row.reference]) is None:
                batch.refuse(row.index, reference_elsewhere(*(row.reference or ("", ""))))
            else:
                batch.results[row.index] = ImportedRow(row.index, there)
        elif row.reference is not None and first.setdefault(row.reference, row.index) != row.index:
            repeats[row.index] = first[row.reference]
        else:
            row.values["id"] = new_id()
            fresh.append(row)
    batch.rows = fresh
    return repeats


async def find_staff(tx: "UnitOfWork", batch: Batch) -> None:
    named = {row.given.staff_id for row in batch.rows if row.given.staff_id is not None}
    if not named:
        return
    chosen, keys = among(tx.dialect, "id", named)
    rows = await tx.fetch(f"SELECT id FROM crm_staff WHERE {chosen}", [keys])
    found = {str(row["id"]) for row in rows}

    def judge(row: CheckedRow) -> None:
        staff = row.given.staff_id
        if staff is not None and staff not in found:
            raise not_found("member of staff", staff, path=("staffId",))
        row.values["staff_id"] = staff

    batch.check(judge)


async def find_purchases(tx: "UnitOfWork", batch: Batch) -> None:
    """Sets what refunds are for: a purchase in the database, or a row of this batch."""
    if all(row.refund_minor is None for row in batch.rows):
        return
    by_id = await _interactions(tx, (row.given.refund_of_id for row in batch.rows))
    wanted = {row.purchase_reference for row in batch.rows if row.purchase_reference is not None}
    more = "".join(f", r.{column}" for column in _PURCHASE_COLUMNS)
    found = await fetch_by_reference(tx, "crm_interaction", more, wanted)
    seen = await reached(tx, [str(row["customer_id"]) for row in found])
    by_reference = {
        (row["source"], row["reference"]): row for row in found if str(row["customer_id"]) in seen
    }
    here = {row.reference: row for row in batch.rows if row.reference in wanted and row.money is not None}

    def judge(row: CheckedRow) -> None:
        if row.refund_minor is None:
            return
        key, reference = row.given.refund_of_id, row.purchase_reference
        stored = by_id.get(key) if key is not None else by_reference.get(reference or ("", ""))
        if stored is not None:
            row.purchase = refundable(stored)
        elif key is None and reference in here:
            row.purchase = here[reference]
        else:
            raise not_found("purchase", key or " ".join(reference or ()), path=("refundOf",))

    batch.check(judge)


async def find_customers(tx: "UnitOfWork", batch: Batch, *, create: bool, dry_run: bool) -> None:
    """Sets each row's customer, the winner of a merged one, and holds all of them until the end."""
    named, live, would_be = await _held(tx, batch, create=create, dry_run=dry_run)
    answered = await _interactions(tx, (row.given.reply_to_id for row in batch.rows))

    def judge(row: CheckedRow) -> None:
        key, reference = named[row], row.customer_reference
        if key is None and reference is not None and reference not in would_be:
            raise CrmError(
                ErrorCode.NOT_FOUND,
                f"There is no customer {cut(reference[1])} of {cut(reference[0])}.",
                path=("customerReference",),
                hint="Import the customers first, or have missing ones created.",
            )
        if key is not None:
            customer = live[key]
            if isinstance(customer, CrmError):
                raise customer.under("customerReference" if row.given.customer_id is None else "customerId")
            row.customer = customer
            row.values["customer_id"] = customer.id
        reply = row.given.reply_to_id
        if reply is not None:
            if reply not in answered:
                raise not_found("interaction", reply, path=("replyToId",))
            if row.customer is None or str(answered[reply]["customer_id"]) != row.customer.id:
                raise other_customers(path=("replyToId",))
            row.values["reply_to_id"] = reply

    batch.check(judge)


async def _held(
    tx: "UnitOfWork", batch: Batch, *, create: bool, dry_run: bool
) -> tuple[dict[CheckedRow, str | None], dict[str, LiveCustomer | CrmError], set[Reference]]:
    """The key by which each row names its customer, these customers, and those that would be created.

    Missing ones are created once the others are held, as `customers.locks` has it.
    """
    by_reference = await customers_by_reference(
        tx, {row.customer_reference for row in batch.rows if row.customer_reference is not None}
    )
    made: dict[Reference, ImportedRow] = {}

    async def create_missing() -> list[str]:
        """Keys of those that another import created meanwhile."""
        new = _missing(batch, by_reference)
        report = await import_customers(tx, list(new.values()), dry_run=dry_run)
        made.clear()
        made.update(zip(new, report.rows, strict=True))
        met = {reference: row.id for reference, row in made.items() if row.id and not row.created}
        by_reference.update(met)
        return list(met.values())

    hold = Hold.CHANGE if any(row.money is not None for row in batch.rows) else Hold.ADD
    keys = [key for row in batch.rows if (key := _named(row, by_reference)) is not None]
    rows = await hold_customers(tx, keys, hold, LIVE_COLUMNS, then=create_missing if create else None)
    created = {reference: row.id for reference, row in made.items() if row.id}
    rows |= await hold_customers(tx, created.values(), hold, LIVE_COLUMNS)
    by_reference |= created
    for reference, row in made.items():
        if row.error is not None:
            _refuse_all(batch, reference, row.error)
    named = dict(
        zip(batch.rows, await in_turns(partial(_named, by_reference=by_reference), batch.rows), strict=True)
    )
    wanted = list(dict.fromkeys(key for key in named.values() if key is not None))
    live = dict(zip(wanted, await in_turns(lambda key: answer(key, rows.get(key)), wanted), strict=True))
    return named, live, {reference for reference, row in made.items() if row.created and row.id is None}


def _named(row: CheckedRow, by_reference: dict[Reference, str]) -> str | None:
    """The key by which the row names its customer; a refund belongs to the customer of its purchase."""
    if isinstance(row.purchase, Refundable):
        return row.purchase.customer_id
    if isinstance(row.purchase, CheckedRow):
        return _named(row.purchase, by_reference)
    if row.given.customer_id is not None or row.customer_reference is None:
        return row.given.customer_id
    return by_reference.get(row.customer_reference)


def _missing(batch: Batch, known: dict[Reference, str]) -> dict[Reference, NewCustomer]:
    """Customers to create, by their references in order: so two imports cannot wait for each other."""
    new: dict[Reference, NewCustomer] = {}
    for row in batch.rows:
        reference = row.customer_reference
        if reference is None or reference in known or reference in new or row.given.customer_id is not None:
            continue
        if row.refund_minor is None and row.given.reply_to_id is None:
            name = row.given.customer_name or reference[1]
            new[reference] = NewCustomer(name=name, source=reference[0], reference=reference[1])
    return dict(sorted(new.items()))


def _refuse_all(batch: Batch, reference: Reference, error: CrmError) -> None:
    name = "customerName" if error.path[2:3] == ("name",) else "customerReference"

    def judge(row: CheckedRow) -> None:
        if row.customer_reference == reference:
            raise CrmError(error.code, error.message, path=(name,), hint=error.hint)

    batch.check(judge)


async def _interactions(tx: "UnitOfWork", keys: Iterable[str | None]) -> dict[str, dict[str, Any]]:
    named = {key for key in keys if key is not None}
    if not named:
        return {}
    chosen, arg = among(tx.dialect, "id", named)
    rows = await tx.fetch(
        f"SELECT id, {', '.join(_PURCHASE_COLUMNS)} FROM crm_interaction WHERE {chosen}", [arg]
    )
    seen = await reached(tx, [str(row["customer_id"]) for row in rows])
    return {str(row["id"]): row for row in rows if str(row["customer_id"]) in seen}
