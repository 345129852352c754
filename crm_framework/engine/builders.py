"""Generated code that makes the output of a level: one dict a row, written out for its selection.

    [{"id": …, "name": v1, "interactions": c0} for (v0, v1), c0 in zip(values, filled[0])]

A value that cannot be written, or a null where none may be, is left to the slow way: the same expressions one
by one, each failure standing in its field's place as a `Failure`.
"""

import re
from binascii import b2a_base64
from collections.abc import Callable, Sequence
from typing import Any

from .declarations import Column
from .decode import decoder
from .errors import STOPPING, CompletionFailure, Exited, NullFailure
from .fields import Computed
from .ids import id_encoder
from .layouts import Layout
from .plans import INLINE, PlannedField, Selection
from .sql import Dialect
from .writers import Leaves, first_fits

Build = Callable[[Sequence[Any], Sequence[Sequence[Any]]], list[dict[str, Any]]]
"""(rows or plain objects, values of the fields that were filled) → output."""
Fail = Callable[[BaseException], Any]


class _Absent(Exception):
    """A null where none may be: for the slow way."""


def _absent() -> Any:
    raise _Absent


class Builder:
    """Makes the output of a selection's objects: of rows of one layout, or of plain objects.

    `build(values, filled)` gives one dict each; `filled` has a list for each field of `Selection.filled`.
    """

    def __init__(self, selection: Selection, layout: Layout | None, dialect: Dialect, leaves: Leaves) -> None:
        self._fields = selection.fields  # the selection keeps its builders: neither is to keep the other
        self._layout = layout
        self._dialect = dialect
        self._leaves = leaves
        self._names: dict[str, Any] = {"absent": _absent}
        self._expressions: dict[str, str] = {}
        self._checked: list[tuple[int, object]] = []
        members: list[str] = []
        filled = 0
        for number, field in enumerate(selection.fields):
            if field.kind in INLINE:
                expression = self._inline(number, field)
                self._expressions[field.key] = expression
            else:
                expression, filled = f"c{filled}", filled + 1
            members.append(f"{field.key!r}: {expression}")
        self._filled = filled
        self._code = "{" + ", ".join(members) + "}"
        self._fast: dict[int, Build] = {}
        self._slow: dict[int, dict[str, Callable[..., Any]]] = {}

    def build(
        self, values: Sequence[Any], filled: Sequence[Sequence[Any]], fail: Fail
    ) -> list[dict[str, Any]]:
        """The output. What cannot be written is what `fail` makes of the error."""
        if not values:
            return []
        width = len(values[0]) if self._layout is not None else 0
        first = values[0]
        for place, kind in self._checked:
            if not first_fits(kind, first[place], self._dialect):
                break
        else:
            fast = self._fast.get(width)
            if fast is None:
                fast = self._fast[width] = self._compiled(width)
            try:
                return fast(values, filled)
            except (Exception, SystemExit):
                pass  # whatever it was, it is found again, with its place
        return self._one_by_one(values, filled, width, fail)

    def _compiled(self, width: int) -> Build:
        given = self._given(width)
        columns = [f"c{number}" for number in range(self._filled)]
        if columns:
            lists = ", ".join(f"filled[{number}]" for number in range(self._filled))
            loop = f"for {given}, {', '.join(columns)} in zip(values, {lists})"
        else:
            loop = f"for {given} in values"
        code = f"def build(values, filled):\n    return [{self._code} {loop}]"
        names = dict(self._names)
        exec(code, names)  # made of numbers, of names from declarations and of reprs of keys
        made: Build = names.pop("build")  # the names are its own: it would keep itself, and with it the plan
        return made

    def _given(self, width: int) -> str:
        if self._layout is None:
            return "o"
        return "(" + "".join(f"v{place}, " for place in range(width)) + ")"

    def _one_by_one(
        self, values: Sequence[Any], filled: Sequence[Sequence[Any]], width: int, fail: Fail
    ) -> list[dict[str, Any]]:
        single = self._slow.get(width)
        if single is None:
            parameters = self._given(width).strip("()")
            single = self._slow[width] = {
                key: eval(f"lambda {parameters}: {expression}", dict(self._names))  # as above
                for key, expression in self._expressions.items()
            }
        made: list[dict[str, Any]] = []
        for number, value in enumerate(values):
            row: dict[str, Any] = {}
            own = (column[number] for column in filled)
            for field in self._fields:
                if field.key in single:
                    row[field.key] = self._single(single[field.key], field, value, fail)
                else:
                    row[field.key] = next(own)
            made.append(row)
        return made

    def _single(self, function: Callable[..., Any], field: PlannedField, value: Any, fail: Fail) -> Any:
        try:
            if self._layout is None:
                return function(value)
            for place, kind in self._checked:
                if not first_fits(kind, value[place], self._dialect) and self._reads(field, place):
                    return self._leaves.writer(_leaf(field))(value[place])
            return function(*value)
        except _Absent:
            return fail(NullFailure(field.title))
        except STOPPING as error:
            return fail(Exited.by(error))
        except Exception as error:
            return fail(error)

    def _reads(self, field: PlannedField, place: int) -> bool:
        if not isinstance(field.declaration, Column) or self._layout is None or field.field is None:
            return False
        return self._layout.places[field.field.python_name] == place

    def _inline(self, number: int, field: PlannedField) -> str:
        match field.kind:
            case "typename":
                return repr(field.owner.name)
            case "column" if self._layout is not None:
                return self._column(number, field, self._layout)
            case "identity":
                if self._layout is not None and self._layout.source.key_type == "uuid":
                    self._checked.append((self._layout.places["id"], str))
                    self._names |= {"b64": b2a_base64, f"p{number}": f"{field.owner.name}:".encode()}
                    key = f"v{self._layout.places['id']}"
                    return f"b64(p{number} + {key}.encode(), newline=False).decode()"
                self._names[f"i{number}"] = id_encoder(field.owner.name)
                key = "o.id" if self._layout is None else self._read("id", number, self._layout)
                return f"i{number}({key})"
            case "computed":
                return self._computed(number, field)
            case _:
                assert field.field is not None
                return self._any(number, field, f"o.{field.field.python_name}")

    def _column(self, number: int, field: PlannedField, layout: Layout) -> str:
        assert field.field is not None
        attribute = field.field.python_name
        place = layout.places[attribute]
        kind = layout.source.columns[attribute][1]
        self._checked.append((place, kind))
        template, calls = self._leaves.column(_leaf(field), kind, self._dialect)
        for name, call in calls.items():
            self._names[f"{name}{number}"] = call
            template = re.sub(rf"\b{name}\b", f"{name}{number}", template)
        value = f"v{place}"
        expression = template.format(value, f"y{number}")
        absent = "absent()" if field.shape.required else "None"
        if expression == value and not field.shape.required:
            return value
        return f"({expression} if {value} is not None else {absent})"

    def _computed(self, number: int, field: PlannedField) -> str:
        declaration = field.declaration
        assert isinstance(declaration, Computed)
        self._names[f"f{number}"] = declaration.function
        if self._layout is None:
            given = [f"o.{need}" for need in declaration.needs]
        else:
            given = [
                self._read(need, f"{number}_{n}", self._layout) for n, need in enumerate(declaration.needs)
            ]
        return self._any(number, field, f"f{number}({', '.join(given)})")

    def _read(self, attribute: str, suffix: object, layout: Layout) -> str:
        """An attribute as a function gets it."""
        place = layout.places[attribute]
        decode = decoder(layout.source.columns[attribute][1], self._dialect)
        if decode is None:
            return f"v{place}"
        self._names[f"r{suffix}"] = decode
        return f"(None if v{place} is None else r{suffix}(v{place}))"

    def _any(self, number: int, field: PlannedField, value: str) -> str:
        """A value of which only the declaration says what it is."""
        self._names[f"w{number}"] = self._leaves.writer(_leaf(field))
        if not field.shape.required:
            return f"w{number}({value})"
        return f"(x{number} if (x{number} := w{number}({value})) is not None else absent())"


def _leaf(field: PlannedField) -> Any:
    if field.leaf is None:
        raise CompletionFailure(f"{field.title} is no leaf")
    return field.leaf
