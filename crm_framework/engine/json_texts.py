"""Objects that PostgreSQL itself writes as JSON, where a selection takes nothing but columns.

A page costs the most in Python: the driver makes a value of each column, a dict is made of these, and text
of that. The database can give the text at once. It is the very text that would be made here, or none: what
is not certain to be written alike (a null where none may be, an integer that is no `Int`, a moment that
Python does not have) makes an object's text NULL, and the page is read again as rows, which know the error.

Not on SQLite, which runs in this process and takes longer to write JSON than its rows take.
"""

import re
from collections.abc import Mapping
from datetime import date, datetime
from enum import Enum
from types import MappingProxyType

from graphql import GraphQLEnumType

from .integers import SAFE, BigInt
from .plans import PlannedField, Selection
from .sql import Dialect
from .writers import LEAST, MOST, Leaves

NOTHING_WITHIN: Mapping[str, tuple[str, str, str]] = MappingProxyType({})
_BASE64_LINE = 57
"""Bytes of which PostgreSQL makes one line of base64; it breaks longer ones."""
_UUID_LENGTH = 36
_SIMPLE = re.compile(r"[\w .:/+-]*", re.ASCII)
_MOMENTS = ("'0001-01-01 00:00:00+00'", "'10000-01-01 00:00:00+00'")
_MOMENT = """'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'"""
_DAYS = ("'0001-01-01'", "'10000-01-01'")


class Texts:
    """What a statement selects in place of a layout's columns: the text of each object."""

    __slots__ = ("outer", "selected", "sql", "width")

    def __init__(self, sql: str) -> None:
        self.sql = sql
        self.selected: Mapping[Dialect, str] = {"postgres": f"{sql} AS _json"}
        self.outer = "x._json"
        self.width = 1


def texts_of(selection: Selection, leaves: Leaves) -> Texts | None:
    """How the database writes a selection's objects, from the table `t`; `None` where it cannot."""
    if not selection.texts_known:
        selection.texts_known = True
        sql = object_text(selection, leaves)
        selection.texts = Texts(sql) if sql is not None else None
    return selection.texts


def is_refused(error: Exception) -> bool:
    """Whether the database does not take a statement as such: a column is not of its field's type."""
    cause = error.args[0] if error.args and isinstance(error.args[0], Exception) else error
    return str(getattr(cause, "sqlstate", "")).startswith("42")


def object_text(
    selection: Selection, leaves: Leaves, within: Mapping[str, tuple[str, str, str]] = NOTHING_WITHIN
) -> str | None:
    """The text of an object of the table `t`; `None` where the database cannot write it.

    `within` has for the key of each filled field an expression of text, with what stands before and after it.
    """
    if selection.source is None or len(selection.filled) > len(within):
        return None
    parts: list[str] = []
    literal = "{"
    for number, field in enumerate(selection.fields):
        literal += f'{"," if number else ""}"{field.key}":'
        if field.kind == "typename":
            literal += f'"{field.owner.name}"'
            continue
        if field.key in within:
            before, within_it, after = within[field.key]
            parts += [f"'{literal}{before}'", within_it]
            literal = after
            continue
        text = _identity(field, selection) if field.kind == "identity" else _column(field, selection, leaves)
        if text is None:
            return None
        if text.startswith(_QUOTED) and text.endswith(_QUOTED_END):
            text = text.removeprefix(_QUOTED).removesuffix(_QUOTED_END)
            parts += [f"'{literal}\"'", text]
            literal = '"'
        else:
            parts += [f"'{literal}'", text]
            literal = ""
    return " || ".join([*parts, f"'{literal}}}'"])


_QUOTED, _QUOTED_END = """'"' || """, """ || '"'"""


def _quoted(text: str) -> str:
    return f"{_QUOTED}{text}{_QUOTED_END}"


def _identity(field: PlannedField, selection: Selection) -> str | None:
    source = selection.source
    if source is None or source.key_type != "uuid":
        return None
    prefix = f"{field.owner.name}:"
    encoded = f"encode(('{prefix}' || t.{source.key}::text)::bytea, 'base64')"
    if len(prefix) + _UUID_LENGTH > _BASE64_LINE:
        encoded = f"replace({encoded}, chr(10), '')"
    return _quoted(encoded)


def _column(field: PlannedField, selection: Selection, leaves: Leaves) -> str | None:
    source, leaf = selection.source, field.leaf
    if field.kind != "column" or source is None or field.field is None or leaf is None:
        return None
    column, kind = source.columns[field.field.python_name]
    sql = f"t.{column}"
    # COLLATE and & change nothing: of a column that is no text, or no integer, the statement is refused
    if kind is str and leaf.name in ("String", "ID"):
        return _or_null(field, sql, f'to_json({sql} COLLATE "C")::text', every=True)
    if kind is bool and leaf.name == "Boolean":
        return _or_null(
            field, sql, f"CASE WHEN {sql} THEN 'true' WHEN NOT {sql} THEN 'false' END", every=True
        )
    if kind is int and leaf.name == "Int":
        return _or_null(field, sql, f"({sql} & -1)::text", f"{sql} BETWEEN {LEAST} AND {MOST}")
    if kind is BigInt and leaf.name == "BigInt":
        return _or_null(field, sql, f"({sql} & -1)::text", f"{sql} BETWEEN {-SAFE} AND {SAFE}")
    if kind is datetime and leaf.name in leaves.plain:
        text = f"replace(to_char({sql} AT TIME ZONE 'UTC', {_MOMENT}), '.000000Z', 'Z')"
        return _or_null(field, sql, _quoted(text), _within(sql, "timestamptz", _MOMENTS))
    if kind is date and leaf.name in leaves.plain:
        return _or_null(field, sql, f"to_json({sql})::text", _within(sql, "date", _DAYS))
    if isinstance(leaf, GraphQLEnumType) and isinstance(kind, type) and issubclass(kind, Enum):
        names = {member.value: leaf.coerce_output_value(member) for member in kind}
        if all(isinstance(value, str) and _SIMPLE.fullmatch(value) for value in names):
            cases = " ".join(f"WHEN '{value}' THEN '\"{name}\"'" for value, name in names.items())
            return _or_null(field, sql, f'CASE {sql} COLLATE "C" {cases} END')
    return None


def _within(sql: str, type_name: str, bounds: tuple[str, str]) -> str:
    """Python has no moments and days outside of these, and a column of another type is for rows to tell."""
    least, beyond = (f"{type_name} {bound}" for bound in bounds)
    return f"pg_typeof({sql}) = '{type_name}'::regtype AND {sql} >= {least} AND {sql} < {beyond}"


def _or_null(field: PlannedField, sql: str, text: str, condition: str = "", *, every: bool = False) -> str:
    """The text of a value where `condition` holds, and of null where it may be; `every` value has one."""
    if condition:
        text = f"CASE WHEN {condition} THEN {text} END"
    if field.shape.required:
        return text
    return f"coalesce({text}, 'null')" if every else f"CASE WHEN {sql} IS NULL THEN 'null' ELSE {text} END"
