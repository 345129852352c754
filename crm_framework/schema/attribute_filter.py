"""Conditions on attributes: custom fields whose values are in one JSON column, `attributes`."""

import json
import math
import re
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Any

import strawberry

from crm_framework.engine.comparisons import MAX_LISTED
from crm_framework.engine.errors import RequestError
from crm_framework.engine.sql import FALSE, Dialect, Fragment, all_of, any_of, listed
from crm_framework.errors import cut
from crm_framework.schema.inputs import optional, required

JSON = strawberry.scalars.JSON

MAX_ATTRIBUTES = 50
"""How many conditions on attributes one member may list."""
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,59}", re.ASCII)
_SIGNS = {"gt": ">", "gte": ">=", "lt": "<", "lte": "<="}


@strawberry.input(description="A condition on one attribute. All comparisons that are given must hold.")
class AttributeFilter:
    """What a list with attributes is filtered by, as input of a `Member` with `attribute_condition`."""

    name: str = required("The attribute's name.")
    eq: JSON | None = optional("Equal to this text, number or boolean; a date is a text.")
    in_: list[JSON] | None = optional("Equal to one of these values.", name="in")
    gt: JSON | None = optional("Greater than this number or text.")
    gte: JSON | None = optional("Greater than this number or text, or equal to it.")
    lt: JSON | None = optional("Less than this number or text.")
    lte: JSON | None = optional("Less than this number or text, or equal to it.")
    contains: str | None = optional("A text that holds this one, or a list of choices with it among them.")
    is_null: bool | None = optional("Whether there is no value.")


def attribute_condition(value: Any, dialect: Dialect) -> Fragment:
    """The condition that a list of `AttributeFilter` means, on the JSON column `attributes` of the table `t`.

    For a `Member` of kind "custom". Raises `RequestError` BAD_INPUT.
    """
    if not isinstance(value, list | tuple):
        raise _bad("a list of conditions on attributes is expected")
    if len(value) > MAX_ATTRIBUTES:
        raise _bad(f"{len(value)} conditions on attributes are too many; list {MAX_ATTRIBUTES} at most")
    return all_of([_of_one(one, dialect) for one in value])


def _of_one(value: Any, dialect: Dialect) -> Fragment:
    name = value.get("name") if isinstance(value, Mapping) else None
    if not isinstance(name, str) or _NAME.fullmatch(name) is None:
        raise _bad(f"{cut(name, 80)} is no name of an attribute")
    parts = []
    for operator, operand in value.items():
        if operator == "name":
            continue
        if operator not in _COMPARE:
            raise _bad(f"{name}: there is no comparison {cut(operator, 40)}; there are {', '.join(_COMPARE)}")
        if operand is None:
            raise _bad(f"{name}.{operator}: null is no value to compare with; use isNull")
        parts.append(_COMPARE[operator](name, operator, operand, dialect))
    if not parts:
        raise _bad(f"{name}: no comparison is given; there are {', '.join(_COMPARE)}")
    return all_of(parts)


def _equal(name: str, operator: str, operand: Any, dialect: Dialect) -> Fragment:
    return _among(name, [_scalar(name, operator, operand)], dialect)


def _one_of(name: str, operator: str, operand: Any, dialect: Dialect) -> Fragment:
    if not isinstance(operand, list | tuple) or len(operand) > MAX_LISTED:
        raise _bad(f"{name}.{operator}: a list of {MAX_LISTED} values at most is expected")
    return _among(name, [_scalar(name, operator, one) for one in operand], dialect)


def _among(name: str, values: Sequence[Any], dialect: Dialect) -> Fragment:
    """The attribute is one of the values, read once for each kind of them and not once for each value."""
    if dialect == "postgres":
        marks = ", ".join("CAST(CAST(? AS text) AS jsonb)" for _ in values)
        given = tuple(json.dumps(value, default=float) for value in values)
        return Fragment(f"{_json(name)} IN ({marks})", given) if values else FALSE
    truths = [value for value in values if isinstance(value, bool)]
    words = [value for value in values if isinstance(value, str)]
    numbers = [value for value in values if not isinstance(value, bool | str)]
    parts = [_when(name, of[0], listed(_sqlite_value(name), of), dialect) for of in (words, numbers) if of]
    if truths:
        parts.append(listed(_sqlite_type(name), ["true" if value else "false" for value in truths]))
    return any_of(parts)


def _beyond(name: str, operator: str, operand: Any, dialect: Dialect) -> Fragment:
    value = _scalar(name, operator, operand)
    if isinstance(value, bool):
        raise _bad(f"{name}.{operator}: a number or a text is expected")
    if dialect == "sqlite":
        compared = Fragment(f"{_sqlite_value(name)} {_SIGNS[operator]} ?", (value,))
    elif isinstance(value, str):
        compared = Fragment(f'{_text(name)} COLLATE "C" {_SIGNS[operator]} ?', (value,))
    else:
        number = Decimal(str(value))
        compared = Fragment(
            f"CAST({_text(name)} AS numeric) {_SIGNS[operator]} CAST(? AS numeric)", (number,)
        )
    return _when(name, value, compared, dialect)


def _holds(name: str, operator: str, operand: Any, dialect: Dialect) -> Fragment:
    if not isinstance(operand, str) or "\0" in operand:
        raise _bad(f"{name}.{operator}: a text is expected")
    if dialect == "postgres":
        return Fragment(
            f"CASE jsonb_typeof({_json(name)}) WHEN 'array' THEN {_json(name)} @> to_jsonb(CAST(? AS text))"
            f" WHEN 'string' THEN position(CAST(? AS text) IN {_text(name)}) > 0 ELSE FALSE END",
            (operand, operand),
        )
    return Fragment(
        f"CASE {_sqlite_type(name)} WHEN 'array' THEN EXISTS (SELECT 1 FROM"
        f" json_each(t.attributes, '$.{name}') AS j WHERE j.value = ?)"
        f" WHEN 'text' THEN instr({_sqlite_value(name)}, ?) > 0 ELSE 0 END",
        (operand, operand),
    )


def _absent(name: str, operator: str, operand: Any, dialect: Dialect) -> Fragment:
    if not isinstance(operand, bool):
        raise _bad(f"{name}.{operator}: true or false is expected")
    found = f"{_sqlite_value(name)} IS" if dialect == "sqlite" else f"{_text(name)} IS"
    return Fragment(f"{found} {'' if operand else 'NOT '}NULL")


def _when(name: str, value: object, compared: Fragment, dialect: Dialect) -> Fragment:
    """The comparison, where the stored value is of the operand's type; CASE holds it back elsewhere."""
    if dialect == "sqlite":
        kinds = "'text'" if isinstance(value, str) else "'integer', 'real'"
        return Fragment(
            f"CASE WHEN {_sqlite_type(name)} IN ({kinds}) THEN {compared.sql} ELSE 0 END", compared.args
        )
    kind = "string" if isinstance(value, str) else "number"
    return Fragment(
        f"CASE WHEN jsonb_typeof({_json(name)}) = '{kind}' THEN {compared.sql} ELSE FALSE END", compared.args
    )


def _json(name: str) -> str:
    return f"(t.attributes -> '{name}')"


def _text(name: str) -> str:
    return f"(t.attributes ->> '{name}')"


def _sqlite_value(name: str) -> str:
    return f"json_extract(t.attributes, '$.{name}')"


def _sqlite_type(name: str) -> str:
    return f"json_type(t.attributes, '$.{name}')"


def _scalar(name: str, operator: str, operand: Any) -> Any:
    if isinstance(operand, str) and "\0" not in operand:
        return operand
    fits = isinstance(operand, bool | float | Decimal) or (isinstance(operand, int) and abs(operand) < 2**63)
    if not fits or not math.isfinite(operand):
        raise _bad(f"{name}.{operator}: a text, a number or a boolean is expected")
    return float(operand) if isinstance(operand, Decimal) else operand


def _bad(problem: str) -> RequestError:
    return RequestError("BAD_INPUT", problem)


_COMPARE: Mapping[str, Callable[[str, str, Any, Dialect], Fragment]] = {
    "eq": _equal,
    "in": _one_of,
    **dict.fromkeys(_SIGNS, _beyond),
    "contains": _holds,
    "isNull": _absent,
}
