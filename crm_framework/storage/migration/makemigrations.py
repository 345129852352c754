"""Writes the migration that leads from an app's migrations to its models. Reads and writes files only."""

import importlib
import re
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from tortoise.apps import Apps
from tortoise.connection import ConnectionHandler
from tortoise.migrations import operations as ops
from tortoise.migrations.schema_generator.operation_generator import OperationGenerator
from tortoise.migrations.schema_generator.state import ModelState, State
from tortoise.migrations.schema_generator.state_apps import StateApps
from tortoise.migrations.writer import slugify_migration_name
from tortoise.models import Model

from crm_framework.errors import CrmError, ErrorCode
from crm_framework.hooks.apps import AppMigrations
from crm_framework.storage.migration.changes import checked, possible_renames
from crm_framework.storage.migration.migrator import project
from crm_framework.storage.migration.plan import (
    CORE,
    AppliedMigration,
    MigrationPlan,
    read_plan,
)
from crm_framework.storage.migration.state import relations, stored_state
from crm_framework.storage.migration.writer import migration_text


def makemigrations(
    apps: Sequence[AppMigrations],
    label: str,
    name: str | None = None,
    *,
    report: Callable[[str], object] | None = None,
) -> Path | None:
    """Writes the next migration of the app `label` into its own package; None if nothing changed.

    `apps` are the app and those that it depends on; the core comes by itself. `report` is told what to look
    at before using it, such as a removal that may have been meant as a rename. Raises CONFIGURATION for a
    change that would fail or lose rows on a filled table.
    """
    plan = read_plan(apps)
    app = _app(plan, label)
    changes, old = _changes(plan, app)
    if not changes:
        return None
    notes = possible_renames(changes, old, label)
    number = len(plan.of(label)) + 1
    initial = number == 1
    slug = slugify_migration_name(name or ("initial" if initial else _slug(changes)))
    path = _folder(app) / f"{number:04d}_{slug}.py"
    text = migration_text(
        changes, dependencies=_dependencies(plan, app, changes), initial=initial, notes=notes
    )
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        raise CrmError(
            ErrorCode.CONFIGURATION,
            f"The migration cannot be written to {path}: {error.strerror}.",
            hint="Install the plugin from its source folder (pip install -e) and run this there.",
        ) from error
    if report is not None:
        for note in notes:
            report(note)
    return path


def missing_migrations(apps: Sequence[AppMigrations], label: str) -> list[str]:
    """What `makemigrations` would write, one line per change; empty if models and migrations agree."""
    plan = read_plan(apps)
    changes, _ = _changes(plan, _app(plan, label))
    return [change.describe() for change in changes]


def _app(plan: MigrationPlan, label: str) -> AppMigrations:
    for app in plan.apps:
        if app.label == label:
            return app
    raise CrmError(ErrorCode.NOT_FOUND, f"There is no app {label} with models.")


def _changes(plan: MigrationPlan, app: AppMigrations) -> tuple[list[ops.TortoiseOperation], State]:
    empty = State(models={}, apps=StateApps(connections=ConnectionHandler()))
    old = stored_state(project(plan, plan.steps, empty).models.values())
    new = stored_state(_live_models(plan.apps))
    generated = OperationGenerator(old, new).generate([app.label])
    return checked(generated, old, new, app.label), old


def _live_models(apps: Iterable[AppMigrations]) -> list[ModelState]:
    handler = ConnectionHandler()
    handler._init_config({"default": {}})
    classes: dict[type[Model], str | None] = {}
    for app in apps:
        try:
            module = importlib.import_module(app.models)
        except Exception as error:
            raise CrmError(
                ErrorCode.CONFIGURATION,
                f"The models of {app.label} cannot be read: {app.models}: {type(error).__name__}: {error}",
                hint="Mend that module first.",
            ) from error
        for value in vars(module).values():
            if isinstance(value, type) and issubclass(value, Model):
                classes[value] = value._meta.default_connection
    config: dict[str, dict[str, Any]] = {
        app.label: {"models": [app.models], "default_connection": "default"} for app in apps
    }
    try:
        loaded = Apps(config, handler, validate_connections=False)
    finally:
        # Classes are shared by the whole process, which may have a database open.
        for model, connection in classes.items():
            model._meta.default_connection = connection
    return [
        ModelState.make_from_model(label, model)
        for label, models in loaded.items()
        for model in models.values()
    ]


def _dependencies(
    plan: MigrationPlan, app: AppMigrations, changes: Iterable[ops.TortoiseOperation]
) -> list[tuple[str, str]]:
    needed = {target.split(".")[0] for target in relations(changes)} - {app.label}
    own = plan.of(app.label)
    if app.label != CORE.label and not own:
        needed.add(CORE.label)
    found: list[AppliedMigration] = own[-1:]
    for label in sorted(needed, key=lambda label: (label != CORE.label, label)):
        if not plan.of(label):
            raise CrmError(
                ErrorCode.CONFIGURATION,
                f"The models of {app.label} refer to {label}, which has no migration yet.",
                hint=f"Make the migrations of {label} first.",
            )
        found.append(plan.of(label)[-1])
    return [(key.app, key.name) for key in found]


def _folder(app: AppMigrations) -> Path:
    return Path(next(iter(importlib.import_module(app.migrations).__path__)))


def _slug(changes: Sequence[ops.TortoiseOperation]) -> str:
    if len(changes) > 1:
        return "auto"
    return re.sub(r"[^a-z0-9]+", "_", changes[0].describe().lower())[:60].strip("_")
