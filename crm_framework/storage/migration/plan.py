"""Which migrations there are, in which order they run, and what is wrong with them. Reads files only."""

import importlib
import pkgutil
from collections.abc import Iterable
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter

from tortoise.fields.relational import ForeignKeyFieldInstance, ManyToManyFieldInstance
from tortoise.migrations import Migration
from tortoise.migrations import operations as ops

from crm_framework.errors import CrmError, ErrorCode
from crm_framework.hooks.apps import AppMigrations


@dataclass(frozen=True, order=True)
class AppliedMigration:
    """One migration, as it is recorded in the database."""

    app: str
    name: str

    def __str__(self) -> str:
        return f"{self.app}.{self.name}"


CORE = AppMigrations("crm", "crm_framework.domain.models", "crm_framework.migrations")


@dataclass(frozen=True)
class MigrationPlan:
    """All migrations of all apps, in the one order in which they run."""

    apps: tuple[AppMigrations, ...]
    steps: dict[AppliedMigration, Migration]

    def of(self, label: str) -> list[AppliedMigration]:
        return [key for key in self.steps if key.app == label]

    def missing(self, recorded: Iterable[AppliedMigration]) -> list[AppliedMigration]:
        """What is to be applied. Raises CONFIGURATION if the database is newer than this program.

        Migrations of an app that is not among `apps` are those of a plugin that is switched off.
        """
        done = set(recorded)
        labels = {app.label for app in self.apps}
        unknown = sorted(key for key in done if key.app in labels and key not in self.steps)
        if unknown:
            owner = "crm-framework" if unknown[0].app == CORE.label else f"the plugin {unknown[0].app}"
            raise CrmError(
                ErrorCode.CONFIGURATION,
                f"The database is newer than this program: it has {', '.join(map(str, unknown))}, "
                "which this version does not know.",
                hint=f"Install the version of {owner} that migrated it, or a later one.",
            )
        return [key for key in self.steps if key not in done]


def read_plan(apps: Iterable[AppMigrations]) -> MigrationPlan:
    """Loads the migrations of the core and of `apps`; the core is added where it is not among them."""
    ordered = order_apps(apps)
    steps: dict[AppliedMigration, Migration] = {}
    labels = {app.label for app in ordered}
    for app in ordered:
        own = _load(app)
        for key in _chain(app, own):
            _check(app, key, own[key], steps, labels)
            steps[key] = own[key]
    return MigrationPlan(tuple(ordered), steps)


def order_apps(apps: Iterable[AppMigrations]) -> list[AppMigrations]:
    """The core first, then each after those that it depends on; otherwise as given."""
    by_label = {CORE.label: CORE} | {app.label: app for app in apps}
    sorter: TopologicalSorter[str] = TopologicalSorter()
    for app in by_label.values():
        absent = [label for label in app.depends_on if label not in by_label]
        if absent:
            raise CrmError(
                ErrorCode.CONFIGURATION,
                f"The tables of {app.label} refer to those of {', '.join(absent)}, which is not enabled.",
                hint=f"Enable {', '.join(absent)} too.",
            )
        sorter.add(app.label, *(label for label in (CORE.label, *app.depends_on) if label != app.label))
    position = {label: number for number, label in enumerate(by_label)}
    ordered: list[AppMigrations] = []
    try:
        sorter.prepare()
    except CycleError as error:
        raise CrmError(
            ErrorCode.CONFIGURATION,
            f"Plugins depend on each other in a circle: {' → '.join(error.args[1])}.",
            hint="One of them must do without the other.",
        ) from error
    while sorter.is_active():
        ready = sorted(sorter.get_ready(), key=position.__getitem__)
        ordered += [by_label[label] for label in ready]
        sorter.done(*ready)
    return ordered


def _load(app: AppMigrations) -> dict[AppliedMigration, Migration]:
    importlib.invalidate_caches()
    found: dict[AppliedMigration, Migration] = {}
    module_name = app.migrations
    try:
        package = importlib.import_module(module_name)
        paths = list(getattr(package, "__path__", ()))
        for _, name, is_package in sorted(pkgutil.iter_modules(paths), key=lambda entry: entry[1]):
            if is_package or name.startswith(("_", "~")):
                continue
            module_name = f"{app.migrations}.{name}"
            kind = importlib.import_module(module_name).Migration
            migration = found[AppliedMigration(app.label, name)] = kind(name, app.label)
            _name_relations(migration)
    except Exception as error:
        raise CrmError(
            ErrorCode.CONFIGURATION,
            f"The migrations of {app.label} cannot be read: {module_name}: {type(error).__name__}: {error}",
            hint="Reinstall the plugin, or mend that file.",
        ) from error
    return found


def _name_relations(migration: Migration) -> None:
    """Tables know nothing of the name by which the other side calls a relation; here each has its own.

    Otherwise a name could clash with one that a later migration, or another plugin, has given up since.
    """
    for operation in migration.operations:
        if isinstance(operation, ops.CreateModel):
            members = [(operation.name, *member) for member in operation.fields]
        elif isinstance(operation, ops.AddField | ops.AlterField):
            members = [(operation.model_name, operation.name, operation.field)]
        else:
            continue
        for model, name, field in members:
            if isinstance(field, ForeignKeyFieldInstance | ManyToManyFieldInstance):
                field.related_name = f"{migration.app_label}_{model}_{name}".lower()


def _chain(app: AppMigrations, own: dict[AppliedMigration, Migration]) -> list[AppliedMigration]:
    """One app's migrations in order. They form one line: two that follow the same one are refused."""
    after: dict[AppliedMigration | None, list[AppliedMigration]] = {}
    for key, migration in own.items():
        parents = [AppliedMigration(*entry) for entry in migration.dependencies if entry[0] == app.label]
        if len(parents) > 1:
            raise _wrong(key, f"it follows {len(parents)} migrations of its own app", "Let it follow one.")
        if parents and parents[0] not in own:
            raise _wrong(key, f"it follows {parents[0]}, which is not there", "Add the missing file.")
        after.setdefault(parents[0] if parents else None, []).append(key)
    line: list[AppliedMigration] = []
    last: AppliedMigration | None = None
    while last in after:
        followers = after.pop(last)
        if len(followers) > 1:
            what = f"{' and '.join(key.name for key in followers)} both " + (
                f"follow {last.name}" if last else "follow no other one"
            )
            raise _wrong(followers[-1], what, "Let the later one depend on the earlier one.")
        last = followers[0]
        line.append(last)
    if len(line) < len(own):
        rest = sorted(set(own) - set(line))
        raise _wrong(rest[0], "its dependencies form a circle", "Let the migrations follow each other.")
    return line


def _check(
    app: AppMigrations,
    key: AppliedMigration,
    migration: Migration,
    earlier: dict[AppliedMigration, Migration],
    labels: set[str],
) -> None:
    for attribute in ("run_before", "replaces"):
        if getattr(migration, attribute):
            raise _wrong(key, f"`{attribute}` is not supported", "Remove it.")
    if not migration.atomic:
        raise _wrong(key, "`atomic = False` is not supported: each runs in one transaction", "Remove it.")
    for entry in migration.dependencies:
        needed = AppliedMigration(*entry)
        if needed.app == app.label or needed in earlier:
            continue
        if needed.app not in labels:
            raise _wrong(key, f"it needs {needed}, whose plugin is not enabled", f"Enable {needed.app}.")
        if any(known.app == needed.app for known in earlier):
            raise _wrong(
                key,
                f"it needs {needed}, which the installed version of {needed.app} does not have",
                f"Install a later version of {needed.app}.",
            )
        raise _wrong(
            key,
            f"it needs {needed}, but {app.label} does not say that it depends on {needed.app}",
            f"Add {needed.app} to `requires` of the plugin {app.label}.",
        )
    if app.label == CORE.label or any(known.app == app.label for known in earlier):
        return
    if not any(entry[0] == CORE.label for entry in migration.dependencies):
        raise _wrong(
            key,
            "the first migration of a plugin must depend on one of the core",
            f'Add dependencies = [("{CORE.label}", "0001_initial")] to it.',
        )


def _wrong(key: AppliedMigration, what: str, hint: str) -> CrmError:
    return CrmError(ErrorCode.CONFIGURATION, f"Migration {key} cannot be used: {what}.", hint=hint)
