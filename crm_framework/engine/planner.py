"""From a valid document to a plan."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLAbstractType,
    GraphQLField,
    GraphQLList,
    GraphQLNonNull,
    GraphQLObjectType,
    InlineFragmentNode,
    NameNode,
    OperationDefinitionNode,
    SelectionSetNode,
    get_named_type,
    is_abstract_type,
    is_leaf_type,
)
from strawberry.schema.schema_converter import GraphQLCoreConverter
from strawberry.types.base import StrawberryObjectDefinition
from strawberry.types.field import StrawberryField

from .access import INTROSPECTION, included
from .connections import Connected, PageCount, PagePart
from .cost import cost_of
from .declarations import Column, Declaration, DeclaredField, Source, declaration_of, source_of
from .errors import RequestError
from .fields import Batched, Called, Computed
from .layouts import Layout
from .nodes import Identity
from .plans import Choice, Fallback, Kind, Plan, PlannedField, Reading, Selection, Shape
from .prepare import Prepared
from .relations import Children, One, Reference
from .straight import straight_of

_DEFINITION = GraphQLCoreConverter.DEFINITION_BACKREF

_MOST_FIELDS = 4_000
"""Fields within fields of interfaces can be of more combinations of types than anybody could want."""


class _Declined(Exception):
    """A field that the engine does not take; the reason is for whoever asks why."""


def planned(
    ready: Prepared,
    document: DocumentNode,
    operation: OperationDefinitionNode,
    conditions: Mapping[str, Any],
) -> Plan:
    """The plan of an operation for these values of the variables that `@skip` and `@include` look at."""
    root = ready.schema.get_root_type(operation.operation)
    assert root is not None  # the document is valid
    fragments = {
        node.name.value: node for node in document.definitions if isinstance(node, FragmentDefinitionNode)
    }
    planner = _Planner(ready, fragments, conditions)
    selection = Selection(of=root, origin=None, source=None)
    fallbacks: dict[str, Fallback] = {}
    for key, nodes in planner.collected([operation.selection_set], root).items():
        try:
            selection.add(planner.field(key, nodes, root, ""))
        except _Declined as declined:
            alone = _alone(document, operation, nodes)
            fallbacks[key] = Fallback(key, str(declined), alone)
            shape = Shape(required=False)  # the reference has seen to it
            selection.add(
                PlannedField(
                    key=key,
                    kind="root",
                    name=nodes[0].name.value,
                    owner=root,
                    nodes=nodes,
                    shape=shape,
                    place=key,
                )
            )
    plan = Plan(
        operation=operation,
        document=document,
        fragments=fragments,
        root=selection,
        fallbacks=fallbacks,
        size=planner.planned,
    )
    plan.cost = cost_of(plan)
    plan.straight = straight_of(plan)
    return plan


def _alone(
    document: DocumentNode, operation: OperationDefinitionNode, nodes: Sequence[FieldNode]
) -> DocumentNode:
    """The document with an operation that selects one root field only."""
    only = OperationDefinitionNode(
        operation=operation.operation,
        name=NameNode(value="Alone"),
        variable_definitions=operation.variable_definitions,
        directives=operation.directives,
        selection_set=SelectionSetNode(selections=tuple(nodes)),
        loc=operation.loc,
    )
    fragments = tuple(node for node in document.definitions if isinstance(node, FragmentDefinitionNode))
    return DocumentNode(definitions=(only, *fragments), loc=document.loc)


@dataclass
class _Planner:
    ready: Prepared
    fragments: Mapping[str, FragmentDefinitionNode]
    conditions: Mapping[str, Any]
    targets: dict[Any, "Selection | Choice"] = field(default_factory=dict)
    planned: int = 0

    def collected(
        self, sets: Sequence[SelectionSetNode], of: GraphQLObjectType
    ) -> dict[str, list[FieldNode]]:
        """Response key → the nodes that select it, of what applies to an object of this type."""
        found: dict[str, list[FieldNode]] = {}
        seen: set[str] = set()
        for each in sets:
            self._collect(each, of, found, seen)
        return found

    def _collect(
        self,
        selections: SelectionSetNode,
        of: GraphQLObjectType,
        found: dict[str, list[FieldNode]],
        seen: set[str],
    ) -> None:
        for node in selections.selections:
            if not included(node.directives, self.conditions):
                continue
            if isinstance(node, FieldNode):
                found.setdefault(node.alias.value if node.alias else node.name.value, []).append(node)
            elif isinstance(node, InlineFragmentNode):
                if node.type_condition is None or self._applies(node.type_condition.name.value, of):
                    self._collect(node.selection_set, of, found, seen)
            elif isinstance(node, FragmentSpreadNode) and node.name.value not in seen:
                seen.add(node.name.value)
                fragment = self.fragments[node.name.value]
                if self._applies(fragment.type_condition.name.value, of):
                    self._collect(fragment.selection_set, of, found, seen)

    def _applies(self, condition: str, of: GraphQLObjectType) -> bool:
        if condition == of.name:
            return True
        kind: Any = self.ready.schema.type_map[condition]
        return is_abstract_type(kind) and self.ready.schema.is_sub_type(kind, of)

    def selection(self, of: GraphQLObjectType, nodes: Sequence[FieldNode], place: str) -> Selection:
        """What the nodes' sub-selections select of an object of this type."""
        if _definition(of, "is_type_of") is not None:
            raise _Declined(f"{of.name} says itself what is of it")
        origin = _definition(of, "origin")
        made = Selection(of=of, origin=origin, source=source_of(origin))
        sets = [node.selection_set for node in nodes if node.selection_set]
        for key, own in self.collected(sets, of).items():
            made.add(self.field(key, own, of, place))
        if made.source is not None:
            made.layout = Layout(made.source, _columns(made))
        return made

    def target(
        self, field: GraphQLField, nodes: Sequence[FieldNode], place: str
    ) -> "Selection | Choice | None":
        named: Any = get_named_type(field.type)
        if is_leaf_type(named):
            return None
        # each type of an interface has the field: its target is the same, and multiplies with each level
        key = (named.name, place, *map(id, nodes))
        found = self.targets.get(key)
        if found is None:
            found = self.targets[key] = self._target(named, nodes, place)
        return found

    def _target(self, named: Any, nodes: Sequence[FieldNode], place: str) -> "Selection | Choice":
        if isinstance(named, GraphQLObjectType):
            return self.selection(named, nodes, place)
        abstract: GraphQLAbstractType = named
        if _definition(abstract, "resolve_type") is not None:
            raise _Declined(f"{abstract.name} says itself which type an object is of")
        options = {
            each.name: self.selection(each, nodes, place)
            for each in self.ready.schema.get_possible_types(abstract)
        }
        return Choice(of=abstract, options=options)

    def field(self, key: str, nodes: list[FieldNode], owner: GraphQLObjectType, place: str) -> PlannedField:
        """One field of a selection. Raises `_Declined`."""
        self.planned += 1
        if self.planned > _MOST_FIELDS:
            raise RequestError(
                "TOO_COMPLEX",
                f"the operation selects more than {_MOST_FIELDS} fields, counted for each type that an object"
                " can be of; name fewer types, or ask for less",
            )
        name = nodes[0].name.value
        here = f"{place}.{key}" if place else key
        if name == "__typename":
            return PlannedField(
                key=key,
                kind="typename",
                name=name,
                owner=owner,
                nodes=nodes,
                shape=Shape(required=True),
                place=here,
            )
        if name in INTROSPECTION:
            raise _Declined("introspection")
        definition = owner.fields[name]
        declared = definition.extensions.get(_DEFINITION)
        if not isinstance(declared, StrawberryField):
            raise _Declined(f"{owner.name}.{name} is not a field of Strawberry's")
        kind = self._kind(owner, declared, definition)
        named: Any = get_named_type(definition.type)
        planned = PlannedField(
            key=key,
            kind=kind,
            name=name,
            owner=owner,
            nodes=nodes,
            shape=shape_of(definition.type),
            place=here,
            definition=definition,
            field=declared,
            declaration=declaration_of(declared),
            leaf=named if is_leaf_type(named) else None,
            target=self.target(definition, nodes, here),
        )
        if kind in ("reference", "children", "one") and (
            not isinstance(planned.target, Selection) or planned.target.layout is None
        ):
            raise _Declined(f"{owner.name}.{name} leads to no table")
        if definition.args:
            planned.arguments = self.ready.coercion.argument_plan(declared, definition, nodes[0])
        planned.pages = _is_pages(planned)
        planned.reading = _reading(planned)
        return planned

    def _kind(self, owner: GraphQLObjectType, field: StrawberryField, definition: GraphQLField) -> Kind:
        declaration = declaration_of(field)
        composite = not is_leaf_type(get_named_type(definition.type))
        listed_ = shape_of(definition.type).item is not None
        if declaration is None or field.extensions:
            return self._kind_of_ordinary(owner, field, composite or listed_)
        return _kind_of_declared(declaration, composite or listed_, owner)

    def _kind_of_ordinary(self, owner: GraphQLObjectType, field: StrawberryField, filled: bool) -> Kind:
        if field.is_basic_field and not field.extensions:
            return "objects" if filled else "attribute"
        resolver = field.base_resolver
        if field.extensions or resolver is None:
            raise _Declined(f"{owner.name}.{field.name} has extensions")
        if resolver.info_parameter is not None:
            raise _Declined(f"{owner.name}.{field.name} is an ordinary resolver that asks for info")
        return "ordinary"


def _kind_of_declared(declaration: Declaration, filled: bool, owner: GraphQLObjectType) -> Kind:
    found: Kind
    match declaration:
        case Column():
            found = "objects" if filled else "column"
        case Identity():
            found = "identity"
        case Computed():
            found = "batch" if filled else "computed"
        case Batched():
            found = "batch"
        case Reference():
            found = "reference"
        case Children():
            found = "children"
        case One():
            found = "one"
        case Connected():
            found = "pages"
        case Called():
            found = "root"
        case PagePart() | PageCount():
            found = "objects"  # the page's own fields; who runs pages knows them
        case _:
            raise _Declined(f"{owner.name} has a field of the kind {type(declaration).__name__}")
    return found


def _definition(of: Any, attribute: str) -> Any:
    """What Strawberry knows of a type."""
    return getattr(of.extensions.get(_DEFINITION), attribute, None)


def shape_of(kind: Any) -> Shape:
    """The shape of a GraphQL type."""
    required = isinstance(kind, GraphQLNonNull)
    inner = kind.of_type if required else kind
    return Shape(required, shape_of(inner.of_type) if isinstance(inner, GraphQLList) else None)


def _columns(selection: Selection) -> list[str]:
    """The attributes of a row that a selection takes."""
    found: list[str] = []
    for each in selection.fields:
        if each.kind == "ordinary":
            assert selection.source is not None
            return list(selection.source.columns)  # it may look at anything
        if each.kind in ("column", "objects") and each.field is not None:
            found.append(each.field.python_name)
        elif each.declaration is not None:
            found += each.declaration.needs_of()
    return found


def _is_pages(planned: PlannedField) -> bool:
    """Whether the field's values are pages."""
    target = planned.target
    if not isinstance(target, Selection) or planned.shape.item is not None:
        return False
    definition = target.of.extensions.get(_DEFINITION)
    return isinstance(definition, StrawberryObjectDefinition) and any(
        isinstance(declaration_of(each), PagePart) for each in definition.fields
    )


def _reading(planned: PlannedField) -> Reading:
    wanted = _wanted(planned.target)
    if planned.pages:
        return _reading_of_pages(planned, wanted)
    target = planned.target
    layout = target.layout if isinstance(target, Selection) else None
    if layout is not None:
        layout = wanted[layout.source.type]  # one object, so that rows which were read for it are known by it
    return Reading(layout=layout, wanted=wanted)


def _reading_of_pages(planned: PlannedField, wanted: Mapping[type, Layout]) -> Reading:
    target = planned.target
    assert isinstance(target, Selection)
    rows = places = peek = count = False
    for each in target.fields:
        names = {member.name for one in _options(each.target) for member in one.fields}
        part = each.declaration.part if isinstance(each.declaration, PagePart) else ""
        count = count or isinstance(each.declaration, PageCount)
        rows = rows or part != ""
        places = places or (part == "edges" and "cursor" in names)
        places = places or (part == "pageInfo" and not names.isdisjoint(("startCursor", "endCursor")))
        peek = peek or (part == "pageInfo" and not names.isdisjoint(("hasNextPage", "hasPreviousPage")))
    layout: Layout | None = None
    if isinstance(planned.declaration, Connected):
        assert isinstance(planned.field, DeclaredField)
        source = planned.field.listed
        layout = wanted.get(source.type) or Layout(source, ())
    return Reading(layout=layout, wanted=wanted, rows=rows, places=places, peek=peek, count=count)


def _options(target: Selection | Choice | None) -> list[Selection]:
    if target is None:
        return []
    return [target] if isinstance(target, Selection) else list(target.options.values())


def _wanted(target: Selection | Choice | None) -> dict[type, Layout]:
    """The columns needed of the rows that a value of this target may hold, at any depth of plain objects."""
    found: dict[type, list[str]] = {}
    sources: dict[type, Source] = {}
    waiting = _options(target)
    seen: set[int] = set()
    while waiting:
        one = waiting.pop()
        if id(one) in seen:
            continue
        seen.add(id(one))
        if one.layout is not None and one.origin is not None:
            found.setdefault(one.origin, []).extend(one.layout.attributes)
            sources[one.origin] = one.layout.source
            continue
        for each in one.fields:
            if each.kind == "objects":
                waiting += _options(each.target)
    return {origin: Layout(source, found[origin]) for origin, source in sources.items()}
