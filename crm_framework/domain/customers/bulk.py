"""Many customers at once: the good rows go in, each bad one is reported by its index."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from crm_framework.domain.customers.attributes import definitions
from crm_framework.domain.customers.changes import write_parts
from crm_framework.domain.customers.draft import Draft, NewCustomer, check_source, draft
from crm_framework.domain.customers.locks import reached
from crm_framework.domain.customers.record import COLUMNS, known_ids, reference_elsewhere, row_of
from crm_framework.domain.customers.staff import active_among
from crm_framework.domain.rows import chunks, insert_new, marks
from crm_framework.errors import CrmError, ErrorCode
from crm_framework.storage.ids import new_id
from crm_framework.storage.turns import Turn, in_turns

if TYPE_CHECKING:
    from crm_framework.storage.unit_of_work import UnitOfWork

ROWS_LIMIT = 10_000
"""Rows that one import may have."""
AT_ONCE = 100
"""Customers whose contact points and tags are made ready between two looks at the clock."""


@dataclass(frozen=True, slots=True)
class ImportedRow:
    """What became of one row: the customer's key and whether it is new, or the error.

    In a dry run, a customer that would be created has no key.
    """

    index: int
    id: str | None = None
    created: bool = False
    error: CrmError | None = None


@dataclass(frozen=True, slots=True)
class ImportReport:
    """One entry per row, in order. A dry run reports what would happen."""

    rows: tuple[ImportedRow, ...]
    dry_run: bool

    @property
    def created(self) -> int:
        return sum(row.created for row in self.rows)

    @property
    def existing(self) -> int:
        """Rows whose source and reference named a customer that was there, or an earlier row."""
        return sum(row.error is None and not row.created for row in self.rows)

    @property
    def errors(self) -> tuple[ImportedRow, ...]:
        return tuple(row for row in self.rows if row.error is not None)


async def import_customers(
    tx: "UnitOfWork", rows: Sequence[NewCustomer], *, dry_run: bool = False, from_text: bool = False
) -> ImportReport:
    """Creates the customers of good rows. A row whose source and reference are known changes nothing.

    `from_text` reads attributes from text, as tables have it. BAD_INPUT for more than 10,000 rows.
    """
    if len(rows) > ROWS_LIMIT:
        raise CrmError(
            ErrorCode.BAD_INPUT,
            f"{len(rows)} rows are given; {ROWS_LIMIT} are allowed at once.",
            path=("rows",),
            hint="Send them in parts.",
        )
    results: dict[int, ImportedRow] = {}
    references = _references(rows, results)
    known = await _known(tx, references.values())
    if tx.reach is not None:
        seen = await reached(tx, known.values())
        for index, reference in references.items():
            if reference in known and known[reference] not in seen:
                error = reference_elsewhere(*reference).under("rows", index)
                results[index] = ImportedRow(index, error=error)
    drafts = await _drafts(tx, rows, references, known, results, from_text=from_text)
    if not dry_run:
        # In one order for all imports: two that share references would wait for each other.
        ordered = sorted(
            drafts.values(), key=lambda made: (made.record.source or "", made.record.reference or "")
        )
        turn = Turn()
        for part in chunks(ordered):
            known |= await _write(tx, part)
            await turn.end()
    for index, made in drafts.items():
        key = references.get(index)
        there = known.get(key) if key is not None else made.record.id
        if dry_run:
            results[index] = ImportedRow(index, created=True)
        else:
            results[index] = ImportedRow(index, there, created=there == made.record.id)
    for index, key in references.items():
        if index not in results:
            results[index] = ImportedRow(index, known.get(key))
    return ImportReport(tuple(results[index] for index in range(len(rows))), dry_run)


Reference = tuple[str, str]


def _references(rows: Sequence[NewCustomer], results: dict[int, ImportedRow]) -> dict[int, Reference]:
    """Index → source and reference, of the rows that have them; bad ones are reported."""
    found: dict[int, Reference] = {}
    for index, row in enumerate(rows):
        try:
            source, reference = check_source(row.source, row.reference)
        except CrmError as error:
            results[index] = ImportedRow(index, error=error.under("rows", index))
            continue
        if source is not None and reference is not None:
            found[index] = (source, reference)
    return found


async def _known(tx: "UnitOfWork", references: Iterable[Reference]) -> dict[Reference, str]:
    """Keys of the customers that have these references already; the winners' of merged ones."""
    by_source: dict[str, dict[str, None]] = {}
    for source, reference in references:
        by_source.setdefault(source, {})[reference] = None
    found: dict[Reference, str] = {}
    merged: dict[Reference, str] = {}
    for source, wanted in by_source.items():
        for part in chunks(list(wanted)):
            rows = await tx.fetch(
                "SELECT id, reference, merged_into_id FROM crm_customer "
                f"WHERE source = ? AND reference IN ({marks(len(part))})",
                (source, *part),
            )
            for row in rows:
                lost = row["merged_into_id"] is not None
                (merged if lost else found)[source, row["reference"]] = row["id"]
    winners = await known_ids(tx, merged.values(), anywhere=True)
    return found | {key: winners[there] for key, there in merged.items()}


async def _drafts(
    tx: "UnitOfWork",
    rows: Sequence[NewCustomer],
    references: dict[int, Reference],
    known: dict[Reference, str],
    results: dict[int, ImportedRow],
    *,
    from_text: bool,
) -> dict[int, Draft]:
    """Index → what is to be written for it. Bad rows are reported; known and repeated ones are left out."""
    fields = await definitions(tx, writing=any(row.attributes for row in rows))
    staff = await active_among(tx, {key for row in rows for key in (row.owner_id, row.backup_id)})
    claimed = set(known)
    drafts: dict[int, Draft] = {}
    turn = Turn()
    for index, row in enumerate(rows):
        if turn.is_over:
            await turn.end()
        if index in results or references.get(index) in claimed:
            continue
        try:
            drafts[index] = draft(
                row, key=new_id(), now=tx.now, definitions=fields, active_staff=staff, from_text=from_text
            )
        except CrmError as error:
            results[index] = ImportedRow(index, error=error.under("rows", index))
            continue
        if index in references:
            claimed.add(references[index])
    return drafts


def _values(drafts: Sequence[Draft]) -> list[list[object]]:
    return [list(row_of(made.record).values()) for made in drafts]


async def _write(tx: "UnitOfWork", drafts: Sequence[Draft]) -> dict[Reference, str]:
    """Writes the customers; the keys that their references lead to now.

    Another import may have committed some of the references meanwhile: these rows are left out.
    """
    own = {
        (made.record.source, made.record.reference): made.record.id
        for made in drafts
        if made.record.source is not None and made.record.reference is not None
    }
    alone = await insert_new(tx, "crm_customer", COLUMNS, _values, drafts, unique=bool(own))
    there = own if alone else await _known(tx, own)
    mine = [
        made
        for made in drafts
        if made.record.source is None
        or there[made.record.source, made.record.reference or ""] == made.record.id
    ]
    turn = Turn()
    for part in chunks(mine, AT_ONCE):
        if turn.is_over:
            await turn.end()
        write_parts(tx, part)
    tx.emit(*await in_turns(Draft.event, mine))
    return there
