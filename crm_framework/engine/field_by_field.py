"""The slow way to make the object of a selection: each field by itself, and in the place of one that fails
what stands for it.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from .declarations import Column
from .errors import STOPPING, Exited, NullFailure
from .objects import Absent, Object, Within, leaf_of
from .plans import PlannedField
from .writers import first_fits

Filled = Sequence[Sequence[Any]]
"""`c0`, `c1` … of all rows."""
Fail = Callable[[BaseException], Any]


class FieldByField:
    """Makes what an `Object` has an expression for."""

    def __init__(self, written: Object) -> None:
        self._written = written
        self._checked = written.code.checked.get(written.begin, ())
        given = "o"
        if written.layout is not None:
            given = "".join(f"v{place}, " for place in range(written.code.width)) + "*_"
        self._functions: Mapping[str, Callable[..., Any]] = {
            key: eval(
                f"lambda {given}: {expression}", dict(written.code.names)
            )  # made of numbers, of names from declarations and of reprs of keys
            for key, expression in written.inline.items()
        }
        self._within = {key: _Within(one) for key, one in written.within.items()}

    def made(self, row: Any, filled: Filled, number: int, fail: Fail) -> dict[str, Any]:
        """The object of the row of this number. What cannot be written is what `fail` makes of the error."""
        made: dict[str, Any] = {}
        for field in self._written.fields:
            if field.key in self._functions:
                made[field.key] = self._single(field, row, fail)
            elif field.key in self._within:
                made[field.key] = self._within[field.key].made(row, filled, number, fail)
            else:
                made[field.key] = filled[self._written.columns[field.key]][number]
        return made

    def _single(self, field: PlannedField, row: Any, fail: Fail) -> Any:
        function, code = self._functions[field.key], self._written.code
        try:
            if self._written.layout is None:
                return function(row)
            for place, kind, _ in self._checked:
                if not first_fits(kind, row[place], code.dialect) and self._reads(field, place):
                    return code.leaves.writer(leaf_of(field))(row[place])
            return function(*row)
        except Absent:
            return fail(NullFailure(field.title))
        except STOPPING as error:
            return fail(Exited.by(error))
        except Exception as error:
            return fail(error)

    def _reads(self, field: PlannedField, place: int) -> bool:
        layout = self._written.layout
        if not isinstance(field.declaration, Column) or layout is None or field.field is None:
            return False
        return self._written.begin + layout.places[field.field.python_name] == place


class _Within:
    """What a field shows of the record that was read with each row."""

    def __init__(self, written: Within) -> None:
        self._field = written.field
        self._begin = written.begin
        self._objects = {key: FieldByField(one) for key, one in written.objects.items()}

    def made(self, row: Any, filled: Filled, number: int, fail: Fail) -> Any:
        made = {}
        if row[self._begin] is not None:
            made = {key: one.made(row, filled, number, fail) for key, one in self._objects.items()}
        if self._field.pages:
            return {
                part.key: part.owner.name if part.kind == "typename" else [made[part.key]] if made else []
                for part in self._field.selection.fields
            }
        if made or not self._field.shape.required:
            return made.get(self._field.key)
        return fail(NullFailure(self._field.title))
