"""Looks over changes found automatically: completes them, refuses those that filled tables cannot take."""

from collections.abc import Iterable, Sequence
from typing import Any

from tortoise.fields import Field
from tortoise.fields.relational import ForeignKeyFieldInstance, ManyToManyFieldInstance
from tortoise.migrations import operations as ops
from tortoise.migrations.schema_generator.state import State

from crm_framework.errors import CrmError, ErrorCode
from crm_framework.storage.migration.plan import CORE


def checked(
    changes: Iterable[ops.TortoiseOperation], old: State, new: State, label: str
) -> list[ops.TortoiseOperation]:
    """The changes in an order that works, or one error that says what to do instead."""
    found = [change for change in changes if not _is_idle(change, old, label)]
    found += _unseen_alterations(found, old, new, label)
    _refuse_tables(old, new, label)
    for change in found:
        if isinstance(change, ops.AddField):
            _refuse_unfilled(change.model_name, change.name, _field(change))
        elif isinstance(change, ops.AlterField):
            before = old.models[(label, change.model_name)].fields[change.name]
            _refuse_alteration(change, before)
    _refuse_circles(found, label)
    deletions = [change for change in found if isinstance(change, ops.DeleteModel)]
    others = [change for change in found if not isinstance(change, ops.DeleteModel)]
    additions = [change for change in others if isinstance(change, ops.AddIndex | ops.AddConstraint)]
    others = [change for change in others if change not in additions]
    return [*others, *additions, *_referring_first(deletions, old, label)]


def possible_renames(changes: Sequence[ops.TortoiseOperation], old: State, label: str) -> list[str]:
    """What a person should look at, because a rename and a removal look alike from here."""
    notes = []
    for change in changes:
        if isinstance(change, ops.RenameField):
            notes.append(
                f"Taken as a rename of {change.model_name}.{change.old_name} to {change.new_name}, values"
                " kept. If they are different things, write RemoveField and AddField instead."
            )
        if isinstance(change, ops.RenameModel):
            notes.append(
                f"Taken as a rename of the model {change.old_name} to {change.new_name}, rows kept."
                " If they are different things, write DeleteModel and CreateModel instead."
            )
        if isinstance(change, ops.RemoveField):
            notes += _instead_of_field(change, changes, old, label)
        if isinstance(change, ops.DeleteModel):
            notes.append(
                f"All rows of {change.name} are deleted. If it was renamed, write RenameModel instead."
            )
    return notes


def _instead_of_field(
    removal: ops.RemoveField, changes: Iterable[ops.TortoiseOperation], old: State, label: str
) -> list[str]:
    gone = old.models[(label, removal.model_name)].fields[removal.name]
    added = [
        change.name
        for change in changes
        if isinstance(change, ops.AddField)
        and change.model_name == removal.model_name
        and type(_field(change)) is type(gone)
    ]
    text = f"All values of {removal.model_name}.{removal.name} are deleted."
    if added:
        text += f" If it was renamed to {' or '.join(added)}, write RenameField instead."
    return [text]


def _is_idle(change: ops.TortoiseOperation, old: State, label: str) -> bool:
    if isinstance(change, ops.AlterModelOptions):
        return True
    if not isinstance(change, ops.AlterField):
        return False
    return _facts(old.models[(label, change.model_name)].fields[change.name]) == _facts(_field(change))


def _unseen_alterations(
    found: Iterable[ops.TortoiseOperation], old: State, new: State, label: str
) -> list[ops.TortoiseOperation]:
    seen = {(change.model_name, change.name) for change in found if isinstance(change, ops.AlterField)}
    unseen: list[ops.TortoiseOperation] = []
    for key, model in new.models.items():
        if key[0] != label or key not in old.models:
            continue
        for name, field in model.fields.items():
            before = old.models[key].fields.get(name)
            if before is not None and (key[1], name) not in seen and _facts(before) != _facts(field):
                unseen.append(ops.AlterField(model_name=key[1], name=name, field=field))
    return unseen


def _facts(field: Field[Any]) -> tuple[str, dict[str, Any]]:
    path, _, kwargs = field.deconstruct()
    return path, kwargs


def _field(change: ops.AddField | ops.AlterField) -> Field[Any]:
    field = change.field
    assert isinstance(field, Field)
    return field


def _refuse_tables(old: State, new: State, label: str) -> None:
    for key, model in new.models.items():
        if key[0] != label:
            continue
        if label != CORE.label and not model.table.startswith(f"{label}_"):
            raise CrmError(
                ErrorCode.CONFIGURATION,
                f"The table of {key[1]} is named {model.table}; tables of {label} begin with {label}_.",
                hint=f'Set Meta.table = "{label}_…" in the model.',
            )
        before = old.models.get(key)
        if before is not None and before.table != model.table:
            raise CrmError(
                ErrorCode.CONFIGURATION,
                f"The table of {key[1]} was {before.table} and is now {model.table}; "
                "tables are not renamed automatically.",
                hint=f'Keep Meta.table = "{before.table}": the model may have any name.',
            )


def _refuse_unfilled(model: str, name: str, field: Field[Any]) -> None:
    if field.null or field.has_db_default() or isinstance(field, ManyToManyFieldInstance):
        return
    raise CrmError(
        ErrorCode.CONFIGURATION,
        f"{model}.{name} is required, but rows that exist would have no value for it. "
        "A Python default is not known to the database.",
        hint="Give the field a db_default too, or null=True.",
    )


def _refuse_alteration(change: ops.AlterField, before: Field[Any]) -> None:
    after = _field(change)
    what = f"{change.model_name}.{change.name}"
    if type(before) is not type(after) and before.field_type != after.field_type:
        raise CrmError(
            ErrorCode.CONFIGURATION,
            f"{what} changes from {type(before).__name__} to {type(after).__name__}; "
            "values are not converted automatically.",
            hint="Add a field of the new type, fill it with DialectSQL, and remove the old one.",
        )
    if getattr(before, "model_name", None) != getattr(after, "model_name", None):
        raise CrmError(
            ErrorCode.CONFIGURATION,
            f"{what} refers to another model now; its keys mean nothing there.",
            hint="Add a field for the new relation, fill it with DialectSQL, and remove the old one.",
        )
    if before.null:
        _refuse_unfilled(change.model_name, change.name, after)


def _refuse_circles(found: Iterable[ops.TortoiseOperation], label: str) -> None:
    to_come = [change.name for change in found if isinstance(change, ops.CreateModel)]
    for change in found:
        if not isinstance(change, ops.CreateModel):
            continue
        to_come.remove(change.name)
        for name, field in change.fields:
            target = getattr(field, "model_name", "")
            if isinstance(field, ForeignKeyFieldInstance) and target in {f"{label}.{n}" for n in to_come}:
                raise CrmError(
                    ErrorCode.CONFIGURATION,
                    f"{change.name}.{name} and {target} refer to each other.",
                    hint=f"Leave {name} out, make the migration, then add it and make another.",
                )


def _referring_first(
    deletions: Sequence[ops.DeleteModel], old: State, label: str
) -> list[ops.TortoiseOperation]:
    left = {deletion.name: deletion for deletion in deletions}
    ordered: list[ops.TortoiseOperation] = []
    while left:
        referred = {
            getattr(field, "model_name", "")
            for name in left
            for field in old.models[(label, name)].fields.values()
            if getattr(field, "model_name", "") != f"{label}.{name}"
        }
        free = [name for name in left if f"{label}.{name}" not in referred] or list(left)[:1]
        ordered += [left.pop(name) for name in free]
    return ordered
