"""Opens whole applications for tests, each on a database of its own with its plugins' tables."""

import sys
import textwrap
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2

from crm_framework.app import create_app, open_service
from crm_framework.hooks.dispatch import PluginHost
from crm_framework.hooks.loaded import LoadedPlugin
from crm_framework.runtime import load_host, migrations_of
from crm_framework.schema.compose import ComposedSchema
from crm_framework.schema.core import compose_schema
from crm_framework.settings import SECTIONS, Settings, section_of
from crm_framework.storage.migration.migrator import AppMigrations, migrate

from .client import CrmClient, issue_token
from .templates import Kind, TestDatabases

PATIENT_MS = 10_000
"""Handlers' budget in tests that do not ask for another: a busy machine is no fault of a plugin's."""


@dataclass
class Compositions:
    """Composes a schema, or gives the one composed before of the same plugins with the same settings.

    To compose one takes longer than most tests. The `most` used last are kept.
    """

    most: int
    _kept: list[tuple[list[LoadedPlugin], ComposedSchema]] = field(default_factory=list)

    def __call__(self, host: PluginHost) -> ComposedSchema:
        offered = list(host.enabled)
        for each in self._kept:
            if each[0] == offered:
                self._kept.remove(each)
                self._kept.append(each)
                return each[1]
        composed = compose_schema(host)
        if list(host.enabled) == offered:  # to refuse a plugin is for each host anew
            self._kept = [*self._kept[-self.most + 1 :], (offered, composed)]
        return composed


COMPOSITIONS = Compositions(most=12)


@dataclass
class OpenClient:
    """`await open_client("loyalty", page_size=10)`: a client of an application with these plugins.

    Keyword arguments are settings of the core; a mapping is the section of the plugin of that name. The
    client's token has every permission. All is closed at the end of the test.
    """

    databases: TestDatabases
    kind: Kind
    plugin_dir: Path
    resources: AsyncExitStack

    async def __call__(self, *plugins: str, **settings: Any) -> CrmClient:
        for name in SECTIONS.keys() & settings.keys():
            settings[name] = section_of("test", name, SECTIONS[name], settings[name], {})
        sections = {name: value for name, value in settings.items() if isinstance(value, dict)}
        plain = {"handler_budget_ms": PATIENT_MS} | {
            name: value for name, value in settings.items() if name not in sections
        }
        chosen = Settings(plugins=plugins, plugin_dir=str(self.plugin_dir), sections=sections, **plain)
        host = await load_host(chosen)
        if "database_url" not in settings:
            chosen = self._with_database(chosen, migrations_of(host))
        service = await self.resources.enter_async_context(
            open_service(chosen, host=host, compose=COMPOSITIONS)
        )
        app = create_app(service=service)
        http = await self.resources.enter_async_context(
            httpx2.AsyncClient(transport=httpx2.ASGITransport(app=app), base_url="http://crm.test")
        )
        return CrmClient(app, http, await issue_token(service, "*"))

    def _with_database(self, settings: Settings, apps: list[AppMigrations]) -> Settings:
        url = self.databases.copy(self.kind, _name(apps), lambda url: _migrate(url, apps))
        self.resources.callback(self.databases.drop, url)
        return settings_with(settings, database_url=url)


@dataclass
class TemporaryPlugin:
    """`temporary_plugin("greeter", source)`: a plugin in a single file, for this test only.

    Open the application after it: `await open_client("greeter")`.
    """

    plugin_dir: Path
    made: list[str] = field(default_factory=list)

    def __call__(self, name: str, source: str) -> Path:
        file = self.plugin_dir / f"{name}.py"
        file.write_text(textwrap.dedent(source), encoding="utf-8")
        self.made.append(name)
        return file

    def forget(self) -> None:
        for name in self.made:
            sys.modules.pop(f"crm_plugin_file_{name}", None)


def settings_with(settings: Settings, **changes: Any) -> Settings:
    """The same settings but for `changes`."""
    values = {name: getattr(settings, name) for name in settings.__struct_fields__}
    return Settings(**{**values, **changes})


def _name(apps: list[AppMigrations]) -> str:
    """Equal for applications whose tables are the same."""
    return " ".join(f"{app.label}={app.migrations}" for app in apps)


async def _migrate(url: str, apps: list[AppMigrations]) -> None:
    await migrate(url, apps)
