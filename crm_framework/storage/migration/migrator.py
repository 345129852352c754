"""Brings a database to the program's version. Forward only; a migration and its record are one transaction.

Any number of processes may do this at once: before each migration one waits for the lock (PostgreSQL: an
advisory lock, SQLite: the write lock), reads again what is recorded, and applies the next that is missing.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from itertools import groupby
from pathlib import Path
from typing import Any

from tortoise.migrations import Migration
from tortoise.migrations import operations as ops
from tortoise.migrations.schema_generator.state import State
from tortoise.migrations.schema_generator.state_apps import StateApps

from crm_framework.errors import CrmError, ErrorCode
from crm_framework.hooks.apps import AppMigrations
from crm_framework.storage.migration.connection import (
    SchemaConnection,
    explained,
    forget_sql,
    schema_connection,
)
from crm_framework.storage.migration.operations import DialectSQL, PostgresExtension
from crm_framework.storage.migration.plan import (
    CORE,
    AppliedMigration,
    MigrationPlan,
    read_plan,
)
from crm_framework.storage.urls import SqliteTarget, parse_url

__all__ = ["CORE", "AppMigrations", "AppliedMigration", "Progress", "is_unused", "migrate", "pending"]

Progress = Callable[[AppliedMigration, int, int], None]
"""Called before each migration with it, its number from 1, and how many there are."""

_NEEDS_NO_OLD_STATE = (
    ops.CreateModel,
    ops.AddField,
    ops.AddIndex,
    ops.AddConstraint,
    ops.RunSQL,
    DialectSQL,
    PostgresExtension,
)


async def migrate(
    url: str,
    apps: Sequence[AppMigrations],
    *,
    progress: Progress | None = None,
    lock_seconds: float = 600.0,
) -> list[AppliedMigration]:
    """Applies what is missing and returns what this call applied, in order.

    Raises CONFIGURATION for a database that is newer than the program, for migrations that do not fit
    together, and for one that fails; UNAVAILABLE if the database is away, full, or busy for longer than
    `lock_seconds`. What was applied before the failure stays, nothing of the failed one does.
    """
    plan = read_plan(apps)
    file = _file(url)
    if file is not None and not file.exists():
        _make_folder(file)
        SqliteTarget(file).make_private()
    else:
        async with schema_connection(url, lock_seconds=lock_seconds) as connection:
            if not plan.missing(await recorded(connection.client)):
                return []
    done: list[AppliedMigration] = []
    async with schema_connection(url, lock_seconds=lock_seconds) as connection:
        run = _Run(plan, connection)
        while (key := await run.next(progress, len(done))) is not None:
            done.append(key)
    return done


async def pending(url: str, apps: Sequence[AppMigrations]) -> list[AppliedMigration]:
    """What `migrate` would apply; changes nothing. Raises as `migrate` does for a newer database."""
    plan = read_plan(apps)
    file = _file(url)
    if file is not None and not file.exists():
        return list(plan.steps)
    async with schema_connection(url, lock_seconds=5.0) as connection:
        return plan.missing(await recorded(connection.client))


async def is_unused(url: str) -> bool:
    """Whether nothing was ever changed in it: its audit log is empty, or there is none."""
    file = _file(url)
    if file is not None and not file.exists():
        return True
    async with schema_connection(url, lock_seconds=5.0) as connection:
        if not await _has_table(connection.client, "crm_audit"):
            return True
        return not await connection.client.execute_query_dict("SELECT 1 FROM crm_audit LIMIT 1")


async def recorded(client: Any) -> list[AppliedMigration]:
    """The migrations that the database has; none where it was never migrated."""
    if not await _has_table(client, "crm_migration"):
        return []
    rows = await client.execute_query_dict(
        "SELECT app, name FROM crm_migration ORDER BY applied_at, app, name"
    )
    return [AppliedMigration(row["app"], row["name"]) for row in rows]


async def _has_table(client: Any, table: str) -> bool:
    sqlite = client.capabilities.dialect == "sqlite"
    return bool(
        await client.execute_query_dict(
            f"SELECT 1 FROM sqlite_master WHERE name = '{table}'"
            if sqlite
            else f"SELECT 1 WHERE to_regclass('{table}') IS NOT NULL"
        )
    )


def _file(url: str) -> Path | None:
    target = parse_url(url)
    return target.path if isinstance(target, SqliteTarget) else None


def _make_folder(file: Path) -> None:
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise CrmError(
            ErrorCode.CONFIGURATION,
            f"There is no folder {file.parent} for the database, and it cannot be made: {error.strerror}.",
            hint="Make it, or name another place in the database URL.",
        ) from error


class _Run:
    """Applies the migrations of a plan one by one, keeping the models' state between them."""

    def __init__(self, plan: MigrationPlan, connection: SchemaConnection) -> None:
        self.plan = plan
        self.connection = connection
        self.state: State | None = None
        self.reached: set[AppliedMigration] = set()

    async def next(self, progress: Progress | None, done: int) -> AppliedMigration | None:
        """Applies and records the next missing migration, or returns None."""
        async with self.connection.transaction() as client:
            await _make_record_table(client)
            have = set(await recorded(client))
            missing = self.plan.missing(have)
            if not missing:
                return None
            key = missing[0]
            if progress is not None:
                progress(key, done + 1, done + len(missing))
            if self.state is None or have != self.reached:
                self.state = self._state(have)
            try:
                await self._apply(self.plan.steps[key], self.state, client)
                if self.connection.sqlite:
                    await _check_references(client)
            except CrmError as error:
                raise CrmError(
                    error.code,
                    f"Migration {key} failed and was undone: {error.message}",
                    path=error.path,
                    hint=error.hint,
                ) from error
            except Exception as error:
                raise _failed(key, error, self.connection) from error
            await _record(client, key)
            self.reached = have | {key}
            return key

    async def _apply(self, migration: Migration, state: State, client: Any) -> None:
        editor = self.connection.editor(client)
        label = editor.app_label = migration.app_label
        for together in _together(migration.operations):
            old = state if isinstance(together[0], _NEEDS_NO_OLD_STATE) else state.clone()
            _state_forward(label, state, together)
            editor.target = state
            forget_sql(self.connection.alias)
            for operation in together:
                await operation.database_forward(label, old, state, editor)
        state.validate_relations_initialized()

    def _state(self, have: Iterable[AppliedMigration]) -> State:
        labels = {app.label: self.connection.alias for app in self.plan.apps}
        state = State(
            models={}, apps=StateApps(default_connections=labels, connections=self.connection.handler)
        )
        return project(self.plan, have, state)


def project(plan: MigrationPlan, have: Iterable[AppliedMigration], state: State) -> State:
    """The models as the migrations in `have` leave them."""
    wanted = set(have)
    with _built_once(state.apps):
        for key, migration in plan.steps.items():
            if key not in wanted:
                continue
            try:
                for together in _together(migration.operations):
                    _state_forward(migration.app_label, state, together)
            except Exception as error:
                raise CrmError(
                    ErrorCode.CONFIGURATION,
                    f"Migration {key} does not fit those before it: {type(error).__name__}: {error}",
                    hint="Migrations that are released must not be changed; restore the file.",
                ) from error
    return state


def _together(operations: Iterable[ops.Operation]) -> Iterator[list[ops.Operation]]:
    """The operations in their order; models that are made one after the other are made together."""
    for makes_models, found in groupby(operations, lambda one: isinstance(one, ops.CreateModel)):
        run = list(found)
        yield from [run] if makes_models else [[one] for one in run]


def _state_forward(label: str, state: State, together: Sequence[ops.Operation]) -> None:
    """Loads new models once, when all are known: after each of them Tortoise loads all that are related,
    and builds the queries of every model there is.
    """
    changed: set[tuple[str, str]] = set()
    if isinstance(together[0], ops.CreateModel):
        state.__dict__["reload_models"] = changed.update
    try:
        for operation in together:
            operation.state_forward(label, state)
    finally:
        state.__dict__.pop("reload_models", None)
    if changed:
        state.reload_models(changed)


@contextmanager
def _built_once(apps: StateApps) -> Iterator[None]:
    """Builds the queries of the models once, at the end: Tortoise builds all of them after each operation."""
    build = apps._build_initial_querysets
    apps.__dict__["_build_initial_querysets"] = lambda: None
    try:
        yield
    finally:
        del apps.__dict__["_build_initial_querysets"]
    build()


def _failed(key: AppliedMigration, error: Exception, connection: SchemaConnection) -> CrmError:
    cause = explained(error, connection.target)
    if cause.code is ErrorCode.UNAVAILABLE:
        return CrmError(
            cause.code, f"Migration {key} stopped and was undone: {cause.message}", hint=cause.hint
        )
    reason = (str(error) or type(error).__name__).rstrip(".")
    return CrmError(
        ErrorCode.CONFIGURATION,
        f"Migration {key} failed and was undone: {reason}.",
        hint="The database is as it was before this migration.",
    )


async def _make_record_table(client: Any) -> None:
    text, moment = ("TEXT", "TIMESTAMP")
    if client.capabilities.dialect == "postgres":
        text, moment = ('TEXT COLLATE "C"', "TIMESTAMPTZ")
    await client.execute_query(
        "CREATE TABLE IF NOT EXISTS crm_migration ("
        f"app {text} NOT NULL, name {text} NOT NULL, applied_at {moment} NOT NULL, PRIMARY KEY (app, name))"
    )


async def _record(client: Any, key: AppliedMigration) -> None:
    at = datetime.now(UTC)
    if client.capabilities.dialect == "sqlite":
        await client.execute_query(
            "INSERT INTO crm_migration (app, name, applied_at) VALUES (?, ?, ?)",
            [key.app, key.name, at.isoformat(sep=" ", timespec="microseconds")],
        )
    else:
        await client.execute_query(
            "INSERT INTO crm_migration (app, name, applied_at) VALUES ($1, $2, $3)", [key.app, key.name, at]
        )


async def _check_references(client: Any) -> None:
    rows = await client.execute_query_dict("PRAGMA foreign_key_check")
    if not rows:
        return
    counts: dict[tuple[str, str], int] = {}
    for row in rows:
        pair = (row["table"], row["parent"])
        counts[pair] = counts.get(pair, 0) + 1
    said = "; ".join(f"{number} in {table} to {parent}" for (table, parent), number in sorted(counts.items()))
    raise CrmError(
        ErrorCode.CONFIGURATION,
        f"Rows would refer to rows that do not exist: {said}.",
        hint="PRAGMA foreign_key_check lists them; delete or mend them, then migrate again.",
    )
