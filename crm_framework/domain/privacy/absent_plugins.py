"""No merge or erasure passes over a plugin that is switched off: while it holds rows of the customer, both
are refused, so that nothing moves or goes in part.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from crm_framework.domain.rows import marks
from crm_framework.errors import CrmError, ErrorCode

if TYPE_CHECKING:
    from crm_framework.storage.unit_of_work import UnitOfWork

_COLUMNS = {
    "sqlite": """
        SELECT m.name AS owner, c.name AS column_name FROM sqlite_master m, pragma_table_info(m.name) c
        WHERE m.type = 'table' AND c.name = 'customer_id'
        UNION SELECT m.name, f."from" FROM sqlite_master m, pragma_foreign_key_list(m.name) f
        WHERE m.type = 'table' AND f."table" = 'crm_customer'
    """,
    "postgres": """
        SELECT t.relname AS owner, a.attname AS column_name FROM pg_class t
        JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum > 0 AND NOT a.attisdropped
        LEFT JOIN pg_constraint f ON f.conrelid = t.oid AND f.contype = 'f' AND a.attnum = ANY(f.conkey)
             AND f.confrelid = to_regclass('crm_customer')
        WHERE t.relkind IN ('r', 'p') AND t.relnamespace = current_schema()::regnamespace
              AND (a.attname = 'customer_id' OR f.oid IS NOT NULL)
    """,
}
"""Tables and their columns that name customers: foreign keys, and what is called customer_id."""


async def refuse_absent_plugins(tx: "UnitOfWork", keys: Sequence[str], doing: str) -> None:
    """REFUSED where a plugin that is not enabled holds rows of one of the customers. `doing` is what for."""
    apps = {row["app"] for row in await tx.fetch("SELECT DISTINCT app FROM crm_migration")}
    absent = apps - tx.database.labels
    if not absent:
        return
    for row in await tx.fetch(_COLUMNS[tx.dialect]):
        table, column = row["owner"], row["column_name"]
        owner = max((app for app in apps if table.startswith(f"{app}_")), key=len, default=None)
        if owner not in absent:
            continue
        held = f'SELECT 1 FROM "{table}" WHERE "{column}" IN ({marks(len(keys))}) LIMIT 1'
        if await tx.fetch(held, list(keys)):
            raise CrmError(
                ErrorCode.REFUSED,
                f"The plugin {owner} is switched off and holds data on the customer ({table}): {doing} would"
                " leave it behind. Nothing was changed.",
                hint=f"Enable {owner}, or remove its data: crm plugins uninstall {owner} --drop-data.",
            )
