"""Operations for migrations that Tortoise has no counterpart for: SQL per dialect, and extensions."""

from collections.abc import Sequence
from typing import Any

from tortoise.migrations.operations import TortoiseOperation

from crm_framework.errors import CrmError, ErrorCode


class DialectSQL(TortoiseOperation):
    """SQL that a model cannot express, per database: triggers, partial indexes, filling of new columns.

    Each entry of `sqlite` and `postgres` is one complete statement and is run as it stands, so a trigger may
    hold semicolons. A dialect that needs nothing gets an empty list, said explicitly. The statements do not
    change the models' state: columns of models belong into `AddField` and its kin.
    """

    reversible = False

    def __init__(self, *, sqlite: Sequence[str], postgres: Sequence[str]) -> None:
        for dialect, statements in (("sqlite", sqlite), ("postgres", postgres)):
            if isinstance(statements, str):
                raise TypeError(f"DialectSQL({dialect}=…) takes a list with one statement per entry")
        self.sqlite = tuple(sqlite)
        self.postgres = tuple(postgres)

    def describe(self) -> str:
        return "Run SQL per dialect"

    async def database_forward(
        self, app_label: str, old_state: Any, new_state: Any, state_editor: Any = None
    ) -> None:
        if state_editor is None:
            return
        statements = self.sqlite if state_editor.DIALECT == "sqlite" else self.postgres
        for statement in statements:
            if state_editor.collect_sql:
                state_editor.collected_sql.append(statement)
            else:
                await state_editor.client.execute_query(statement)


class PostgresExtension(TortoiseOperation):
    """Makes sure that an extension of PostgreSQL is there; says who must install it where we may not."""

    reversible = False

    def __init__(self, name: str) -> None:
        self.name = name

    def describe(self) -> str:
        return f"Create extension {self.name}"

    async def database_forward(
        self, app_label: str, old_state: Any, new_state: Any, state_editor: Any = None
    ) -> None:
        if state_editor is None or state_editor.DIALECT != "postgres":
            return
        client = state_editor.client
        if await client.execute_query_dict("SELECT 1 FROM pg_extension WHERE extname = $1", [self.name]):
            return
        if not await client.execute_query_dict(
            "SELECT 1 FROM pg_available_extensions WHERE name = $1", [self.name]
        ):
            raise CrmError(
                ErrorCode.CONFIGURATION,
                f"The PostgreSQL server does not offer the extension {self.name}.",
                hint="Install the server's contrib package (postgresql-contrib) and migrate again.",
            )
        try:
            await client.execute_query(f'CREATE EXTENSION "{self.name}"')
        except Exception as error:
            raise CrmError(
                ErrorCode.CONFIGURATION,
                f"The extension {self.name} is missing and this user may not create it: {error}",
                hint=f"Let an administrator run CREATE EXTENSION {self.name} in this database, "
                "then migrate again.",
            ) from error
