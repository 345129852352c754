"""How leaf values are written: as graphql-core would, but at once where a value needs no work.

What is written is what orjson takes, not yet JSON. A scalar that the schema calls `plain` is one whose text
orjson writes itself, from the Python value: moments and days.
"""

import math
from collections.abc import Callable, Collection, Mapping
from datetime import UTC, date, datetime
from types import NoneType
from typing import Any

import orjson
import strawberry
from graphql import GraphQLEnumType, GraphQLLeafType, Undefined

from .decode import decoder, moment
from .errors import CompletionFailure
from .integers import SAFE, BigInt
from .sql import Dialect

Write = Callable[[Any], Any]

LEAST, MOST = -(2**31), 2**31 - 1
"""What an `Int` can be."""


class Leaves:
    """The leaf types of one schema. `plain` names scalars that orjson writes itself."""

    def __init__(self, plain: frozenset[str]) -> None:
        self.plain = plain
        self._writers: dict[str, Write] = {}

    def writer(self, leaf: GraphQLLeafType) -> Write:
        """Writes any value that a function gave, null as null. Raises for one that the type does not have."""
        found = self._writers.get(leaf.name)
        if found is None:
            found = self._writers[leaf.name] = _writer(leaf, self.plain)
        return found

    def column(self, leaf: GraphQLLeafType, kind: object, dialect: Dialect) -> tuple[str, Mapping[str, Any]]:
        """How a column of this kind is written: an expression over the driver's value `{0}`, which is not
        null, and what it calls. The value itself is the expression "{0}"; "{1}" is a name to keep something
        under.
        """
        decode = decoder(kind, dialect)
        name = leaf.name
        if kind is str and name in ("String", "ID"):
            return "{0}", {}
        if kind is int and name == "Int":
            return f"({{0}} if {LEAST} <= {{0}} <= {MOST} else w({{0}}))", {"w": self.writer(leaf)}
        if kind is BigInt and name == "BigInt":
            return f"({{0}} if {-SAFE} <= {{0}} <= {SAFE} else w({{0}}))", {"w": self.writer(leaf)}
        if kind is bool and name == "Boolean":
            return ("{0}", {}) if dialect == "postgres" else ("({0} != 0)", {})
        if name in self.plain:
            if kind is datetime:
                return ("{0}", {}) if dialect == "postgres" else (_TEXT_MOMENT, _TEXT_MOMENT_CALLS)
            if kind is date:
                return ("{0}", {}) if dialect == "postgres" else ("d({0})", {"d": decode})
            if kind is strawberry.scalars.JSON:
                return "j({0})", {"j": _raw_json}
        if isinstance(leaf, GraphQLEnumType) and decode is not None:
            return "e[{0}]", {"e": _names(leaf, decode)}
        write = self.writer(leaf)
        if decode is None:
            return "w({0})", {"w": write}
        return "w(d({0}))", {"w": write, "d": decode}


def first_fits(kind: object, value: Any, dialect: Dialect) -> bool:
    """Whether a driver's value is of the Python type that a column of this kind is taken to have."""
    if value is None:
        return True
    if kind is datetime and dialect == "postgres":
        return type(value) is datetime and value.tzinfo is not None
    expected = _EXPECTED.get(kind)
    return expected is None or type(value) in expected


def sure_types(kind: object, dialect: Dialect) -> Collection[type] | None:
    """The types of which a driver's value certainly fits; None where every value does."""
    if kind is datetime and dialect == "postgres":
        return (NoneType,)
    expected = _EXPECTED.get(kind)
    return None if expected is None else (NoneType, *expected)


_EXPECTED: Mapping[object, tuple[type, ...]] = {str: (str,), int: (int,), BigInt: (int,), bool: (bool, int)}


_TEXT_MOMENT = "({1} if ({1} := f({0})).tzinfo is u else m({0}))"
_TEXT_MOMENT_CALLS: Mapping[str, Any] = {"f": datetime.fromisoformat, "u": UTC, "m": moment}


def _raw_json(value: Any) -> Any:
    return orjson.Fragment(value) if isinstance(value, str) else value


class _Names(dict[Any, str]):
    """Database value → name of an enum's member."""

    def __init__(self, decode: Callable[[Any], Any], leaf: GraphQLEnumType) -> None:
        super().__init__()
        self._decode = decode
        self._leaf = leaf

    def __missing__(self, value: Any) -> str:
        self[value] = found = str(self._leaf.coerce_output_value(self._decode(value)))
        return found


def _names(leaf: GraphQLEnumType, decode: Callable[[Any], Any]) -> Mapping[Any, str]:
    return _Names(decode, leaf)


def _writer(leaf: GraphQLLeafType, plain: frozenset[str]) -> Write:
    coerce = leaf.coerce_output_value

    def checked(value: Any) -> Any:
        if value is None:
            return None
        if isinstance(value, Exception):
            raise value
        try:
            found = coerce(value)
        except Exception as error:
            raise CompletionFailure(str(error)) from error
        if found is None or found is Undefined:
            raise CompletionFailure(f"{leaf.name} has no text for a {type(value).__name__}")
        return found

    quick: Mapping[str, Write] = {
        "String": lambda value: value if type(value) is str else checked(value),
        "ID": lambda value: value if type(value) is str else checked(value),
        "Int": lambda value: value if type(value) is int and LEAST <= value <= MOST else checked(value),
        "BigInt": lambda value: value if type(value) is int and -SAFE <= value <= SAFE else checked(value),
        "Float": lambda value: value if type(value) is float and math.isfinite(value) else checked(value),
        "Boolean": lambda value: value if type(value) is bool else checked(value),
    }
    if leaf.name in quick:
        return quick[leaf.name]
    if leaf.name in plain:

        def as_it_is(value: Any) -> Any:
            if type(value) is date or (type(value) is datetime and value.tzinfo is UTC):
                return value
            return checked(value)

        return as_it_is
    return checked
