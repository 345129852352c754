"""Members of input types, and what resolvers take from an input: keys out of ids, and what was given."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import datetime, timedelta
from decimal import Decimal
from enum import Enum
from typing import Any

import strawberry
from strawberry.types.base import get_object_definition

from crm_framework.engine.errors import RequestError
from crm_framework.engine.filters import FilterSpec
from crm_framework.engine.ids import decode_key
from crm_framework.engine.rows import type_name
from crm_framework.errors import CrmError, ErrorCode


def required(description: str, *, name: str | None = None) -> Any:
    """A member that must be given."""
    return strawberry.field(description=description, name=name)


def optional(
    description: str,
    *,
    default: object = strawberry.UNSET,
    default_factory: Callable[[], object] | None = None,
    name: str | None = None,
) -> Any:
    """A member that may be left out. `UNSET` tells "left out" from null."""
    if default_factory is not None:
        return strawberry.field(description=description, default_factory=default_factory, name=name)
    return strawberry.field(description=description, default=default, name=name)


FILTER = "schema.filter"
"""Key of a filter's spec in the metadata of an input's member."""


def filter_member(spec: FilterSpec, description: str, *, required: bool = False) -> Any:
    """A member that takes a filter, with the members that plugins add; its value is the plain mapping."""
    if required:
        return strawberry.field(description=description, metadata={FILTER: spec})
    return strawberry.field(description=description, metadata={FILTER: spec}, default=strawberry.UNSET)


def expected() -> Any:
    """The member `expectedVersion` of changes."""
    return optional("Refuses the change if the record has another version by now.")


def retry_key() -> Any:
    """The member `idempotencyKey` of what creates something."""
    return optional("For repeats: the same key with the same input gives the first answer again.")


def chosen(value: Any) -> Any:
    """The member's value; None where it was left out."""
    return None if value is strawberry.UNSET else value


def given(value: Any, *, leave_out: Sequence[str] = ()) -> dict[str, Any]:
    """The members of an input that the client gave, by their Python names; nested inputs are dicts too."""
    found: dict[str, Any] = {}
    for name, member in vars(value).items():
        if member is not strawberry.UNSET and name not in leave_out:
            found[name] = member if type(member) in _LEAVES else _plain(member)
    return found


_LEAVES = frozenset({str, int, bool, type(None), datetime, timedelta, Decimal})


def _plain(value: Any) -> Any:
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if isinstance(value, Enum) or get_object_definition(value) is None:
        return value
    return given(value)


def renamed(under: str | None = None, /, **members: str) -> AbstractContextManager[None]:
    """Lets paths of errors begin with the input's member where the domain calls it otherwise.

    `under` is the member in which all other paths lie.
    """
    return _Renamed(under, members)


class _Renamed:
    __slots__ = ("_members", "_under")

    def __init__(self, under: str | None, members: Mapping[str, str]) -> None:
        self._under = under
        self._members = members

    def __enter__(self) -> None: ...

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: object) -> None:
        if not isinstance(error, CrmError):
            return
        first = error.path[0] if error.path else None
        if first is not None and first in self._members:
            path: tuple[str, ...] = (self._members[first], *error.path[1:])
        else:
            path = error.path if self._under is None else (self._under, *error.path)
        raise CrmError(error.code, error.message, path=path, hint=error.hint) from error


def key_of(id: str, *types: type, path: Sequence[str | int] = ("id",)) -> str:
    """The key in a global id of one of `types`. Raises `CrmError` BAD_INPUT at `path` for any other id."""
    problem: RequestError | None = None
    for type_ in types:
        try:
            return decode_key(id, type_name(type_))
        except RequestError as error:
            problem = error
    assert problem is not None  # there is at least one type
    raise CrmError(ErrorCode.BAD_INPUT, f"{problem.message}.", path=path)


def optional_key(id: str | None, type_: type, path: Sequence[str | int]) -> Any:
    """Like `key_of`, letting null and "left out" through."""
    return key_of(id, type_, path=path) if isinstance(id, str) else id


def keys_of(ids: Sequence[str], type_: type, path: Sequence[str | int]) -> list[str]:
    """The keys in a list of ids; an error names the place in the list."""
    return [key_of(id, type_, path=(*path, index)) for index, id in enumerate(ids)]
