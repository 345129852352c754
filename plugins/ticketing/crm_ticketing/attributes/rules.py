"""What attributes tickets may have, and which values fit."""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Annotated, Any, Literal

import msgspec

from crm_framework import CrmError, ErrorCode

LONGEST_TEXT = 2_000
MOST_CHOICES = 50
NAME = "^[A-Za-z][A-Za-z0-9_]{0,59}$"
"""Of an attribute, as of customers': filters name it."""


class AttributeDefinition(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A field of tickets: `choices` are for the types "choice" and "choices". Dates are YYYY-MM-DD."""

    name: Annotated[str, msgspec.Meta(pattern=NAME)]
    type: Literal["text", "number", "boolean", "date", "choice", "choices"] = "text"
    choices: tuple[str, ...] = ()
    required: bool = False


def checked(
    given: Mapping[str, Any],
    definitions: Sequence[AttributeDefinition],
    *,
    before: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """All attributes after a change: what is not named stays, null removes. BAD_INPUT with the name."""
    known = {one.name: one for one in definitions}
    after = dict(before or {})
    for name, value in given.items():
        if name not in known:
            raise CrmError(
                ErrorCode.BAD_INPUT,
                f"{name!r:.60} is no attribute of tickets.",
                path=("attributes", name[:60]),
                hint=f"Known are: {', '.join(known)}." if known else "Define some in the settings.",
            )
        if value is None:
            after.pop(name, None)
        else:
            after[name] = _value(known[name], value)
    for one in definitions:
        if one.required and one.name not in after:
            raise CrmError(
                ErrorCode.BAD_INPUT, f"The attribute {one.name} is missing.", path=("attributes", one.name)
            )
    return after


def _value(definition: AttributeDefinition, value: Any) -> Any:
    fits: bool
    match definition.type:
        case "text":
            fits = isinstance(value, str) and 1 <= len(value) <= LONGEST_TEXT and "\0" not in value
        case "number":
            fits = isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e15
        case "boolean":
            fits = isinstance(value, bool)
        case "date":
            fits = isinstance(value, str) and _is_date(value)
        case "choice":
            fits = value in definition.choices
        case "choices":
            fits = isinstance(value, list) and all(one in definition.choices for one in value)
            value = list(dict.fromkeys(value)) if fits else value
    if fits:
        return value
    allowed = f" Choose of: {', '.join(definition.choices)}." if definition.choices else ""
    raise CrmError(
        ErrorCode.BAD_INPUT,
        f"{value!r:.60} does not fit the attribute {definition.name}, a {definition.type}.{allowed}",
        path=("attributes", definition.name),
    )


def _is_date(text: str) -> bool:
    try:
        return date.fromisoformat(text).isoformat() == text
    except ValueError:
        return False


def named(given: Any) -> Mapping[str, Any]:
    """Attributes as a client gave them. BAD_INPUT for what is no object."""
    if not isinstance(given, Mapping):
        raise CrmError(
            ErrorCode.BAD_INPUT, "An object with values by name is expected.", path=("attributes",)
        )
    return given


def attributes_of(column: Any) -> dict[str, Any]:
    """The attributes in a column, which databases give as text."""
    found: dict[str, Any] = msgspec.json.decode(column) if isinstance(column, str | bytes) else column or {}
    return found
