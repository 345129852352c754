"""Writes a migration as Python text that a person can read and a formatter leaves alone."""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from tortoise.fields import Field
from tortoise.fields.base import OnDelete
from tortoise.fields.relational import ManyToManyFieldInstance
from tortoise.indexes import Index
from tortoise.migrations.constraints import CheckConstraint, UniqueConstraint
from tortoise.migrations.operations import AlterModelOptions, CreateModel, Operation
from tortoise.migrations.writer import ImportManager, render_value

from crm_framework.errors import CrmError, ErrorCode
from crm_framework.storage.migration.state import is_storage_default

_WIDTH = 110
_STANDARD = ("datetime", "decimal", "uuid")
_ARGUMENTS = {
    "CreateModel": ("name", "fields", "options"),
    "DeleteModel": ("name",),
    "RenameModel": ("old_name", "new_name"),
    "AddField": ("model_name", "name", "field"),
    "AlterField": ("model_name", "name", "field"),
    "RemoveField": ("model_name", "name"),
    "RenameField": ("model_name", "old_name", "new_name"),
    "AddIndex": ("model_name", "index"),
    "RemoveIndex": ("model_name", "name", "fields"),
    "RenameIndex": ("model_name", "new_name", "old_name", "old_fields"),
    "AddConstraint": ("model_name", "constraint"),
    "RemoveConstraint": ("model_name", "name", "fields"),
    "RenameConstraint": ("model_name", "old_name", "new_name"),
}

Node = str | tuple[str, list["Node"], str]
"""Text, or a bracketed group: opening text, members, closing text."""


def migration_text(
    operations: Iterable[Operation],
    *,
    dependencies: Sequence[tuple[str, str]],
    initial: bool,
    notes: Sequence[str] = (),
) -> str:
    """The source of a migration module. `notes` become comments above the class."""
    imports = _Imports()
    body: Node = ("[", [_operation(operation, imports) for operation in operations], "]")
    needs: Node = ("[", [_value(entry, imports) for entry in dependencies], "]")
    lines = ["class Migration(migrations.Migration):"]
    if initial:
        lines += ["    initial = True", ""]
    if dependencies:
        lines += [_print("    dependencies = ", needs, 4), ""]
    lines.append(_print("    operations = ", body, 4, always=True))
    comments = [f"# {note}" for note in notes]
    return "\n".join([*imports.lines(), "", "", *comments, *lines, ""])


class _Imports:
    def __init__(self) -> None:
        self.other = ImportManager()
        self.fields = self.index = False
        self.constraints: set[str] = set()

    def lines(self) -> list[str]:
        modules = {f"import {name}": name for name in self.other.modules}
        for module, names in self.other.imports.items():
            modules[f"from {module} import {', '.join(sorted(names))}"] = module
        if self.index:
            modules["from tortoise.indexes import Index"] = "tortoise.indexes"
        if self.constraints:
            names_text = ", ".join(sorted(self.constraints))
            modules[f"from tortoise.migrations.constraints import {names_text}"] = (
                "tortoise.migrations.constraints"
            )
        first = "fields, migrations" if self.fields else "migrations"
        modules[f"from tortoise import {first}"] = "tortoise"
        modules["from tortoise.migrations import operations as ops"] = "tortoise.migrations"
        plain = sorted(modules, key=lambda line: (not line.startswith("import "), modules[line]))
        standard = [line for line in plain if modules[line].split(".")[0] in _STANDARD]
        rest = [line for line in plain if line not in standard]
        return [*standard, "", *rest] if standard else rest


def _operation(operation: Operation, imports: _Imports) -> Node:
    kind = type(operation).__name__
    if isinstance(operation, AlterModelOptions) or kind not in _ARGUMENTS:
        raise CrmError(
            ErrorCode.CONFIGURATION,
            f"A change of this kind cannot be written automatically: {operation.describe()}.",
            hint="Write this migration by hand.",
        )
    arguments: list[Node] = []
    for name in _ARGUMENTS[kind]:
        value = getattr(operation, name)
        if value is None:
            continue
        if isinstance(operation, CreateModel) and name == "fields":
            members: list[Node] = [
                ("(", [_quoted(field_name), _value(field, imports)], ")") for field_name, field in value
            ]
            arguments.append(("fields=[", members, "]"))
            continue
        if isinstance(operation, CreateModel) and not value:
            continue
        arguments.append(_named(name, _value(value, imports)))
    return (f"ops.{kind}(", arguments, ")")


def _value(value: Any, imports: _Imports) -> Node:
    if isinstance(value, Field):
        return _field(value, imports)
    if isinstance(value, Index):
        if type(value) is Index and not value.name and not value.extra and not value.expressions:
            imports.index = True
            return ("Index(", [_named("fields", _value(list(value.fields), imports))], ")")
        path, args, kwargs = value.deconstruct()
        return _call(path, args, kwargs, imports)
    if isinstance(value, UniqueConstraint | CheckConstraint):
        path, args, kwargs = value.deconstruct()
        imports.constraints.add(path.rsplit(".", 1)[1])
        return _arguments(path.rsplit(".", 1)[1], args, kwargs, imports)
    if isinstance(value, OnDelete):
        imports.fields = True
        return f"fields.{value.name}"
    if isinstance(value, str):
        return _quoted(value)
    if isinstance(value, tuple | list):
        closing = ",)" if isinstance(value, tuple) and len(value) == 1 else ")"
        members = [_value(member, imports) for member in value]
        return ("(", members, closing) if isinstance(value, tuple) else ("[", members, "]")
    if isinstance(value, Mapping):
        pairs: list[Node] = [
            _prefixed(f"{_quoted(key)}: ", _value(member, imports)) for key, member in value.items()
        ]
        return ("{", pairs, "}")
    # Dates, decimals and keys are calls with one text: Decimal('1.50').
    return re.sub(r"\('([^'\"\\]*)'\)$", r'("\1")', render_value(value, imports.other))


def _field(field: Field[Any], imports: _Imports) -> Node:
    path, args, kwargs = field.deconstruct()
    if kwargs.get("primary_key"):
        for implied in ("unique", "db_index", "default"):
            kwargs.pop(implied, None)
    kwargs = {name: value for name, value in kwargs.items() if not is_storage_default(name, value)}
    for unwritten in ("encoder", "decoder", "field_type", "related_name"):
        kwargs.pop(unwritten, None)
    if isinstance(field, ManyToManyFieldInstance) and field.unique:
        kwargs.pop("unique")
    if path.startswith("tortoise.fields."):
        imports.fields = True
        name = path.rsplit(".", 1)[1].replace("FieldInstance", "Field")
        if "model_name" in kwargs:
            args = [kwargs.pop("model_name"), *args]
        return _arguments(f"fields.{name}", args, kwargs, imports)
    return _call(path, args, kwargs, imports)


def _call(path: str, args: Sequence[Any], kwargs: Mapping[str, Any], imports: _Imports) -> Node:
    module, name = path.rsplit(".", 1)
    imports.other.add_from(module, name)
    return _arguments(name, args, kwargs, imports)


def _arguments(name: str, args: Sequence[Any], kwargs: Mapping[str, Any], imports: _Imports) -> Node:
    members = [_value(value, imports) for value in args]
    members += [_named(key, _value(value, imports)) for key, value in kwargs.items()]
    return (f"{name}(", members, ")")


def _named(name: str, node: Node) -> Node:
    return _prefixed(f"{name}=", node)


def _prefixed(prefix: str, node: Node) -> Node:
    return prefix + node if isinstance(node, str) else (prefix + node[0], node[1], node[2])


def _quoted(text: str) -> str:
    plain = repr(text)
    return f'"{plain[1:-1]}"' if plain[0] == "'" and '"' not in plain else plain


def _flat(node: Node) -> str:
    if isinstance(node, str):
        return node
    return node[0] + ", ".join(_flat(member) for member in node[1]) + node[2]


def _print(prefix: str, node: Node, indent: int, *, always: bool = False) -> str:
    line = prefix + _flat(node)
    if isinstance(node, str) or not node[1] or (len(line) < _WIDTH and not always):
        return line
    inner = " " * (indent + 4)
    members = [_print(inner, member, indent + 4) + "," for member in node[1]]
    return "\n".join([prefix + node[0], *members, " " * indent + node[2].lstrip(",")])
