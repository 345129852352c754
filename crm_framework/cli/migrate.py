"""`crm migrate`: brings the database to the program's version."""

import click

from crm_framework.cli.running import console, errors, run, settings_of
from crm_framework.runtime import load_host, migrations_of
from crm_framework.storage.migration.migrator import AppliedMigration, migrate, pending


@click.command("migrate")
@click.option("--check", is_flag=True, help="Change nothing; exit with 1 if migrations are pending.")
@click.pass_context
def command(context: click.Context, check: bool) -> None:
    """Applies the migrations of the core and of the enabled plugins that the database lacks.

    A plugin that is broken is named and left out. Safe to run from several machines at once: one works,
    the others wait.
    """
    settings = settings_of(context)
    host = run(load_host(settings))
    for plugin in host.plugins:
        if plugin.reason:
            errors.print(f"Plugin {plugin.name} is left out: {plugin.reason} {plugin.hint}", markup=False)
    apps = migrations_of(host)
    if check:
        missing = run(pending(settings.database_url, apps))
        for migration in missing:
            console.print(f"pending: {migration}")
        context.exit(1 if missing else 0)

    def tell(migration: AppliedMigration, number: int, total: int) -> None:
        console.print(f"[{number}/{total}] {migration}", markup=False)

    done = run(migrate(settings.database_url, apps, progress=tell))
    console.print(f"{len(done)} migration(s) applied." if done else "Nothing to migrate.")
