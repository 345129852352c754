"""From what a driver gives to what a field is declared as. Most columns pass through untouched."""

import json
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from enum import Enum
from operator import itemgetter
from typing import Any

import strawberry
from strawberry.types.base import StrawberryList, StrawberryOptional
from strawberry.types.enum import StrawberryEnumDefinition

from .integers import BigInt
from .sql import Dialect

Decode = Callable[[Any], Any]
Read = Callable[[Any], Any]


def moment(value: Any) -> datetime:
    """An aware datetime in UTC; text without an offset is UTC."""
    found = datetime.fromisoformat(value) if isinstance(value, str) else value
    return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)


def day(value: Any) -> date:
    """A day; of text that may go on with a time."""
    return date.fromisoformat(value[:10]) if isinstance(value, str) else value


def _json(value: Any) -> Any:
    return json.loads(value) if isinstance(value, str | bytes) else value


def _decimal(value: Any) -> Decimal:
    return value if isinstance(value, Decimal) else Decimal(str(value))


def _duration(value: Any) -> timedelta:
    return value if isinstance(value, timedelta) else timedelta(seconds=value)


_EVERYWHERE: dict[object, Decode] = {
    strawberry.scalars.JSON: _json,
    Decimal: _decimal,
    timedelta: _duration,
    list: _json,
}
_SQLITE: dict[object, Decode] = {datetime: moment, date: day, bool: bool}
_AS_IT_IS = {str, int, BigInt, float, bytes, strawberry.ID, datetime, date, bool}


def kind_of(annotation: Any) -> object:
    """The Python type, enum or scalar behind a field's resolved type, without its optionality."""
    if isinstance(annotation, StrawberryOptional):
        return kind_of(annotation.of_type)
    if isinstance(annotation, StrawberryList):
        return list
    if isinstance(annotation, StrawberryEnumDefinition):
        return annotation.wrapped_cls
    return annotation


def decoder(kind: object, dialect: Dialect) -> Decode | None:
    """How to decode a column of this kind; `None` where the driver's value is right already.

    Lists and `JSON` are columns with JSON text; `timedelta` is a number of seconds. Raises `TypeError` for a
    kind that no column can hold.
    """
    if isinstance(kind, type) and issubclass(kind, Enum):
        members = {member.value: member for member in kind}
        return members.__getitem__
    found = _EVERYWHERE.get(kind) or (_SQLITE.get(kind) if dialect == "sqlite" else None)
    if found is None and kind not in _AS_IT_IS:
        raise TypeError(f"no column holds a {kind!r}")
    return found


def reader(place: int, kind: object, dialect: Dialect) -> Read:
    """Reads what stands at one place of a raw row, decoded; NULL is `None`."""
    decode = decoder(kind, dialect)
    raw = itemgetter(place)
    if decode is None:
        return raw
    known = decode

    def read(row: Any) -> Any:
        value = row[place]
        return None if value is None else known(value)

    return read
