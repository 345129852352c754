"""What differs between the dialects in a statement: placeholders and the values that fill them."""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from enum import Enum
from functools import lru_cache
from itertools import count
from typing import Any, Literal
from uuid import UUID

from crm_framework.errors import CrmError, ErrorCode

Dialect = Literal["sqlite", "postgres"]

_TOKEN = re.compile(
    r"""
      '(?:[^']|'')*'                        # text; E'\'' is not supported, write ''
    | "(?:[^"]|"")*"                        # quoted name
    | --[^\n]*                              # comment
    | /\*.*?\*/                             # comment
    | \$(?P<tag>\w*)\$.*?\$(?P=tag)\$       # dollar-quoted text
    | \?\?                                  # an operator's question mark
    | \?                                    # placeholder
    """,
    re.VERBOSE | re.DOTALL,
)
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")


@lru_cache(maxsize=2048)
def numbered(sql: str) -> str:
    """The statement with each `?` as `$1`, `$2` …; `??` stands for PostgreSQL's own `?` operators."""
    places = count(1)
    return filled(sql, lambda: f"${next(places)}")


def filled(sql: str, place: Callable[[], str]) -> str:
    """The statement with what `place` gives for each `?`, in their order; of `??`, one is left."""

    def replace(match: re.Match[str]) -> str:
        token = match[0]
        if token == "?":
            return place()
        return "?" if token == "??" else token

    return _TOKEN.sub(replace, sql)


@lru_cache(maxsize=2048)
def name(identifier: str) -> str:
    """A table's or column's name, checked, for use inside a statement."""
    if not _NAME.match(identifier):
        raise CrmError(ErrorCode.INTERNAL, f"{identifier!r} is not a plain table or column name.")
    return identifier


def is_read(sql: str) -> bool:
    """Whether the statement certainly changes nothing."""
    return sql.lstrip()[:6].upper() == "SELECT"


def returns_rows(sql: str) -> bool:
    head = sql.lstrip()[:6].upper()
    return head not in ("INSERT", "UPDATE", "DELETE") or "RETURNING" in sql.upper()


_PLAIN_START = ("SELECT", "INSERT", "UPDATE", "DELETE", "WITH")
_FOR_THE_SESSION = re.compile(r"set_config|advisory_(un)?lock", re.IGNORECASE)


@lru_cache(maxsize=2048)
def leaves_nothing_behind(sql: str) -> bool:
    """Whether, on PostgreSQL, the statement sets nothing that would outlive its transaction but data."""
    return sql.lstrip()[:6].upper().startswith(_PLAIN_START) and not _FOR_THE_SESSION.search(sql)


_CONTROL = ("COMMIT", "ROLLBACK", "BEGIN", "END", "START", "SAVEPOINT", "RELEASE", "ABORT", "PREPARE")


def controls_transaction(sql: str) -> bool:
    """Whether the statement begins or ends a transaction or a part of it."""
    return sql.lstrip()[:9].upper().startswith(_CONTROL)


def sqlite_args(args: Sequence[object]) -> list[Any]:
    """Values as SQLite stores them: times as text, `YYYY-MM-DD HH:MM:SS.ffffff+00:00`, always UTC."""
    return [value if type(value) in _PLAIN else _sqlite_value(value) for value in args]


def postgres_args(args: Sequence[object]) -> list[Any]:
    """Values as asyncpg takes them; keys stay text, times must carry a zone."""
    return [
        value
        if type(value) in _PLAIN or (type(value) is datetime and value.tzinfo is not None)
        else _postgres_value(value)
        for value in args
    ]


def are_one(values: Sequence[object]) -> bool:
    """Whether all are the same object, such as the moment of a transaction in each of its rows."""
    return len(set(map(id, values))) == 1


def _sqlite_value(value: object) -> Any:
    kind = type(value)
    if kind in _PLAIN:
        return value
    if kind is date:
        return value.isoformat()  # type: ignore[attr-defined]  # the type says it, which is quicker to ask
    if isinstance(value, datetime):
        return _sqlite_moment(aware(value))
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, UUID | Decimal):
        return str(value)
    if isinstance(value, Enum):
        return _sqlite_value(value._value_)
    if isinstance(value, str | int | float | bytes | bytearray | memoryview):
        return value
    raise _unfit(value)


@lru_cache(maxsize=256)
def _sqlite_moment(value: datetime) -> str:
    """All rows of a transaction carry the moment of its beginning."""
    return value.astimezone(UTC).isoformat(" ", "microseconds")


def _postgres_value(value: object) -> Any:
    kind = type(value)
    if kind in _PLAIN:
        return value
    if isinstance(value, datetime):
        return aware(value)
    if isinstance(value, list | tuple):
        return [_postgres_value(item) for item in value]
    if isinstance(value, UUID):
        return str(value)
    if isinstance(value, Enum):
        return _postgres_value(value._value_)
    if isinstance(value, date | str | int | float | Decimal | bytes | bytearray | memoryview):
        return value
    raise _unfit(value)


_PLAIN = frozenset({str, int, float, bool, bytes, type(None)})


def aware(value: datetime) -> datetime:
    """The moment itself. Raises CrmError INTERNAL for one without a zone."""
    if value.tzinfo is None:
        raise CrmError(
            ErrorCode.INTERNAL,
            f"The time {value.isoformat()} carries no zone, so it names no moment.",
            hint="Pass an aware datetime, such as crm_framework.now() gives.",
        )
    return value


def _as_they_are(values: Sequence[Any]) -> Sequence[Any]:
    return values


def _moments_as_text(values: Sequence[datetime]) -> list[str]:
    return [value.isoformat(" ", "microseconds") for value in values]


_BY_COLUMN = 20
"""Rows from which on it pays to go by columns: most of them need no look at each value."""


@dataclass(frozen=True)
class Converter:
    """Makes of values what a database's driver takes."""

    args: Callable[[Sequence[object]], list[Any]]
    value: Callable[[object], Any]
    days: Callable[[Sequence[date]], Iterable[Any]]
    """Of a column of nothing but days."""
    moments: Callable[[Sequence[datetime]], Iterable[Any]]
    """Of a column of nothing but moments in UTC."""

    def rows(self, rows: Sequence[Sequence[object]]) -> list[Sequence[Any]]:
        """As `args`, for many rows."""
        if len(rows) < _BY_COLUMN:
            return list(map(self.args, rows))
        return list(zip(*map(self._column, zip(*rows, strict=True)), strict=True))

    def _column(self, values: tuple[Any, ...]) -> Iterable[Any]:
        kinds = set(map(type, values))
        if _PLAIN.issuperset(kinds):
            return values
        if are_one(values):
            return [self.value(values[0])] * len(values)
        if kinds == {date}:
            return self.days(values)
        if kinds == {datetime} and all(value.tzinfo is UTC for value in values):
            return self.moments(values)
        return map(self.value, values)


CONVERTERS: Mapping[Dialect, Converter] = {
    "sqlite": Converter(sqlite_args, _sqlite_value, lambda days: map(date.isoformat, days), _moments_as_text),
    "postgres": Converter(postgres_args, _postgres_value, _as_they_are, _as_they_are),
}


def _unfit(value: object) -> CrmError:
    return CrmError(
        ErrorCode.INTERNAL,
        f"A statement cannot take a value of type {type(value).__name__}.",
        hint="Pass text, numbers, booleans, None, bytes, dates or aware datetimes; encode JSON as text.",
    )
