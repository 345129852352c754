"""`PluginConformance`: what every plugin must do, as tests that its own test class inherits.

class TestConformance(PluginConformance):
    module = "crm_loyalty"
"""

import importlib
import json
import re
import shutil
import sys
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any, ClassVar

from graphql import GraphQLEnumType, GraphQLInputObjectType, GraphQLInterfaceType, GraphQLObjectType
from tortoise.models import Model

from crm_framework.cli.of_plugins import announced, load_commands
from crm_framework.engine.declarations import PUBLIC, declaration_of
from crm_framework.engine.parts import SchemaParts
from crm_framework.hooks.discovery import load_plugins
from crm_framework.hooks.loaded import PluginStatus
from crm_framework.hooks.routes import PARAMETER, Route
from crm_framework.hooks.specs import Plugin
from crm_framework.runtime import migrations_of
from crm_framework.schema.compose import ComposedSchema, compose
from crm_framework.schema.core import CORE_PARTS
from crm_framework.settings import Settings
from crm_framework.storage.database import Database
from crm_framework.storage.migration.makemigrations import missing_migrations
from crm_framework.storage.migration.migrator import AppMigrations, migrate

from .apps import OpenClient
from .client import CrmClient
from .commands import helps
from .filling import (
    MARK,
    customer_columns,
    fill,
    fill_customers,
    models_after,
    tables_with_customers,
)
from .imports import network_uses, private_imports
from .selections import fields_of_customer, lists_of_query, selection

SENSELESS_BYTES = 10_000


class PluginConformance:
    """Inherit it in a test class and name the plugin's `module`. The plugin must be installed.

    `values` are those of columns, as `loyalty_program.currency`, for which any value of the column's type
    will not do. `arguments` are those of the plugin's fields that need some, as they stand in a query:
    `{"Query.ticket": 'id: "…"'}`. `sections` are settings, by plugin.
    """

    module: ClassVar[str]
    values: ClassVar[Mapping[str, object]] = {}
    arguments: ClassVar[Mapping[str, str]] = {}
    sections: ClassVar[Mapping[str, Mapping[str, Any]]] = {}

    @property
    def imported(self) -> ModuleType:
        """The plugin's module."""
        return importlib.import_module(self.module)

    @property
    def plugin(self) -> Plugin:
        """What the module declares."""
        plugin: Plugin = self.imported.plugin
        return plugin

    @property
    def enabled(self) -> tuple[str, ...]:
        """The plugin and what it requires, itself last."""
        return (*self.plugin.requires, self.plugin.name)

    def test_loads(self) -> None:
        """The host takes it as it is, under its name, for this version of the contract."""
        entry = load_plugins(self.settings()).get(self.plugin.name)
        assert entry is not None
        assert entry.status is PluginStatus.ENABLED, f"{entry.status}: {entry.reason} {entry.hint}"

    def test_imports_only_public_names(self) -> None:
        """Names of crm_framework that are not public may change with any release."""
        found = private_imports(self.imported)
        assert not found, "\n".join(found)

    def test_uses_no_network_when_imported(self) -> None:
        """Commands and servers must start without a connection."""
        found = network_uses(self.module)
        assert not found, "\n".join(found)

    def test_everything_is_described(self) -> None:
        """Types, fields, arguments, members and values that it adds have a description."""
        composed = self.composed()
        found = [name for name, text in self.described(composed) if not (text or "").strip()]
        assert not found, "\n".join(found)

    def test_everything_is_permitted(self) -> None:
        """Fields and types name permissions that exist: what nobody can be granted nobody can see."""
        part = self.composed().parts.get(self.plugin.name, [SchemaParts()])[0]
        fields = [*part.query, *part.mutation, *part.subscription]
        fields += [field for added in part.extend.values() for field in added]
        assert [field.python_name for field in fields if declaration_of(field) is None] == []

    def test_elements_of_the_schema_name_their_owner(self) -> None:
        """What is in the schema because of the plugin carries its `@plugin(name:)` in the SDL."""
        without, with_it = self.composed(enabled=self.plugin.requires), self.composed()
        added = _elements(with_it) - _elements(without)
        own = {name for name, owner in with_it.types.items() if owner == self.plugin.name}
        added = {name for name in added if "." not in name or name.partition(".")[0] not in own}
        # the core's own scalars and comparisons, which nobody used before
        added = {name for name in added if with_it.types.get(name) != "core"}
        owners = {element: with_it.types.get(element) or with_it.members.get(element) for element in added}
        assert {element: owner for element, owner in owners.items() if owner != self.plugin.name} == {}
        assert with_it.sdl.count(f'@plugin(name: "{self.plugin.name}")') == len(added)

    def test_commands_are_found_and_described(self) -> None:
        """`crm --help` tells of them without running the plugin; each of them and each option has a help."""
        entry = load_plugins(self.settings()).get(self.plugin.name)
        assert entry is not None
        if self.plugin.commands is None:
            return
        assert [one.summary for one in announced(None, {"CRM_PLUGINS": self.plugin.name})] == [
            self.plugin.summary
        ], "write name, summary and commands as plain texts into the call plugin = Plugin(…)"
        missing = [path for path, text in helps(load_commands(entry), f"crm {entry.name}") if not text]
        assert not missing, f"without a help: {', '.join(missing)}"

    async def test_routes_refuse_what_they_should(self, open_client: OpenClient) -> None:
        """Without a token only the public ones answer, no permission is missing, nothing senseless is a fault
        of the program, and no body is larger than it may be.
        """
        if not self.plugin.routes:
            return
        client = await self.open(open_client, max_body_bytes=SENSELESS_BYTES)
        other = await client.acting_with()
        for method, path, route in addresses(self.plugin):
            most = SENSELESS_BYTES if route.most_bytes is None else route.most_bytes
            shown = f"{method} {path}"
            if route.permission != PUBLIC:
                assert (await client.request(method, path, token=False)).status_code == 401, shown
                assert (await other.request(method, path)).status_code == 403, shown
            answer = await client.request(method, path, content=b"\0senseless"[:most])
            assert answer.status_code < 500, f"{shown} answered {answer.status_code}: {answer.text}"
            if method != "GET":
                answer = await client.request(method, path, content=b" " * (most + 1))
                assert answer.status_code == 413, f"{shown} took {most + 1} bytes"

    async def test_migrates_a_filled_database(self, empty_database_url: str, tmp_path: Path) -> None:
        """Its migrations run one by one on filled tables and lose no row; they lead to its models."""
        await migrate(empty_database_url, [])
        async with self.database(empty_database_url) as database, database.unit_of_work() as tx:
            customers = await fill_customers(tx, 3)
        apps = migrations_of(load_plugins(self.settings()))
        own = next((app for app in apps if app.label == self.plugin.name), None)
        rows = {"crm_customer": 3}
        for step in _steps(own, tmp_path):
            present = [*(app for app in apps if app is not own), *step]
            await migrate(empty_database_url, present)
            async with self.database(empty_database_url) as database:
                assert await _counts(database, rows) == rows
                async with database.unit_of_work() as tx:
                    models = models_after(present, self.plugin.name)
                    await fill(tx, models, customers, self.values)
                rows |= await _counts(database, [model._meta.db_table for model in models])
        assert set(self.tables()) <= set(rows)
        assert 0 not in rows.values()
        assert await migrate(empty_database_url, apps) == []
        assert own is None or missing_migrations(apps, own.label) == []

    async def test_off_and_on_again_keeps_its_rows(
        self, empty_database_url: str, open_client: OpenClient
    ) -> None:
        """Switched off, its part of the schema is gone and its tables stay; the rest works."""
        await migrate(empty_database_url, migrations_of(load_plugins(self.settings())))
        on = await self.open(open_client, empty_database_url)
        await self.filled(on, 2)
        before = await _counts(on.service.database, self.tables())
        off = await self.open(open_client, empty_database_url, self.plugin.requires)
        assert f'@plugin(name: "{self.plugin.name}")' not in off.service.schema.sdl
        for method, path, _ in addresses(self.plugin):
            assert (await off.request(method, path)).status_code == 404
        answer = await off.data("{ customers(first: 5) { nodes { name } } }")
        assert len(answer["customers"]["nodes"]) == 2
        on = await self.open(open_client, empty_database_url)
        assert await _counts(on.service.database, self.tables()) == before

    async def test_merging_leaves_nothing_with_the_loser(self, open_client: OpenClient) -> None:
        """Every table that keeps a customer's id answers, and afterwards only the winner is named in it."""
        client = await self.open(open_client)
        keys = await self.filled(client, 3)
        async with client.service.database.unit_of_work() as tx:
            answers = await client.service.host.merge_customers(keys[0], keys[1:2], tx)
            assert set(tables_with_customers(self.models())) <= set(answers.get(self.plugin.name, {}))
            for model in self.models():
                for column in customer_columns(model):
                    rows = await tx.fetch(f"SELECT {column} AS key FROM {model._meta.db_table}")
                    found = {row["key"] for row in rows}
                    assert keys[1] not in found
                    assert {keys[0], keys[2]} <= found

    async def test_export_and_erase_answer_for_every_table(self, open_client: OpenClient) -> None:
        """An export is JSON with what is held; an erasure leaves no word of it, and others keep theirs."""
        tables = set(tables_with_customers(self.models()))
        client = await self.open(open_client)
        erased, other = await self.filled(client, 2)
        host, name = client.service.host, self.plugin.name
        async with client.service.database.unit_of_work() as tx:
            held = (await host.export_customer(erased, tx)).get(name, {})
            others = (await host.export_customer(other, tx)).get(name, {})
            assert bool(held) == bool(tables)
            assert json.loads(json.dumps(held)) == held
            answers = await host.erase_customer(erased, tx)
            assert tables <= set(answers.get(name, {}))
            left = (await host.export_customer(erased, tx)).get(name, {})
            assert f"{MARK} 0" not in json.dumps(left)
            assert (await host.export_customer(other, tx)).get(name, {}) == others

    async def test_no_query_per_row(self, open_client: OpenClient) -> None:
        """What it adds to customers, and its lists, take as many statements for 20 records as for one."""
        client = await self.open(open_client)
        await self.filled(client, 20)
        schema, name = client.service.schema, self.plugin.name
        own = {kind for kind, owner in schema.types.items() if owner == name}
        texts = [
            f"query ($first: Int) {{ customers(first: $first) {{ nodes {{ {chosen} }} }} }}"
            for field in fields_of_customer(schema.members, name)
            for chosen in [selection(schema.graphql, "Customer", field, self.arguments, own)]
        ]
        for field in lists_of_query(schema.graphql, schema.members, name):
            given = self.arguments.get(f"Query.{field}", "")
            arguments = {**self.arguments, f"Query.{field}": f"first: $first {given}"}
            chosen = selection(schema.graphql, "Query", field, arguments, own)
            texts.append(f"query ($first: Int) {{ {chosen} }}")
        for text in texts:
            assert await _statements(client, text, 20) == await _statements(client, text, 1), text

    def settings(self, url: str = "sqlite://:memory:", enabled: Sequence[str] | None = None) -> Settings:
        names = tuple(self.enabled if enabled is None else enabled)
        return Settings(database_url=url, plugins=names, sections=self.sections)

    def composed(self, enabled: Sequence[str] | None = None) -> ComposedSchema:
        """The schema, in which every one of the plugins has its part: a permission that nobody declares, or a
        name that is taken, would have it refused.
        """
        host = load_plugins(self.settings(enabled=enabled))
        schema = compose(CORE_PARTS, host)
        wrong = {entry.name: f"{entry.reason} {entry.hint}" for entry in host.plugins if entry.reason}
        assert wrong == {}
        return schema

    async def open(
        self,
        open_client: OpenClient,
        url: str | None = None,
        enabled: Sequence[str] | None = None,
        **settings: Any,
    ) -> CrmClient:
        """A client of an application with the plugin, on a new database unless one is named."""
        settings |= {} if url is None else {"database_url": url}
        names = self.enabled if enabled is None else enabled
        sections = {name: dict(section) for name, section in self.sections.items()}
        return await open_client(*names, **settings, **sections)

    @asynccontextmanager
    async def database(self, url: str) -> AsyncIterator[Database]:
        """The database with the core's models alone."""
        async with await Database.open(url, apps={"crm": "crm_framework.domain.models"}) as database:
            yield database

    async def filled(self, client: CrmClient, number: int) -> list[str]:
        """New customers with a row each in the plugin's tables; their keys."""
        async with client.service.database.unit_of_work() as tx:
            keys = await fill_customers(tx, number)
            await fill(tx, self.models(), keys, self.values)
        return keys

    def models(self) -> list[type[Model]]:
        """The plugin's models."""
        if self.plugin.models is None:
            return []
        found = vars(importlib.import_module(self.plugin.models)).values()
        return [
            value
            for value in found
            if isinstance(value, type)
            and issubclass(value, Model)
            and not value._meta.abstract
            and value._meta.app == self.plugin.name
        ]

    def tables(self) -> list[str]:
        return [model._meta.db_table for model in self.models()]

    def described(self, composed: ComposedSchema) -> Iterator[tuple[str, str | None]]:
        """Each element that the plugin adds, with its description."""
        for name, kind in composed.graphql.type_map.items():
            whole = composed.types.get(name) == self.plugin.name
            if whole:
                yield name, kind.description
            if isinstance(kind, GraphQLEnumType):
                values = {f"{name}.{value}": found.description for value, found in kind.values.items()}
                mine = (one for one in values if whole or composed.members.get(one) == self.plugin.name)
                yield from ((one, values[one]) for one in mine)
            if not isinstance(kind, GraphQLObjectType | GraphQLInterfaceType | GraphQLInputObjectType):
                continue
            for member, field in kind.fields.items():
                if not whole and composed.members.get(f"{name}.{member}") != self.plugin.name:
                    continue
                yield f"{name}.{member}", field.description
                for argument, found in getattr(field, "args", {}).items():
                    yield f"{name}.{member}({argument}:)", found.description


def addresses(plugin: Plugin) -> Iterator[tuple[str, str, Route]]:
    """Each method and address that it answers, with something senseless for each parameter."""
    for route in plugin.routes:
        path = re.sub(PARAMETER, "senseless", route.path)
        yield from ((method, f"/plugins/{plugin.name}{path}", route) for method in route.methods)


async def _statements(client: CrmClient, text: str, first: int) -> int:
    """How many statements the query takes for so many records; it must succeed and find them."""
    with client.statements() as statements:
        answer = await client.data(text, first=first)
    [found] = answer.values()
    assert len(found["nodes"]) == first, f"{text} found {len(found['nodes'])} records"
    return len(statements)


async def _counts(database: Database, tables: Any) -> dict[str, int]:
    """Rows by table."""
    counts: dict[str, int] = {}
    for table in tables:
        [row] = await database.fetch(f"SELECT COUNT(*) AS number FROM {table}")
        counts[table] = row["number"]
    return counts


def _elements(composed: ComposedSchema) -> set[str]:
    """Types, and members that plugins added to the types of others."""
    return {name for name in composed.types if not name.startswith("__")} | set(composed.members)


def _steps(app: AppMigrations | None, folder: Path) -> Iterator[list[AppMigrations]]:
    """The app with its first migration, with its first two, and so on to all."""
    if app is None:
        yield []
        return
    package = importlib.import_module(app.migrations)
    files = sorted(file for place in package.__path__ for file in Path(place).glob("[0-9]*.py"))
    for number in range(1, len(files)):
        name = f"conformance_{app.label}_{number}"
        shortened = ModuleType(name)
        shortened.__path__ = [str(folder / name)]
        (folder / name).mkdir()
        for file in files[:number]:
            shutil.copy(file, folder / name)
        sys.modules[name] = shortened
        yield [replace(app, migrations=name)]
    yield [app]
