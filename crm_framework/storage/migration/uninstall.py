"""Removes a plugin's tables, when somebody really wants that; says first what would go."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from crm_framework.errors import CrmError, ErrorCode
from crm_framework.storage.migration.connection import schema_connection
from crm_framework.storage.migration.migrator import recorded
from crm_framework.storage.migration.plan import CORE, AppliedMigration
from crm_framework.storage.urls import SqliteTarget, parse_url


@dataclass(frozen=True)
class Uninstalled:
    """What a plugin has in the database: rows by table, its migrations; and whether that is gone now."""

    tables: dict[str, int]
    migrations: tuple[AppliedMigration, ...]
    dropped: bool


async def uninstall(
    url: str, label: str, *, drop_data: bool = False, others: Sequence[str] = ()
) -> Uninstalled:
    """Reports the tables and rows of the plugin `label`, and with `drop_data` removes them for good.

    Its tables are those whose names begin with `<label>_`; `others` are the labels of all other plugins, so
    that the tables of `loyalty_plus` are not taken for those of `loyalty`. All in one transaction.
    Raises REFUSED while a table of something else refers to one of them; CONFIGURATION for the core.
    """
    if label == CORE.label or not re.fullmatch(r"[a-z][a-z0-9_]*", label):
        raise CrmError(ErrorCode.CONFIGURATION, f"{label} is not a plugin that can be uninstalled.")
    target = parse_url(url)
    if isinstance(target, SqliteTarget) and not target.path.exists():
        return Uninstalled({}, (), dropped=False)
    async with schema_connection(url) as connection, connection.transaction() as client:
        migrations = await recorded(client)
        labels = {*others, CORE.label, *(key.app for key in migrations)} - {label}
        longer = tuple(f"{other}_" for other in labels if other.startswith(f"{label}_"))
        catalogue = _Sqlite(client) if connection.sqlite else _Postgres(client)

        def own(name: str) -> bool:
            return name.startswith(f"{label}_") and not name.startswith(longer or ("\0",))

        tables = [name for name in await catalogue.tables() if own(name)]
        rows = {name: await catalogue.count(name) for name in tables}
        found = tuple(key for key in migrations if key.app == label)
        if not drop_data:
            return Uninstalled(rows, found, dropped=False)
        referring = sorted(
            {source for source, target in await catalogue.references() if target in rows} - set(rows)
        )
        if referring:
            raise CrmError(
                ErrorCode.REFUSED,
                f"The tables of {label} cannot be dropped: {', '.join(referring)} refer to them.",
                hint="Uninstall the plugins that own those tables first.",
            )
        await catalogue.drop(tables, own)
        for key in found:
            mark = ("?", "?") if connection.sqlite else ("$1", "$2")
            await client.execute_query(
                f"DELETE FROM crm_migration WHERE app = {mark[0]} AND name = {mark[1]}", [key.app, key.name]
            )
        return Uninstalled(rows, found, dropped=True)


class _Sqlite:
    def __init__(self, client: Any) -> None:
        self.client = client

    async def tables(self) -> list[str]:
        # Shadow tables belong to a virtual one and go with it.
        rows = await self.client.execute_query_dict(
            "SELECT name FROM pragma_table_list WHERE schema = 'main' AND type IN ('table', 'virtual')"
            " ORDER BY name"
        )
        return [row["name"] for row in rows]

    async def count(self, table: str) -> int:
        rows = await self.client.execute_query_dict(f'SELECT COUNT(*) AS n FROM "{table}"')
        return int(rows[0]["n"])

    async def references(self) -> list[tuple[str, str]]:
        rows = await self.client.execute_query_dict(
            'SELECT m.name, f."table" AS target FROM sqlite_master m, pragma_foreign_key_list(m.name) f'
            " WHERE m.type = 'table'"
        )
        return [(row["name"], row["target"]) for row in rows]

    async def drop(self, tables: Sequence[str], own: Any) -> None:
        hanging = await self.client.execute_query_dict(
            "SELECT type, name FROM sqlite_master WHERE type IN ('trigger', 'view')"
        )
        for row in hanging:
            if own(row["name"]):
                await self.client.execute_query(f'DROP {row["type"].upper()} IF EXISTS "{row["name"]}"')
        for table in tables:
            await self.client.execute_query(f'DROP TABLE "{table}"')


class _Postgres:
    def __init__(self, client: Any) -> None:
        self.client = client

    async def tables(self) -> list[str]:
        rows = await self.client.execute_query_dict(
            "SELECT relname AS name FROM pg_class WHERE relkind IN ('r', 'p')"
            " AND relnamespace = current_schema()::regnamespace ORDER BY relname"
        )
        return [row["name"] for row in rows]

    async def count(self, table: str) -> int:
        rows = await self.client.execute_query_dict(f'SELECT COUNT(*) AS n FROM "{table}"')
        return int(rows[0]["n"])

    async def references(self) -> list[tuple[str, str]]:
        rows = await self.client.execute_query_dict(
            "SELECT a.relname AS name, b.relname AS target FROM pg_constraint c"
            " JOIN pg_class a ON a.oid = c.conrelid JOIN pg_class b ON b.oid = c.confrelid"
            " WHERE c.contype = 'f'"
        )
        return [(row["name"], row["target"]) for row in rows]

    async def drop(self, tables: Sequence[str], own: Any) -> None:
        views = await self.client.execute_query_dict(
            "SELECT relname AS name, relkind::text AS kind FROM pg_class WHERE relkind IN ('v', 'm')"
            " AND relnamespace = current_schema()::regnamespace"
        )
        for row in views:
            if own(row["name"]):
                kind = "VIEW" if row["kind"] == "v" else "MATERIALIZED VIEW"
                await self.client.execute_query(f'DROP {kind} IF EXISTS "{row["name"]}" CASCADE')
        if tables:
            listed = ", ".join(f'"{name}"' for name in tables)
            await self.client.execute_query(f"DROP TABLE {listed}")
        functions = await self.client.execute_query_dict(
            "SELECT oid::regprocedure::text AS signature, proname AS name FROM pg_proc"
            " WHERE pronamespace = current_schema()::regnamespace"
        )
        for row in functions:
            if own(row["name"]):
                # CASCADE takes the triggers that call it, on the core's tables too.
                await self.client.execute_query(f"DROP FUNCTION IF EXISTS {row['signature']} CASCADE")
