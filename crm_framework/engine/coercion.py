"""Variables and arguments as Python's functions get them, at a fraction of graphql-core's price.

msgspec reads what is right as it stands, by structs that are made of the input types. What it does not take
goes to graphql-core, which knows the rest of the rules, and words the errors.
"""

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

import strawberry
from graphql import (
    FieldNode,
    GraphQLBoolean,
    GraphQLError,
    GraphQLField,
    GraphQLID,
    GraphQLNonNull,
    GraphQLSchema,
    GraphQLString,
    OperationDefinitionNode,
    Undefined,
    VariableDefinitionNode,
    get_nullable_type,
)
from graphql.execution.get_variable_signature import get_variable_signature
from graphql.execution.values import VariableValues, get_variable_values, input_is_nested_too_deeply
from graphql.pyutils import print_path_list
from graphql.utilities.coerce_input_value import coerce_default_value
from strawberry.types.field import StrawberryField

from .arguments import ArgumentPlan, Variables, planned
from .awkward import InputFaults, mended
from .input_types import InputTypes, Unsupported
from .leaves import fresh

MAX_ERRORS = 50
"""How many errors of variables are told; as many as graphql-core's executor tells."""


class Coercion:
    """Reads the variables and arguments of one schema's operations."""

    def __init__(self, schema: strawberry.Schema) -> None:
        self._schema = schema._schema
        self._types = InputTypes(schema)

    def variables_of(self, operation: OperationDefinitionNode) -> "OperationVariables":
        """How the variables of an operation are read; to be kept with it."""
        return OperationVariables(self._schema, self._types, operation)

    def argument_plan(
        self, field: StrawberryField, definition: GraphQLField, node: FieldNode
    ) -> ArgumentPlan:
        """How the arguments of one selected field are made; to be kept with what is planned for it."""
        return planned(self._types, field, definition, node)


class _Refused(Exception):
    """The value is wrong."""


class OperationVariables:
    """The variables of one operation."""

    def __init__(self, schema: GraphQLSchema, types: InputTypes, operation: OperationDefinitionNode) -> None:
        self._schema = schema
        self._types = types
        self._definitions = operation.variable_definitions or ()
        self._names = dict.fromkeys(one.variable.name.value for one in self._definitions).keys()
        self._variables: list[_Variable] | None
        try:
            self._variables = [_Variable(schema, types, node) for node in self._definitions]
        except Unsupported:
            self._variables = None

    def declared(self, given: Mapping[str, Any]) -> Mapping[str, Any]:
        """The values that are given for them. GraphQL ignores the others: nobody looks at them."""
        if given.keys() <= self._names:
            return given
        return {name: given[name] for name in self._names if name in given}

    async def read_aside(
        self, given: Mapping[str, Any], *, hide_suggestions: bool
    ) -> Variables | list[GraphQLError]:
        """As `read`, in a thread, for values so many that they would hold up the event loop."""
        found = await asyncio.to_thread(self.read, given, hide_suggestions=hide_suggestions)
        return found if isinstance(found, list) else await asyncio.to_thread(found.counted)

    def read(
        self, given: Mapping[str, Any], *, hide_suggestions: bool = True
    ) -> Variables | list[GraphQLError]:
        """The variables, from what a request has in their place.

        Scalars and enums have their final values; objects have a form that `ArgumentPlan` goes on from. The
        errors are those of graphql-core.
        """

        def reference() -> VariableValues | list[GraphQLError]:
            return get_variable_values(
                self._schema, self._definitions, dict(given), MAX_ERRORS, hide_suggestions
            )

        found = Variables(reference)
        if self._variables is None:
            known = reference()
            return found.with_values(known.coerced) if isinstance(known, VariableValues) else known
        try:
            for each in self._variables:
                each.read(given, found)
        except (_Refused, RecursionError):
            return self._refused(self._variables, given, hide_suggestions)
        return found

    def _refused(
        self, variables: "list[_Variable]", given: Mapping[str, Any], hide_suggestions: bool
    ) -> list[GraphQLError]:
        errors: list[GraphQLError] = []

        def add(error: GraphQLError) -> None:
            if len(errors) == MAX_ERRORS:
                raise GraphQLError(
                    "Too many errors processing variables, error limit reached. Execution aborted."
                )
            errors.append(error)

        try:
            for each in variables:
                try:
                    each.read(given, {})
                except _Refused:
                    each.tell(self._schema, given, add, hide_suggestions)
        except GraphQLError as last:
            errors.append(last)
        except RecursionError:
            errors.append(GraphQLError("Variable values are nested too deeply."))
        return errors


class _Variable:
    """One variable: how it is read, and told of when it is wrong. Raises `Unsupported` for exotic types."""

    def __init__(self, schema: GraphQLSchema, types: InputTypes, node: VariableDefinitionNode) -> None:
        signature = get_variable_signature(schema, node)
        if isinstance(signature, GraphQLError):
            raise Unsupported
        self._node = node
        self._types = types
        self._name = signature.name
        self._type = signature.type
        self._required = isinstance(signature.type, GraphQLNonNull)
        self._exact = _EXACT.get(get_nullable_type(signature.type))
        types.annotation(signature.type)  # raises for a type that is not supported
        self._deep = types.is_recursive(signature.type)
        try:
            self._default = coerce_default_value(signature)
        except TypeError as error:
            raise Unsupported from error

    def read(self, given: Mapping[str, Any], found: dict[str, Any]) -> None:
        """Puts the variable's inner value among the others. Raises `_Refused`."""
        name = self._name
        value = given.get(name, Undefined)
        if type(value) is self._exact:
            found[name] = value
        elif value is Undefined:
            if self._default is not Undefined:
                found[name] = fresh(self._default)
            elif self._required:
                raise _Refused
        else:
            found[name] = self._read(value)

    def _read(self, value: Any) -> Any:
        if self._deep and input_is_nested_too_deeply(value, self._type):
            raise _Refused
        try:
            return self._types.read(value, self._type)
        except Exception:  # whatever it is, graphql-core says whether it is one
            found = mended(self._types, value, self._type)
        if found is Undefined:
            raise _Refused
        return found

    def tell(
        self,
        schema: GraphQLSchema,
        given: Mapping[str, Any],
        add: Callable[[GraphQLError], None],
        hide_suggestions: bool,
    ) -> None:
        """Reports what is wrong with the value given."""
        if self._name not in given:
            known = get_variable_values(schema, [self._node], {}, None, hide_suggestions)
            for error in known if isinstance(known, list) else ():
                add(error)
            return
        value = given[self._name]
        if self._deep and input_is_nested_too_deeply(value, self._type):
            raise RecursionError

        def report(error: GraphQLError, path: list[str | int]) -> None:
            where = f"Variable '${self._name}' has invalid value{print_path_list(path)}"
            add(GraphQLError(f"{where}: {error.message}", self._node, original_error=error))

        InputFaults(self._types, report, hide_suggestions).tell(value, self._type)


_EXACT: dict[Any, type] = {GraphQLString: str, GraphQLID: str, GraphQLBoolean: bool}
"""Scalars whose values are any value of one Python type."""
