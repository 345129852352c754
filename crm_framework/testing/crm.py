"""An open CRM for tests: a database, plugins and the schema, without a server."""

from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from crm_framework.engine.execute import execute
from crm_framework.hooks.discovery import load_plugins
from crm_framework.hooks.dispatch import PluginHost
from crm_framework.hooks.loaded import PluginStatus
from crm_framework.runtime import migrations_of, open_database
from crm_framework.schema.compose import ComposedSchema, compose
from crm_framework.schema.context import RequestContext
from crm_framework.schema.core import CORE_PARTS
from crm_framework.security.actors import Actor, ActorKind
from crm_framework.settings import Settings
from crm_framework.storage.database import Database
from crm_framework.storage.migrator import migrate


@dataclass(frozen=True, kw_only=True)
class Crm:
    """What `open_crm` opens."""

    settings: Settings
    host: PluginHost
    database: Database
    schema: ComposedSchema

    async def execute(
        self,
        query: str,
        variables: Mapping[str, Any] | None = None,
        *,
        permissions: Iterable[str] = ("*",),
    ) -> dict[str, Any]:
        """The response to an operation: `data`, `errors`. The actor has these permissions and no others."""
        actor = Actor(
            kind=ActorKind.INTEGRATION,
            id="test",
            name="test",
            permissions=frozenset(permissions),
            token_id=None,
            staff_id=None,
            customer_id=None,
        )
        context = RequestContext(
            reader=self.database,
            page_default=self.settings.page_size,
            page_max=self.settings.max_page_size,
            introspection_permission="schema.introspect",
            actor=actor,
            database=self.database,
            host=self.host,
            settings=self.settings,
        )
        return (await execute(self.schema.schema, query, variables, None, context)).response


@asynccontextmanager
async def open_crm(
    url: str,
    *plugins: str,
    plugin_dir: str | Path | None = None,
    sections: Mapping[str, Mapping[str, Any]] | None = None,
) -> AsyncIterator[Crm]:
    """Migrates the database and opens it with these plugins enabled.

    `plugin_dir` is a folder with single-file plugins, `sections` are settings by plugin. Raises
    `AssertionError` for a plugin that does not work, with the reason.
    """
    settings = Settings(
        database_url=url,
        plugins=plugins,
        plugin_dir=None if plugin_dir is None else str(plugin_dir),
        sections=sections or {},
    )
    host = load_plugins(settings)
    schema = compose(CORE_PARTS, host)
    for entry in host.plugins:
        if entry.name in plugins and entry.status is not PluginStatus.ENABLED:
            raise AssertionError(f"plugin {entry.name} is {entry.status}: {entry.reason} {entry.hint}")
    await migrate(url, migrations_of(host))
    async with await open_database(settings, host) as database:
        yield Crm(settings=settings, host=host, database=database, schema=schema)
