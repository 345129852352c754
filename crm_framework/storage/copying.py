"""Rows as PostgreSQL's COPY reads them: many at once take half the time of as many INSERTs."""

import asyncio
import re
from collections.abc import AsyncIterator, Iterable, Sequence
from datetime import date, datetime
from decimal import Decimal
from enum import Enum
from functools import lru_cache
from typing import Any
from uuid import UUID

from .sql import are_one, aware

MANY = 100
"""Rows from which on COPY is worth its own exchange with the server."""

_PLAIN_INSERT = re.compile(r"\s*INSERT INTO (\w+) \(([\w, ]+)\) VALUES \(([$\d, ]+)\)\s*")
_ESCAPES = (("\\", "\\\\"), ("\t", "\\t"), ("\n", "\\n"), ("\r", "\\r"))


@lru_cache(maxsize=512)
def copied_table(sql: str) -> tuple[str, tuple[str, ...]] | None:
    """Table and columns of an INSERT of one row of values that does nothing else, with `$1` placeholders."""
    found = _PLAIN_INSERT.fullmatch(sql)
    if found is None:
        return None
    table, listed, places = found.groups()
    columns = tuple(listed.split(", "))
    in_order = ", ".join(f"${number}" for number in range(1, len(columns) + 1))
    return (table, columns) if places == in_order else None


class Uncopied(Exception):
    """A value has no form for COPY."""


class Feed:
    """Rows of one table on their way to the database, while more of them are made.

    It gives their text as asyncpg takes it: up to the end, or up to rows that COPY has no form for. These are
    then `uncopied`, and behind them it goes on.
    """

    def __init__(self, table: str, columns: tuple[str, ...]) -> None:
        self.table = table
        self.columns = columns
        self.uncopied: Sequence[Sequence[object]] = ()
        self._made: asyncio.Queue[bytes | Sequence[Sequence[object]] | None] = asyncio.Queue()

    def add(self, rows: Sequence[Sequence[object]]) -> None:
        """Some more rows. Their text is made at once: in the turn of whoever makes them."""
        try:
            self._made.put_nowait(copied_rows(rows))
        except Uncopied:
            self._made.put_nowait(rows)

    def end(self) -> None:
        """These were all."""
        self._made.put_nowait(None)

    def __aiter__(self) -> AsyncIterator[bytes]:
        self.uncopied = ()
        return self

    async def __anext__(self) -> bytes:
        made = await self._made.get()
        if isinstance(made, bytes):
            return made
        self.uncopied = made or ()
        raise StopAsyncIteration


def copied_rows(rows: Sequence[Sequence[object]]) -> bytes:
    """The rows in COPY's text format. Raises `Uncopied`."""
    lines = map("\t".join, zip(*map(_column, zip(*rows, strict=True)), strict=True))
    return ("\n".join(lines) + "\n").encode()


def _column(values: tuple[object, ...]) -> Iterable[str]:
    """A column's values; most columns need no look at each."""
    if are_one(values):
        return [_text(values[0])] * len(values)
    kinds = set(map(type, values))
    known: Any = values
    if kinds == {str}:
        whole = "".join(known)
        return known if not any(special in whole for special, _ in _ESCAPES) else map(_escaped, known)
    if kinds == {bytes}:
        return map(_hexadecimal, known)
    if kinds == {datetime}:
        return [aware(value).isoformat() for value in known]
    return map(_text, values)


def _escaped(text: str) -> str:
    for special, escaped in _ESCAPES:
        if special in text:
            text = text.replace(special, escaped)
    return text


def _hexadecimal(value: bytes) -> str:
    return f"\\\\x{value.hex()}"


def _text(value: object) -> str:
    if value is None:
        return "\\N"
    if isinstance(value, datetime):
        return aware(value).isoformat()
    if isinstance(value, Enum):
        return _text(value._value_)
    if isinstance(value, str):
        return _escaped(value)
    if isinstance(value, bool):
        return "1" if value else "0"  # which a column of numbers takes too, as asyncpg does
    if isinstance(value, bytes):
        return _hexadecimal(value)
    if isinstance(value, int | float | Decimal | date | UUID):
        return str(value)
    raise Uncopied
