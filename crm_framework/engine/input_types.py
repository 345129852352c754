"""The input types of a schema as msgspec structs, and how Python's values are made of them.

Values come in three forms: JSON, as it was sent; *inner*, which is checked: a struct for an object, or the
mapping that graphql-core makes of it; and the value that Python's functions get: an instance of the
`@strawberry.input` class, or the plain mapping for filters and orders.
"""

from collections.abc import Callable
from dataclasses import MISSING, dataclass, field, fields
from typing import Any

import msgspec
import strawberry
from graphql import (
    GraphQLInputField,
    GraphQLInputObjectType,
    GraphQLInputType,
    GraphQLList,
    GraphQLNamedType,
    GraphQLNonNull,
    Undefined,
    get_named_type,
    is_required_input_field,
)
from graphql.utilities.coerce_input_value import coerce_default_value
from strawberry.relay.types import GlobalID
from strawberry.schema.schema_converter import GraphQLCoreConverter
from strawberry.types.arguments import StrawberryArgument, convert_argument
from strawberry.types.base import (
    StrawberryList,
    StrawberryMaybe,
    StrawberryObjectDefinition,
    StrawberryOptional,
    get_object_definition,
)
from strawberry.types.field import StrawberryField
from strawberry.types.lazy_type import LazyType

from .leaves import fresh, leaf, read
from .orders import mapping

Convert = Callable[[Any], Any]
Conversion = Convert | None
"""From the inner form to another one; `None` where they are the same. Null does not come to it."""

LEFT_OUT: Any = object()
"""In a struct: a member that was left out, with no default in the schema and no `UNSET` in its class."""
_NEVER: Any = object()
_MAKING = ("__new__", "__setattr__", "__getattribute__", "__post_init__")
"""What a class can define that says something of how its instances are made."""


class Unsupported(Exception):
    """The type has something that structs cannot say; graphql-core and Strawberry read it."""


@dataclass
class _Member:
    """A member of an input type. `left_out` tells that it was not given, where that means anything."""

    name: str
    python_name: str
    left_out: object
    plain: Conversion
    made: Conversion
    implied: bool
    """Whether leaving it out is null to Python, as its class has no default for it."""


@dataclass
class Object:
    """An input type. `plain` and `made` are both ways on from its struct, or from a mapping of its values."""

    struct: type[msgspec.Struct] = msgspec.Struct
    class_: type = object
    is_simple: bool = False
    """Whether making an instance of the class is nothing but to keep the members."""
    keeps_mapping: bool = False
    members: list[_Member] = field(default_factory=list)
    special: list[_Member] = field(default_factory=list)
    """Members that are not in the struct what they are in the instance."""

    def plain(self, value: Any) -> dict[str, Any]:
        """The mapping that graphql-core would make."""
        if type(value) is not self.struct:
            return {
                one.name: _converted(one.plain, value[one.name]) for one in self.members if one.name in value
            }
        found = {}
        for one in self.members:
            inner = getattr(value, one.python_name)
            if inner is not one.left_out:
                found[one.name] = _converted(one.plain, inner)
        return found

    def made(self, value: Any) -> Any:
        """The instance of the input's class that Strawberry would make."""
        if type(value) is self.struct:
            values = msgspec.structs.asdict(value)
            for one in self.special:
                inner = values[one.python_name]
                if inner is LEFT_OUT:
                    if one.implied:
                        values[one.python_name] = None
                    else:
                        del values[one.python_name]
                elif one.made is not None and inner is not None and inner is not strawberry.UNSET:
                    values[one.python_name] = one.made(inner)
            if not self.is_simple:
                return self.class_(**values)
            made: Any = object.__new__(self.class_)
            made.__dict__ = values
            return made
        values = {one.python_name: None for one in self.members if one.implied}
        for one in self.members:
            if one.name in value:
                inner = value[one.name]
                values[one.python_name] = inner if one.made is None else _converted(one.made, inner)
        return self.class_(**values)


def _converted(conversion: Conversion, value: Any) -> Any:
    if conversion is None or value is None or value is strawberry.UNSET:
        return value
    return conversion(value)


class InputTypes:
    """The input types of one schema; each is compiled when it is first used."""

    def __init__(self, schema: strawberry.Schema) -> None:
        self._config = schema.config
        self._scalars = schema.schema_converter.scalar_registry
        self._leaves: dict[GraphQLNamedType, Any] = {}
        self._annotations: dict[Any, Any] = {}
        self._objects: dict[GraphQLNamedType, Object | None] = {}
        self._recursive: dict[GraphQLNamedType, bool] = {}

    def argument_name(self, argument: StrawberryArgument) -> str:
        """The argument's name in the schema."""
        return self._config.name_converter.from_argument(argument)

    def annotation(self, type_: GraphQLInputType) -> Any:
        """The type that msgspec converts JSON to. Raises `Unsupported`."""
        found = self._annotations.get(type_)
        if found is None:
            found = self._annotations[type_] = self._annotation(type_)
        return found

    def _annotation(self, type_: Any) -> Any:
        if isinstance(type_, GraphQLNonNull):
            return self._required(type_.of_type)
        return self._required(type_) | None

    def _required(self, type_: Any) -> Any:
        if isinstance(type_, GraphQLList):
            return list[self.annotation(type_.of_type)]  # type: ignore[misc]  # known at run time only
        if isinstance(type_, GraphQLInputObjectType):
            return self.object(type_).struct
        found = self._leaves.get(type_)
        if found is None:
            found = self._leaves[type_] = leaf(type_)
        return found

    def read(self, value: Any, type_: Any) -> Any:
        """The inner form of a value of JSON. Raises for what structs do not take, with whatever exception.

        The type must be supported.
        """
        if isinstance(type_, GraphQLNonNull):
            type_ = type_.of_type
        elif value is None:
            return None  # msgspec knows a union anew each time, and a struct for ever
        return read(value, self._required(type_))

    def plain(self, type_: Any) -> Conversion:
        """From the inner form to graphql-core's own, of mappings and lists."""
        if isinstance(type_, GraphQLNonNull):
            return self.plain(type_.of_type)
        if isinstance(type_, GraphQLList):
            return _each(self.plain(type_.of_type))
        if isinstance(type_, GraphQLInputObjectType):
            try:
                return self.object(type_).plain
            except Unsupported:
                return lambda value: {
                    name: _converted(self.plain(type_.fields[name].type), inner)
                    for name, inner in value.items()
                }
        return None

    def made(self, type_: Any, annotation: Any) -> Conversion:
        """From the inner form to what Python gets. `annotation` is Strawberry's for the place it is for."""
        try:
            return self._made(type_, annotation)
        except Unsupported:
            plain = self.plain(type_)

            def convert(value: Any) -> Any:
                inner = value if plain is None else plain(value)
                return convert_argument(inner, annotation, self._scalars, self._config)

            return convert

    def _made(self, type_: Any, annotation: Any) -> Conversion:
        if isinstance(type_, GraphQLNonNull):
            type_ = type_.of_type
        while isinstance(annotation, StrawberryOptional | LazyType):
            if isinstance(annotation, StrawberryMaybe):
                raise Unsupported
            annotation = annotation.resolve_type() if isinstance(annotation, LazyType) else annotation.of_type
        if annotation is GlobalID:
            raise Unsupported
        if isinstance(type_, GraphQLList) and isinstance(annotation, StrawberryList):
            return _each(self._made(type_.of_type, annotation.of_type))
        definition = get_object_definition(annotation)
        if definition is None:
            return self.plain(type_)
        if not isinstance(type_, GraphQLInputObjectType) or _definition(type_) is not definition:
            raise Unsupported
        found = self.object(type_)
        return found.plain if found.keeps_mapping else found.made

    def object(self, type_: GraphQLInputObjectType) -> Object:
        """The compiled type. Raises `Unsupported`, also where a type within it is."""
        if type_ in self._objects:
            found = self._objects[type_]
            if found is None:
                raise Unsupported
            return found
        known = set(self._objects)
        found = self._objects[type_] = Object()
        try:
            self._compile(type_, found)
        except Unsupported:
            for each in self._objects.keys() - known:
                del self._objects[each]  # they may hold this one
            self._objects[type_] = None
            raise
        return found

    def _compile(self, type_: GraphQLInputObjectType, found: Object) -> None:
        definition = _definition(type_)
        if definition is None or definition.is_one_of or definition.from_input not in (None, mapping):
            raise Unsupported
        names = self._config.name_converter.from_field
        own = {names(each): each for each in definition.fields}
        if own.keys() != type_.fields.keys() or type_.out_type is not GraphQLInputObjectType.out_type:
            raise Unsupported
        defaults = {name: _default(own[name], each) for name, each in type_.fields.items()}
        found.class_ = definition.origin
        found.keeps_mapping = definition.from_input is mapping
        # members may be of the struct's own type: it comes first, and msgspec reads its annotations later
        found.struct = msgspec.defstruct(
            type_.name,
            [_struct_field(own[name], default) for name, default in defaults.items()],
            rename={each.python_name: name for name, each in own.items()},
            forbid_unknown_fields=True,
            kw_only=True,
            gc=False,
        )
        for name, each in type_.fields.items():
            one = own[name]
            found.struct.__annotations__[one.python_name] = self.annotation(each.type)
            found.members.append(
                _Member(
                    name=name,
                    python_name=one.python_name,
                    left_out=defaults[name] if _is_marker(defaults[name]) else _NEVER,
                    plain=self.plain(each.type),
                    made=self._made(each.type, one.resolve_type(type_definition=definition)),
                    implied=one.default is MISSING and one.default_factory is MISSING,
                )
            )
        found.is_simple = _is_simple(found.class_, {one.python_name for one in found.members})
        found.special = [one for one in found.members if one.made is not None or one.left_out is LEFT_OUT]

    def is_recursive(self, type_: Any) -> bool:
        """Whether values of the type may be nested without end."""
        named = get_named_type(type_)
        if named not in self._recursive:
            self._recursive[named] = _has_cycle(named, ())
        return self._recursive[named]


def _definition(type_: GraphQLInputObjectType) -> StrawberryObjectDefinition | None:
    found = type_.extensions.get(GraphQLCoreConverter.DEFINITION_BACKREF)
    return found if isinstance(found, StrawberryObjectDefinition) else None


def _default(own: StrawberryField, each: GraphQLInputField) -> Any:
    """What the member is when it is left out; `MISSING` where it may not be."""
    if is_required_input_field(each):
        return MISSING
    try:
        default = coerce_default_value(each)
    except TypeError as error:
        raise Unsupported from error
    if default is Undefined:
        return strawberry.UNSET if own.default is strawberry.UNSET else LEFT_OUT
    return default


def _is_simple(class_: Any, members: set[str]) -> bool:
    plain = all(getattr(class_, name, None) is getattr(object, name, None) for name in _MAKING)
    slots = any("__slots__" in vars(base) for base in class_.__mro__)
    # what a dataclass writes is in no file
    generated = getattr(getattr(class_.__init__, "__code__", None), "co_filename", None) == "<string>"
    return plain and generated and not slots and {each.name for each in fields(class_)} == members


def _is_marker(default: object) -> bool:
    return default is LEFT_OUT or default is strawberry.UNSET


def _struct_field(own: StrawberryField, default: Any) -> Any:
    if default is MISSING:
        return (own.python_name, Any)
    if default == []:
        return (own.python_name, Any, msgspec.field(default_factory=list))
    if isinstance(default, list | dict):
        return (own.python_name, Any, msgspec.field(default_factory=lambda: fresh(default)))
    return (own.python_name, Any, default)


def _each(conversion: Conversion) -> Convert:
    if conversion is None:
        return list
    return lambda values: [None if value is None else conversion(value) for value in values]


def _has_cycle(type_: GraphQLNamedType, above: tuple[GraphQLNamedType, ...]) -> bool:
    if not isinstance(type_, GraphQLInputObjectType):
        return False
    if type_ in above:
        return True
    return any(_has_cycle(get_named_type(each.type), (*above, type_)) for each in type_.fields.values())
