"""What an operation may lead to at most, found from its plan and its variables before any of it runs."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from graphql import IntValueNode, ListValueNode, VariableNode

from .context import Context
from .errors import RequestError
from .plans import Choice, Plan, PlannedField, Selection

ASSUMED_ITEMS = 10
"""How many items a list is taken to have whose length no argument bounds: the tags of a customer, say."""

PAGE = (None,)
"""The length of a page that is left out."""


class Part(NamedTuple):
    """Objects that a field leads to, for each object that it is selected of, and what follows from each.

    `most` are lengths of which the first that is given counts: numbers, names of variables, and None for the
    usual length of a page.
    """

    most: tuple[int | str | None, ...]
    options: "tuple[tuple[Part, ...], ...]"
    """By type that such an object may be of: what is selected of it."""


def parts_of(plan: Plan) -> tuple[Part, ...]:
    """What has to be added up for a plan; to be kept with it."""
    return _of_selection(plan.root, {})


def admit_cost(parts: tuple[Part, ...], context: Context, variables: Mapping[str, Any]) -> None:
    """Tells the context what an operation costs; raises `RequestError` TOO_COMPLEX above the limit."""
    cost = cost_of(parts, context, variables)
    if cost > context.limits.max_cost:
        raise RequestError(
            "TOO_COMPLEX",
            f"the operation may lead to {cost:,} objects; {context.limits.max_cost:,} are allowed. Ask for"
            " shorter lists (first, last), for fewer levels of them, or in several requests",
        )
    context.spend(cost)


def cost_of(parts: tuple[Part, ...], context: Context, variables: Mapping[str, Any]) -> int:
    """How many objects an operation may lead to, each list being as long as its arguments allow; at least 1.

    It takes time in proportion to the document, whatever the number.
    """
    return max(1, _sum(parts, context, variables, {}))


def _sum(
    parts: tuple[Part, ...], context: Context, variables: Mapping[str, Any], known: dict[int, int]
) -> int:
    found = known.get(id(parts))
    if found is None:
        found = 0
        for most, options in parts:
            each = max([_sum(option, context, variables, known) for option in options], default=0)
            found += _length(most, context, variables) * (1 + each)
        known[id(parts)] = found
    return found


def _length(most: tuple[int | str | None, ...], context: Context, variables: Mapping[str, Any]) -> int:
    for one in most:
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
    most = _asked(field, (ASSUMED_ITEMS,)) if field.shape.item is not None else (1,)
    return Part(most, _options(field, known))


def _options(field: PlannedField, known: dict[int, tuple[Part, ...]]) -> tuple[tuple[Part, ...], ...]:
    target = field.target
    if isinstance(target, Choice):
        return tuple(_of_selection(option, known) for option in target.options.values())
    return () if target is None else (_of_selection(target, known),)


def _asked(field: PlannedField, otherwise: tuple[int | None, ...]) -> tuple[int | str | None, ...]:
    """The lengths that the field's arguments ask for."""
    found: list[int | str | None] = []
    for argument in field.nodes[0].arguments or ():
        if argument.name.value not in ("first", "last", "ids"):
            continue
        value = argument.value
        if isinstance(value, IntValueNode):
            found.append(int(value.value))
        elif isinstance(value, ListValueNode):
            found.append(len(value.values))
        elif isinstance(value, VariableNode):
            found.append(value.name.value)
    return (*found, *otherwise)
