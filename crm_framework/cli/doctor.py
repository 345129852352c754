"""`crm doctor`: looks at settings, plugins and database, and says what to do about what it finds."""

import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import click

from crm_framework.cli.plugins import checked_plugins
from crm_framework.cli.running import console, run, settings_of
from crm_framework.errors import CrmError
from crm_framework.hooks.dispatch import PluginHost
from crm_framework.hooks.loaded import PluginStatus
from crm_framework.runtime import migrations_of, open_database
from crm_framework.settings import Settings
from crm_framework.storage.database import Database
from crm_framework.storage.migration.migrator import pending
from crm_framework.storage.urls import SqliteTarget, parse_url


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at."""

    sound: bool
    text: str


@click.command("doctor")
@click.pass_context
def command(context: click.Context) -> None:
    """Checks everything that a start needs; changes nothing. Exits with 1 if something is wrong."""
    wrong = 0
    try:
        settings = settings_of(context)
    except CrmError as error:
        console.print(f"[red]✗[/red] settings: {error}")
        context.exit(1)
    console.print(
        f"[green]✓[/green] Python {sys.version.split()[0]}, settings: {settings.config_path or 'defaults'}"
    )
    findings = run(_collect(settings))
    for finding in findings:
        mark = "[green]✓[/green]" if finding.sound else "[red]✗[/red]"
        console.print(mark, end=" ")
        console.print(finding.text, markup=False)
        wrong += not finding.sound
    context.exit(1 if wrong else 0)


async def _collect(settings: Settings) -> list[Finding]:
    return [finding async for finding in _findings(settings)]


async def _findings(settings: Settings) -> AsyncIterator[Finding]:
    host = checked_plugins(settings)
    for finding in _plugins(host):
        yield finding
    if settings.persisted_operations is not None:
        yield _persisted(settings, host)
    try:
        missing = await pending(settings.database_url, migrations_of(host))
        if missing:
            yield Finding(False, f"database: {len(missing)} migration(s) pending: run `crm migrate`.")
            return
        database = await open_database(settings, host)
    except CrmError as error:
        yield Finding(False, f"database: {error}")
        return
    try:
        async for finding in _database(database):
            yield finding
        target = parse_url(settings.database_url)
        if isinstance(target, SqliteTarget):
            yield _writable(target.path)
    finally:
        await database.close()


def _plugins(host: PluginHost) -> list[Finding]:
    findings = [Finding(False, f"settings: {problem}") for problem in host.problems]
    for plugin in host.plugins:
        if plugin.status is PluginStatus.ENABLED:
            findings.append(Finding(True, f"plugin {plugin.name} {plugin.version or ''}"))
        elif plugin.status is not PluginStatus.DISABLED:
            findings.append(Finding(False, f"plugin {plugin.name}: {plugin.reason} {plugin.hint}"))
    return findings


def _persisted(settings: Settings, host: PluginHost) -> Finding:
    from crm_framework.schema.core import compose_schema
    from crm_framework.server.persisted import load_persisted

    try:
        found = load_persisted(settings, compose_schema(host).schema)
    except CrmError as error:
        return Finding(False, f"persisted operations: {error}")
    if found.faults:
        return Finding(False, f"persisted operations: {found.faults[0]}")
    return Finding(
        True, f"persisted operations: {len(set(found.texts.values()))} in {settings.persisted_operations}"
    )


async def _database(database: Database) -> AsyncIterator[Finding]:
    (row,) = await database.fetch("SELECT COUNT(*) AS rows FROM crm_customer")
    yield Finding(True, f"database {database.name}: {row['rows']} customer(s)")
    (row,) = await database.fetch("SELECT COUNT(*) AS rows FROM crm_delivery")
    owed = row["rows"]
    yield Finding(
        not owed,
        "every event was handled"
        if not owed
        else f"{owed} event(s) are still owed to a plugin (crm_delivery).",
    )
    if database.dialect == "sqlite":
        (row,) = await database.fetch("PRAGMA quick_check(1)")
        answer = str(next(iter(row.values())))
        yield Finding(answer == "ok", f"file: quick_check says {answer}")


def _writable(path: Path) -> Finding:
    import shutil

    free = shutil.disk_usage(path.parent).free
    enough = free > 100 * 1024 * 1024
    return Finding(enough, f"disk: {free // (1024 * 1024)} MiB free beside {path.name}")
