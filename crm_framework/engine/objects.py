"""What makes the object of one selection from a row, or from a plain object: an expression.

    {"id": …, "name": v1, "interactions": c0, "account": ({"balance": v5} if v4 is not None else None)}

A row's values are `v0`, `v1` …, a plain object is `o`. Records that were read with a row follow in it, and
their objects are written out within. What other fields lead to was found before, for all rows at once: `c0`,
`c1` … are this row's.
"""

import re
from binascii import b2a_base64
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from itertools import count
from types import MappingProxyType
from typing import Any

from .declarations import Column
from .decode import decoder
from .errors import STOPPING, CompletionFailure, Exited, NullFailure
from .fields import Computed
from .ids import id_encoder
from .layouts import Layout
from .plans import INLINE, PlannedField, Selection
from .rows import Joined
from .sql import Dialect
from .writers import Leaves, first_fits

Filled = Sequence[Sequence[Any]]
"""`c0`, `c1` … of all rows."""
Fail = Callable[[BaseException], Any]


class _Absent(Exception):
    """A null where none may be: for the slow way."""


def _absent() -> Any:
    raise _Absent


class Code:
    """What the expression of an object shares with those of the objects within it.

    `names` has what they call, `width` is how many values of a row they know, `columns` how many lists of
    other values they take.
    """

    def __init__(self, dialect: Dialect, leaves: Leaves) -> None:
        self.dialect = dialect
        self.leaves = leaves
        self.names: dict[str, Any] = {"absent": _absent}
        self.width = 0
        self.columns = 0
        self.checked: dict[int, list[tuple[int, object]]] = {}
        """Where a record begins → which of its values are taken to be of the type of what kind of column."""
        self._numbers = count()

    def number(self) -> int:
        """One for the names in one more expression."""
        return next(self._numbers)

    def fits(self, rows: Sequence[Any]) -> bool:
        """Whether the first values that the driver gave are of the types that they are taken to have."""
        for begin, checked in self.checked.items():
            first = next((row for row in rows if row[begin] is not None), None) if checked else None
            if first is not None:
                for place, kind in checked:
                    if not first_fits(kind, first[place], self.dialect):
                        return False
        return True

    def column(self) -> int:
        """The number of one more list."""
        self.columns += 1
        return self.columns - 1


class Object:
    """The object of what begins at `begin` in rows of a layout, or without one of a plain object."""

    def __init__(
        self,
        selection: Selection,
        layout: Layout | None,
        code: Code,
        begin: int = 0,
        joined: Joined = MappingProxyType({}),
    ) -> None:
        self._fields = selection.fields  # the selection keeps its builders: neither is to keep the other
        self._layout = layout
        self._code = code
        self._begin = begin
        self._checked = code.checked.setdefault(begin, [])
        if layout is not None:
            code.width = max(code.width, begin + layout.width)
        self._inline = {
            field.key: self._expression(code.number(), field)
            for field in self._fields
            if field.kind in INLINE
        }
        self._columns = {field.key: code.column() for field in selection.filled if field not in joined}
        self._within = {field.key: _Within(field, code, at.begin) for field, at in joined.items()}

    @property
    def text(self) -> str:
        """The expression."""
        return "{" + ", ".join(f"{field.key!r}: {self._member(field)}" for field in self._fields) + "}"

    def _member(self, field: PlannedField) -> str:
        if field.key in self._inline:
            return self._inline[field.key]
        if field.key in self._columns:
            return f"c{self._columns[field.key]}"
        return self._within[field.key].text

    def of(self, row: Any, filled: Filled, number: int, fail: Fail) -> dict[str, Any]:
        """The object of the row of this number, field by field. What cannot be written is what `fail` makes
        of the error.
        """
        made: dict[str, Any] = {}
        for field in self._fields:
            if field.key in self._inline:
                made[field.key] = self._single(field, row, fail)
            elif field.key in self._columns:
                made[field.key] = filled[self._columns[field.key]][number]
            else:
                made[field.key] = self._within[field.key].of(row, filled, number, fail)
        return made

    def _single(self, field: PlannedField, row: Any, fail: Fail) -> Any:
        function = self._functions[field.key]
        try:
            if self._layout is None:
                return function(row)
            for place, kind in self._checked:
                if not first_fits(kind, row[place], self._code.dialect) and self._reads(field, place):
                    return self._code.leaves.writer(_leaf(field))(row[place])
            return function(*row)
        except _Absent:
            return fail(NullFailure(field.title))
        except STOPPING as error:
            return fail(Exited.by(error))
        except Exception as error:
            return fail(error)

    @cached_property
    def _functions(self) -> Mapping[str, Callable[..., Any]]:
        given = (
            "o"
            if self._layout is None
            else "".join(f"v{place}, " for place in range(self._code.width)) + "*_"
        )
        return {
            key: eval(
                f"lambda {given}: {expression}", dict(self._code.names)
            )  # made of numbers, of names from declarations and of reprs of keys
            for key, expression in self._inline.items()
        }

    def _reads(self, field: PlannedField, place: int) -> bool:
        if not isinstance(field.declaration, Column) or self._layout is None or field.field is None:
            return False
        return self._begin + self._layout.places[field.field.python_name] == place

    def _expression(self, number: int, field: PlannedField) -> str:
        names = self._code.names
        match field.kind:
            case "typename":
                return repr(field.owner.name)
            case "column" if self._layout is not None:
                return self._column(number, field, self._layout)
            case "identity":
                if self._layout is not None and self._layout.source.key_type == "uuid":
                    key = self._place("id", self._layout)
                    self._checked.append((key, str))
                    names |= {"b64": b2a_base64, f"p{number}": f"{field.owner.name}:".encode()}
                    return f"b64(p{number} + v{key}.encode(), newline=False).decode()"
                names[f"i{number}"] = id_encoder(field.owner.name)
                given = "o.id" if self._layout is None else self._read("id", number, self._layout)
                return f"i{number}({given})"
            case "computed":
                return self._computed(number, field)
            case _:
                assert field.field is not None
                return self._any(number, field, f"o.{field.field.python_name}")

    def _column(self, number: int, field: PlannedField, layout: Layout) -> str:
        assert field.field is not None
        attribute = field.field.python_name
        place = self._place(attribute, layout)
        kind = layout.source.columns[attribute][1]
        self._checked.append((place, kind))
        template, calls = self._code.leaves.column(_leaf(field), kind, self._code.dialect)
        for name, call in calls.items():
            self._code.names[f"{name}{number}"] = call
            template = re.sub(rf"\b{name}\b", f"{name}{number}", template)
        value = f"v{place}"
        expression = template.format(value, f"y{number}")
        if expression == value and not field.shape.required:
            return value
        return f"({expression} if {value} is not None else {_nothing(field)})"

    def _computed(self, number: int, field: PlannedField) -> str:
        declaration = field.declaration
        assert isinstance(declaration, Computed)
        self._code.names[f"f{number}"] = declaration.function
        if self._layout is None:
            given = [f"o.{need}" for need in declaration.needs]
        else:
            given = [
                self._read(need, f"{number}_{n}", self._layout) for n, need in enumerate(declaration.needs)
            ]
        return self._any(number, field, f"f{number}({', '.join(given)})")

    def _place(self, attribute: str, layout: Layout) -> int:
        return self._begin + layout.places[attribute]

    def _read(self, attribute: str, suffix: object, layout: Layout) -> str:
        """An attribute as a function gets it."""
        value = f"v{self._place(attribute, layout)}"
        decode = decoder(layout.source.columns[attribute][1], self._code.dialect)
        if decode is None:
            return value
        self._code.names[f"r{suffix}"] = decode
        return f"(None if {value} is None else r{suffix}({value}))"

    def _any(self, number: int, field: PlannedField, value: str) -> str:
        """A value of which only the declaration says what it is."""
        self._code.names[f"w{number}"] = self._code.leaves.writer(_leaf(field))
        if not field.shape.required:
            return f"w{number}({value})"
        return f"(x{number} if (x{number} := w{number}({value})) is not None else absent())"


class _Within:
    """What a field shows of the record that was read with each row: its object, or a page of it alone."""

    def __init__(self, field: PlannedField, code: Code, begin: int) -> None:
        self._field = field
        self._begin = begin
        self._objects = {
            part.key: Object(part.selection, field.reading.layout, code, begin) for part in records_of(field)
        }

    @property
    def text(self) -> str:
        there = f"if v{self._begin} is not None else"
        if not self._field.pages:
            [one] = self._objects.values()
            return f"({one.text} {there} {_nothing(self._field)})"
        members = (
            f"{part.key!r}: {part.owner.name!r}"
            if part.kind == "typename"
            else f"{part.key!r}: [{self._objects[part.key].text}] {there} []"
            for part in self._field.selection.fields
        )
        return "{" + ", ".join(members) + "}"

    def of(self, row: Any, filled: Filled, number: int, fail: Fail) -> Any:
        made = {}
        if row[self._begin] is not None:
            made = {key: one.of(row, filled, number, fail) for key, one in self._objects.items()}
        if self._field.pages:
            return {
                part.key: part.owner.name if part.kind == "typename" else [made[part.key]] if made else []
                for part in self._field.selection.fields
            }
        if made or not self._field.shape.required:
            return made.get(self._field.key)
        return fail(NullFailure(self._field.title))


def records_of(field: PlannedField) -> Sequence[PlannedField]:
    """The fields that select of the record of a joined field: itself, or those of its pages, which show
    nothing but records.
    """
    return [part for part in field.selection.fields if part.kind != "typename"] if field.pages else (field,)


def _nothing(field: PlannedField) -> str:
    return "absent()" if field.shape.required else "None"


def _leaf(field: PlannedField) -> Any:
    if field.leaf is None:
        raise CompletionFailure(f"{field.title} is no leaf")
    return field.leaf
