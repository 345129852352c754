"""How much a document asks for, found in time linear in its text, before anything costlier looks at it.

A fragment is measured once and counted wherever it is spread. The stock rules walk it again at each spread,
which a few hundred bytes of nested fragments turn into seconds.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLError,
    InlineFragmentNode,
    OperationDefinitionNode,
    SelectionSetNode,
)

from .context import Limits
from .errors import InvalidDocument, RequestError

_INTROSPECTION = ("__schema", "__type")
_INTROSPECTED_LISTS = ("fields", "interfaces", "possibleTypes", "inputFields")
_MAX_INTROSPECTED_LISTS = 2
"""How often the lists of `__schema` may be nested; each nesting multiplies the answer by the schema's size.
"""


MAX_UNUSED = 5
"""How many fragments that are never used are told of."""

_MAX_PLACE = 200
"""Characters of the way to a value that are shown."""


@dataclass
class _Size:
    """What a selection asks for, with its fragments written out."""

    depth: int = 0
    fields: int = 0
    aliases: int = 0
    lists: int = 0
    """Nested lists of introspection."""

    def add(self, other: "_Size") -> None:
        self.depth = max(self.depth, other.depth)
        self.fields += other.fields
        self.aliases += other.aliases
        self.lists = max(self.lists, other.lists)


_BEGUN = _Size()


def are_few(variables: Mapping[str, Any], most: int) -> bool:
    """Whether there are no more than that many values, found without looking at many more than that."""
    waiting: list[Any] = [variables]
    found = 0
    while waiting:
        value = waiting.pop()
        found += len(value)
        if found > most:
            return False
        inner = value if isinstance(value, list) else value.values()
        waiting += [each for each in inner if isinstance(each, list | dict)]
    return True


def check_variables(variables: Mapping[str, Any], limits: Limits) -> None:
    """Raises `RequestError` TOO_COMPLEX for a list or an object with too many values, or too many in all."""
    try:
        left = limits.max_values
        for name, value in variables.items():
            if isinstance(value, list | dict):
                left = _counted(value, limits, (f"${name}",), left)
    except RecursionError:
        raise RequestError("TOO_COMPLEX", "the variables are nested too deeply to be read") from None


def _counted(value: list[Any] | dict[str, Any], limits: Limits, path: tuple[Any, ...], left: int) -> int:
    """How many values there may still be."""
    found = len(value)
    left -= found
    if isinstance(value, list):
        if found > limits.max_list_items:
            raise RequestError(
                "TOO_COMPLEX",
                f"the list {_place(path)} has {found} items; at most {limits.max_list_items} are"
                " allowed. Send them in parts",
            )
    elif found > limits.max_members:
        raise RequestError(
            "TOO_COMPLEX",
            f"the object {_place(path)} has {found} members; at most {limits.max_members} are allowed",
        )
    if left < 0:
        raise RequestError(
            "TOO_COMPLEX",
            f"the variables have more than {limits.max_values} values in all. Send them in parts",
        )
    for name, inner in enumerate(value) if isinstance(value, list) else value.items():
        if isinstance(inner, list | dict):
            left = _counted(inner, limits, (*path, name), left)
    return left


def _place(path: tuple[Any, ...]) -> str:
    shown = ".".join(map(str, path))
    return shown if len(shown) <= _MAX_PLACE else f"{shown[:_MAX_PLACE]}…"


def check_limits(document: DocumentNode, limits: Limits) -> None:
    """Raises `RequestError` TOO_COMPLEX, naming the limit, for a document that asks for too much, and
    `InvalidDocument` for one with fragments that nothing spreads.
    """
    fragments = {
        node.name.value: node for node in document.definitions if isinstance(node, FragmentDefinitionNode)
    }
    sizes: dict[str, _Size] = {}
    total = _Size()
    operations = [node for node in document.definitions if isinstance(node, OperationDefinitionNode)]
    for operation in operations:
        total.add(_measure(operation.selection_set, fragments, sizes))
    unused = [node for name, node in fragments.items() if name not in sizes]
    if unused:
        # validation would find them too, but only after it has compared all fields in them with each other
        told = unused[:MAX_UNUSED]
        raise InvalidDocument(
            [GraphQLError(f"Fragment '{node.name.value}' is never used.", node) for node in told]
        )
    for found, limit, what in (
        (total.depth, limits.max_depth, "levels deep"),
        (total.fields, limits.max_fields, "fields"),
        (total.aliases, limits.max_aliases, "aliases"),
    ):
        if found > limit:
            raise _too_much(f"the document is {found} {what}", f"{limit} are allowed, fragments written out")
    # the fields are few enough now, fragments written out, to look at each
    for operation in operations:
        _check_repeats([operation.selection_set], fragments, limits.max_repeats)


def _measure(
    selections: SelectionSetNode, fragments: dict[str, FragmentDefinitionNode], sizes: dict[str, _Size]
) -> _Size:
    size = _Size()
    for node in selections.selections:
        if isinstance(node, FieldNode):
            below = _measure(node.selection_set, fragments, sizes) if node.selection_set else _Size()
            name = node.name.value
            lists = below.lists + (name in _INTROSPECTED_LISTS)
            if name in _INTROSPECTION and lists > _MAX_INTROSPECTED_LISTS:
                raise _too_much(
                    "introspection nests its lists", f"{_MAX_INTROSPECTED_LISTS} levels are allowed"
                )
            size.add(
                _Size(below.depth + 1, below.fields + 1, below.aliases + (node.alias is not None), lists)
            )
        elif isinstance(node, InlineFragmentNode):
            size.add(_measure(node.selection_set, fragments, sizes))
        elif isinstance(node, FragmentSpreadNode) and (fragment := fragments.get(node.name.value)):
            known = sizes.get(node.name.value)
            if known is None:
                sizes[node.name.value] = _BEGUN
                known = sizes[node.name.value] = _measure(fragment.selection_set, fragments, sizes)
            if known is _BEGUN:
                raise RequestError("BAD_INPUT", f"the fragment {node.name.value} spreads itself")
            size.add(known)
    return size


def _check_repeats(
    sets: Iterable[SelectionSetNode], fragments: dict[str, FragmentDefinitionNode], limit: int
) -> None:
    """The rule that fields of one key can be merged compares each with each: they must be few."""
    keys: dict[str, list[FieldNode]] = {}
    for node in _fields(sets, fragments, set()):
        keys.setdefault(node.alias.value if node.alias else node.name.value, []).append(node)
    for key, nodes in keys.items():
        if len(nodes) > limit:
            raise _too_much(
                f"{key!r} is selected {len(nodes)} times in one place", f"{limit} times are allowed"
            )
        below = [node.selection_set for node in nodes if node.selection_set]
        if below:
            _check_repeats(below, fragments, limit)


def _fields(
    sets: Iterable[SelectionSetNode], fragments: dict[str, FragmentDefinitionNode], seen: set[str]
) -> Iterator[FieldNode]:
    for selections in sets:
        for node in selections.selections:
            if isinstance(node, FieldNode):
                yield node
            elif isinstance(node, InlineFragmentNode):
                yield from _fields([node.selection_set], fragments, seen)
            elif isinstance(node, FragmentSpreadNode) and node.name.value not in seen:
                seen.add(node.name.value)
                if fragment := fragments.get(node.name.value):
                    yield from _fields([fragment.selection_set], fragments, seen)


def _too_much(found: str, allowed: str) -> RequestError:
    return RequestError("TOO_COMPLEX", f"{found}; {allowed}. Ask for less, or in several requests")
