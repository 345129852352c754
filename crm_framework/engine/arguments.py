"""The arguments of one selected field: what is known beforehand is made once, the rest by closures."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from operator import attrgetter
from typing import Any

from graphql import (
    FieldNode,
    GraphQLArgument,
    GraphQLError,
    GraphQLField,
    GraphQLInputField,
    GraphQLInputObjectType,
    GraphQLList,
    GraphQLNonNull,
    ListValueNode,
    ObjectValueNode,
    Undefined,
    ValueNode,
    VariableNode,
    is_required_argument,
    is_required_input_field,
)
from graphql.execution.values import VariableValues, get_argument_values
from graphql.utilities.coerce_input_value import coerce_default_value, coerce_input_literal
from msgspec import UNSET, Struct
from strawberry.types.field import StrawberryField

from .input_types import Conversion, InputTypes
from .leaves import IMMUTABLE, PLAIN_LEAVES, fresh

Evaluate = Callable[[dict[str, Any]], Any]
"""Values of variables → the inner value, or `Undefined` where it counts as not given. Raises `Awkward`."""


class Awkward(Exception):
    """graphql-core must look at it: it is an error, or a case that is not worth planning."""


class Variables(dict[str, Any]):
    """Variables by name, in the inner form. `reference` is how graphql-core has them.

    `many`: to look at each value of them takes so long that it is done in a thread.
    """

    def __init__(self, reference: Callable[[], VariableValues | list[GraphQLError]]) -> None:
        super().__init__()
        self._reference = reference
        self._items: dict[str, int] = {}
        self.many = False

    def with_values(self, values: dict[str, Any]) -> "Variables":
        self.update(values)
        return self

    def counted(self) -> "Variables":
        """The same, of which `items` is known beforehand."""
        self.many = True
        for name in self:
            self.items_of(name)
        return self

    def items_of(self, name: str) -> int:
        """How many items the lists in a variable hold."""
        found = self._items.get(name)
        if found is None:
            found = self._items[name] = _items(self.get(name))
        return found

    def reference(self) -> VariableValues:
        """The variables as graphql-core has them."""
        known = self._reference()
        assert isinstance(known, VariableValues)  # they were read once
        return known


_PLAIN = frozenset({str, int, float, bool, type(None), type(UNSET), type(Undefined)})
"""Types of most values: for each other one it is asked what it is."""


def _items(value: Any) -> int:
    found = 0
    waiting = [value]
    while waiting:
        one = waiting.pop()
        inner: Iterable[Any]
        if isinstance(one, list):
            found += len(one)
            inner = one
        elif isinstance(one, dict):
            inner = one.values()
        elif isinstance(one, Struct):
            inner = _not_plain(type(one))(one)
        else:
            continue
        waiting += [each for each in inner if type(each) not in _PLAIN]
    return found


@cache
def _not_plain(struct: type[Struct]) -> Callable[[Struct], tuple[Any, ...]]:
    """The members that may hold lists or objects: an import has thousands of structs with few of these."""
    kinds = struct.__annotations__.items()
    names = [name for name, kind in kinds if kind not in PLAIN_LEAVES and kind not in _OR_NULL]
    if len(names) > 1:
        return attrgetter(*names)
    return lambda one: tuple([getattr(one, name) for name in names])


_OR_NULL = frozenset(kind | None for kind in PLAIN_LEAVES)


@dataclass(frozen=True)
class _Argument:
    name: str
    python_name: str
    evaluate: Evaluate
    made: Conversion


class ArgumentPlan:
    """How a selected field's arguments are made. `static`: the same for all variables."""

    def __init__(
        self, definition: GraphQLField, node: FieldNode, arguments: Sequence[_Argument], static: bool
    ) -> None:
        self.static = static
        self._fixed: dict[str, Any] | None = None
        self._definition = definition
        self._node = node
        self._arguments = arguments

    def shared(self, variables: dict[str, Any]) -> dict[str, Any]:
        """The same for one who changes none of them: made once where they are the same for all variables."""
        if not self.static:
            return self.values(variables)
        if self._fixed is None:
            self._fixed = self.values(variables)
        return self._fixed

    def values(self, variables: dict[str, Any], *, hide_suggestions: bool = True) -> dict[str, Any]:
        """The arguments by Python's names, made anew each time. Raises `GraphQLError`, as graphql-core does.

        `variables` are those of `Coercion.variables`.
        """
        try:
            values = [each.evaluate(variables) for each in self._arguments]
        except Awkward:
            known = (
                variables.reference() if isinstance(variables, Variables) else VariableValues({}, variables)
            )
            named = get_argument_values(self._definition, self._node, known, None, hide_suggestions)
            values = [named.get(each.name, Undefined) for each in self._arguments]
        found: dict[str, Any] = {}
        for each, value in zip(self._arguments, values, strict=True):
            if value is not Undefined:
                made = each.made
                found[each.python_name] = value if made is None or value is None else made(value)
        return found


def planned(
    types: InputTypes, field: StrawberryField, definition: GraphQLField, node: FieldNode
) -> ArgumentPlan:
    """The plan of a field's arguments, as they are written in a document."""
    given = {argument.name.value: argument.value for argument in node.arguments or ()}
    own = {types.argument_name(argument): argument for argument in field.arguments}
    arguments = []
    for name, each in definition.args.items():
        if name in own:
            made = types.made(each.type, own[name].type)
            evaluate = _argument(each, given.get(name))
            arguments.append(_Argument(name, own[name].python_name, evaluate, made))
    static = not any(_has_variable(value) for value in given.values())
    return ArgumentPlan(definition, node, arguments, static)


def _awkward(variables: dict[str, Any]) -> Any:
    raise Awkward


def _argument(argument: GraphQLArgument, node: ValueNode | None) -> Evaluate:
    required = is_required_argument(argument)
    if node is None:
        return _awkward if required else _default(argument)
    if not isinstance(node, VariableNode):
        return _literal(node, argument.type)
    return _optional(_variable(node, argument.type), _awkward if required else _default(argument))


def _default(of: GraphQLArgument | GraphQLInputField) -> Evaluate:
    try:
        value = coerce_default_value(of)
    except TypeError:
        return _awkward
    return _constant(value)


def _left_out(variables: dict[str, Any]) -> Any:
    return Undefined


def _constant(value: Any) -> Evaluate:
    if value is Undefined:
        return _left_out
    if isinstance(value, IMMUTABLE):
        return lambda variables: value
    return lambda variables: fresh(value)


def _optional(evaluate: Evaluate, default: Evaluate) -> Evaluate:
    if default is _left_out:
        return evaluate

    def run(variables: dict[str, Any]) -> Any:
        value = evaluate(variables)
        return default(variables) if value is Undefined else value

    return run


def _variable(node: VariableNode, type_: Any) -> Evaluate:
    name = node.name.value
    if not isinstance(type_, GraphQLNonNull):
        return lambda variables: variables.get(name, Undefined)

    def required(variables: dict[str, Any]) -> Any:
        value = variables.get(name, Undefined)
        if value is None:
            raise Awkward
        return value

    return required


def _literal(node: ValueNode, type_: Any) -> Evaluate:
    if isinstance(node, VariableNode):
        return _variable(node, type_)
    if not _has_variable(node):
        try:
            value = coerce_input_literal(node, type_)
        except GraphQLError:
            return _awkward
        return _awkward if value is Undefined else _constant(value)
    if isinstance(type_, GraphQLNonNull):
        type_ = type_.of_type
    if isinstance(type_, GraphQLList):
        nodes = node.values if isinstance(node, ListValueNode) else (node,)
        return _list([_literal(item, type_.of_type) for item in nodes], type_.of_type)
    if isinstance(type_, GraphQLInputObjectType) and isinstance(node, ObjectValueNode):
        return _object(node, type_)
    return _awkward


def _list(items: Sequence[Evaluate], of_type: Any) -> Evaluate:
    missing = _awkward if isinstance(of_type, GraphQLNonNull) else _constant(None)
    complete = [_optional(item, missing) for item in items]
    return lambda variables: [item(variables) for item in complete]


def _object(node: ObjectValueNode, type_: GraphQLInputObjectType) -> Evaluate:
    given = {member.name.value: member.value for member in node.fields}
    if not given.keys() <= type_.fields.keys() or type_.is_one_of:
        return _awkward
    members: list[tuple[str, Evaluate]] = []
    for name, member in type_.fields.items():
        default = _awkward if is_required_input_field(member) else _default(member)
        inner = given.get(name)
        evaluate = default if inner is None else _optional(_literal(inner, member.type), default)
        if evaluate is not _left_out:
            members.append((member.out_name or name, evaluate))

    def run(variables: dict[str, Any]) -> Any:
        found = {}
        for name, evaluate in members:
            value = evaluate(variables)
            if value is not Undefined:
                found[name] = value
        return type_.out_type(found)

    return run


def _has_variable(node: ValueNode) -> bool:
    if isinstance(node, ListValueNode):
        return any(_has_variable(item) for item in node.values)
    if isinstance(node, ObjectValueNode):
        return any(_has_variable(member.value) for member in node.fields)
    return isinstance(node, VariableNode)
