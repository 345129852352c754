"""Cursors: the place of a row in an ordering, as an opaque text that knows its ordering and is checked."""

import binascii
import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from hashlib import blake2b
from math import isfinite
from typing import Any

from .decode import day, moment
from .errors import RequestError
from .ids import check_key
from .integers import LEAST_BIG, MOST_BIG
from .keyset import Ordering, Term
from .orders import OrderKind
from .sql import Dialect


def encode_cursor(fingerprint: str, values: Sequence[Any]) -> str:
    """The cursor of a row with these values, JSON-able or dates, in the ordering of this fingerprint."""
    body = json.dumps([fingerprint, *values], default=_text, separators=(",", ":"))
    return urlsafe_b64encode(_check(body) + body.encode()).decode()


def decode_cursor(fingerprint: str, cursor: str, argument: str) -> list[Any]:
    """The values in a cursor of this ordering.

    Raises `RequestError` BAD_INPUT, naming the `argument`, for another ordering's cursor and for a damaged
    one.
    """
    try:
        raw = urlsafe_b64decode(cursor.encode("ascii"))
        body = raw[_CHECK_BYTES:].decode()
        found, *values = json.loads(body)
    except (binascii.Error, ValueError, TypeError, RecursionError):
        raise _damaged(argument) from None
    if raw[:_CHECK_BYTES] != _check(body):
        raise _damaged(argument)
    if found != fingerprint:
        raise RequestError(
            "BAD_INPUT",
            f"{argument}: this cursor belongs to the order {found}, but the list is in the order "
            f"{fingerprint}; start again without a cursor, or keep the order",
        )
    return list(values)


def row_cursor(ordering: Ordering, row: Sequence[Any], at: int) -> str:
    """The cursor of a raw row whose values of the ordering begin `at` this place."""
    return encode_cursor(ordering.fingerprint, row[at : at + len(ordering.terms)])


def place(ordering: Ordering, cursor: str, argument: str, dialect: Dialect, key_type: str) -> list[Any]:
    """The values that a cursor names, as arguments of a statement. Raises `RequestError` BAD_INPUT."""
    values = decode_cursor(ordering.fingerprint, cursor, argument)
    if len(values) != len(ordering.terms):
        raise _damaged(argument)
    try:
        found = [_argument(term, value, dialect) for term, value in zip(ordering.terms, values, strict=True)]
        for term, value in zip(ordering.terms, found, strict=True):
            if term.kind == "id" and value is not None:  # another list may have moments there
                check_key(cursor, value, key_type)
    except (ValueError, TypeError, ArithmeticError, RequestError):
        raise _damaged(argument) from None
    return found


def _argument(term: Term, value: Any, dialect: Dialect) -> Any:
    if value is None:
        if term.nullable:
            return None
        raise ValueError(term.name)
    read: Callable[[Any], Any] = _ARGUMENTS[dialect].get(term.kind, _text_value)
    return read(value)


def _text_value(value: Any) -> str:
    if not isinstance(value, str) or "\0" in value:
        raise TypeError("text expected")
    value.encode()  # a lone surrogate is no text for a database
    return value


def _integer(value: Any) -> int:
    if type(value) is not int or not LEAST_BIG <= value <= MOST_BIG:
        raise TypeError("integer expected")
    return value


def _number(value: Any) -> int | float:
    """A number as SQLite has it, where what a plugin computes may be other than it was declared."""
    if isinstance(value, float) and isfinite(value):
        return value
    return _integer(value)


def _decimal_number(value: Any) -> int | float:
    return _number(float(_decimal(value)) if isinstance(value, str) else value)


def _decimal(value: Any) -> Decimal:
    found = Decimal(_text_value(value))
    if not found.is_finite() or not -_MOST_DIGITS < found.adjusted() < _MOST_DIGITS:
        raise ValueError("decimal number expected")
    return found


def _bit(value: Any) -> int:
    return value if isinstance(value, bool) else _integer(value)


def _truth(value: Any) -> bool:
    if not isinstance(value, bool):
        raise TypeError("boolean expected")
    return value


def _kept(read: Callable[[str], object]) -> Callable[[Any], str]:
    """As the driver gave it: another spelling of the same moment would not be equal to the stored text."""

    def check(value: Any) -> str:
        text = _text_value(value)
        read(text)
        return text

    return check


_MOST_DIGITS = 300
"""On either side of the point: what a float can be, as which SQLite compares it."""
_ARGUMENTS: Mapping[Dialect, Mapping[OrderKind, Callable[[Any], Any]]] = {
    "postgres": {
        "int": _integer,
        "decimal": _decimal,
        "datetime": lambda value: moment(_text_value(value)),
        "date": lambda value: date.fromisoformat(_text_value(value)),
        "boolean": _truth,
    },
    "sqlite": {
        "int": _number,
        "decimal": _decimal_number,
        "datetime": _kept(moment),
        "date": _kept(day),
        "boolean": _bit,
    },
}
"""All other kinds are texts."""
_CHECK_BYTES = 6


def _check(body: str) -> bytes:
    return blake2b(body.encode(), digest_size=_CHECK_BYTES).digest()


def _text(value: Any) -> str:
    return value.isoformat() if isinstance(value, datetime | date) else str(value)


def _damaged(argument: str) -> RequestError:
    return RequestError(
        "BAD_INPUT", f"{argument}: the cursor is damaged or was altered; use cursors as the API gave them"
    )
