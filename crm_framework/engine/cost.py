"""What an operation may lead to at most, found from its plan and its variables before any of it runs."""

import logging
from collections.abc import Callable
from functools import partial
from typing import NamedTuple

from graphql import (
    GraphQLError,
    GraphQLInt,
    GraphQLList,
    IntValueNode,
    ListValueNode,
    NamedTypeNode,
    NonNullTypeNode,
    ObjectValueNode,
    OperationType,
    ValueNode,
    VariableNode,
    get_nullable_type,
    specified_scalar_types,
)

from .arguments import Variables
from .context import Context
from .errors import RequestError
from .plans import Choice, Plan, PlannedField, Selection

ASSUMED_ITEMS = 10
"""How many items a list is taken to have whose length no argument bounds: the tags of a customer, say."""

_log = logging.getLogger(__name__)

PAGE = (None,)
"""The length of a page that is left out."""

Measure = Callable[[Variables], int]
"""What is found from the values of the variables."""
Length = int | str | Measure | None


class Part(NamedTuple):
    """Objects that a field leads to, for each object that it is selected of, and what follows from each.

    `most` are lengths of which the first that is given counts: numbers, names of variables, what a function
    of the variables finds, and None for the usual length of a page.
    """

    most: tuple[Length, ...]
    options: "tuple[tuple[Part, ...], ...]"
    """By type that such an object may be of: what is selected of it."""


class Cost:
    """What has to be added up for a plan; to be kept with it."""

    def __init__(self, parts: tuple[Part, ...]) -> None:
        open_: list[Part] = []
        fixed: list[Part] = []
        seen: dict[int, bool] = {}
        for part in parts:
            (open_ if _depends(part, seen) else fixed).append(part)
        self._open, self._fixed = tuple(open_), tuple(fixed)
        self._known: dict[tuple[int, int], int] = {}
        """What comes of those that depend on no variable, by the usual and the longest page."""

    def of(self, context: Context, variables: Variables) -> int:
        """How many objects an operation may lead to, each list being as long as its arguments allow, and how
        many items the lists hold that a change is given; at least 1.

        It takes time in proportion to the document and to what a change is given, whatever the number.
        """
        pages = context.page_default, context.page_max
        found = self._known.get(pages)
        if found is None:
            found = self._known[pages] = _sum(self._fixed, context, variables, {})
        if self._open:
            found += _sum(self._open, context, variables, {})
        return found or 1


def cost_of(plan: Plan) -> Cost:
    """What a plan costs."""
    found = _of_selection(plan.root, {})
    if plan.operation.operation is OperationType.MUTATION:
        plain = _plain_variables(plan)
        given = (_given(field, plain) for field in plan.root.fields)
        found = (*found, *(part for part in given if part is not None))
    return Cost(found)


def admit_cost(asked: Cost, context: Context, variables: Variables) -> None:
    """Tells the context what an operation costs; raises `RequestError` TOO_COMPLEX above the limit."""
    cost = asked.of(context, variables)
    if cost > context.limits.max_cost:
        raise RequestError(
            "TOO_COMPLEX",
            f"the operation may lead to {cost:,} objects; {context.limits.max_cost:,} are allowed. Ask for"
            " shorter lists (first, last), for fewer levels of them, or in several requests",
        )
    context.spend(cost)


def _depends(part: Part, seen: dict[int, bool]) -> bool:
    """Whether variables have a say in it."""
    return any(isinstance(one, str) or callable(one) for one in part.most) or any(
        _some_depend(option, seen) for option in part.options
    )


def _some_depend(parts: tuple[Part, ...], seen: dict[int, bool]) -> bool:
    found = seen.get(id(parts))
    if found is None:
        found = seen[id(parts)] = any(_depends(part, seen) for part in parts)
    return found


def _sum(parts: tuple[Part, ...], context: Context, variables: Variables, known: dict[int, int]) -> int:
    found = known.get(id(parts))
    if found is None:
        found = 0
        for most, options in parts:
            each = max([_sum(option, context, variables, known) for option in options], default=0)
            found += _length(most, context, variables) * (1 + each)
        known[id(parts)] = found
    return found


def _length(most: tuple[Length, ...], context: Context, variables: Variables) -> int:
    for one in most:
        if callable(one):
            return one(variables)
        value = variables.get(one) if isinstance(one, str) else one
        if isinstance(value, list):
            return len(value)
        if isinstance(value, int):
            return max(0, min(value, context.page_max))  # a longer one is refused where it is read
    return context.page_default


def _of_selection(selection: Selection, known: dict[int, tuple[Part, ...]]) -> tuple[Part, ...]:
    found = known.get(id(selection))
    if found is None:
        fields = [field for field in selection.filled if field.target is not None]
        found = known[id(selection)] = tuple(_part(field, known) for field in fields)
    return found


def _part(field: PlannedField, known: dict[int, tuple[Part, ...]]) -> Part:
    if field.pages:
        inner = tuple(
            Part(_asked(field, PAGE) if part.shape.item is not None else (1,), _options(part, known))
            for part in field.selection.filled
            if part.target is not None
        )
        return Part((1,), (inner,))
    if field.shape.item is None:
        return Part((1,), _options(field, known))
    declared = field.declaration.most if field.declaration is not None else None
    if declared is not None:
        return Part((partial(_declared, declared, field),), _options(field, known))
    return Part(_asked(field, (ASSUMED_ITEMS,)), _options(field, known))


def _declared(most: Callable[..., int], field: PlannedField, variables: Variables) -> int:
    """What the field's own declaration says of the length that its arguments ask for."""
    try:
        arguments = {} if field.arguments is None else field.arguments.values(variables)
    except GraphQLError:
        return ASSUMED_ITEMS  # it is refused where the field is resolved
    try:
        return max(0, int(most(**arguments)))
    except Exception:  # a fault of the program: the field itself can still be had
        _log.exception("how long %s may be could not be told", field.title)
        return ASSUMED_ITEMS


def _plain_variables(plan: Plan) -> frozenset[str]:
    """Those that can hold no list."""
    found = set()
    for definition in plan.operation.variable_definitions or ():
        type_ = definition.type.type if isinstance(definition.type, NonNullTypeNode) else definition.type
        if isinstance(type_, NamedTypeNode) and type_.name.value in specified_scalar_types:
            found.add(definition.variable.name.value)
    return frozenset(found)


def _given(field: PlannedField, plain: frozenset[str]) -> Part | None:
    """The items of the lists that a change is given, such as the rows of an import; None without any.

    `plain` are variables that hold none.
    """
    fixed, names = 0, []
    waiting: list[ValueNode] = [argument.value for argument in field.nodes[0].arguments or ()]
    while waiting:
        value = waiting.pop()
        if isinstance(value, ListValueNode):
            fixed += len(value.values)
            waiting += value.values
        elif isinstance(value, ObjectValueNode):
            waiting += [member.value for member in value.fields]
        elif isinstance(value, VariableNode) and value.name.value not in plain:
            names.append(value.name.value)
    if not names:
        return Part((fixed,), ()) if fixed else None
    return Part((lambda variables: fixed + sum(map(variables.items_of, names)),), ())


def _options(field: PlannedField, known: dict[int, tuple[Part, ...]]) -> tuple[tuple[Part, ...], ...]:
    target = field.target
    if isinstance(target, Choice):
        return tuple(_of_selection(option, known) for option in target.options.values())
    return () if target is None else (_of_selection(target, known),)


def _asked(field: PlannedField, otherwise: tuple[int | None, ...]) -> tuple[Length, ...]:
    """The lengths that the field's arguments ask for."""
    found: list[Length] = []
    for argument in field.nodes[0].arguments or ():
        if not _is_length(field, argument.name.value):
            continue
        value = argument.value
        if isinstance(value, IntValueNode):
            found.append(int(value.value))
        elif isinstance(value, ListValueNode):
            found.append(len(value.values))
        elif isinstance(value, VariableNode):
            found.append(value.name.value)
    return (*found, *otherwise)


def _is_length(field: PlannedField, name: str) -> bool:
    """Whether an argument says how many: `first` and `last` may be days as well."""
    if field.definition is None or name not in field.definition.args:
        return False
    kind = get_nullable_type(field.definition.args[name].type)
    return (
        isinstance(kind, GraphQLList) if name == "ids" else name in ("first", "last") and kind is GraphQLInt
    )
