"""For the migrator's tests: plugins written on the fly, a filled core, and what a database holds."""

import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

from crm_framework.storage.migration.connection import schema_connection
from crm_framework.storage.migration.migrator import CORE, AppMigrations

HEAD = """
from tortoise import fields, migrations
from tortoise.fields import *
from tortoise.migrations import operations as ops
from tortoise.migrations.operations import *
from tortoise.migrations.constraints import CheckConstraint, UniqueConstraint
from tortoise.indexes import Index
from crm_framework import DialectSQL

class Migration(migrations.Migration):
    dependencies = {dependencies!r}
    operations = [{operations}]
"""
WHEN = "2024-01-01 00:00:00.000000+00:00"
STAFF = "01900000-0000-7000-8000-0000000000aa"


@dataclass
class PluginApps:
    """Makes importable packages with models and migrations."""

    folder: Path
    _numbers: "count[int]" = field(default_factory=count)

    def new(self, label: str, *, depends_on: Sequence[str] = ()) -> AppMigrations:
        package = f"{self.folder.name.replace('-', '_')}_{next(self._numbers)}_{label}"
        (self.folder / package / "migrations").mkdir(parents=True)
        (self.folder / package / "__init__.py").touch()
        (self.folder / package / "migrations" / "__init__.py").touch()
        return AppMigrations(label, f"{package}.models", f"{package}.migrations", depends_on)

    def core(self) -> AppMigrations:
        """The core, to which further migrations can be added."""
        app = self.new(CORE.label)
        text = (
            f"from importlib import import_module\nimported = import_module('{CORE.migrations}.0001_initial')"
        )
        self.file(app, "0001_initial").write_text(f"{text}\nMigration = imported.Migration\n")
        return app

    def file(self, app: AppMigrations, name: str) -> Path:
        return self.folder / app.migrations.replace(".", "/") / f"{name}.py"

    def migration(
        self,
        app: AppMigrations,
        name: str,
        operations: str,
        dependencies: Sequence[tuple[str, str]] | None = None,
    ) -> None:
        """Writes a migration; without `dependencies` it follows the last one, the first one the core."""
        earlier = sorted(path.stem for path in self.file(app, "x").parent.glob("0*.py"))
        if dependencies is None:
            dependencies = [(app.label, earlier[-1])] if earlier else [("crm", "0001_initial")]
        text = HEAD.format(dependencies=list(dependencies), operations=operations)
        self.file(app, name).write_text(text)

    def models(self, app: AppMigrations, text: str) -> None:
        head = "from tortoise import fields\nfrom tortoise.models import Model\n"
        (self.folder / (app.models.replace(".", "/") + ".py")).write_text(head + text)

    def python(self, code: str, *, wait: bool = True) -> "subprocess.Popen[str]":
        """Runs `code` in a process of its own, for what changes classes of the process."""
        head = (
            "import asyncio, sys\nfrom crm_framework import CrmError\n"
            "from crm_framework.storage.migration.migrator import *\n"
            "from crm_framework.storage.migration.makemigrations import *\n"
        )
        process = subprocess.Popen(
            [sys.executable, "-W", "error", "-c", head + code],
            env={**os.environ, "PYTHONPATH": str(self.folder), "PYTHONDONTWRITEBYTECODE": "1"},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        if wait:
            process.wait(timeout=120)
        return process

    def output(self, code: str) -> str:
        process = self.python(code)
        said, error = process.communicate()
        assert process.returncode == 0, error
        return said


async def run(url: str, *statements: str) -> list[dict[str, Any]]:
    """Runs statements one by one on a connection of its own; the rows of the last one."""
    rows: list[dict[str, Any]] = []
    async with schema_connection(url) as connection:
        for statement in statements:
            rows = await connection.client.execute_query_dict(statement)
    return rows


def key(number: int) -> str:
    return f"01900000-0000-7000-8000-{number:012}"


def customer(url: str, number: int, name: str, text: str = "") -> str:
    false = "0" if url.startswith("sqlite") else "FALSE"
    return (
        "INSERT INTO crm_customer (id, version, kind, stage, name, sort_name, company, city, owner_id,"
        " attributes, confidential, search_text, source, reference, created_at, updated_at)"
        f" VALUES ('{key(number)}', 1, 'PERSON', 'PROSPECT', '{name}', '{name}', 'Acme', NULL, NULL,"
        f" '{{}}', {false}, '{text}', 'test', '{number}', '{WHEN}', '{WHEN}')"
    )


async def fill(url: str) -> None:
    """Three customers, one with an owner; contact points, interactions, a purchase line, tags, a token."""
    true = "1" if url.startswith("sqlite") else "TRUE"
    statements = [
        "INSERT INTO crm_staff (id, name, created_at, updated_at)"
        f" VALUES ('{STAFF}', 's', '{WHEN}', '{WHEN}')",
        *(customer(url, number, f"name{number}", f"word{number}") for number in (1, 2, 3)),
        f"UPDATE crm_customer SET owner_id = '{STAFF}', city = 'york' WHERE id = '{key(1)}'",
        f"UPDATE crm_customer SET merged_into_id = '{key(1)}' WHERE id = '{key(3)}'",
    ]
    for number in range(5):
        statements.append(
            "INSERT INTO crm_interaction (id, version, customer_id, kind, occurred_at, created_at)"
            f" VALUES ('{key(100 + number)}', 1, '{key(1 + number % 2)}', 'call', '{WHEN}', '{WHEN}')"
        )
    statements += [
        "INSERT INTO crm_purchase_line (id, interaction_id, position, sku, quantity, amount_minor)"
        f" VALUES ('{key(200)}', '{key(100)}', 0, 'sku', 1, 100)",
        "INSERT INTO crm_contact_point (id, customer_id, channel, value, normalized, position, is_primary,"
        f" consent, created_at) VALUES ('{key(300)}', '{key(1)}', 'email', 'a', 'a', 0, {true}, 'UNKNOWN',"
        f" '{WHEN}')",
        f"INSERT INTO crm_customer_tag (id, customer_id, tag) VALUES ('{key(400)}', '{key(2)}', 'tag')",
        "INSERT INTO crm_token (id, name, digest, hint, kind, permissions, customer_id, created_at)"
        f" VALUES ('{key(500)}', 't', 'd', 'h', 'STAFF', '[]', '{key(2)}', '{WHEN}')",
    ]
    await run(url, *statements)


@dataclass(frozen=True)
class Holdings:
    """What must not change by accident. Indexes and references without names that are made up."""

    rows: dict[str, int]
    indexes: frozenset[tuple[str, ...]]
    triggers: frozenset[str]
    references: frozenset[tuple[str, ...]]


async def holdings(url: str) -> Holdings:
    return await (_sqlite_holdings(url) if url.startswith("sqlite") else _postgres_holdings(url))


async def _sqlite_holdings(url: str) -> Holdings:
    tables = await run(
        url,
        "SELECT name FROM pragma_table_list"
        " WHERE schema = 'main' AND type <> 'shadow' AND name NOT LIKE 'sqlite_%'",
    )
    rows: dict[str, int] = {}
    indexes: set[tuple[str, ...]] = set()
    references: set[tuple[str, ...]] = set()
    for table in (row["name"] for row in tables):
        rows[table] = (await run(url, f'SELECT COUNT(*) AS n FROM "{table}"'))[0]["n"]
        for index in await run(url, f"SELECT * FROM pragma_index_list('{table}')"):
            columns = await run(url, f"SELECT name FROM pragma_index_info('{index['name']}')")
            kind = f"unique={index['unique']} partial={index['partial']}"
            indexes.add((table, kind, *(str(column["name"]) for column in columns)))
        for link in await run(url, f"SELECT * FROM pragma_foreign_key_list('{table}')"):
            references.add((table, link["from"], link["table"], link["to"], link["on_delete"]))
    triggers = await run(url, "SELECT name FROM sqlite_master WHERE type = 'trigger'")
    assert await run(url, "PRAGMA foreign_key_check") == []
    assert (await run(url, "PRAGMA integrity_check")) == [{"integrity_check": "ok"}]
    return Holdings(
        rows, frozenset(indexes), frozenset(row["name"] for row in triggers), frozenset(references)
    )


async def _postgres_holdings(url: str) -> Holdings:
    tables = await run(url, "SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
    rows = {
        table: (await run(url, f'SELECT COUNT(*) AS n FROM "{table}"'))[0]["n"]
        for table in (row["tablename"] for row in tables)
    }
    indexes = await run(
        url,
        "SELECT indrelid::regclass::text AS t, indisunique::text AS u, pg_get_expr(indpred, indrelid) AS p,"
        " ARRAY(SELECT pg_get_indexdef(indexrelid, k, TRUE) FROM generate_series(1, indnatts) k) AS c"
        " FROM pg_index JOIN pg_class ON pg_class.oid = indrelid WHERE relnamespace = 'public'::regnamespace",
    )
    links = await run(
        url,
        "SELECT conrelid::regclass::text AS t, pg_get_constraintdef(oid) AS d FROM pg_constraint"
        " WHERE contype = 'f'",
    )
    triggers = await run(url, "SELECT tgname FROM pg_trigger WHERE NOT tgisinternal")
    return Holdings(
        rows,
        frozenset((row["t"], f"unique={row['u']} partial={row['p']}", *row["c"]) for row in indexes),
        frozenset(row["tgname"] for row in triggers),
        frozenset((row["t"], row["d"]) for row in links),
    )
