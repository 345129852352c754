"""Rows for every table of a plugin, made from its models: what tests of migrations and of privacy need."""

import json
from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from tortoise import fields
from tortoise.connection import ConnectionHandler
from tortoise.migrations.schema_generator.state import State
from tortoise.migrations.schema_generator.state_apps import StateApps
from tortoise.models import Model

from crm_framework.domain.models import CustomerKind, CustomerStage
from crm_framework.hooks.apps import AppMigrations
from crm_framework.storage.ids import new_id
from crm_framework.storage.migration.migrator import project
from crm_framework.storage.migration.plan import read_plan
from crm_framework.storage.unit_of_work import UnitOfWork

MARK = "conformance"
"""Begins every text that is filled in, so that it can be found again."""


async def fill_customers(tx: UnitOfWork, number: int) -> list[str]:
    """New customers; their keys, in order."""
    keys = [new_id() for _ in range(number)]
    await tx.execute_many(
        "INSERT INTO crm_customer (id, kind, stage, name, sort_name, attributes, search_text, created_at,"
        " updated_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        [
            (
                key, CustomerKind.PERSON, CustomerStage.PROSPECT, f"Customer {index}", f"customer {index}",
                "{}", f"customer {index}", tx.now, tx.now,
            )
            for index, key in enumerate(keys)
        ],
    )  # fmt: skip
    return keys


async def fill(
    tx: UnitOfWork,
    models: Sequence[type[Model]],
    customers: Sequence[str],
    values: Mapping[str, object],
) -> None:
    """One row per customer in each table that is still empty; rows of one customer refer to each other.

    `values` are those of columns (`loyalty_program.currency`) for which any value of its type will not do.
    """
    keys: dict[str, Sequence[object]] = {"crm_customer": customers}
    waiting = list(models)
    while waiting:
        ready = [model for model in waiting if _targets(model) - {_table(model)} <= _known(keys, waiting)]
        for model in ready or waiting[:1]:
            waiting.remove(model)
            if not await tx.fetch(f"SELECT 1 AS one FROM {_table(model)} LIMIT 1"):
                keys[_table(model)] = await _fill_table(tx, model, len(customers), keys, values)


async def _fill_table(
    tx: UnitOfWork,
    model: type[Model],
    number: int,
    keys: Mapping[str, Sequence[object]],
    values: Mapping[str, object],
) -> list[object]:
    columns = list(model._meta.fields_db_projection.items())
    rows: list[list[object]] = []
    for index in range(number):
        row: list[object] = []
        for name, column in columns:
            named = f"{_table(model)}.{column}"
            field = model._meta.fields_map[name]
            row.append(values[named] if named in values else _value(field, column, index, keys, tx))
        rows.append(row)
    places = ", ".join("?" * len(columns))
    names = ", ".join(column for _, column in columns)
    await tx.execute_many(f"INSERT INTO {_table(model)} ({names}) VALUES ({places})", rows)
    key = [name for name, _ in columns].index(model._meta.pk_attr)
    return [row[key] for row in rows]


def _value(
    field: Any, column: str, index: int, keys: Mapping[str, Sequence[object]], tx: UnitOfWork
) -> object:
    """A value of the field's type. A reference to a table without rows of ours is null."""
    target = _target(field)
    if target is not None:
        rows = keys.get(target)
        return rows[index] if rows else None
    if column == "customer_id":
        return keys["crm_customer"][index]
    if getattr(field, "enum_type", None) is not None:
        return next(iter(field.enum_type)).value
    if isinstance(field, fields.CharField):
        return f"{MARK} {index}"[: field.max_length]
    if isinstance(field, fields.TextField):
        return f"{MARK} {index}"
    if isinstance(field, fields.UUIDField):
        return new_id()
    if isinstance(field, fields.BooleanField):
        return False
    if isinstance(field, fields.DatetimeField):
        return tx.now
    if isinstance(field, fields.DateField):
        return date(2024, 1, 1) + timedelta(days=index)
    if isinstance(field, fields.JSONField):
        return json.dumps({})
    if isinstance(field, fields.DecimalField):
        return Decimal(index + 1)
    return index + 1


def models_after(apps: Sequence[AppMigrations], label: str) -> list[type[Model]]:
    """The models of an app as its migrations leave them."""
    connections = ConnectionHandler()
    connections._init_config({"default": {}})
    plan = read_plan(apps)
    state = project(plan, plan.steps, State(models={}, apps=StateApps(connections=connections)))
    found: dict[str, dict[str, type[Model]]] = dict(state.apps)
    return list(found.get(label, {}).values())


def tables_with_customers(models: Sequence[type[Model]]) -> list[str]:
    """Tables with a column that holds a customer's key."""
    return [_table(model) for model in models if customer_columns(model)]


def customer_columns(model: type[Model]) -> list[str]:
    """Columns that hold a customer's key."""
    found = []
    for name, column in model._meta.fields_db_projection.items():
        if column == "customer_id" or _target(model._meta.fields_map[name]) == "crm_customer":
            found.append(column)
    return found


def _table(model: type[Model]) -> str:
    return model._meta.db_table


def _target(field: Any) -> str | None:
    """The table that a column refers to."""
    reference = field.reference
    return None if reference is None else _table(reference.related_model)


def _targets(model: type[Model]) -> set[str]:
    targets = {_target(model._meta.fields_map[name]) for name in model._meta.fields_db_projection}
    return {target for target in targets if target is not None}


def _known(keys: Mapping[str, object], waiting: Sequence[type[Model]]) -> set[str]:
    """Tables that are filled, and those of others, which are left alone."""
    ours = {_table(model) for model in waiting}
    others = {target for model in waiting for target in _targets(model) if target not in ours}
    return set(keys) | others
