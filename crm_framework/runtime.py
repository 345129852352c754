"""What every process of the CRM opens, server or command: the plugins, and the database with them."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from crm_framework.domain import kinds
from crm_framework.domain.events import CORE_EVENTS
from crm_framework.errors import CrmError, ErrorCode
from crm_framework.hooks.discovery import load_plugins
from crm_framework.hooks.dispatch import PluginHost
from crm_framework.hooks.specs import Plugin
from crm_framework.settings import Settings
from crm_framework.storage.database import Database
from crm_framework.storage.events import EventTypes
from crm_framework.storage.migrator import CORE, AppMigrations, pending


@dataclass(frozen=True)
class Runtime:
    """An open database and the plugins that take part in its changes."""

    settings: Settings
    host: PluginHost
    database: Database


def migrations_of(host: PluginHost) -> list[AppMigrations]:
    """The migrations of the core and of the enabled plugins."""
    return [
        CORE,
        *(
            AppMigrations(app.label, app.models, app.migrations, app.depends_on)
            for app in host.app_migrations()
        ),
    ]


def install_vocabulary(host: PluginHost) -> None:
    """Makes the kinds and channels of core and plugins known; a plugin that takes a taken name is refused."""
    accepted: list[Plugin] = []
    for plugin in host.declarations:
        try:
            kinds.build([*accepted, plugin])
        except CrmError as error:
            host.refuse(plugin.name, error.message, error.hint or "Rename it.")
        else:
            accepted.append(plugin)
    kinds.install(kinds.build(host.declarations))


async def open_database(settings: Settings, host: PluginHost) -> Database:
    """The database of `settings` with the plugins' tables, guards and handlers.

    Raises `CrmError`: CONFIGURATION where migrations are pending or the database is newer than the program,
    UNAVAILABLE where it cannot be reached.
    """
    apps = migrations_of(host)
    if missing := await pending(settings.database_url, apps):
        raise CrmError(
            ErrorCode.CONFIGURATION,
            f"The database lacks {len(missing)} migration(s), the first of them {missing[0]}.",
            hint="Run `crm migrate`.",
        )
    database = await Database.open(
        settings.database_url,
        apps={app.label: app.models for app in apps},
        pool_size=settings.database_pool_size,
        wait_seconds=settings.database_pool_timeout_s,
        handler_budget_ms=settings.handler_budget_ms,
    )
    database.event_types = EventTypes([*CORE_EVENTS, *host.events])
    database.guards = host.guards
    database.handlers = host.handlers
    return database


@asynccontextmanager
async def open_runtime(settings: Settings) -> AsyncIterator[Runtime]:
    """Loads the plugins and opens the database; closes it at the end."""
    host = load_plugins(settings)
    install_vocabulary(host)
    database = await open_database(settings, host)
    try:
        yield Runtime(settings, host, database)
    finally:
        await database.close()
