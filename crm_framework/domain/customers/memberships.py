"""Which customers belong to segments, for changes that depend on it."""

from collections.abc import Collection
from typing import TYPE_CHECKING

from crm_framework.domain.rows import among
from crm_framework.storage.ids import is_key

if TYPE_CHECKING:
    from crm_framework.storage.database import Database
    from crm_framework.storage.unit_of_work import UnitOfWork


async def segment_members(
    tx: "UnitOfWork | Database", segments: Collection[str], customers: Collection[str]
) -> dict[str, frozenset[str]]:
    """Key of a segment → those of these customers that belong to it now, as the transaction sees them.

    Outside of one, a reader will do. A statement a segment, and a few to read what the segments mean, however
    many customers there are. Unknown segments, and those whose filter fits no more, have no members. Raises
    `CrmError` where a filter rests on what nobody knows now, as the signals of a plugin that fails.
    """
    keys = sorted({key for key in segments if is_key(key)})
    found: dict[str, frozenset[str]] = {key: frozenset() for key in segments}
    database: Database = getattr(tx, "database", tx)  # type: ignore[arg-type]  # what has none is one
    if not keys or not customers or database.segments is None:
        return found
    reaches = await database.segments(keys)
    condition, arg = among(tx.dialect, "t.id", customers)
    for key, reach in reaches.items():
        if reach is not None:
            sql, args = reach.of_row("t")
            rows = await tx.fetch(
                f"SELECT t.id FROM crm_customer AS t WHERE {condition} AND ({sql})", [arg, *args]
            )
            found[key] = frozenset(str(row["id"]) for row in rows)
    return found
