"""Operations with arguments of every kind, drawn at random, and what graphql-core makes of them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import orjson
import strawberry
from graphql import (
    FieldNode,
    GraphQLEnumType,
    GraphQLError,
    GraphQLField,
    GraphQLInputObjectType,
    GraphQLList,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLSchema,
    GraphQLString,
    OperationDefinitionNode,
    Undefined,
    parse,
    validate,
)
from graphql.execution.values import VariableValues, get_argument_values, get_variable_values
from hypothesis import strategies as st
from strawberry.schema.schema_converter import GraphQLCoreConverter
from strawberry.types.arguments import convert_arguments
from strawberry.types.field import StrawberryField

from crm_framework.engine.coercion import Coercion

JUNK: list[Any] = [
    *(None, True, 0, 3, 3.0, 2.5, -1, 2**31, 2**53 + 1, 2**70, 1e308, "", "x", "PERSON", "2026-03-01"),
    *([], [[]], [None], {}, {"zz": 1}, {"name": None}, "2026-03-01T09:30:00Z", "PT1H", "12.50"),
]
LEAVES: Mapping[str, st.SearchStrategy[Any]] = {
    "String": st.text(max_size=5),
    "ID": st.text(max_size=5) | st.integers(0, 9),
    "Int": st.integers(-(2**31), 2**31 - 1) | st.sampled_from([0.0, 7.0]),
    "BigInt": st.integers(-(2**63), 2**63 - 1) | st.sampled_from([7.0, "9007199254740993", "-0", 2.0**53]),
    "Float": st.floats(allow_nan=False, allow_infinity=False) | st.integers(-(2**60), 2**60),
    "Boolean": st.booleans(),
    "DateTime": st.sampled_from(
        ["2026-03-01T09:30:00Z", "2026-03-01t09:30:00.123456789+05:30", "2026-03-01T24:00:00Z", "2026-03-01"]
    ),
    "Date": st.sampled_from(["2026-03-01", "2026-02-30", "20260301"]),
    "Duration": st.sampled_from(["PT1H30M", "P3W", "P1Y"]),
    "Decimal": st.sampled_from(["12.50", 3, 2.5, "1e999999", "-0"]),
    "JSON": st.sampled_from([1, "x", {"a": [1, None]}, [], True]),
}
Draw = Callable[[st.SearchStrategy[Any]], Any]


@dataclass
class Drawn:
    """A field selected with arguments. `variables` are the values given, `declared` the types declared."""

    key: str
    text: str = ""
    variables: dict[str, Any] = field(default_factory=dict)
    declared: list[str] = field(default_factory=list)


class Oracle:
    """The fields of a schema that have arguments, and what is right for them."""

    def __init__(self, schema: strawberry.Schema) -> None:
        self.schema = schema
        self.coercion = Coercion(schema)
        self.fields: dict[str, tuple[StrawberryField, GraphQLField]] = {}
        for kind in schema._schema.type_map.values():
            if isinstance(kind, GraphQLObjectType) and not kind.name.startswith("__"):
                for name, definition in kind.fields.items():
                    declared = definition.extensions.get(GraphQLCoreConverter.DEFINITION_BACKREF)
                    if definition.args and isinstance(declared, StrawberryField):
                        self.fields[f"{kind.name}_{name}"] = (declared, definition)
        # each field stands at the root here, as a leaf: documents are valid without a way to it
        self.flat = GraphQLSchema(
            GraphQLObjectType(
                "Query",
                {key: GraphQLField(GraphQLString, args=each.args) for key, (_, each) in self.fields.items()},
            )
        )

    @property
    def drawn(self) -> st.SearchStrategy[Drawn]:
        return st.composite(lambda draw: self._draw(draw))()

    def _draw(self, draw: Draw) -> Drawn:
        made = Drawn(draw(st.sampled_from(sorted(self.fields))))
        given = []
        for name, argument in self.fields[made.key][1].args.items():
            has_default = argument.default_value is not Undefined
            if (isinstance(argument.type, GraphQLNonNull) and not has_default) or draw(st.booleans()):
                given.append(f"{name}: {_literal(draw, argument.type, made, has_default)}")
        head = f"query ({', '.join(made.declared)})" if made.declared else "query"
        made.text = f"{head} {{ {made.key}{f'({chr(44).join(given)})' if given else ''} }}"
        return made

    def check(self, drawn: Drawn) -> bool:
        """Compares both ways. False for an operation that is not valid."""
        document = parse(drawn.text)
        if validate(self.flat, document):
            return False
        (operation,) = document.definitions
        assert isinstance(operation, OperationDefinitionNode)
        self.check_operation(operation, drawn)
        return True

    def check_operation(self, operation: OperationDefinitionNode, drawn: Drawn) -> None:
        declared, definition = self.fields[drawn.key]
        (node,) = operation.selection_set.selections
        assert isinstance(node, FieldNode)
        plan = self.coercion.argument_plan(declared, definition, node)
        assert plan.static == (not drawn.declared)
        for hide in (True, False):
            known = self._variables(operation, drawn.variables, hide)
            found = self.coercion.variables_of(operation).read(drawn.variables, hide_suggestions=hide)
            if isinstance(known, list):
                assert isinstance(found, list)
                assert [shown(error) for error in found] == [shown(error) for error in known]
                continue
            assert isinstance(found, dict), found
            expected = outcome(partial(self._arguments, declared, definition, node, known, hide))
            made = outcome(partial(plan.values, found, hide_suggestions=hide))
            assert made == expected
            assert repr(made) == repr(expected)  # 1 == True, and the order of mappings

    def reference(self, key: str, operation: OperationDefinitionNode, variables: dict[str, Any]) -> Any:
        """The arguments as graphql-core and Strawberry make them."""
        declared, definition = self.fields[key]
        (node,) = operation.selection_set.selections
        known = self._variables(operation, variables, True)
        assert isinstance(node, FieldNode)
        assert isinstance(known, VariableValues)
        return self._arguments(declared, definition, node, known, True)

    def _variables(
        self, operation: OperationDefinitionNode, variables: dict[str, Any], hide: bool
    ) -> VariableValues | list[GraphQLError]:
        definitions = operation.variable_definitions or ()
        return get_variable_values(self.schema._schema, definitions, variables, 50, hide)

    def _arguments(
        self,
        declared: StrawberryField,
        definition: GraphQLField,
        node: FieldNode,
        known: VariableValues,
        hide: bool,
    ) -> dict[str, Any]:
        values = get_argument_values(definition, node, known, None, hide)
        scalars = self.schema.schema_converter.scalar_registry
        return convert_arguments(values, declared.arguments, scalars, self.schema.config)


def outcome(make: Callable[[], dict[str, Any]]) -> Any:
    """What a function gives, or the message of the error."""
    try:
        return make()
    except GraphQLError as error:
        return shown(error)


def shown(error: GraphQLError) -> tuple[str, Any, Any]:
    return error.message, error.locations, error.path


def value_of(draw: Draw, type_: Any) -> Any:
    """A value of JSON that mostly fits a type."""
    if draw(st.integers(0, 39)) == 0:
        return draw(st.sampled_from(JUNK))
    if isinstance(type_, GraphQLNonNull):
        type_ = type_.of_type
    elif draw(st.integers(0, 5)) == 0:
        return None
    if isinstance(type_, GraphQLList):
        if draw(st.integers(0, 5)) == 0:
            return value_of(draw, type_.of_type)
        return [value_of(draw, type_.of_type) for _ in range(draw(st.integers(0, 2)))]
    if isinstance(type_, GraphQLInputObjectType):
        return {
            name: value_of(draw, member.type)
            for name, member in type_.fields.items()
            if isinstance(member.type, GraphQLNonNull) or draw(st.integers(0, 3)) == 0
        }
    if isinstance(type_, GraphQLEnumType):
        return draw(st.sampled_from(sorted(type_.values)))
    return draw(LEAVES.get(type_.name, st.sampled_from(JUNK)))


def _literal(draw: Draw, type_: Any, made: Drawn, has_default: bool = False, depth: int = 0) -> str:
    """A literal of a type, or a variable."""
    if draw(st.integers(0, 2)) == 0:
        return _variable(draw, type_, made, has_default)
    if isinstance(type_, GraphQLNonNull):
        type_ = type_.of_type
    elif draw(st.integers(0, 5)) == 0:
        return "null"
    if isinstance(type_, GraphQLList):
        if depth > 3:
            return "[]"
        if draw(st.integers(0, 5)) == 0 and not isinstance(type_.of_type, GraphQLList):
            return _constant(draw, type_.of_type)
        items = [_literal(draw, type_.of_type, made, depth=depth + 1) for _ in range(draw(st.integers(0, 2)))]
        return f"[{', '.join(items)}]"
    if isinstance(type_, GraphQLInputObjectType):
        members = []
        for name, member in type_.fields.items():
            has_default = member.default_value is not Undefined
            required = isinstance(member.type, GraphQLNonNull) and not has_default
            if required or (depth < 4 and draw(st.integers(0, 3)) == 0):
                members.append(f"{name}: {_literal(draw, member.type, made, has_default, depth + 1)}")
        return "{" + ", ".join(members) + "}"
    if type_.name == "JSON" and draw(st.booleans()):
        return "{a: [" + _variable(draw, GraphQLString, made, False) + ", 2]}"
    return _constant(draw, type_)


def _variable(draw: Draw, type_: Any, made: Drawn, has_default: bool) -> str:
    name = f"v{len(made.declared)}"
    shown_type = str(type_)
    if isinstance(type_, GraphQLNonNull):
        if has_default and draw(st.booleans()):
            shown_type = str(type_.of_type)
        elif draw(st.booleans()):
            made.declared.append(f"${name}: {type_.of_type} = {_constant(draw, type_)}")
            if draw(st.booleans()):
                made.variables[name] = value_of(draw, type_)
            return f"${name}"
    elif draw(st.integers(0, 3)) == 0:
        shown_type = f"{type_}!"
    made.declared.append(f"${name}: {shown_type}")
    if draw(st.integers(0, 3)):
        made.variables[name] = value_of(draw, type_)
    return f"${name}"


def _constant(draw: Draw, type_: Any) -> str:
    return written(value_of(draw, type_), type_)


def written(value: Any, type_: Any) -> str:
    """A value of JSON as a literal."""
    if isinstance(type_, GraphQLNonNull):
        return written(value, type_.of_type)
    if isinstance(value, list):
        inner = type_.of_type if isinstance(type_, GraphQLList) else type_
        return f"[{', '.join(written(item, inner) for item in value)}]"
    if isinstance(type_, GraphQLList):
        return written(value, type_.of_type)
    if isinstance(value, dict):
        fields = type_.fields if isinstance(type_, GraphQLInputObjectType) else {}
        shown_ = (
            f"{n}: {written(v, fields[n].type if n in fields else GraphQLString)}" for n, v in value.items()
        )
        return "{" + ", ".join(shown_) + "}"
    if isinstance(type_, GraphQLEnumType) and isinstance(value, str) and value:
        return value if value.isidentifier() and value.isascii() else f'"{value}"'
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return orjson.dumps(value).decode()
