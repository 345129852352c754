"""What every process of the CRM opens, server or command: plugins, schema and database."""

import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

from crm_framework import tracing
from crm_framework.domain import kinds
from crm_framework.domain.core_jobs import core_jobs
from crm_framework.errors import CrmError, ErrorCode
from crm_framework.events import CORE_EVENTS
from crm_framework.hooks.discovery import load_plugins
from crm_framework.hooks.dispatch import PluginHost
from crm_framework.hooks.loaded import PluginStatus
from crm_framework.hooks.specs import Plugin
from crm_framework.memory import loading
from crm_framework.schema.compose import ComposedSchema
from crm_framework.schema.core import compose_schema
from crm_framework.schema.scopes import SegmentReaches
from crm_framework.security.audit.chain import AuditKeys
from crm_framework.security.audit.sealing import Sealer, sealing
from crm_framework.settings import Settings
from crm_framework.storage import stream
from crm_framework.storage.database import Database
from crm_framework.storage.events import EventTypes
from crm_framework.storage.migration.migrator import CORE, AppMigrations, is_unused, migrate, pending
from crm_framework.storage.migration.plan import read_plan
from crm_framework.storage.orm import Models
from crm_framework.storage.seals import Seals
from crm_framework.storage.sql import Dialect
from crm_framework.storage.urls import parse_url

log = logging.getLogger("crm_framework.hooks")


@dataclass(frozen=True)
class Runtime:
    """An open database, the plugins that take part in its changes, and the schema that they make."""

    settings: Settings
    host: PluginHost
    database: Database
    schema: ComposedSchema
    sealer: Sealer


def migrations_of(host: PluginHost) -> list[AppMigrations]:
    """The migrations of the core and of the enabled plugins."""
    return [CORE, *host.app_migrations()]


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


async def refuse_unsound_tables(host: PluginHost, dialect: Dialect) -> None:
    """Takes out the plugins whose models or migrations cannot be loaded: the others' must not suffer."""
    try:
        await _load_tables(migrations_of(host), dialect)
    except Exception:
        log.debug("the tables of a plugin cannot be loaded", exc_info=True)
        await _refuse_one_by_one(host, dialect)


async def _refuse_one_by_one(host: PluginHost, dialect: Dialect) -> None:
    sound = [CORE]
    for app in migrations_of(host)[1:]:
        if app.label not in {plugin.name for plugin in host.enabled}:
            continue  # it requires one that was refused a moment ago
        try:
            await _load_tables([*sound, app], dialect)
        except Exception as error:
            text = error.message if isinstance(error, CrmError) else f"Its models do not fit: {error}"
            hint = error.hint if isinstance(error, CrmError) else None
            host.refuse(
                app.label, " ".join(text.split()), hint or "Tell its makers.", status=PluginStatus.BROKEN
            )
        else:
            sound.append(app)


async def _load_tables(apps: list[AppMigrations], dialect: Dialect) -> None:
    read_plan(apps)
    await Models.load(dialect, {app.label: app.models for app in apps})


def audit_keys(settings: Settings) -> AuditKeys:
    """The secrets of the audit log's chain."""
    return AuditKeys.of([key.reveal() for key in settings.audit_keys])


async def load_host(settings: Settings) -> PluginHost:
    """The plugins of `settings`; those enabled in it can be served, but for their part of the schema."""
    with loading():
        host = load_plugins(settings)
        install_vocabulary(host)
        await refuse_unsound_tables(host, parse_url(settings.database_url).dialect)
    return host


async def migrate_if_new(settings: Settings) -> None:
    """Makes the tables of a database in which nothing was ever changed, so that nothing can be lost.

    Every change is in the audit log. Several processes may do so at once: those that find it half done take
    part, each migration is done by one of them, and all return when there is none left.
    """
    apps = migrations_of(await load_host(settings))
    if await pending(settings.database_url, apps) and await is_unused(settings.database_url):
        await migrate(settings.database_url, apps)


async def open_database(
    settings: Settings, host: PluginHost, *, read_seconds: float | None = None
) -> Database:
    """The database of `settings` with the plugins' tables, guards and handlers.

    `read_seconds` is the longest run of one read; without it there is none.

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
        read_pool_size=settings.database_read_pool_size,
        wait_seconds=settings.database_pool_timeout_s,
        read_seconds=read_seconds,
        handler_budget_ms=settings.handler_budget_ms,
        delivery_budget_ms=settings.delivery_budget_ms,
    )
    try:
        if await stream.mend(database):
            log.warning("the database comes from another cluster: its stream of events goes on in this one")
    except BaseException:
        await database.close()
        raise
    database.event_types = EventTypes([*CORE_EVENTS, *host.events])
    database.guards = host.guards
    database.handlers = host.handlers
    database.handling = host.handling
    database.job_names = frozenset(one.job.name for one in [*core_jobs(host, settings), *host.jobs])
    database.settings = settings
    keys = audit_keys(settings)
    database.audit_key, database.seals = keys.current, Seals(keys.keys)
    return database


@asynccontextmanager
async def open_runtime(
    settings: Settings,
    *,
    read_seconds: float | None = None,
    host: PluginHost | None = None,
    compose: Callable[[PluginHost], ComposedSchema] = compose_schema,
) -> AsyncIterator[Runtime]:
    """Loads the plugins, composes the schema and opens the database; closes it at the end.

    A `host` that was loaded from the same settings is not loaded again. Takes and raises the same as
    `open_database`. A plugin that is broken or does not fit is left out of everything: one that is refused
    for its part of the schema must not take part in changes either, so that comes first.
    """
    host = host or await load_host(settings)
    tracing.start()  # a plugin may have set up what traces go to
    with loading():
        schema = compose(host)
    database = await open_database(settings, host, read_seconds=read_seconds)
    database.segments = SegmentReaches(schema, database, host, certain=True)
    try:
        async with sealing(database, audit_keys(settings)) as sealer:
            yield Runtime(settings, host, database, schema, sealer)
    finally:
        await database.close()
