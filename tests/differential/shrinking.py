"""The smallest operation that still fails: parts of a document are left out as long as it does."""

from collections.abc import Awaitable, Callable, Iterator, Sequence
from typing import Any

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLError,
    GraphQLSchema,
    InlineFragmentNode,
    Node,
    NoUnusedFragmentsRule,
    NoUnusedVariablesRule,
    OperationDefinitionNode,
    VariableNode,
    parse,
    print_ast,
    specified_rules,
    validate,
)

Fails = Callable[[str], Awaitable[bool]]
_LISTS = ("selections", "arguments", "directives", "fields", "values", "definitions")
_RULES = tuple(rule for rule in specified_rules if rule not in (NoUnusedFragmentsRule, NoUnusedVariablesRule))


async def shrunk(schema: GraphQLSchema, text: str, fails: Fails, *, tries: int = 400) -> str:
    """The text with every part left out that the failure does not need, in at most so many tries."""
    best = text
    left = tries
    going_on = True
    while going_on and left > 0:
        going_on = False
        for smaller in _smaller(best):
            if len(smaller) >= len(best) or not _valid(schema, smaller):
                continue
            left -= 1
            if await fails(smaller):
                best, going_on = smaller, True
                break
            if left <= 0:
                break
    return best


def _valid(schema: GraphQLSchema, text: str) -> bool:
    try:
        return not validate(schema, parse(text), _RULES)
    except GraphQLError:
        return False


def _smaller(text: str) -> Iterator[str]:
    """The documents with one part less, the largest parts first."""
    number = len(_places(parse(text)))
    order = sorted(range(number), key=lambda index: -_size(text, index))
    for index in order:
        document = parse(text)
        _, name, position, owner = _places(document)[index]
        kept = [item for at, item in enumerate(getattr(owner, name)) if at != position]
        _set(owner, name, kept)
        yield print_ast(_tidied(document))
    for index, place in enumerate(_fragments(parse(text))):
        document = parse(text)
        del place
        owner, position = _fragments(document)[index]
        inner = owner.selections[position].selection_set.selections
        _set(owner, "selections", [*owner.selections[:position], *inner, *owner.selections[position + 1 :]])
        yield print_ast(_tidied(document))


def _set(node: Any, name: str, items: Sequence[Any]) -> None:
    # nodes are frozen; these are our own copies, parsed a moment ago
    object.__setattr__(node, name, tuple(items))


def _size(text: str, index: int) -> int:
    item, *_ = _places(parse(text))[index]
    return len(print_ast(item))


def _places(document: DocumentNode) -> list[tuple[Node, str, int, Any]]:
    """Everything that can be left out: (part, name of the list, place in it, what has the list)."""
    found: list[tuple[Node, str, int, Any]] = []
    for node in _nodes(document):
        for name in _LISTS:
            items = getattr(node, name, None)
            if isinstance(items, list | tuple) and not (name == "selections" and len(items) < 2):
                found += [(item, name, index, node) for index, item in enumerate(items)]
    return found


def _fragments(document: DocumentNode) -> list[tuple[Any, int]]:
    return [
        (node, index)
        for node in _nodes(document)
        for index, item in enumerate(getattr(node, "selections", None) or ())
        if isinstance(item, InlineFragmentNode)
    ]


def _nodes(node: Node) -> Iterator[Node]:
    yield node
    for key in node.keys:
        value = getattr(node, key, None)
        for item in value if isinstance(value, list | tuple) else [value]:
            if isinstance(item, Node):
                yield from _nodes(item)


def _tidied(document: DocumentNode) -> DocumentNode:
    """Without fragments and variables that nothing uses any more."""
    changed = True
    while changed:
        spread = {node.name.value for node in _nodes(document) if isinstance(node, FragmentSpreadNode)}
        kept: list[Any] = [
            node
            for node in document.definitions
            if not isinstance(node, FragmentDefinitionNode) or node.name.value in spread
        ]
        changed = len(kept) != len(document.definitions)
        _set(document, "definitions", kept)
    bodies = [node for node in document.definitions if isinstance(node, FragmentDefinitionNode)]
    for operation in document.definitions:
        if isinstance(operation, OperationDefinitionNode):
            used: set[str] = set()
            for root in (operation.selection_set, *bodies):
                used |= {node.name.value for node in _nodes(root) if isinstance(node, VariableNode)}
            kept = [one for one in operation.variable_definitions or () if one.variable.name.value in used]
            _set(operation, "variable_definitions", kept)
    return document


def size_of(text: str) -> int:
    """How many fields a document has."""
    return sum(isinstance(node, FieldNode) for node in _nodes(parse(text)))
