"""Values of custom fields against their definitions. Pure: no database.

What a value looks like in JSON: TEXT a string, NUMBER a number of at most 15 significant digits, BOOLEAN true
or false, DATE a string YYYY-MM-DD, CHOICE a string, CHOICES a list of strings. Any decimal number of up to 15
digits survives a binary double unchanged, so both databases and every client read back what was written.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal, InvalidOperation
from typing import Any

from crm_framework.domain.models import AttributeType
from crm_framework.domain.values.text import fold, kind_of, nearest, optional_lines
from crm_framework.errors import CrmError, ErrorCode, cut

Value = str | int | float | bool | list[str] | None

TEXT_LIMIT = 5000
"""Characters that a text attribute may have."""

DIGITS = 15
"""Significant digits that a number may have."""

_TRUE = frozenset({"true", "yes", "y", "1"})
_FALSE = frozenset({"false", "no", "n", "0"})


@dataclass(frozen=True, kw_only=True)
class Definition:
    """A custom field of customers. `choices` is set for CHOICE and CHOICES only."""

    id: str
    version: int
    name: str
    type: AttributeType
    choices: tuple[str, ...] | None = None
    required: bool = False
    description: str | None = None


Definitions = Mapping[str, Definition]
"""Every definition, by name."""


def check_values(
    given: Mapping[str, object],
    definitions: Definitions,
    *,
    before: Mapping[str, Any] | None = None,
    from_text: bool = False,
    path: Sequence[str | int] = ("attributes",),
) -> dict[str, Any]:
    """All attributes of a customer after `given` was written over `before`; null and blank text remove one.

    `before` None means a new customer, for whom every required attribute must be given; later, only those
    that are touched. `from_text` reads each value from text as tables have it (`12.5`, `yes`, `red; blue`).
    BAD_INPUT names the attribute and the form that its value must have.
    """
    if not isinstance(given, Mapping):
        raise CrmError(ErrorCode.BAD_INPUT, f"Attributes must be an object, not {kind_of(given)}.", path=path)
    after = dict(before or {})
    for name, value in given.items():
        definition = definitions.get(name)
        if definition is None:
            raise _unknown(name, definitions, path)
        if from_text and isinstance(value, str):
            value = _from_text(definition, value)
        checked = check_value(definition, value, path=(*path, name))
        if checked is None:
            after.pop(name, None)
        else:
            after[name] = checked
    touched = definitions if before is None else given
    for name in touched:
        if definitions[name].required and name not in after:
            raise CrmError(
                ErrorCode.BAD_INPUT,
                f"The attribute {name!r} is required.",
                path=(*path, name),
                hint=f"Give {_form(definitions[name])}.",
            )
    return after


def check_value(definition: Definition, value: object, *, path: Sequence[str | int] = ()) -> Value:
    """The value in its normal form; None for null, blank text and an empty list."""
    if value is None:
        return None
    match definition.type:
        case AttributeType.TEXT:
            if isinstance(value, str):
                return optional_lines(value, f"The attribute {definition.name!r}", TEXT_LIMIT, path=path)
        case AttributeType.NUMBER:
            if isinstance(value, str | int | float | Decimal) and not isinstance(value, bool):
                return _number(definition, value, path)
        case AttributeType.BOOLEAN:
            if isinstance(value, bool):
                return value
        case AttributeType.DATE:
            if isinstance(value, str | date):
                return _date(definition, value, path)
        case AttributeType.CHOICE:
            if isinstance(value, str):
                return _choice(definition, value, path) if value.strip() else None
        case AttributeType.CHOICES:
            if isinstance(value, list | tuple):
                chosen = {_choice(definition, item, (*path, index)) for index, item in enumerate(value)}
                return [choice for choice in definition.choices or () if choice in chosen] or None
    raise _unfit(definition, value, path)


def _number(
    definition: Definition, value: str | int | float | Decimal, path: Sequence[str | int]
) -> int | float | None:
    if isinstance(value, str) and not value.strip():
        return None
    if isinstance(value, float) and not math.isfinite(value):
        raise _unfit(definition, value, path)
    try:
        # The shortest text that reads back as this double is what was typed.
        exact = Decimal(str(value)[:400].strip())
    except InvalidOperation:
        raise _unfit(definition, value, path) from None
    if not exact.is_finite() or (isinstance(value, str) and not value.isascii()):
        raise _unfit(definition, value, path)
    if exact == 0:
        return 0
    plain = exact.normalize()
    if len(exact.as_tuple().digits) > 100 or len(plain.as_tuple().digits) > DIGITS:
        raise CrmError(
            ErrorCode.BAD_INPUT,
            f"The attribute {definition.name!r} takes numbers of at most {DIGITS} significant digits.",
            path=path,
            hint="Round it, or make the attribute a text.",
        )
    if not -DIGITS <= plain.adjusted() < DIGITS:
        raise CrmError(
            ErrorCode.BAD_INPUT,
            f"The attribute {definition.name!r} takes numbers below 10^{DIGITS}, not {value!s:.40}.",
            path=path,
            hint="Choose another unit.",
        )
    return int(plain) if plain == plain.to_integral_value() else float(plain)


def _date(definition: Definition, value: str | date, path: Sequence[str | int]) -> str | None:
    text = value.isoformat() if isinstance(value, date) else value.strip()
    if not text:
        return None
    try:
        if len(text) != len("YYYY-MM-DD"):
            raise ValueError
        return date.fromisoformat(text).isoformat()
    except ValueError:
        raise _unfit(definition, value, path) from None


def _choice(definition: Definition, value: object, path: Sequence[str | int]) -> str:
    choices = definition.choices or ()
    if not isinstance(value, str):
        raise _unfit(definition, value, path)
    if len(value) <= TEXT_LIMIT:  # more are no choice, and cost time to fold
        wanted = fold(value)
        for choice in choices:
            if fold(choice) == wanted:
                return choice
    meant = nearest(value, choices)
    shown = ", ".join(choices[:10]) + (" …" if len(choices) > 10 else "")
    raise CrmError(
        ErrorCode.BAD_INPUT,
        f"{cut(value)} is no choice of the attribute {definition.name!r}.",
        path=path,
        hint=f"Did you mean {meant!r}?" if meant else f"Choose from: {shown}.",
    )


def _from_text(definition: Definition, text: str) -> object:
    """A cell of a table as the value it stands for; what fits nothing is left for `check_value` to refuse."""
    if not text.strip():
        return None
    if definition.type is AttributeType.BOOLEAN:
        word = text.strip().lower()
        return True if word in _TRUE else False if word in _FALSE else text
    if definition.type is AttributeType.CHOICES:
        return [part for part in text.split(";") if part.strip()]
    return text


def _form(definition: Definition) -> str:
    match definition.type:
        case AttributeType.TEXT:
            return "a text"
        case AttributeType.NUMBER:
            return "a number, such as 12.5"
        case AttributeType.BOOLEAN:
            return "true or false"
        case AttributeType.DATE:
            return "a date, such as 2024-01-31"
        case AttributeType.CHOICE:
            return f"one of: {', '.join((definition.choices or ())[:10])}"
        case AttributeType.CHOICES:
            return f"a list of some of: {', '.join((definition.choices or ())[:10])}"


def _unfit(definition: Definition, value: object, path: Sequence[str | int]) -> CrmError:
    given = f"{cut(value)}" if isinstance(value, str | int | float | date) else kind_of(value)
    return CrmError(
        ErrorCode.BAD_INPUT,
        f"The attribute {definition.name!r} must be {_form(definition)}, not {given}.",
        path=path,
    )


def _unknown(name: object, definitions: Definitions, path: Sequence[str | int]) -> CrmError:
    known = sorted(definitions)
    meant = nearest(name, known) if isinstance(name, str) else None
    if meant:
        hint = f"Did you mean {meant!r}?"
    elif known:
        hint = f"Known are: {', '.join(known[:20])}."
    else:
        hint = "Define it first."
    return CrmError(
        ErrorCode.BAD_INPUT, f"There is no attribute {cut(name)}.", path=(*path, str(name)[:60]), hint=hint
    )
