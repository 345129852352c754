"""Checks of declared types and fields when a schema is composed, so that no request meets a faulty one."""

import inspect
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from inspect import getattr_static
from typing import Any

from strawberry import UNSET
from strawberry.types.base import StrawberryList, StrawberryObjectDefinition, StrawberryOptional
from strawberry.types.field import StrawberryField
from strawberry.utils.str_converters import to_camel_case

from .connections import Connected
from .declarations import DeclaredField, Source, declaration_of, require_source, source_of
from .errors import DeclarationError
from .fields import Root
from .relations import Children, One, Reference
from .sql import Fragment

ROOTS = frozenset({"Query", "Mutation", "Subscription"})


def check_fields(definition: StrawberryObjectDefinition, fields: Iterable[StrawberryField]) -> None:
    """Raises `DeclarationError` for the first field that cannot work, naming type, field and what to do."""
    for field in fields:
        if definition.is_input or definition.is_interface:
            continue
        if definition.name in ROOTS:
            _check_permission(definition, field)
        else:
            _check_needs(definition, field)


def check_declared(definition: StrawberryObjectDefinition, field: DeclaredField) -> None:
    """Raises `DeclarationError` for a field whose declaration would fail each request, or some."""
    declaration = field.declaration
    with _at(f"{definition.name}.{field.python_name}"):
        declaration.permissions_on(source_of(definition.origin))
        for need in (declaration.permission, declaration.also):
            if need is not None and not isinstance(need, str):
                raise _Fault(f"it needs the permission {need!r}", "Name it by a text, such as books.read")
        if declaration.most is not None:
            _check_most(declaration.most, field)
        if isinstance(declaration, Root):
            _check_root(declaration, definition, field)
        elif isinstance(declaration, Reference | Children | One):
            _check_relation(declaration, field)
        elif isinstance(declaration, Connected):
            _check_condition(declaration.where)
            _ = field.listed
            if declaration.key is not None and inspect.iscoroutinefunction(declaration.narrow):
                raise _Fault("narrow= waits", "Only that of a root list may; make it a plain function")


def _check_most(most: object, field: DeclaredField) -> None:
    if not callable(most) or inspect.iscoroutinefunction(most):
        shown = "an async function" if callable(most) else repr(most)
        raise _Fault(
            f"most= is {shown}, where a plain function tells how long the list may be",
            "Give one of the field's arguments, such as lambda first, **_: first; or lambda **_: 100",
        )
    every = [argument.python_name for argument in field.arguments]
    always = [one.python_name for one in field.arguments if not _may_be_left_out(one)]
    for given in (every, always):
        _check_call("most=", most, given, "the field's arguments by name, and do without those left out")


def _may_be_left_out(argument: Any) -> bool:
    return argument.default is UNSET and isinstance(argument.type, StrawberryOptional)


def _check_call(what: str, function: Callable[..., Any], given: Iterable[str], takes: str) -> None:
    try:
        inspect.signature(function).bind(**dict.fromkeys(given))
    except TypeError as error:
        called = ", ".join(given) or "no arguments"
        raise _Fault(f"{what} cannot be called with {called}: {error}", f"Let it take {takes}") from None


def _check_root(declaration: Root, definition: StrawberryObjectDefinition, field: DeclaredField) -> None:
    known = [one.graphql_name or to_camel_case(one.python_name) for one in field.arguments]
    if declaration.by_key is not None and declaration.by_key not in known:
        shown = ", ".join(known) or "none"
        raise _Fault(f"by_key= names {declaration.by_key!r}, which is no argument", f"There are: {shown}")
    if declaration.filter is not None:
        given = [one.python_name for one in field.arguments]
        own = ["info"] if declaration.takes_info else []
        for names in (given, [one for one in given if one != "filter"]):
            _check_call(
                "the function", declaration.function, [*names, *own], "filter=None besides the others"
            )
    if field.is_subscription != (definition.name == "Subscription"):
        if field.is_subscription:
            raise _Fault(
                "it gives one event after another", "Only a field of Subscription is an async generator"
            )
        raise _Fault("it gives no events", "Let a field of Subscription be an async generator")


def _check_relation(declaration: Reference | Children | One, field: DeclaredField) -> None:
    source = require_source(field.target)
    type_: Any = field.type.of_type if isinstance(field.type, StrawberryOptional) else field.type
    if isinstance(type_, StrawberryList) is not isinstance(declaration, Children):
        is_list = isinstance(declaration, Children)
        todo = f"Annotate it {f'list[{source.name}]' if is_list else source.name}"
        raise _Fault(f"it leads to {'all records' if is_list else 'one record'}, and its type does not", todo)
    if isinstance(declaration, Reference):
        return
    _check_condition(declaration.where)
    _check_columns("order=", (one.removeprefix("-") for one in declaration.order), source)
    if isinstance(declaration, One):
        _check_columns("otherwise=", declaration.otherwise or {}, source)
        if inspect.iscoroutinefunction(declaration.narrow):
            raise _Fault("narrow= waits", "Make it a plain function")


def _check_condition(where: str | None) -> None:
    if where is not None:
        Fragment(where)


def _check_columns(what: str, names: Iterable[str] | Mapping[str, Any], source: Source) -> None:
    known = {*source.columns, *(column for column, _ in source.columns.values())}
    for one in names:
        if one not in known:
            raise _Fault(
                f"{what} names {one!r}, which is no column of {source.name}",
                f"Use one of {', '.join(sorted(known))}, or name the column in hidden= of that type",
            )


class _Fault(Exception):
    """What is wrong, and what to do: where, is known further up."""

    def __init__(self, problem: str, todo: str) -> None:
        super().__init__(problem)
        self.problem = problem
        self.todo = todo


@contextmanager
def _at(where: str) -> Iterator[None]:
    try:
        yield
    except (DeclarationError, _Fault) as error:
        raise DeclarationError(where, error.problem, error.todo) from None
    except ValueError as error:
        raise DeclarationError(
            where, str(error), "Write plain names, and conditions without arguments"
        ) from None


def _check_permission(definition: StrawberryObjectDefinition, field: StrawberryField) -> None:
    declaration = declaration_of(field)
    if declaration is None or declaration.permission is None:
        raise DeclarationError(
            f"{definition.name}.{field.python_name}",
            "the field does not say which permission it needs",
            "Declare it with @root(permission=…); PUBLIC is for every actor",
        )


def _check_needs(definition: StrawberryObjectDefinition, field: StrawberryField) -> None:
    declaration = declaration_of(field)
    if declaration is None:
        return
    origin = definition.origin
    source = source_of(origin)
    for need in declaration.needs_of():
        if source is not None and need in source.columns:
            continue
        if source is None and (_annotated(origin, need) or getattr_static(origin, need, None) is not None):
            continue
        known = ", ".join(sorted(source.columns)) if source is not None else "its annotated attributes"
        raise DeclarationError(
            f"{definition.name}.{field.python_name}",
            f"it needs {need!r}, which is no column of {definition.name}",
            f"Use one of {known}, or name the column in hidden= of the type",
        )


def _annotated(origin: type, attribute: str) -> bool:
    return any(attribute in vars(base).get("__annotations__", {}) for base in origin.__mro__)
