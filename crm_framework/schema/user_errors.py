"""Expected failures as a mutation's payload shows them, with paths spelt as the client wrote them."""

import dataclasses
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import strawberry
from strawberry.types.base import StrawberryList, StrawberryOptional, get_object_definition
from strawberry.utils.str_converters import to_camel_case

from crm_framework.engine.errors import RequestError
from crm_framework.engine.ids import decode_id
from crm_framework.errors import CrmError, ErrorCode

from . import enums  # noqa: F401  # makes ErrorCode an enumeration of the API


@strawberry.type(description="An expected failure: nothing was changed.")
class UserError:
    code: ErrorCode = strawberry.field(description="What kind of failure it is; stable, for programs.")
    message: str = strawberry.field(description="What is wrong, for people.")
    path: list[str] | None = strawberry.field(
        description="Where in `input` the value at fault stands, such as `[contactPoints, 0, value]`.",
        default=None,
    )
    hint: str | None = strawberry.field(description="What to do about it.", default=None)


def user_error(error: CrmError, input_type: object = None, input_: object = None) -> UserError:
    """The error as a client sees it. `input_type` is the class of the mutation's `input`, for its path; with
    `input_`, keys in its texts become the ids that the client wrote there.
    """
    path = client_path(error.path, input_type)
    error = with_ids(error, input_)
    return UserError(code=error.code, message=error.message, path=path or None, hint=error.hint)


def with_ids(error: CrmError, given: object) -> CrmError:
    """The error with the global ids that are in `given`, a client's input, for the keys in its texts."""
    if not _KEY.search(f"{error.message} {error.hint}"):
        return error
    ids = dict(_ids(given))
    message, hint = (
        text and _KEY.sub(lambda found: ids.get(found[0], found[0]), text)
        for text in (error.message, error.hint)
    )
    return CrmError(error.code, message or "", path=error.path, hint=hint)


_KEY = re.compile(r"\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b", re.ASCII)


def _ids(value: object) -> Iterator[tuple[str, str]]:
    """(key, global id) for each id in an input."""
    if isinstance(value, str):
        try:
            yield decode_id(value)[1], value
        except RequestError:
            return
    elif isinstance(value, list | Mapping):
        for item in value.values() if isinstance(value, Mapping) else value:
            yield from _ids(item)
    elif dataclasses.is_dataclass(value):
        for member in dataclasses.fields(value):
            yield from _ids(getattr(value, member.name))


def client_path(path: Sequence[str], input_type: object) -> list[str]:
    """`path` in the client's spelling: members of input types in camelCase, all below them as it is.

    Keys inside a JSON value, such as the names of attributes, are the client's own words and stay.
    """
    spelt: list[str] = []
    current: Any = input_type
    for part in path:
        while isinstance(current, StrawberryOptional):
            current = current.of_type
        if isinstance(current, StrawberryList):
            spelt.append(part)
            current = current.of_type
            continue
        definition = get_object_definition(current)
        fields = definition.fields if definition is not None else []
        for field in fields:
            name = field.graphql_name or to_camel_case(field.python_name)
            if part in (field.python_name, name):
                spelt.append(name)
                current = field.resolve_type(type_definition=definition)
                break
        else:
            spelt.append(part)
            current = None
    return spelt
