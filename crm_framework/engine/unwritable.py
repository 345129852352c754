"""Values that passed as their type's, and that JSON has no text for, such as half a surrogate pair.

An answer is written as a whole, and nothing looks at its values before. Only one that could not be written is
walked through, down to the values that hold it up: each fails its field, as any that its type does not have.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import orjson
from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLError,
    GraphQLList,
    GraphQLNonNull,
    GraphQLSchema,
    OperationDefinitionNode,
    SelectionSetNode,
    get_named_type,
    is_composite_type,
    located_error,
)

from .errors import CompletionFailure
from .failures import Failures

Path = tuple[str | int, ...]


class Origin(NamedTuple):
    """The operation that a result is of, and what shows its errors."""

    schema: GraphQLSchema
    document: DocumentNode
    operation: OperationDefinitionNode
    failures: Failures


def without_unwritable(
    origin: Origin, output: dict[str, Any], errors: Iterable[dict[str, Any]]
) -> tuple[dict[str, Any] | None, list[dict[str, Any]]]:
    """The output with null for what cannot be written, or for what may be null above it; and all errors.

    Of an error at a place that is null now nothing is told any longer.
    """
    walk = _Walk()
    data: dict[str, Any] | None
    try:
        data = walk.object(_selected(origin), output, ())
    except _Unwritable as fault:
        data, walk.nulled, walk.errors = None, [()], [fault.error]
    kept = [error for error in errors if not any(_is_within(error, place) for place in walk.nulled)]
    return data, [*kept, *map(origin.failures.shown, walk.errors)]


@dataclass
class _Selected:
    """One field of the response. It may be written several times, in types of which an object is one; of all
    of them GraphQL wants the same lists, and nulls at the same places.
    """

    schema: GraphQLSchema
    fragments: Mapping[str, FragmentDefinitionNode]
    written: list[tuple[Any, FieldNode]]

    @cached_property
    def type(self) -> Any:
        return self._type_of(*self.written[0])

    @property
    def title(self) -> str:
        owner, node = self.written[0]
        return f"{owner.name}.{node.name.value}"

    @cached_property
    def fields(self) -> dict[str, "_Selected"]:
        """What is selected of its objects, by key."""
        sets = [(get_named_type(self._type_of(*one)), one[1].selection_set) for one in self.written]
        return _fields(self.schema, self.fragments, sets)

    def _type_of(self, owner: Any, node: FieldNode) -> Any:
        field = self.schema.get_field(owner, node.name.value)
        assert field is not None  # the document is valid
        return field.type


def _selected(origin: Origin) -> dict[str, _Selected]:
    found = (node for node in origin.document.definitions if isinstance(node, FragmentDefinitionNode))
    fragments = {node.name.value: node for node in found}
    root = origin.schema.get_root_type(origin.operation.operation)
    return _fields(origin.schema, fragments, [(root, origin.operation.selection_set)])


def _fields(
    schema: GraphQLSchema,
    fragments: Mapping[str, FragmentDefinitionNode],
    sets: Iterable[tuple[Any, SelectionSetNode | None]],
) -> dict[str, _Selected]:
    found: dict[str, _Selected] = {}
    seen: set[str] = set()

    def collect(owner: Any, selections: SelectionSetNode | None) -> None:
        for node in selections.selections if selections is not None else ():
            if isinstance(node, FieldNode):
                key = (node.alias or node.name).value
                found.setdefault(key, _Selected(schema, fragments, [])).written.append((owner, node))
                continue
            within: Any = node
            if isinstance(node, FragmentSpreadNode):
                name = node.name.value
                if name in seen:
                    continue
                seen.add(name)
                within = fragments[name]
            of = within.type_condition
            collect(owner if of is None else schema.type_map[of.name.value], within.selection_set)

    for owner, selections in sets:
        collect(owner, selections)
    return found


class _Unwritable(Exception):
    """On its way up to a place that may be null."""

    def __init__(self, error: GraphQLError) -> None:
        self.error = error


class _Walk:
    """`errors` of the places in `nulled`."""

    def __init__(self) -> None:
        self.errors: list[GraphQLError] = []
        self.nulled: list[Path] = []
        self._causes: dict[str, CompletionFailure] = {}

    def object(self, selected: Mapping[str, _Selected], output: dict[str, Any], path: Path) -> dict[str, Any]:
        return {
            key: self._value(selected[key], selected[key].type, value, (*path, key))
            for key, value in output.items()
        }

    def _value(self, field: _Selected, type_: Any, value: Any, path: Path) -> Any:
        problem = _problem(value, len(path))
        if problem is None:
            return value
        if isinstance(type_, GraphQLNonNull):
            return self._within(field, type_.of_type, value, path, problem)
        before = len(self.errors)
        try:
            return self._within(field, type_, value, path, problem)
        except _Unwritable as fault:
            self.errors[before:], self.nulled[before:] = [fault.error], [path]
            return None

    def _within(self, field: _Selected, type_: Any, value: Any, path: Path, problem: str) -> Any:
        if isinstance(type_, GraphQLList) and isinstance(value, list):
            return [self._value(field, type_.of_type, one, (*path, n)) for n, one in enumerate(value)]
        if is_composite_type(type_) and isinstance(value, dict):
            return self.object(field.fields, value, path)
        cause = self._causes.setdefault(  # one, so that the log has it once
            field.title, CompletionFailure(f"{field.title} gave what cannot be written as JSON: {problem}")
        )
        raise _Unwritable(located_error(cause, [node for _, node in field.written], list(path)))


def _problem(value: Any, depth: int) -> str | None:
    """Why a value cannot be written so deep within an answer; `None` if it can be."""
    for _ in range(1 + depth):
        value = (value,)
    try:
        orjson.dumps(value)
    except TypeError as error:
        return str(error)
    return None


def _is_within(error: dict[str, Any], place: Path) -> bool:
    return tuple(error.get("path") or ())[: len(place)] == place
