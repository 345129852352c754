"""What a model means for its table, and nothing else.

Migrations are compared and written in this form: enumerations are their texts, Python defaults, descriptions
and encoders are left out. So a migration imports nothing of the code it belongs to, and a change of wording
makes none.
"""

from collections.abc import Iterable, Mapping, Sequence
from enum import Enum
from typing import Any, cast

from tortoise import fields
from tortoise.fields import Field
from tortoise.fields.relational import ForeignKeyFieldInstance, ManyToManyFieldInstance, OneToOneFieldInstance
from tortoise.indexes import Index
from tortoise.migrations.operations import AddField, AlterField, CreateModel, Operation
from tortoise.migrations.schema_generator.state import ModelState, State
from tortoise.migrations.schema_generator.state_apps import StateApps
from tortoise.models import Model

_NOT_STORAGE = {
    "default",
    "description",
    "encoder",
    "decoder",
    "enum_type",
    "field_type",
    "model_name",
    "related_name",
}
_OPTIONS = ("table", "unique_together", "indexes", "constraints")


def stored_model(state: ModelState, primary_keys: Mapping[str, str]) -> ModelState:
    """The same model, reduced to what its table holds; foreign keys are given their index.

    `primary_keys` names that of each model, as `label.Name`.
    """
    plain = {name: stored_field(name, field, primary_keys) for name, field in state.fields.items()}
    options = {key: state.options[key] for key in _OPTIONS if state.options.get(key)}
    if "unique_together" in options:
        options["unique_together"] = tuple(
            tuple(_columns(state, names)) for names in options["unique_together"]
        )
    if "indexes" in options:
        options["indexes"] = tuple(
            index if isinstance(index, Index) else tuple(_columns(state, index))
            for index in options["indexes"]
        )
    leading = {names[0] for names in _index_lists(options)}
    for name, field in plain.items():
        if isinstance(field, OneToOneFieldInstance):
            continue
        if isinstance(field, ForeignKeyFieldInstance):
            # Every foreign key is looked up backwards (merge, erase, ON DELETE): it always has an index.
            field.index = f"{name}_id" not in leading
    return ModelState(
        name=state.name,
        app=state.app,
        table=state.table,
        abstract=False,
        description="",
        options=options,
        bases=(Model,),
        pk_field_name=state.pk_field_name,
        fields=plain,
    )


def stored_state(models: Iterable[ModelState]) -> State:
    """A state of reduced models, for comparing only: nothing in it is rendered."""
    given = list(models)
    primary_keys = {f"{model.app}.{model.name}": model.pk_field_name for model in given}
    reduced = {(model.app, model.name): stored_model(model, primary_keys) for model in given}
    return State(models=reduced, apps=StateApps())


def stored_field(name: str, field: Field[Any], primary_keys: Mapping[str, str]) -> Field[Any]:
    path, _, kwargs = field.deconstruct()
    target = kwargs.get("model_name")
    kept = {key: value for key, value in kwargs.items() if key not in _NOT_STORAGE}
    if kept.get("primary_key"):
        for implied in ("unique", "db_index"):
            kept.pop(implied, None)
    if isinstance(kept.get("db_default"), Enum):
        kept["db_default"] = kept["db_default"].value
    if isinstance(field, ManyToManyFieldInstance):
        many: Any = fields.ManyToManyField
        return cast(Field[Any], many(target, **kept))
    if isinstance(field, ForeignKeyFieldInstance):
        if kept.get("source_field") == f"{name}_id":
            kept.pop("source_field")
        # None means the target's primary key, and is what an uninitialised field says.
        if kept.get("to_field") == primary_keys.get(str(target), "id"):
            kept.pop("to_field", None)
        one_to_one = isinstance(field, OneToOneFieldInstance)
        kind: Any = fields.OneToOneField if one_to_one else fields.ForeignKeyField
        return cast(Field[Any], kind(target, **kept))
    if "CharEnumField" in path:
        return fields.CharField(**kept)
    if "IntEnumField" in path:
        return fields.SmallIntField(**kept)
    return type(field)(**kept)


def is_storage_default(name: str, value: Any) -> bool:
    """Whether an argument of a field says only what would hold without it."""
    quiet = {
        "null": False,
        "unique": False,
        "db_index": False,
        "auto_now": False,
        "auto_now_add": False,
        "db_constraint": True,
        "generated": False,
    }
    return name in quiet and value is quiet[name]


def _columns(state: ModelState, names: Sequence[str]) -> list[str]:
    return [
        f"{name}_id" if isinstance(state.fields.get(name), ForeignKeyFieldInstance) else name
        for name in names
    ]


def _index_lists(options: dict[str, Any]) -> list[Sequence[str]]:
    lists: list[Sequence[str]] = list(options.get("unique_together", ()))
    for index in options.get("indexes", ()):
        if not isinstance(index, Index):
            lists.append(index)
        elif type(index) is Index and index.fields and not index.extra:
            lists.append(list(index.fields))
    return [names for names in lists if names]


def relations(operations: Iterable[Operation]) -> set[str]:
    """The models that fields in `operations` refer to, as `label.Name`."""
    found: set[str] = set()
    for operation in operations:
        if isinstance(operation, CreateModel):
            members = [field for _, field in operation.fields]
        elif isinstance(operation, AddField | AlterField):
            members = [operation.field]
        else:
            continue
        found |= {name for field in members if isinstance(name := getattr(field, "model_name", None), str)}
    return {name for name in found if "." in name}
