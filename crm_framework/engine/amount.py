"""How many objects an answer has. A record that many lead to is one object in memory, written out at each."""

from collections.abc import Mapping
from typing import Any

import orjson

from .plans import PlannedField, Selection


class Amount:
    """Counts objects as they will be written, in time linear in those that there are.

    `chosen` says of objects that could have been of several types what was selected of them, by their `id()`,
    and `sizes` of JSON texts how many objects they have, if not one.
    """

    def __init__(self, chosen: Mapping[int, Selection], sizes: Mapping[int, int]) -> None:
        self._chosen = chosen
        self._sizes = sizes
        self._known: dict[int, int] = {}

    def of(self, field: PlannedField, value: Any) -> int:
        """The number of objects in a field's value, which must stay as it is meanwhile."""
        if not isinstance(value, list | dict):
            return self._sizes.get(id(value), 1) if isinstance(value, orjson.Fragment) else 0
        found = self._known.get(id(value))
        if found is None:
            found = self._known[id(value)] = self._counted(field, value)
        return found

    def _counted(self, field: PlannedField, value: list[Any] | dict[str, Any]) -> int:
        if isinstance(value, list):
            return sum(self.of(field, item) for item in value)
        target = field.target
        selection = target if isinstance(target, Selection) else self._chosen[id(value)]
        return 1 + sum(self.of(each, value[each.key]) for each in selection.filled if each.target is not None)
