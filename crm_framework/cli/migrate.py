"""`crm migrate`: brings the database to the program's version."""

import click

from crm_framework.cli.running import console, run, settings_of
from crm_framework.hooks.discovery import load_plugins
from crm_framework.runtime import migrations_of
from crm_framework.storage.migrator import AppliedMigration, migrate, pending


@click.command("migrate")
@click.option("--check", is_flag=True, help="Change nothing; exit with 1 if migrations are pending.")
@click.pass_context
def command(context: click.Context, check: bool) -> None:
    """Applies the migrations of the core and of the enabled plugins that the database lacks.

    Safe to run from several machines at once: one works, the others wait.
    """
    settings = settings_of(context)
    apps = migrations_of(load_plugins(settings))
    if check:
        missing = run(pending(settings.database_url, apps))
        for migration in missing:
            console.print(f"pending: {migration}")
        context.exit(1 if missing else 0)

    def tell(migration: AppliedMigration, number: int, total: int) -> None:
        console.print(f"[{number}/{total}] {migration}", markup=False)

    done = run(migrate(settings.database_url, apps, progress=tell))
    console.print(f"{len(done)} migration(s) applied." if done else "Nothing to migrate.")
