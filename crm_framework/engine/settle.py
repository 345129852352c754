"""Failures and what becomes of them: nulls that go up to where one may be, each with one error.

Fields that fail hold a `Failure` in the output. Only when there is one is the output walked through, with the
plan beside it: the path of an error is where the walk stands. Of several failures that null one object the
first in the order of the response is told, and none below a position that is null because of another.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from graphql import GraphQLError, located_error

from .errors import FieldFailure, NullFailure
from .plans import PlannedField, Selection, Shape

Path = tuple[str | int, ...]


class Failure:
    """Stands in the output for a value that could not be had."""

    __slots__ = ("error",)

    def __init__(self, error: BaseException) -> None:
        self.error = error


class _Raised:
    """An error on its way up to a position that may be null."""

    __slots__ = ("error",)

    def __init__(self, error: GraphQLError) -> None:
        self.error = error


class Settlement:
    """The walk. `errors` are those to tell, in the order of the response.

    `chosen` says of objects that could have been of several types what was selected of them, by their `id()`.
    """

    def __init__(self, chosen: Mapping[int, Selection]) -> None:
        self.errors: list[GraphQLError] = []
        self._chosen = chosen

    def root(self, selection: Selection, output: dict[str, Any]) -> dict[str, Any] | None:
        """The data; `None` where not even the operation as a whole may be null."""
        settled = self._object(selection, output, ())
        if isinstance(settled, _Raised):
            self.errors.append(settled.error)
            return None
        return settled

    def _object(self, selection: Selection, output: dict[str, Any], path: Path) -> dict[str, Any] | _Raised:
        settled: dict[str, Any] = {}
        before = len(self.errors)
        for field in selection.fields:
            if field.key not in output:
                continue  # a mutation that was not run, as one before it failed
            value = self._value(field, field.shape, output[field.key], (*path, field.key))
            if isinstance(value, _Raised):
                del self.errors[before:]
                return value
            settled[field.key] = value
        return settled

    def _value(self, field: PlannedField, shape: Shape, value: Any, path: Path) -> Any:
        found: Any
        if isinstance(value, Failure):
            found = _Raised(_located(value.error, field, path))
        elif value is None:
            missing = NullFailure(field.title)
            found = _Raised(_located(missing, field, path)) if shape.required else None
        elif shape.item is not None and isinstance(value, list):
            found = self._list(field, shape.item, value, path)
        elif isinstance(value, dict) and field.target is not None:
            target = field.target
            selection = target if isinstance(target, Selection) else self._chosen[id(value)]
            found = self._object(selection, value, path)
        else:
            found = value
        if isinstance(found, _Raised) and not shape.required:
            self.errors.append(found.error)
            return None
        return found

    def _list(self, field: PlannedField, shape: Shape, values: Sequence[Any], path: Path) -> Any:
        settled: list[Any] = []
        before = len(self.errors)
        for number, value in enumerate(values):
            item = self._value(field, shape, value, (*path, number))
            if isinstance(item, _Raised):
                del self.errors[before:]
                return item
            settled.append(item)
        return settled


def _located(error: BaseException, field: PlannedField, path: Path) -> GraphQLError:
    original = error if isinstance(error, Exception) else FieldFailure(error)
    return located_error(original, field.nodes, list(path))
