"""The GraphQL input types of filters: made per schema, as plugins add members to them."""

from collections.abc import Iterable, Mapping
from datetime import date, datetime
from decimal import Decimal
from enum import Enum
from functools import cache
from types import GenericAlias
from typing import Any

import strawberry
from strawberry.annotation import StrawberryAnnotation
from strawberry.types.base import get_object_definition
from strawberry.types.field import StrawberryField

from .comparisons import OPERATORS
from .errors import DeclarationError
from .filters import FilterSpec, Member
from .integers import BigInt
from .orders import as_given

_TYPES: Mapping[str, tuple[str, Any]] = {
    "string": ("StringFilter", str),
    "int": ("IntFilter", int),
    "bigint": ("BigIntFilter", BigInt),
    "decimal": ("DecimalFilter", Decimal),
    "datetime": ("DateTimeFilter", datetime),
    "date": ("DateFilter", date),
    "boolean": ("BooleanFilter", bool),
    "id": ("IDFilter", strawberry.ID),
}
OF_SCALARS = tuple(name for name, _ in _TYPES.values())
"""Names of the inputs that compare scalars, whoever asks for them."""
_MEANINGS = {
    "eq": "Equal to this value.",
    "in": "Equal to one of these values.",
    "contains": "Holds this text somewhere, in this spelling.",
    "startsWith": "Begins with this text, in this spelling.",
    "gt": "Greater than this value.",
    "gte": "Greater than this value, or equal to it.",
    "lt": "Less than this value.",
    "lte": "Less than this value, or equal to it.",
    "isNull": "Whether there is no value.",
}


class FilterInputs:
    """The filter inputs of one schema. `members` are what plugins add, by the input's name."""

    def __init__(self, members: Mapping[str, Iterable[Member]] | None = None) -> None:
        self._members = {name: tuple(added) for name, added in (members or {}).items()}
        self._specs: dict[str, FilterSpec] = {}
        self._inputs: dict[str, type] = {}

    def extended(self, spec: FilterSpec) -> FilterSpec:
        """The spec with this schema's further members."""
        known = self._specs.get(spec.name)
        if known is None:
            known = self._specs[spec.name] = spec.extended(self._members.get(spec.name, ()))
        return known

    def input(self, spec: FilterSpec) -> type:
        """The input type of a spec, further members included."""
        found = self._inputs.get(spec.name)
        if found is None:
            found = self._inputs[spec.name] = _filter_input(self.extended(spec))
        return found

    def unused(self) -> list[str]:
        """Names that members were added to, but that no connection filters by."""
        return sorted(set(self._members) - set(self._specs))


def _filter_input(spec: FilterSpec) -> type:
    made = _empty_input(spec.name, spec.description)
    for member in spec.members:
        _add(made, member.name, _annotation(member), member.description)
    _add(made, "and", GenericAlias(list, (made,)) | None, "All of these hold.")
    _add(made, "or", GenericAlias(list, (made,)) | None, "At least one of these holds.")
    _add(made, "not", made | None, "This does not hold.")
    return made


def _annotation(member: Member) -> Any:
    if member.kind == "custom":
        return member.input | None
    if member.kind == "enum":
        assert member.enum is not None  # a member without it cannot be declared
        return _enum_comparison(member.enum) | None
    return comparison(member.kind) | None


@cache
def comparison(kind: str) -> type:
    """The input type of comparisons with values of a kind, such as "id"."""
    type_name, value = _TYPES[kind]
    return _comparison_input(
        type_name, kind, value, f"Comparisons with {type_name.removesuffix('Filter')} values."
    )


@cache
def _enum_comparison(enum: type[Enum]) -> type:
    definition = getattr(enum, "__strawberry_definition__", None)
    if definition is None:
        raise DeclarationError(enum.__name__, "it is no GraphQL enum", "Decorate it with @strawberry.enum")
    name = definition.name
    return _comparison_input(f"{name}Filter", "enum", enum, f"Comparisons with {name} values.")


def _comparison_input(type_name: str, kind: str, value: Any, description: str) -> type:
    made = _empty_input(type_name, f"{description} All that are given must hold.")
    for operator in OPERATORS[kind]:
        annotation: Any = {"in": GenericAlias(list, (value,)), "isNull": bool}.get(operator, value)
        _add(made, operator, annotation | None, _MEANINGS[operator])
    return made


def _empty_input(name: str, description: str) -> type:
    made: type = strawberry.input(type(name, (), {"__annotations__": {}}), name=name, description=description)
    as_given(made)
    return made


def _add(input_type: type, name: str, annotation: Any, description: str) -> None:
    """One more member, after the fact: members may be of the input type itself, and their names Python's
    keywords.
    """
    definition = get_object_definition(input_type, strict=True)
    definition.fields.append(
        StrawberryField(
            python_name=f"{name}_",
            graphql_name=name,
            type_annotation=StrawberryAnnotation(annotation),
            description=description,
            default=strawberry.UNSET,
            origin=input_type,
        )
    )
