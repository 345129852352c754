"""Input that structs do not take as it stands: what is right in it is read, what is wrong is told.

Both go down only where they must. Each part of a long list that is right costs what it costs anyway, so that
one wrong row among ten thousand does not hold everybody up.
"""

from collections.abc import Callable
from itertools import islice
from typing import Any

from graphql import (
    GraphQLError,
    GraphQLInputObjectType,
    GraphQLList,
    GraphQLNonNull,
    Undefined,
    is_required_input_field,
)
from graphql.pyutils import Path, did_you_mean, inspect, suggestion_list
from graphql.utilities import coerce_input_value
from graphql.utilities.coerce_input_value import coerce_default_value
from graphql.utilities.validate_input_value import validate_input_value_impl

from .input_types import InputTypes
from .leaves import fresh

MAX_UNKNOWN = 5
"""How many unknown members of one object are told; who sends more has mistaken the type."""

Report = Callable[[GraphQLError, list[str | int]], None]


def mended(types: InputTypes, value: Any, type_: Any) -> Any:
    """The inner form of a value, or `Undefined`. All types within it must be supported."""
    try:
        return types.read(value, type_)
    except Exception:  # whatever it is, the parts tell
        pass
    if isinstance(type_, GraphQLNonNull):
        type_ = type_.of_type
    if isinstance(type_, GraphQLList) and isinstance(value, list):
        found = []
        for item in value:
            found.append(mended(types, item, type_.of_type))
            if found[-1] is Undefined:
                return Undefined
        return found
    if isinstance(type_, GraphQLInputObjectType) and isinstance(value, dict):
        return _mended_object(types, value, type_)
    return Undefined if value is None else coerce_input_value(value, type_)


def _mended_object(types: InputTypes, value: dict[str, Any], type_: GraphQLInputObjectType) -> Any:
    if not value.keys() <= type_.fields.keys():
        return Undefined
    found: dict[str, Any] = {}
    for name, member in type_.fields.items():
        if name in value:
            inner = mended(types, value[name], member.type)
            if inner is Undefined:
                return Undefined
        elif is_required_input_field(member):
            return Undefined
        else:
            inner = fresh(coerce_default_value(member))
        if inner is not Undefined:
            found[name] = inner
    return found


class InputFaults:
    """Tells what is wrong in a value, in the words and the order of graphql-core."""

    def __init__(self, types: InputTypes, report: Report, hide_suggestions: bool) -> None:
        self._types = types
        self._report = report
        self._hide = hide_suggestions

    def tell(self, value: Any, type_: Any, path: Path | None = None) -> None:
        """Reports each fault in a value."""
        try:
            self._types.read(value, type_)
        except Exception:  # whatever it is, the parts tell
            pass
        else:
            return
        nullable = type_.of_type if isinstance(type_, GraphQLNonNull) else type_
        if isinstance(nullable, GraphQLList) and isinstance(value, list):
            for index, item in enumerate(value):
                self.tell(item, nullable.of_type, Path(path, index, None))
        elif isinstance(nullable, GraphQLInputObjectType) and isinstance(value, dict):
            self._tell_object(value, nullable, path)
        else:
            validate_input_value_impl(value, type_, self._report, self._hide, path)

    def _tell_object(self, value: dict[str, Any], type_: GraphQLInputObjectType, path: Path | None) -> None:
        found = ""
        for name, member in type_.fields.items():
            if name in value:
                self.tell(value[name], member.type, Path(path, name, type_.name))
            elif is_required_input_field(member):
                found = found or inspect(value)
                self._tell_shape(f"to include required field '{name}', found: {found}", type_, path)
        unknown = (name for name in value if name not in type_.fields)
        for name in islice(unknown, MAX_UNKNOWN):
            found = found or inspect(value)
            hint = "" if self._hide else did_you_mean(suggestion_list(name, list(type_.fields)))
            end = f".{hint} Found" if hint else ", found"
            self._tell_shape(f"not to include unknown field '{name}'{end}: {found}", type_, path)

    def _tell_shape(self, problem: str, type_: GraphQLInputObjectType, path: Path | None) -> None:
        error = GraphQLError(f"Expected value of type '{type_}' {problem}.")
        self._report(error, path.as_list() if path else [])
