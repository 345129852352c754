"""Rows that a unit of work will insert, kept back until something has to see them: then they go together.

On PostgreSQL that is one statement, and so one round trip; alone in its transaction it needs no BEGIN and no
COMMIT either. On SQLite it is one visit to the writer's thread.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import count
from typing import Any

from .sql import filled, name, numbered

FEW = 24
"""Rows that go in one statement on PostgreSQL. Each number of rows is another text to prepare, so that many
rows rather go table by table."""


Kind = tuple[tuple[str, ...], tuple[tuple[str, tuple[str, ...], int], ...]]
"""What is the same in all that one prepared statement can do: the SELECTs that are assumed to find a row, and
table, columns and number of rows of each insert."""

_LOCKS = re.compile(r"\bFOR (NO KEY UPDATE|UPDATE|KEY SHARE|SHARE)\s*\Z")


class Outdated(Exception):
    """What a repeatable unit of work assumed is not so. Nothing was changed; it is to be run again."""


@dataclass(slots=True)
class Insert:
    """Rows of one table, their values as the driver takes them."""

    table: str
    columns: tuple[str, ...]
    rows: list[Sequence[Any]]

    @property
    def sql(self) -> str:
        """For one row, with `?` placeholders."""
        return insert_sql(self.table, self.columns)


@dataclass(slots=True)
class Gathered:
    """Inserts in their order, and the conditions without which none of them is to happen."""

    assumed: list[tuple[str, list[Any]]] = field(default_factory=list)
    """SELECTs that must find a row, with `?` placeholders, and their values."""
    inserts: list[Insert] = field(default_factory=list)

    def __bool__(self) -> bool:
        return bool(self.inserts or self.assumed)

    def add(self, table: str, columns: tuple[str, ...], rows: list[Sequence[Any]]) -> None:
        last = self.inserts[-1] if self.inserts else None
        if last is not None and (last.table, last.columns) == (table, columns):
            last.rows += rows
        else:
            self.inserts.append(Insert(table, columns, rows))

    @property
    def kind(self) -> Kind | None:
        """What one statement of PostgreSQL can do it all; None if that would be none, or too long."""
        shape = [(insert.table, insert.columns, len(insert.rows)) for insert in self.inserts]
        if not shape or sum([rows for _, _, rows in shape]) > FEW:
            return None
        return tuple([sql for sql, _ in self.assumed]), tuple(shape)

    @property
    def values(self) -> list[Any]:
        """All values, in the order of the placeholders of its kind."""
        values = [value for _, values in self.assumed for value in values]
        values += [value for insert in self.inserts for row in insert.rows for value in row]
        return values


@lru_cache(maxsize=2048)
def insert_sql(table: str, columns: tuple[str, ...]) -> str:
    return f"{_into(table, columns)} VALUES ({_marks(columns)})"


@lru_cache(maxsize=512)
def in_one(kind: Kind) -> str:
    """The statement for one of a kind.

    It inserts rows, into the last table at least one, if all that is assumed is so, and else none.
    """
    assumed, shape = kind
    # MATERIALIZED: once for all the inserts, and before any of them
    parts = [f"a{number} AS MATERIALIZED ({sql})" for number, sql in enumerate(assumed)]
    condition = " AND ".join(f"EXISTS (SELECT 1 FROM a{number})" for number in range(len(assumed)))
    inserts: list[str] = []
    for table, columns, rows in shape:
        into = _into(table, columns)
        if assumed:
            inserts += [f"{into} SELECT {_marks(columns)} WHERE {condition}"] * rows
        else:
            inserts.append(f"{into} VALUES {', '.join([f'({_marks(columns)})'] * rows)}")
    parts += [f"w{number} AS ({insert})" for number, insert in enumerate(inserts[:-1])]
    return numbered(f"WITH {', '.join(parts)} {inserts[-1]}" if parts else inserts[-1])


@lru_cache(maxsize=512)
def for_many(kind: Kind, many: int, types: tuple[str, ...]) -> str:
    """The statement for so many of a kind, whose values follow one another; `types` are those of one.

    It returns the numbers, from 0, of those that it stored. It does not wait for rows that others hold: what
    assumes something of them is not stored, as if it were not so.
    """
    assumed, shape = kind
    places = count()
    seen = [filled(sql, lambda: f"whole.v{next(places)}") for sql in assumed]
    seen = [f"{sql} SKIP LOCKED" if _LOCKS.search(sql) else sql for sql in seen]
    conditions = [f"EXISTS ({sql})" for sql in seen]
    inserts = [
        f"{_into(table, columns)} SELECT {', '.join(f'v{next(places)}' for _ in columns)} FROM stored"
        for table, columns, rows in shape
        for _ in range(rows)
    ]
    # the types of the first row are those of the others
    given = [f"({', '.join(f'?::{type_}' for type_ in types)}, 0)"]
    given += [f"({_marks(types)}, {number})" for number in range(1, many)]
    names = ", ".join(f"v{number}" for number in range(len(types)))
    where = f" WHERE {' AND '.join(conditions)}" if conditions else ""
    whole = numbered(f"(VALUES {', '.join(given)})")
    # MATERIALIZED: before any of the inserts, so that each of these has the same
    parts = [f"stored AS MATERIALIZED (SELECT * FROM {whole} AS whole({names}, number){where})"]
    parts += [f"w{number} AS ({insert})" for number, insert in enumerate(inserts)]
    return f"WITH {', '.join(parts)} SELECT number FROM stored"


def _into(table: str, columns: Sequence[str]) -> str:
    return f"INSERT INTO {name(table)} ({_listed(columns)})"


def _listed(columns: Sequence[str]) -> str:
    return ", ".join(name(column) for column in columns)


def _marks(columns: Sequence[str]) -> str:
    return ", ".join("?" * len(columns))
