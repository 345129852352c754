"""What makes the object of one selection from a row, or from a plain object: an expression.

    {"id": …, "name": v1, "interactions": c0, "account": ({"balance": v5} if v4 is not None else None)}

A row's values are `v0`, `v1` …, a plain object is `o`. Records that were read with a row follow in it, and
their objects are written out within. What other fields lead to was found before, for all rows at once: `c0`,
`c1` … are this row's.
"""

import re
from binascii import b2a_base64
from collections.abc import Collection, Sequence
from itertools import count
from types import MappingProxyType
from typing import Any, NamedTuple

from .decode import decoder
from .errors import CompletionFailure
from .fields import Computed
from .ids import id_encoder
from .layouts import Layout
from .plans import INLINE, PlannedField, Selection
from .rows import Joined
from .sql import Dialect
from .writers import Leaves, first_fits, sure_types


class Absent(Exception):
    """A null where none may be: for the slow way."""


def _absent() -> Any:
    raise Absent


class Checked(NamedTuple):
    """A value that has to be of the type of this kind of column; of the types `sure` it certainly fits."""

    place: int
    kind: object
    sure: Collection[type]


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
        self.checked: dict[int, list[Checked]] = {}
        """Where a record begins → which of its values are taken to be of the type of their column."""
        self._numbers = count()

    def number(self) -> int:
        """One for the names in one more expression."""
        return next(self._numbers)

    def fits(self, rows: Sequence[Any]) -> bool:
        """Whether the first values that the driver gave are of the types that they are taken to have."""
        for begin, checked in self.checked.items():
            for row in rows:
                if row[begin] is not None:
                    for place, kind, sure in checked:
                        value = row[place]
                        if type(value) not in sure and not first_fits(kind, value, self.dialect):
                            return False
                    break
        return True

    def check(self, begin: int, place: int, kind: object) -> None:
        """Takes a value of the record that begins there to be of the type of this kind of column."""
        sure = sure_types(kind, self.dialect)
        if sure is not None:
            self.checked.setdefault(begin, []).append(Checked(place, kind, sure))

    def column(self) -> int:
        """The number of one more list."""
        self.columns += 1
        return self.columns - 1


class Object:
    """The object of what begins at `begin` in rows of a layout, or without one of a plain object.

    By the fields' keys: `inline` has expressions over the object itself, `columns` the numbers of lists, and
    `within` what was read with the row.
    """

    def __init__(
        self,
        selection: Selection,
        layout: Layout | None,
        code: Code,
        begin: int = 0,
        joined: Joined = MappingProxyType({}),
    ) -> None:
        self.fields = selection.fields  # the selection keeps its builders: neither is to keep the other
        self.layout = layout
        self.code = code
        self.begin = begin
        if layout is not None:
            code.width = max(code.width, begin + layout.width)
        self.inline = {
            field.key: self._expression(code.number(), field) for field in self.fields if field.kind in INLINE
        }
        self.columns = {field.key: code.column() for field in selection.filled if field not in joined}
        self.within = {field.key: Within(field, code, at.begin) for field, at in joined.items()}

    @property
    def text(self) -> str:
        """The expression."""
        return "{" + ", ".join(f"{field.key!r}: {self._member(field)}" for field in self.fields) + "}"

    def _member(self, field: PlannedField) -> str:
        if field.key in self.inline:
            return self.inline[field.key]
        if field.key in self.columns:
            return f"c{self.columns[field.key]}"
        return self.within[field.key].text

    def _expression(self, number: int, field: PlannedField) -> str:
        names = self.code.names
        match field.kind:
            case "typename":
                return repr(field.owner.name)
            case "column" if self.layout is not None:
                return self._column(number, field, self.layout)
            case "identity":
                if self.layout is not None and self.layout.source.key_type == "uuid":
                    key = self._place("id", self.layout)
                    self.code.check(self.begin, key, str)
                    names |= {"b64": b2a_base64, f"p{number}": f"{field.owner.name}:".encode()}
                    return f"b64(p{number} + v{key}.encode(), newline=False).decode()"
                names[f"i{number}"] = id_encoder(field.owner.name)
                given = "o.id" if self.layout is None else self._read("id", number, self.layout)
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
        self.code.check(self.begin, place, kind)
        template, calls = self.code.leaves.column(leaf_of(field), kind, self.code.dialect)
        for name, call in calls.items():
            self.code.names[f"{name}{number}"] = call
            template = re.sub(rf"\b{name}\b", f"{name}{number}", template)
        value = f"v{place}"
        expression = template.format(value, f"y{number}")
        if expression == value and not field.shape.required:
            return value
        return f"({expression} if {value} is not None else {_nothing(field)})"

    def _computed(self, number: int, field: PlannedField) -> str:
        declaration = field.declaration
        assert isinstance(declaration, Computed)
        self.code.names[f"f{number}"] = declaration.function
        if self.layout is None:
            given = [f"o.{need}" for need in declaration.needs]
        else:
            given = [
                self._read(need, f"{number}_{n}", self.layout) for n, need in enumerate(declaration.needs)
            ]
        return self._any(number, field, f"f{number}({', '.join(given)})")

    def _place(self, attribute: str, layout: Layout) -> int:
        return self.begin + layout.places[attribute]

    def _read(self, attribute: str, suffix: object, layout: Layout) -> str:
        """An attribute as a function gets it."""
        value = f"v{self._place(attribute, layout)}"
        decode = decoder(layout.source.columns[attribute][1], self.code.dialect)
        if decode is None:
            return value
        self.code.names[f"r{suffix}"] = decode
        return f"(None if {value} is None else r{suffix}({value}))"

    def _any(self, number: int, field: PlannedField, value: str) -> str:
        """A value of which only the declaration says what it is."""
        self.code.names[f"w{number}"] = self.code.leaves.writer(leaf_of(field))
        if not field.shape.required:
            return f"w{number}({value})"
        return f"(x{number} if (x{number} := w{number}({value})) is not None else absent())"


class Within:
    """What a field shows of the record that was read with each row: its object, or a page of it alone."""

    def __init__(self, field: PlannedField, code: Code, begin: int) -> None:
        self.field = field
        self.begin = begin
        self.objects = {
            part.key: Object(part.selection, field.reading.layout, code, begin) for part in records_of(field)
        }

    @property
    def text(self) -> str:
        there = f"if v{self.begin} is not None else"
        if not self.field.pages:
            [one] = self.objects.values()
            return f"({one.text} {there} {_nothing(self.field)})"
        members = (
            f"{part.key!r}: {part.owner.name!r}"
            if part.kind == "typename"
            else f"{part.key!r}: [{self.objects[part.key].text}] {there} []"
            for part in self.field.selection.fields
        )
        return "{" + ", ".join(members) + "}"


def records_of(field: PlannedField) -> Sequence[PlannedField]:
    """The fields that select of the record of a joined field: itself, or those of its pages, which show
    nothing but records.
    """
    return [part for part in field.selection.fields if part.kind != "typename"] if field.pages else (field,)


def _nothing(field: PlannedField) -> str:
    return "absent()" if field.shape.required else "None"


def leaf_of(field: PlannedField) -> Any:
    """The type of a leaf's values."""
    if field.leaf is None:
        raise CompletionFailure(f"{field.title} is no leaf")
    return field.leaf
