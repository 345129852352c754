"""Pieces of SQL that carry their arguments. Values never become text; names come from declarations only."""

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import orjson

Dialect = Literal["sqlite", "postgres"]

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)


@dataclass(frozen=True)
class Fragment:
    """SQL with `?` for each of `args`, in order. The filtered table is called `t`."""

    sql: str
    args: tuple[Any, ...] = ()

    def __post_init__(self) -> None:
        if self.sql.count("?") != len(self.args):
            raise ValueError(f"{self.sql.count('?')} places for {len(self.args)} arguments in: {self.sql}")

    def about(self, column: str, other: str) -> "Fragment | None":
        """The same on `other` in place of `column` (`t.owner_id`); `None` if it reads more of `t`."""
        if _OWN_T.search(self.sql) is not None or {*_OF_T.findall(self.sql)} != {column}:
            return None
        return Fragment(_OF_T.sub(other, self.sql), self.args)


_OF_T = re.compile(r"\bt\.\w+")
_OWN_T = re.compile(r"\bAS t\b", re.IGNORECASE)
"""A query within that calls a table of its own so."""

TRUE = Fragment("1 = 1")
FALSE = Fragment("1 = 0")


def name(identifier: str) -> str:
    """The identifier itself, if it is a plain one. Raises `ValueError` for what would need quoting."""
    if _NAME.fullmatch(identifier) is None:
        raise ValueError(f"{identifier!r} is no plain SQL name: letters, digits and _ only")
    return identifier


def join(separator: str, fragments: Iterable[Fragment]) -> Fragment:
    """The fragments one after the other."""
    parts = list(fragments)
    args = tuple(arg for part in parts for arg in part.args)
    return Fragment(separator.join(part.sql for part in parts), args)


def all_of(fragments: Iterable[Fragment | None]) -> Fragment:
    """True where each one is; true for none at all."""
    parts = [part for part in fragments if part is not None and part is not TRUE]
    if len(parts) < 2:
        return parts[0] if parts else TRUE
    return _balanced(" AND ", [_bracketed(part) for part in parts])


def any_of(fragments: Iterable[Fragment]) -> Fragment:
    """True where at least one is; false for none at all."""
    parts = list(fragments)
    if len(parts) < 2:
        return parts[0] if parts else FALSE
    return _balanced(" OR ", [_bracketed(part) for part in parts])


_MOST_IN_A_ROW = 50


def _balanced(operator: str, parts: list[Fragment]) -> Fragment:
    """Many conditions in brackets of a few: databases take a long chain for a tree as deep, and refuse it."""
    while len(parts) > _MOST_IN_A_ROW:
        groups = [parts[i : i + _MOST_IN_A_ROW] for i in range(0, len(parts), _MOST_IN_A_ROW)]
        parts = [_bracketed(join(operator, group)) for group in groups]
    return join(operator, parts)


def none_of(fragment: Fragment) -> Fragment:
    """The complement: also true where `fragment` is unknown because of a NULL."""
    return Fragment(f"({fragment.sql}) IS NOT TRUE", fragment.args)


def _bracketed(fragment: Fragment) -> Fragment:
    return Fragment(f"({fragment.sql})", fragment.args)


def among(column: str, keys: Sequence[object], dialect: Dialect) -> Fragment:
    """`column` is one of `keys`: one argument whatever their number, so that the statement's text stays."""
    if dialect == "postgres":
        return Fragment(f"{column} = ANY(?)", (list(keys),))
    return Fragment(f"{column} IN (SELECT value FROM json_each(?))", (json_list(keys),))


def json_list(values: Sequence[object]) -> str:
    """A list for SQLite's `json_each`."""
    try:
        return orjson.dumps(list(values)).decode()
    except TypeError:  # half a character, or an integer beyond 64 bits
        return json.dumps(list(values))


def listed(column: str, values: Sequence[object]) -> Fragment:
    """`column` is one of `values`, with an argument for each; false for none."""
    if not values:
        return FALSE
    return Fragment(f"{column} IN ({', '.join('?' for _ in values)})", tuple(values))
