"""`crm makemigrations`: writes a migration for what changed in the models."""

import click
import msgspec

from crm_framework.cli.running import console, errors, settings_of
from crm_framework.hooks.discovery import load_plugins
from crm_framework.runtime import migrations_of
from crm_framework.storage.migration.makemigrations import makemigrations, missing_migrations


@click.command("makemigrations")
@click.argument("label")
@click.option("--name", help="What the migration is called behind its number.")
@click.option("--check", is_flag=True, help="Write nothing; exit with 1 if a migration is missing.")
@click.pass_context
def command(context: click.Context, label: str, name: str | None, check: bool) -> None:
    """Compares the models of LABEL (a plugin's name, or crm) with its migrations, and writes what is missing.

    The plugin must be installed; it need not be enabled.
    """
    settings = settings_of(context)
    if label != "crm":
        both = tuple(dict.fromkeys([*settings.plugins, label]))
        settings = msgspec.structs.replace(settings, plugins=both)
    apps = migrations_of(load_plugins(settings))
    if check:
        changes = missing_migrations(apps, label)
        for change in changes:
            console.print(change, markup=False)
        context.exit(1 if changes else 0)
    path = makemigrations(apps, label, name, report=lambda text: errors.print(text, markup=False))
    console.print(f"Wrote {path}. Read it before you use it." if path else "Models and migrations agree.")
