"""From an id or a reference that somebody kept to the customer that it means today.

A merged customer's key leads to the winner; an erased customer takes no more records. On PostgreSQL the row
is locked on the way, so that a merge or an erasure running at the same moment comes either before or after,
and never leaves a record with the loser.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal

import orjson

from crm_framework.domain.customers.locks import Hold, hold_customers
from crm_framework.domain.customers.record import known_ids
from crm_framework.domain.models import CustomerStage
from crm_framework.domain.rows import not_found, time_of
from crm_framework.errors import CrmError, ErrorCode
from crm_framework.storage.ids import is_key

if TYPE_CHECKING:
    from crm_framework.storage.unit_of_work import UnitOfWork

LIVE_COLUMNS = ("id", "version", "stage", "converted_at", "former_at", "erased_at", "merged_into_id")

Reference = tuple[str, str]
"""source, reference"""


@dataclass(frozen=True)
class LiveCustomer:
    """A customer that is neither erased nor merged into another: `id` is the key that counts today."""

    id: str
    version: int
    stage: CustomerStage
    converted_at: datetime | None
    former_at: datetime | None


async def live_customer(
    tx: "UnitOfWork", customer_id: str, hold: Hold, *, path: Sequence[str | int] = ("customerId",)
) -> LiveCustomer:
    """The customer that the key means today. NOT_FOUND if there is none, REFUSED if it was erased."""
    found = (await live_customers(tx, [customer_id], hold))[customer_id]
    if isinstance(found, CrmError):
        raise found.under(*path)
    return found


def assume_live(tx: "UnitOfWork", customer_id: str) -> bool:
    """Whether records may be added as if this were the key of a live customer: see `UnitOfWork.assume`."""
    hold = Hold.ADD if tx.dialect == "postgres" else ""
    seen, args = ("", ()) if tx.reach is None else tx.reach.of_row("t")
    assumed = is_key(customer_id) and tx.assume(
        "SELECT 1 FROM crm_customer AS t WHERE t.id = ? AND t.merged_into_id IS NULL AND t.erased_at IS NULL"
        f"{f' AND ({seen})' if seen else ''} {hold}",
        (customer_id, *args),
    )
    if assumed:
        tx.admitted.add(customer_id)
    return assumed


async def live_customers(
    tx: "UnitOfWork", keys: Collection[str], hold: Hold
) -> dict[str, LiveCustomer | CrmError]:
    """The same for many keys: one statement, and one more for each step from losers to winners."""
    rows = await hold_customers(tx, keys, hold, LIVE_COLUMNS)
    return {key: answer(key, rows.get(key)) for key in keys}


async def customers_by_reference(tx: "UnitOfWork", references: Iterable[Reference]) -> dict[Reference, str]:
    """Keys of the customers (or merged ones) that carry these references, in one statement.

    Those out of the change's reach are left out.
    """
    rows = await fetch_by_reference(tx, "crm_customer", "", references)
    found = {(row["source"], row["reference"]): str(row["id"]) for row in rows}
    if tx.reach is None:
        return found
    seen = await known_ids(tx, found.values())
    return {reference: key for reference, key in found.items() if key in seen}


async def fetch_by_reference(
    tx: "UnitOfWork",
    table: Literal["crm_customer", "crm_interaction"],
    more: str,
    references: Iterable[Reference],
) -> list[dict[str, Any]]:
    """id, source, reference of the rows with these references, and the columns `more` (", r.kind")."""
    wanted = sorted(set(references))
    if not wanted:
        return []
    if tx.dialect == "sqlite":
        pairs = "json_each(?) w CROSS JOIN"
        on = "r.source = json_extract(w.value, '$[0]') AND r.reference = json_extract(w.value, '$[1]')"
        args: list[object] = [orjson.dumps(wanted).decode()]
    else:
        pairs = "unnest(CAST(? AS text[]), CAST(? AS text[])) w (source, reference) JOIN"
        on = "r.source = w.source AND r.reference = w.reference"
        args = [[source for source, _ in wanted], [reference for _, reference in wanted]]
    rows: list[dict[str, Any]] = await tx.fetch(
        f"SELECT r.id, r.source, r.reference{more} FROM {pairs} {table} r ON {on}", args
    )
    return rows


def answer(key: str, row: dict[str, Any] | None) -> LiveCustomer | CrmError:
    """From a row of `LIVE_COLUMNS` that is held."""
    if row is None:
        return not_found("customer", key)
    return _erased() if row["erased_at"] is not None else _live(row)


def _erased() -> CrmError:
    return CrmError(
        ErrorCode.REFUSED,
        "The customer's data was erased; nothing can be added to it.",
        hint="Create a new customer if the person came back.",
    )


def _live(row: dict[str, Any]) -> LiveCustomer:
    return LiveCustomer(
        str(row["id"]),
        row["version"],
        CustomerStage(row["stage"]),
        time_of(row["converted_at"]),
        time_of(row["former_at"]),
    )
