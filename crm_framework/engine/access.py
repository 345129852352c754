"""Which permissions an operation needs, found from the document alone, before any of it runs."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from graphql import (
    BooleanValueNode,
    DirectiveNode,
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLAbstractType,
    GraphQLInterfaceType,
    GraphQLNamedType,
    GraphQLObjectType,
    GraphQLSchema,
    InlineFragmentNode,
    OperationDefinitionNode,
    SelectionSetNode,
    VariableNode,
    get_named_type,
    is_abstract_type,
)

from .context import Context
from .declarations import EVERY_RECORD

INTROSPECTION = ("__schema", "__type")


@dataclass(frozen=True)
class Rules:
    """What a schema's elements need: (type, field) and type → permissions."""

    fields: Mapping[tuple[str, str], tuple[str, ...]]
    types: Mapping[str, str]


@dataclass
class _Walk:
    schema: GraphQLSchema
    rules: Rules
    fragments: Mapping[str, FragmentDefinitionNode]
    variables: Mapping[str, Any]
    found: dict[tuple[str, str | None], None] = field(default_factory=dict)
    seen: set[tuple[str, str]] = field(default_factory=set)


def needed(
    schema: GraphQLSchema,
    rules: Rules,
    document: DocumentNode,
    operation: OperationDefinitionNode,
    variables: Mapping[str, Any],
) -> Sequence[tuple[str, str | None]]:
    """(element, permission) for each element that the operation selects; `None` stands for introspection's.

    Fields that `@skip` and `@include` leave out with these variables need nothing. Each fragment is looked at
    once per type that it is spread on.
    """
    root = schema.get_root_type(operation.operation)
    if root is None:
        return ()
    fragments = {
        node.name.value: node for node in document.definitions if isinstance(node, FragmentDefinitionNode)
    }
    walk = _Walk(schema, rules, fragments, with_defaults(operation, variables))
    _selections(walk, operation.selection_set, root)
    return tuple(walk.found)


def check_access(
    context: Context, wanted: Sequence[tuple[str, str | None]], permissions: Sequence[str | None]
) -> None:
    """Raises `RequestError` FORBIDDEN, naming every element and permission that the actor lacks.

    `permissions` has each of those in `wanted` once.
    """
    plain = [permission for permission in permissions if permission is not None]
    if len(plain) == len(permissions) and context.grants(plain):
        return
    denied = set()
    for permission in permissions:
        asked = context.introspection_permission if permission is None else permission
        if asked is None or not context.granted(asked):
            denied.add(permission)
    if denied:
        raise context.refusal(
            (element, needs or context.introspection_permission or "switched off")
            for element, needs in wanted
            if needs in denied and not _is_implied(needs, denied)
        )


def _is_implied(needs: str | None, denied: Collection[str | None]) -> bool:
    """Whether the permission itself is missing, so that nobody need be told how far it must reach."""
    return needs is not None and needs.startswith(EVERY_RECORD) and needs[len(EVERY_RECORD) :] in denied


def variables_of_directives(document: DocumentNode) -> tuple[str, ...]:
    """Names of the variables that `@skip` and `@include` look at, anywhere in the document."""
    names: dict[str, None] = {}
    waiting: list[Any] = [node for node in document.definitions if hasattr(node, "selection_set")]
    while waiting:
        node = waiting.pop()
        for directive in node.directives or ():
            condition = _condition(directive)
            if isinstance(condition, VariableNode):
                names[condition.name.value] = None
        if getattr(node, "selection_set", None):
            waiting += node.selection_set.selections
    return tuple(sorted(names))


def _selections(walk: _Walk, selections: SelectionSetNode, parent: GraphQLNamedType) -> None:
    for node in selections.selections:
        if not included(node.directives, walk.variables):
            continue
        if isinstance(node, FieldNode):
            _field(walk, node, parent)
        elif isinstance(node, InlineFragmentNode):
            condition = node.type_condition.name.value if node.type_condition else parent.name
            _fragment(walk, node.selection_set, condition, parent)
        elif isinstance(node, FragmentSpreadNode) and (fragment := walk.fragments.get(node.name.value)):
            place = (node.name.value, parent.name)
            if place not in walk.seen:
                walk.seen.add(place)
                _fragment(walk, fragment.selection_set, fragment.type_condition.name.value, parent)


def _fragment(walk: _Walk, selections: SelectionSetNode, condition: str, parent: GraphQLNamedType) -> None:
    narrowed = walk.schema.type_map.get(condition)
    if narrowed is None:
        return
    if isinstance(parent, GraphQLObjectType):
        narrowed = parent  # an object is never less than its own type
    elif isinstance(narrowed, GraphQLObjectType):
        _needs_type(walk, narrowed)
    _selections(walk, selections, narrowed)


def _field(walk: _Walk, node: FieldNode, parent: GraphQLNamedType) -> None:
    name = node.name.value
    if name in INTROSPECTION:
        walk.found[(name, None)] = None
        return
    if not isinstance(parent, GraphQLObjectType | GraphQLInterfaceType) or name not in parent.fields:
        return
    for owner in _owners(walk, parent):
        for permission in walk.rules.fields.get((owner.name, name), ()):
            walk.found[(f"{owner.name}.{name}", permission)] = None
    target = get_named_type(parent.fields[name].type)
    _needs_type(walk, target)
    if node.selection_set:
        _selections(walk, node.selection_set, target)


def _owners(walk: _Walk, parent: GraphQLNamedType) -> Sequence[GraphQLNamedType]:
    if not is_abstract_type(parent):
        return (parent,)
    abstract: GraphQLAbstractType = parent
    return walk.schema.get_possible_types(abstract)


def _needs_type(walk: _Walk, target: GraphQLNamedType) -> None:
    permission = walk.rules.types.get(target.name)
    if permission is not None:
        walk.found[(target.name, permission)] = None


def included(directives: Sequence[DirectiveNode] | None, variables: Mapping[str, Any]) -> bool:
    """Whether `@skip` and `@include` let a node stand, with these values of variables."""
    for directive in directives or ():
        condition = _condition(directive)
        if isinstance(condition, VariableNode):
            value = variables.get(condition.name.value)
        else:
            value = condition.value if isinstance(condition, BooleanValueNode) else None
        # what is no boolean is refused later; until then it counts as selected
        if isinstance(value, bool) and value is (directive.name.value == "skip"):
            return False
    return True


def _condition(directive: DirectiveNode) -> Any:
    if directive.name.value not in ("skip", "include"):
        return None
    return next((one.value for one in directive.arguments or () if one.name.value == "if"), None)


def with_defaults(operation: OperationDefinitionNode, variables: Mapping[str, Any]) -> Mapping[str, Any]:
    """The variables, and the defaults of booleans that are left out."""
    defaults = {
        definition.variable.name.value: definition.default_value.value
        for definition in operation.variable_definitions or ()
        if isinstance(definition.default_value, BooleanValueNode)
    }
    return {**defaults, **variables}
