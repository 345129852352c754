"""Generated code that makes the output of a level: one dict a row, written out for its selection.

    [{"id": …, "name": v1, "interactions": c0} for (v0, v1), c0 in zip(values, filled[0])]

A value that cannot be written, or a null where none may be, is left to the slow way: the same expressions one
by one, each failure standing in its field's place as a `Failure`.
"""

from collections.abc import Callable, Sequence
from types import MappingProxyType
from typing import Any

from .field_by_field import Fail, FieldByField, Filled
from .layouts import Layout
from .objects import Code, Object
from .plans import Selection
from .rows import Joined
from .sql import Dialect
from .writers import Leaves

Build = Callable[[Sequence[Any], Filled], list[dict[str, Any]]]
"""(rows or plain objects, values of the fields that were filled) → output."""


_NONE: Joined = MappingProxyType({})


class Builder:
    """Makes the output of a selection's objects: of rows of one layout, or of plain objects.

    `build(values, filled)` gives one dict each; `filled` has a list for each field of `Selection.filled`. Of
    fields that are `joined` it has those of the selections of their records, after all others.
    """

    def __init__(
        self,
        selection: Selection,
        layout: Layout | None,
        dialect: Dialect,
        leaves: Leaves,
        joined: Joined = _NONE,
    ) -> None:
        self._code = Code(dialect, leaves)
        self._object = Object(selection, layout, self._code, joined=joined)
        self._of_rows = layout is not None
        self._fast: dict[int, Build] = {}
        self._slow: FieldByField | None = None

    def build(self, values: Sequence[Any], filled: Filled, fail: Fail) -> list[dict[str, Any]]:
        """The output. What cannot be written is what `fail` makes of the error."""
        if not values:
            return []
        if self._code.fits(values):
            width = len(values[0]) if self._of_rows else 0
            fast = self._fast.get(width)
            if fast is None:
                fast = self._fast[width] = self._compiled(width)
            try:
                return fast(values, filled)
            except (Exception, SystemExit):
                pass  # whatever it was, it is found again, with its place
        slow = self._slow = self._slow or FieldByField(self._object)
        return [slow.made(value, filled, number, fail) for number, value in enumerate(values)]

    def _compiled(self, width: int) -> Build:
        given = "(" + "".join(f"v{place}, " for place in range(width)) + ")" if self._of_rows else "o"
        columns = range(self._code.columns)
        if columns:
            own, lists = (", ".join(map(one.format, columns)) for one in ("c{}", "filled[{}]"))
            loop = f"for {given}, {own} in zip(values, {lists})"
        else:
            loop = f"for {given} in values"
        code = f"def build(values, filled):\n    return [{self._object.text} {loop}]"
        names = dict(self._code.names)
        exec(code, names)  # made of numbers, of names from declarations and of reprs of keys
        made: Build = names.pop("build")  # the names are its own: it would keep itself, and with it the plan
        return made


_MOST = 16
"""Functions choose what they read besides: builders of one selection, kept at a time."""


def builder_of(
    selection: Selection, layout: Layout | None, dialect: Dialect, leaves: Leaves, joined: Joined = _NONE
) -> Builder:
    """What builds the output of such rows, or of plain objects; kept with the selection."""
    goes_by = (layout, dialect, joined)
    known = selection.recent.of(goes_by)
    if known is not None:
        return known
    key = (layout.attributes if layout is not None else None, dialect, *joined)
    found = selection.builders.get(key)
    if found is None:
        if len(selection.builders) >= _MOST:
            selection.builders.clear()
        found = selection.builders[key] = Builder(selection, layout, dialect, leaves, joined)
    return selection.recent.keep(goes_by, found)
