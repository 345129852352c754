"""Checks of declared types and fields when a schema is composed, so that no request meets a faulty one."""

from collections.abc import Iterable
from inspect import getattr_static

from strawberry.types.base import StrawberryObjectDefinition
from strawberry.types.field import StrawberryField

from .declarations import declaration_of, source_of
from .errors import DeclarationError

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
