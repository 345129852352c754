"""The comparisons that a filter's members have, by kind, and what each means in SQL."""

from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from enum import Enum
from typing import TYPE_CHECKING, Any

from .ids import decode_key
from .integers import LEAST_BIG, MOST_BIG
from .sql import Dialect, Fragment, listed

if TYPE_CHECKING:
    from .filters import Member

_ORDERED = ("eq", "in", "gt", "gte", "lt", "lte", "isNull")
OPERATORS: Mapping[str, tuple[str, ...]] = {
    "string": ("eq", "in", "contains", "startsWith", "isNull"),
    "int": _ORDERED,
    "bigint": _ORDERED,
    "decimal": _ORDERED,
    "datetime": _ORDERED,
    "date": _ORDERED,
    "boolean": ("eq", "isNull"),
    "enum": ("eq", "in", "isNull"),
    "id": ("eq", "in", "isNull"),
}
"""Kind → names of its comparisons."""

MAX_LISTED = 1_000
"""How many values `in` may list."""

_SIGNS = {"eq": "=", "gt": ">", "gte": ">=", "lt": "<", "lte": "<="}


def compared(member: "Member", operator: str, operand: Any, dialect: Dialect) -> Fragment:
    """One comparison as SQL. Raises `ValueError` or `TypeError`, whose text says what was expected."""
    column = member.expression
    if operator == "isNull":
        if not isinstance(operand, bool):
            raise TypeError("true or false is expected")
        return Fragment(f"{column} IS {'' if operand else 'NOT '}NULL")
    if operator == "in":
        if not isinstance(operand, list | tuple):
            raise TypeError("a list of values is expected")
        if len(operand) > MAX_LISTED:
            raise ValueError(f"{len(operand)} values are too many; list {MAX_LISTED} at most")
        return _listed(member, [_value(member, one, dialect) for one in operand], dialect)
    value = _value(member, operand, dialect)
    if operator == "startsWith":
        return _prefix(column, value, dialect)
    if operator == "contains":
        return _contains(column, value, dialect)
    return Fragment(f"{_comparable(member, dialect)} {_SIGNS[operator]} ?", (value,))


def _comparable(member: "Member", dialect: Dialect) -> str:
    # SQLite keeps decimals as text, which would compare as text
    numeric = member.kind == "decimal" and dialect == "sqlite"
    return f"CAST({member.expression} AS NUMERIC)" if numeric else member.expression


def _listed(member: "Member", values: Sequence[Any], dialect: Dialect) -> Fragment:
    return listed(_comparable(member, dialect), values)


def _prefix(column: str, prefix: str, dialect: Dialect) -> Fragment:
    """A range of the column's own order, so that an index serves it; LIKE would read the whole table."""
    if not prefix:
        return Fragment(f"{column} IS NOT NULL")
    compared_as = f'{column} COLLATE "C"' if dialect == "postgres" else column
    end = _successor(prefix)
    if end is None:
        return Fragment(f"{compared_as} >= ?", (prefix,))
    return Fragment(f"{compared_as} >= ? AND {compared_as} < ?", (prefix, end))


def _successor(prefix: str) -> str | None:
    """The smallest text that is larger than all with this prefix; `None` if there is none."""
    for index in range(len(prefix) - 1, -1, -1):
        code = ord(prefix[index])
        if code < 0x10FFFF:
            following = 0xE000 if code == 0xD7FF else code + 1  # surrogates are no characters
            return prefix[:index] + chr(following)
    return None


def _contains(column: str, part: str, dialect: Dialect) -> Fragment:
    if dialect == "sqlite":
        # its LIKE ignores the case of ASCII letters only; this compares exactly, as PostgreSQL's LIKE does
        return Fragment(f"instr({column}, ?) > 0", (part,))
    escaped = part.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    return Fragment(f"{column} LIKE ?", (f"%{escaped}%",))


def _value(member: "Member", operand: Any, dialect: Dialect) -> Any:
    return _VALUES[member.kind](member, operand, dialect)


def _string(member: "Member", operand: Any, dialect: Dialect) -> str:
    if not isinstance(operand, str):
        raise TypeError("a text is expected")
    text = member.normalise(operand) if member.normalise is not None else operand
    if "\0" in text:
        raise ValueError("a text may not hold the character U+0000")
    try:
        text.encode()
    except UnicodeEncodeError:
        raise ValueError("a text may not hold half a surrogate pair") from None
    return text


def _int(member: "Member", operand: Any, dialect: Dialect) -> int:
    if isinstance(operand, bool) or not isinstance(operand, int) or not LEAST_BIG <= operand <= MOST_BIG:
        raise TypeError("an integer of 64 bits at most is expected")
    return operand


def _decimal(member: "Member", operand: Any, dialect: Dialect) -> Any:
    expected = "a decimal number such as 12.50 is expected"
    if isinstance(operand, bool) or not isinstance(operand, int | float | str | Decimal):
        raise TypeError(expected)
    try:
        number = Decimal(str(operand))
    except ArithmeticError:
        raise ValueError(expected) from None
    if not number.is_finite() or abs(number.adjusted()) > 30:
        raise ValueError(expected)
    if dialect == "postgres":
        return number
    whole = int(number)
    return whole if whole == number and abs(whole) < 2**63 else float(number)


def _datetime(member: "Member", operand: Any, dialect: Dialect) -> datetime:
    expected = "a moment with an offset, such as 2026-03-01T09:30:00Z, is expected"
    if isinstance(operand, str):
        try:
            operand = datetime.fromisoformat(operand)
        except ValueError:
            raise ValueError(expected) from None
    if not isinstance(operand, datetime) or operand.tzinfo is None:
        raise TypeError(expected)
    return operand


def _date(member: "Member", operand: Any, dialect: Dialect) -> date:
    expected = "a day, such as 2026-03-01, is expected"
    if isinstance(operand, str):
        try:
            operand = date.fromisoformat(operand)
        except ValueError:
            raise ValueError(expected) from None
    if not isinstance(operand, date) or isinstance(operand, datetime):
        raise TypeError(expected)
    return operand


def _boolean(member: "Member", operand: Any, dialect: Dialect) -> bool:
    if not isinstance(operand, bool):
        raise TypeError("true or false is expected")
    return operand


def _enum(member: "Member", operand: Any, dialect: Dialect) -> Any:
    assert member.enum is not None  # a member without it cannot be declared
    if isinstance(operand, member.enum):
        return operand.value
    if isinstance(operand, str) and operand in member.enum.__members__:
        return member.enum[operand].value
    shown = ", ".join(member.enum.__members__)
    raise ValueError(f"one of {shown} is expected")


def _id(member: "Member", operand: Any, dialect: Dialect) -> str:
    assert member.of is not None  # a member without it cannot be declared
    if not isinstance(operand, str) or isinstance(operand, Enum):
        raise TypeError("an id is expected")
    return decode_key(operand, member.of, member.key_type)


_VALUES: Mapping[str, Callable[["Member", Any, Dialect], Any]] = {
    "string": _string,
    "int": _int,
    "bigint": _int,
    "decimal": _decimal,
    "datetime": _datetime,
    "date": _date,
    "boolean": _boolean,
    "enum": _enum,
    "id": _id,
}
